/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncepeer.h: the client's certificate of a session. Releases of NSS differ in
 * how they keep it; this is the one place of the adapter to change for
 * another one. */
#ifndef SSLSNCE_NSS_SNCEPEER_H
#define SSLSNCE_NSS_SNCEPEER_H

#include "cert.h"
#include "sslimpl.h"

/* ssl_SidCertificate returns the client's certificate, in DER; NULL if |sid|
 * has none. It belongs to |sid|. */
static inline const SECItem *
ssl_SidCertificate(const sslSessionID *sid)
{
    return sid->peerCert ? &sid->peerCert->derCert : NULL;
}

/* ssl_SetSidCertificate gives |sid|, which has none, a copy of |der|. The caller
 * frees it with the sid. */
static inline SECStatus
ssl_SetSidCertificate(sslSessionID *sid, CERTCertDBHandle *dbHandle,
                      SECItem *der)
{
    sid->peerCert =
        CERT_NewTempCertificate(dbHandle, der, NULL, PR_FALSE, PR_TRUE);
    return sid->peerCert ? SECSuccess : SECFailure;
}

#endif /* SSLSNCE_NSS_SNCEPEER_H */
