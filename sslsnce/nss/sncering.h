/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncering.h: the wrapping keys that this process has unwrapped.
 *
 * To unwrap one again would cost an operation with a server's private key, so
 * the ring keeps them, under names that sncewrap.c makes of a server key and a
 * mechanism. It is a cache: it keeps the keys that were used last, at most
 * SNCE_RING_MAX, and forgets any of them without harm, because a key that other
 * processes may have wrapped something with is found again in the region.
 *
 * A process that could not get the key which it shares with others has one of its
 * own in its place, or, if it has only looked for one, the mere fact that a token
 * failed. It tries again after a while (snceretry.h).
 *
 * The ring is private to a process. Any thread may call any of these at any
 * time; none calls PKCS #11 or allocates with the ring's lock held. A child that
 * is forked meanwhile has a whole ring. */
#ifndef SSLSNCE_NSS_SNCERING_H
#define SSLSNCE_NSS_SNCERING_H

#include "pk11func.h"
#include "prtypes.h"
#include "seccomon.h"
#include "sslimpl.h"

SEC_BEGIN_PROTOS

/* As many as a region has records for, so that the keys of a server that fit
 * the one fit the other. Ten thousand certificates used in turn would unwrap a
 * key for each handshake; a thousand do not. */
#define SNCE_RING_MAX 1024

/* snceRing_Find returns the key |name| and writes its |id|, or returns NULL.
 * The caller ends with PK11_FreeSymKey. A key whose token has gone, or has been
 * reset since, is not there any more. |*ask| is PR_TRUE if the caller is to ask for
 * the shared key: the ring knows nothing of it; or a token failed, and this caller
 * is the one to try again. */
PK11SymKey *snceRing_Find(const SECItem *name,
                          PRUint8 id[SSL_WRAP_KEY_ID_BYTES], PRBool *ask);

/* snceRing_Turn returns a number that snceRing_Empty changes. Whoever makes or
 * unwraps a key asks for it first, before he looks at the region. */
PRUint32 snceRing_Turn(void);

/* Whether there may be a better key than this one. */
typedef enum {
    snceRing_final, /* all processes have it, or none will ever share theirs */
    snceRing_forNow /* of this process's own, because a token failed */
} snceRingKind;

/* snceRing_Add puts |key| into the ring under |name| with |id|, and returns it,
 * still the caller's. If another thread was first, it returns that one's key
 * and writes its |id|; the caller has that one now instead of his own. But a final
 * key takes the place of one that is there for now, and any key that of a failure. If
 * |turn| is over, or memory is short, the ring does without the key.
 *
 * |key| is NULL, and |kind| snceRing_forNow, to note that a token failed and that
 * there is no key. What is there already stays. The pauses between two attempts go
 * on from the first failure, whichever key comes meanwhile, until a final one. */
PK11SymKey *snceRing_Add(const SECItem *name, PK11SymKey *key,
                         PRUint8 id[SSL_WRAP_KEY_ID_BYTES], snceRingKind kind,
                         PRUint32 turn);

/* snceRing_Empty forgets every key. Called after the process's region changed:
 * a key that was made before is then either not in the ring, or comes too late
 * to get in. */
void snceRing_Empty(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCERING_H */
