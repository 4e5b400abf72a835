/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncestart.h: what a process needs before the cache's first call in it.
 *
 * A server may configure its cache before NSS_Init, from any thread. NSPR
 * initializes itself at the first call that any thread makes to it, without a
 * lock: if several threads do so at once, they crash. So each call of the cache
 * that may be a process's first one and calls NSPR (PORT_SetError does) begins
 * with ssl_StartServerCache. */
#ifndef SSLSNCE_NSS_SNCESTART_H
#define SSLSNCE_NSS_SNCESTART_H

#include "nss.h"
#include "prtypes.h"
#include "seccomon.h"

SEC_BEGIN_PROTOS

/* ssl_StartServerCache initializes NSPR and the texts of libssl's errors, once.
 * Fails without memory for the texts. Any thread may call it at any time; later
 * calls cost one load. The thread is not cancelled in it. A fork waits for it,
 * up to a second. */
SECStatus ssl_StartServerCache(void);

/* ssl_WatchNssShutdown makes NSS call |atShutdown|, with NULL, at the next
 * NSS_Shutdown. |atShutdown| sets |*watching| to PR_FALSE, because NSS then
 * forgets it. Later calls cost one load. Fails if NSS is not initialized, or
 * without memory; the next call tries again. */
SECStatus ssl_WatchNssShutdown(NSS_ShutdownFunc atShutdown,
                               _Atomic PRBool *watching);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCESTART_H */
