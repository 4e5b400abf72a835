/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecert.c: the certificate that a session is resumed under, before TLS 1.3.
 *
 * A session resumes under the server key that it was made under. Where an SNI
 * callback gives the socket its certificate, NSS calls it for a full handshake
 * only, after it has tried to resume: a session made under the certificate of
 * one name would be looked at under that of another. So the callback is called
 * earlier, as TLS 1.3 does, unless the session is of the name that the client
 * asks for and fits the certificate that is there: then it is not called, as in
 * NSS. It is called once for a handshake at most. */

#include "secitem.h"
#include "secport.h"
#include "sslimpl.h"

/* The name as it is spelled: another spelling costs a call of the callback. */
static PRBool
cert_IsOfOfferedName(const sslSocket *ss, const sslSessionID *sid)
{
    const SECItem *name = &sid->u.ssl3.srvName;
    PRUint32 i;

    for (i = 0; name->len && i < ss->xtnData.sniNameArrSize; ++i) {
        if (SECITEM_CompareItem(name, &ss->xtnData.sniNameArr[i]) == SECEqual) {
            return PR_TRUE;
        }
    }
    return PR_FALSE;
}

SECStatus
ssl_ChooseCertForSession(sslSocket *ss, const sslSessionID *sid, PRBool *chosen)
{
    const sslServerCert *cert;

    *chosen = PR_FALSE;
    if (!ss->sniSocketConfig || !ss->xtnData.sniNameArrSize) {
        return SECSuccess;
    }
    cert = ssl_FindServerCert(ss, sid->authType, sid->namedCurve);
    if (cert_IsOfOfferedName(ss, sid) && ssl_SessionFitsCert(ss, cert, sid)) {
        return SECSuccess;
    }
    *chosen = PR_TRUE;
    return ssl3_ServerCallSNICallback(ss);
}

void
ssl_DropServerNameReply(TLSExtensionData *xtnData)
{
    sslExtensionBuilder *sender = xtnData->serverHelloSenders;
    sslExtensionBuilder *kept = sender;
    const sslExtensionBuilder *end = sender + SSL_MAX_EXTENSIONS;

    /* The first without a function ends the list. */
    for (; sender != end && sender->ex_sender; ++sender) {
        if (sender->ex_type != ssl_server_name_xtn) {
            *kept++ = *sender;
        }
    }
    if (kept != sender) {
        PORT_Memset(kept, 0, (sender - kept) * sizeof *kept);
    }
}
