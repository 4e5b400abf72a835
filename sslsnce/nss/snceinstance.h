/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceinstance.h: the ...Instance calls. NSS has them but never exported them,
 * so that no header declares them. A cacheDesc is a cache of its own: a virtual
 * server that no client's name chooses. */
#ifndef SSLSNCE_NSS_SNCEINSTANCE_H
#define SSLSNCE_NSS_SNCEINSTANCE_H

#include "snceint.h"

SEC_BEGIN_PROTOS

/* All zero before it is configured. The caller owns it; a child by fork has the
 * same one. */
typedef struct cacheDescStr {
    PRBool configured;
    sslServerCacheId id;
} cacheDesc;

/* Each of these does for |cache| what the call without Instance does for the
 * default cache; if |cache| is NULL, it does that call. If the process has no
 * region yet, the Config call makes one, with an empty default cache.
 * SSL_ShutdownServerSessionIDCache ends the region with all its caches. */
SECStatus SSL_ConfigServerSessionIDCacheInstance(
    cacheDesc *cache, int maxCacheEntries, PRUint32 ssl2_timeout,
    PRUint32 ssl3_timeout, const char *directory, PRBool shared);
SECStatus SSL_InheritMPServerSIDCacheInstance(cacheDesc *cache,
                                              const char *envString);
SECStatus SSL_ShutdownServerSessionIDCacheInstance(cacheDesc *cache);

/* ssl_BindServerCacheInstance binds |ss| as SSL_BindServerCache does. */
void ssl_BindServerCacheInstance(sslSocket *ss, const cacheDesc *cache);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEINSTANCE_H */
