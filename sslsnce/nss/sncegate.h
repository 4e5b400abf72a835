/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncegate.h: which region this process has, and whether a thread is in it.
 *
 * A server may shut its cache down while some of its threads are in the middle
 * of a lookup. The core leaves that to its caller ("a handle must not be closed
 * while another thread of the same process uses it"), and this gate keeps the
 * rule without a lock: a thread that uses the region counts itself in and out
 * on a cache line that few other threads share, and the thread that closes the
 * region waits until it has seen every line at zero.
 *
 * The gate is private to a process. */
#ifndef SSLSNCE_NSS_SNCEGATE_H
#define SSLSNCE_NSS_SNCEGATE_H

#include "prtypes.h"
#include "seccomon.h"

#include "sslsnce/snce.h"

SEC_BEGIN_PROTOS

/* snceGate_Enter returns the region, which stays mapped until the caller's
 * snceGate_Leave(|*pass|), or NULL if this process has none; then the caller
 * does not leave. Any thread may call it; it takes no lock and makes no system
 * call. The caller stays inside only briefly: it may call the core, but not
 * PKCS #11. */
snceRegion *snceGate_Enter(PRUint32 *pass);

/* snceGate_EnterRegion is snceGate_Enter, if the region is the one of |identity|
 * (snceRegion_Identity); otherwise it returns NULL, as if there were none. */
snceRegion *snceGate_EnterRegion(PRUint64 identity, PRUint32 *pass);

/* snceGate_Leave ends what either of those two began. */
void snceGate_Leave(PRUint32 pass);

/* snceGate_Identity returns the identity of this process's region, or 0 if it has
 * none. The caller is not inside. */
PRUint64 snceGate_Identity(void);

/* snceGate_Lock takes this process's lock for configuring, inheriting and
 * shutting down. It returns the region, NULL if there is none, which stays
 * until the caller changes it or calls snceGate_Unlock. Until then this thread
 * cannot be cancelled. A child that is forked meanwhile finds the lock free. */
snceRegion *snceGate_Lock(void);

/* snceGate_Unlock releases the lock. */
void snceGate_Unlock(void);

/* snceGate_Open publishes |region|, where there was none. The caller has the
 * lock. */
void snceGate_Open(snceRegion *region);

/* snceGate_Close stops threads from entering the region, and waits up to a
 * second for the threads inside. The caller has the lock.
 *
 * Returns PR_TRUE if no thread is inside any more: the caller may close the
 * region. Returns PR_FALSE if a thread is still inside (stopped by a debugger,
 * for example, or ended there): the caller must leave the region mapped. */
PRBool snceGate_Close(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEGATE_H */
