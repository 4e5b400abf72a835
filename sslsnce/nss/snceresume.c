/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceresume.c: whether a session may resume on this socket now.
 *
 * An SNI callback may change all options of the socket, and virtual servers are
 * often set up that way. NSS decides whether to resume by the options that the
 * socket had when the ClientHello came, and before TLS 1.3 it calls the
 * callback for full handshakes only. So a session that was made where no client
 * certificate is wanted would resume where one is required. Therefore the
 * callback is called before every decision to resume, once for each
 * ClientHello, and afterwards everything that it may have changed is checked
 * again. Version and cipher suite stay as negotiated, as in NSS's full
 * handshakes. */

#include "secitem.h"
#include "secport.h"
#include "sslimpl.h"
#include "sslproto.h"

#include "snceint.h"
#include "sncepeer.h"

/* Whether a full handshake on |ss| would insist on a client certificate. */
static PRBool
resume_RequiresCert(const sslSocket *ss)
{
    if (!ss->opt.requestCertificate) {
        return PR_FALSE;
    }
    switch (ss->opt.requireCertificate) {
        case SSL_REQUIRE_ALWAYS:
        case SSL_REQUIRE_NO_ERROR:
            return PR_TRUE;
        case SSL_REQUIRE_FIRST_HANDSHAKE:
            return !ss->firstHsDone;
        default:
            return PR_FALSE;
    }
}

/* Whether |sid| came by a ticket that does not count, because tickets are
 * disabled. In TLS 1.3 the option is only about tickets that libssl issues:
 * with or without it an application may issue its own (SSL_SendSessionTicket),
 * and NSS accepts both kinds. So there a ticket does not count only if a
 * callback disabled tickets and libssl issued it. */
static PRBool
resume_LostTicket(const sslSocket *ss, const sslSessionID *sid)
{
    if (ss->opt.enableSessionTickets) {
        return PR_FALSE;
    }
    if (ss->version < SSL_LIBRARY_VERSION_TLS_1_3) {
        return PR_TRUE;
    }
    return ss->sec.hadTickets &&
           !(sid->u.ssl3.locked.sessionTicket.flags & ticket_of_application);
}

PRBool
ssl_SessionFitsSocket(const sslSocket *ss, const sslSessionID *sid)
{
    if (!ssl_SidCertificate(sid) && resume_RequiresCert(ss)) {
        return PR_FALSE;
    }
    if (sid->fromTicket ? resume_LostTicket(ss, sid) : ss->opt.noCache) {
        return PR_FALSE;
    }
    /* The callback may now choose another name for the same requested name. */
    return SECITEM_CompareItem(&sid->u.ssl3.srvName,
                               &ss->ssl3.hs.srvVirtName) == SECEqual;
}

/* Removes the handler that is to answer the extension |type|. */
static void
resume_DropReply(TLSExtensionData *xtnData, PRUint16 type)
{
    sslExtensionBuilder *sender = xtnData->serverHelloSenders;
    sslExtensionBuilder *kept = sender;
    const sslExtensionBuilder *end = sender + SSL_MAX_EXTENSIONS;

    /* The first entry without a function ends the list. */
    for (; sender != end && sender->ex_sender; ++sender) {
        if (sender->ex_type != type) {
            *kept++ = *sender;
        }
    }
    if (kept != sender) {
        PORT_Memset(kept, 0, (sender - kept) * sizeof *kept);
    }
}

void
ssl_DropServerNameReply(TLSExtensionData *xtnData)
{
    resume_DropReply(xtnData, ssl_server_name_xtn);
}

void
ssl_DropTicketIfDisabled(sslSocket *ss)
{
    TLSExtensionData *xtnData = &ss->xtnData;
    PRUint16 kept = 0;
    PRUint16 i;

    if (ss->opt.enableSessionTickets) {
        return;
    }
    resume_DropReply(xtnData, ssl_session_ticket_xtn);
    for (i = 0; i < xtnData->numNegotiated; ++i) {
        if (xtnData->negotiated[i] != ssl_session_ticket_xtn) {
            xtnData->negotiated[kept++] = xtnData->negotiated[i];
        }
    }
    xtnData->numNegotiated = kept;
}
