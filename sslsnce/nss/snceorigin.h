/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceorigin.h: where a session was made: in which cache, under which server
 * name.
 *
 * RFC 6066 section 3: a session is not resumed under another server name than
 * its own. NSS reads the server_name extension only where the application has
 * an SNI callback, and knows a session's name only if that callback chose one.
 * So the adapter notes the name that a ClientHello asks for, for every server.
 * That name tells sessions apart, whatever name the callback chooses. */
#ifndef SSLSNCE_NSS_SNCEORIGIN_H
#define SSLSNCE_NSS_SNCEORIGIN_H

#include <stddef.h>

#include "secport.h"
#include "sslimpl.h"

#include "sslsnce/snce.h"

SEC_BEGIN_PROTOS

/* ssl_FoldServerName writes the name of |origin| into |out| in the form in
 * which names are compared: in lower case (RFC 4343), without a dot at the end.
 * Returns its length, 0 for a ClientHello without a name. */
unsigned int ssl_FoldServerName(const sslServerOrigin *origin,
                                PRUint8 out[sizeof origin->name]);

/* ssl_CopyServerOrigin makes |*to| the same origin as |*from|. For a short
 * name, as most are, it copies only the bytes in use and a few more. */
static inline void
ssl_CopyServerOrigin(sslServerOrigin *to, const sslServerOrigin *from)
{
    enum {
        FEW_BYTES = 64
    }; /* constant, so that the compiler emits plain moves */

    if (from->nameLen <= FEW_BYTES - offsetof(sslServerOrigin, name)) {
        PORT_Memcpy(to, from, FEW_BYTES);
    } else {
        *to = *from;
    }
}

/* ssl_RestoreServerName gives |sid| the srvName that it had when it was cached:
 * the name of its origin. If the ClientHello of |ss| asks for the same name,
 * this takes the spelling of that ClientHello, because NSS compares names byte
 * by byte. |ss| may be NULL. Fails without memory. */
SECStatus ssl_RestoreServerName(const sslSocket *ss, sslSessionID *sid);

/* snceOrigin_Judge tells whether a ticket of the time |issued| may be used on |ss| now:
 * SNCE_TICKET_CURRENT, or why not. |origin| is what the ticket says of it. */
snceTicketEvent snceOrigin_Judge(const sslSocket *ss, PRTime issued,
                                 const SECItem *origin, PRBool hasClientCert);

/* ssl_BeginOfSession returns the time of the full handshake with which |sid|
 * began; |now| if that is still going on, or if the clock was set back since. */
PRTime ssl_BeginOfSession(const sslSessionID *sid, PRTime now);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEORIGIN_H */
