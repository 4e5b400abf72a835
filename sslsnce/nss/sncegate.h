/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncegate.h: which region this process has, and whether a thread is in it.
 *
 * A server may shut its cache down while threads of its own are in the middle
 * of a lookup. The core leaves that to its caller ("a handle must not be closed
 * while another thread of the same process uses it"), and this gate is how the
 * adapter keeps that rule without a lock: whoever touches the region counts
 * himself in and out on a cache line that he shares with few other threads, and
 * whoever closes it waits until every line has been seen at zero.
 *
 * The gate is private to a process. */
#ifndef SSLSNCE_NSS_SNCEGATE_H
#define SSLSNCE_NSS_SNCEGATE_H

#include "prtypes.h"
#include "seccomon.h"

#include "sslsnce/snce.h"

SEC_BEGIN_PROTOS

/* snceGate_Enter returns the region, which stays mapped until the caller's
 * snceGate_Leave(|*pass|), or NULL if this process has none (and the caller
 * does not leave). Any thread; no lock, no system call. The caller keeps his
 * stay short: he calls the core, not PKCS #11. */
snceRegion *snceGate_Enter(PRUint32 *pass);

/* snceGate_Leave ends what snceGate_Enter began. */
void snceGate_Leave(PRUint32 pass);

/* snceGate_Lock takes the turn for configuring, inheriting and shutting down in
 * this process and returns the region, NULL if there is none. The region stays
 * until the caller changes it or ends with snceGate_Unlock. Until then this thread
 * is not cancelled. A child that is forked meanwhile gets the turn free. */
snceRegion *snceGate_Lock(void);

/* snceGate_Unlock gives the turn back. */
void snceGate_Unlock(void);

/* snceGate_Open publishes |region|, where there was none. The caller has the
 * turn. */
void snceGate_Open(snceRegion *region);

/* snceGate_Close takes the region away from threads that come, and waits up to
 * a second for those inside. The caller has the turn.
 *
 * Returns PR_TRUE when nobody is inside any more: the caller may close the
 * region. PR_FALSE means that a thread is still there (stopped by a debugger,
 * say, or killed by its own process): the caller must leave the region mapped.
 */
PRBool snceGate_Close(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEGATE_H */
