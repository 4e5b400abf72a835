/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncekeycache.h: the wrapping keys that this process has unwrapped.
 *
 * To unwrap a key again would cost an operation with a server's private key, so
 * the key cache keeps the unwrapped keys, under names that sncewrap.c makes of
 * a server key and a mechanism. It keeps the keys that were used last, at most
 * SNCE_RING_MAX. Forgetting a key does no harm if other processes may have
 * wrapped something with it: such a key is found again in the region.
 *
 * If a process could not get the key that it shares with others, the key cache
 * has in its place a key of the process's own, or, if the process has only
 * looked for one, the mere fact that a token failed. The process tries again
 * after a while (snceretry.h).
 *
 * The key cache is private to a process. Any thread may call any of these at
 * any time; none calls PKCS #11 or allocates with the key cache's lock held. A
 * child that is forked meanwhile has a consistent key cache. */
#ifndef SSLSNCE_NSS_SNCEKEYCACHE_H
#define SSLSNCE_NSS_SNCEKEYCACHE_H

#include "pk11func.h"
#include "prtypes.h"
#include "seccomon.h"
#include "sslimpl.h"

SEC_BEGIN_PROTOS

/* As many as a region has records for, so that the keys of a server that fit
 * the one fit the other. With ten thousand certificates used in turn, each
 * handshake would unwrap a key; with a thousand, none does. */
#define SNCE_RING_MAX 1024

/* snceKeyCache_Find returns the key |name| and writes its |id|, or returns
 * NULL. The caller ends with PK11_FreeSymKey. A key whose token is gone, or was
 * reset since, is not returned. |*ask| is PR_TRUE if the caller is to ask for
 * the shared key: the key cache has no entry for it; or a token failed, and it
 * is this caller's turn to try again. */
PK11SymKey *snceKeyCache_Find(const SECItem *name,
                              PRUint8 id[SSL_WRAP_KEY_ID_BYTES], PRBool *ask);

/* snceKeyCache_Generation returns a number that snceKeyCache_Empty changes. A
 * thread that is going to make or unwrap a key calls this first, before it
 * looks at the region. */
PRUint32 snceKeyCache_Generation(void);

/* Whether there may be a better key than this one. */
typedef enum {
    snceKeyCache_final, /* all processes have it, or none will ever be shared */
    snceKeyCache_forNow /* this process's own, because a token failed */
} snceKeyCacheKind;

/* snceKeyCache_Add puts |key| into the key cache under |name| with |id|, and
 * returns it; it stays the caller's. If another thread was first, it returns
 * that thread's key and writes its |id|; the caller then owns that key instead
 * of its own. But a final key replaces one that is there for now, and any key
 * replaces the note of a failure. If snceKeyCache_Empty has changed the
 * generation since |generation|, or memory is short, the key does not enter the
 * key cache.
 *
 * |key| is NULL, and |kind| snceKeyCache_forNow, to note that a token failed
 * and that there is no key. A key that is there already stays. The pauses
 * between two attempts go on from the first failure, whichever keys come
 * meanwhile, until a final one does. */
PK11SymKey *snceKeyCache_Add(const SECItem *name, PK11SymKey *key,
                             PRUint8 id[SSL_WRAP_KEY_ID_BYTES],
                             snceKeyCacheKind kind, PRUint32 generation);

/* snceKeyCache_Empty forgets every key. It is called after the process's region
 * changed: a key that was made before is then either not in the key cache, or
 * comes too late to enter it. */
void snceKeyCache_Empty(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEKEYCACHE_H */
