/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncesid.h: the lookups that sslsnce.c hands to libssl. The other calls of
 * sncesid.c are declared in NSS's sslimpl.h. */
#ifndef SSLSNCE_NSS_SNCESID_H
#define SSLSNCE_NSS_SNCESID_H

#include "cert.h"
#include "prtypes.h"
#include "sslimpl.h"

SEC_BEGIN_PROTOS

/* ssl_FindServerSession returns a new sid for the session |id| of the client
 * |addr| that is live at |now|: of the origin of |ss|, or if |ss| is NULL of
 * the default cache, under any server name.
 *
 * The caller ends with ssl_FreeSID. On failure returns NULL and sets
 * SSL_ERROR_SESSION_NOT_FOUND, SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED or the
 * error that occurred. Never returns a session without the certificate that its
 * client had. Takes no lock; allocates what it returns. */
sslSessionID *ssl_FindServerSession(const sslSocket *ss, PRTime now,
                                    const PRIPv6Addr *addr, const PRUint8 *id,
                                    unsigned int idLen,
                                    CERTCertDBHandle *dbHandle);

/* ssl_LookupInDefaultCache is what ssl_sid_lookup points to. */
sslSessionID *ssl_LookupInDefaultCache(PRTime now, const PRIPv6Addr *addr,
                                       unsigned char *id, unsigned int idLen,
                                       CERTCertDBHandle *dbHandle);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCESID_H */
