/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceknown.h: the ticket keys that this process knows, and what is derived from each
 * one for the name spaces of the caches. Which of them counts is decided in
 * sncerotate.h.
 *
 * Any thread may call these; none waits while another one asks a token. */
#ifndef SSLSNCE_NSS_SNCEKNOWN_H
#define SSLSNCE_NSS_SNCEKNOWN_H

#include "pk11pub.h"
#include "prtypes.h"
#include "seccomon.h"
#include "sslimpl.h"

#include "snceint.h"
#include "sncesource.h"

SEC_BEGIN_PROTOS

/* snceRotateKeys is one ticket key as libssl uses it. */
typedef struct {
    PRUint64 id;
    PRUint8 name[SELF_ENCRYPT_KEY_NAME_LEN]; /* a ticket begins with it */
    PK11SymKey *encKey;                      /* AES-CBC */
    PK11SymKey *macKey;                      /* HMAC with SHA-256 */
} snceRotateKeys;

/* snceRotateSpace is the name space of a cache: tickets of one never open under
 * another. The default cache has the common space, in which cookies are, too, until
 * it gets a ticketEpoch. All zero: the common space. */
typedef struct {
    PRUint32 number; /* of the cache */
    PRUint32 generation;
    PRUint32 epoch; /* its ticketEpoch, when the ClientHello came */
    PRUint64 region;
} snceRotateSpace;

void snceRotate_Free(snceRotateKeys *keys);

/* A name in a ticket: NSS's prefix, a tag of the ticket key, and a tag of the name
 * space. */
#define SNCE_TAG_AT SELF_ENCRYPT_KEY_NAME_PREFIX_LEN
#define SNCE_TAG_BYTES 4

/* What is derived from a ticket key for the tickets of one cache. */
typedef struct {
    snceRotateSpace space;
    snceRotateKeys keys;
} snceKnownOwn;

/* A key that this process knows. */
typedef struct {
    snceTicketKey times; /* with its id and source; |value| is empty */
    PRBool shared;    /* it is from the region: when it goes there, it goes */
    PRUint64 secret;  /* the id of the secret that it is derived from, or 0 */
    PK11SymKey *root; /* the others are derived from it */
    snceRotateKeys keys; /* for cookies, and tickets of the common space. A
                          * secret has the name only */
    snceKnownOwn *owns;
    unsigned ownCount;
    unsigned ownNext; /* the next to go when there are too many */
} snceKnown;

/* snceKnown_Lock takes the lock of the list, and snceKnown_Unlock releases it. A
 * thread that has it waits for nothing and calls no token. The lock is held across
 * fork by the handlers of sncerotate.c. */
void snceKnown_Lock(void);
void snceKnown_Unlock(void);

/* The list; the caller has the lock. snceKnown_FindId returns NULL if there is none. */
unsigned snceKnown_Count(void);
snceKnown *snceKnown_At(unsigned i);
snceKnown *snceKnown_FindId(PRUint64 id);

/* snceKnown_Keep takes over |*k|, unless a key of its id is there. It frees what it
 * does not take. Fails without memory. */
SECStatus snceKnown_Keep(snceKnown *k);

/* snceKnown_Prune drops the keys of which |stays| says so, which gets |context| and
 * each key in turn, under the lock. */
typedef PRBool (*snceKnown_Stays)(void *context, const snceKnown *k);
void snceKnown_Prune(snceKnown_Stays stays, void *context);

/* snceKnown_Free frees a key that is not in the list. */
void snceKnown_Free(snceKnown *k);

/* snceKnown_Complete derives what |k| has beside its root and its times. |tag| is the
 * tag in its name; NULL stands for that of the root. */
SECStatus snceKnown_Complete(snceKnown *k, const PRUint8 *tag);

/* snceKnown_Refer makes |*out| the same keys, with references of their own. */
void snceKnown_Refer(const snceRotateKeys *keys, snceRotateKeys *out);

/* snceKnown_IsNameOf tells whether |name| is that of the keys of |root| in |space|. So
 * a client that makes names up causes no keys. */
PRBool snceKnown_IsNameOf(PK11SymKey *root, const snceRotateSpace *space,
                          const PRUint8 *name);

/* snceKnown_KeysOf returns what is derived from the key of |id| for |space|; NULL
 * stands for the common one. Fails if there is no such key, if the cache is gone, and
 * if |name|, which may be NULL, is the name of other keys. */
SECStatus snceKnown_KeysOf(PRUint64 id, const snceRotateSpace *space,
                           const PRUint8 *name, snceRotateKeys *out);

/* snceKnown_Reset forgets all keys. */
void snceKnown_Reset(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEKNOWN_H */
