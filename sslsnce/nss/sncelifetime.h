/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelifetime.h: how long a session may be resumed by tickets.
 *
 * Each ticket may be used for ticketTimeout, from the time when it was issued.
 * A resumption renews the ticket, in TLS 1.3 always, so that limit alone never
 * ends a session whose client comes back in time. Therefore a ticket carries the
 * time of the full handshake with which its session began, and the session may
 * be resumed for maxResumptionAge from then on. */
#ifndef SSLSNCE_NSS_SNCELIFETIME_H
#define SSLSNCE_NSS_SNCELIFETIME_H

#include "prtime.h"
#include "prtypes.h"
#include "sslimpl.h"

#include "sslsnce/snce.h"

SEC_BEGIN_PROTOS

/* How far the clocks of two machines of a fleet may differ, in seconds. */
#define SNCE_FLEET_SKEW_SEC 300

/* snceLifetime_Add returns |time| and so many |seconds| more; the largest time
 * there is if the sum overflows. */
PRTime snceLifetime_Add(PRTime time, PRUint32 seconds);

/* snceLifetime_Rotation returns for how many seconds a ticket key of |region|,
 * which may be NULL, encrypts. */
PRUint32 snceLifetime_Rotation(snceRegion *region);

/* snceLifetime_LongestTicket returns the longest ticketTimeout of all caches of
 * |region|, which may be NULL, in seconds. Looks at each cache. */
PRUint32 snceLifetime_LongestTicket(snceRegion *region);

/* snceLifetime_End returns until when a session may be resumed by a ticket that was
 * issued at |issued|, if it began with a full handshake at |began|. The cache and
 * the version of TLS are those of |ss|. */
PRTime snceLifetime_End(const sslSocket *ss, PRTime began, PRTime issued);

/* snceLifetime_Judge returns SNCE_TICKET_CURRENT if that time is still to come, and
 * |issued| is no further ahead of the clock of |ss| than clocks may differ; otherwise
 * why the ticket may not be used. */
snceTicketEvent snceLifetime_Judge(const sslSocket *ss, PRTime began,
                                   PRTime issued);

/* snceLifetime_JudgeForeign is the same for a ticket of another region, with a client's
 * certificate or without. Clocks of machines may differ by more. */
snceTicketEvent snceLifetime_JudgeForeign(const sslSocket *ss, PRTime began,
                                          PRTime issued, PRBool hasClientCert);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCELIFETIME_H */
