/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceknown.h"

#include <pthread.h>

#include "secport.h"

#include "sncederive.h"
#include "sncegate.h"

#define SPACE_AT (SNCE_TAG_AT + SNCE_TAG_BYTES)
#define SPACE_BYTES (SELF_ENCRYPT_KEY_NAME_LEN - SPACE_AT)

/* For so many caches the keys are kept with each ticket key. A derivation takes some
 * ten microseconds, a kept pair of keys 13 KB. */
#define OWNS_MAX 64

/* The bytes before the cache's name in the context of a derivation. */
#define EPOCH_BYTES 4

/* |lock| guards these. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static snceKnown *all;
static unsigned count, capacity;

void
snceKnown_Lock(void)
{
    pthread_mutex_lock(&lock);
}

void
snceKnown_Unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* ---- one key --------------------------------------------------------------- */

void
snceRotate_Free(snceRotateKeys *keys)
{
    if (keys->encKey) {
        PK11_FreeSymKey(keys->encKey);
    }
    if (keys->macKey) {
        PK11_FreeSymKey(keys->macKey);
    }
    PORT_Memset(keys, 0, sizeof *keys);
}

void
snceKnown_Free(snceKnown *k)
{
    snceRotate_Free(&k->keys);
    for (unsigned i = 0; i < k->ownCount; i++) {
        snceRotate_Free(&k->owns[i].keys);
    }
    PORT_Free(k->owns);
    if (k->root) {
        PK11_FreeSymKey(k->root);
    }
    PORT_Memset(k, 0, sizeof *k);
}

void
snceKnown_Refer(const snceRotateKeys *keys, snceRotateKeys *out)
{
    *out = *keys;
    out->encKey = PK11_ReferenceSymKey(keys->encKey);
    out->macKey = PK11_ReferenceSymKey(keys->macKey);
}

/* Derives what tickets need from |root|, whose id is |id| and whose names have |tag|:
 * for the common space, or for that of |context|. */
static SECStatus
known_Derive(PK11SymKey *root, PRUint64 id, const PRUint8 *tag,
             const SECItem *context, snceRotateKeys *out)
{
    PORT_Memset(out, 0, sizeof *out);
    PORT_Memcpy(out->name, SELF_ENCRYPT_KEY_NAME_PREFIX, SNCE_TAG_AT);
    PORT_Memcpy(out->name + SNCE_TAG_AT, tag, SNCE_TAG_BYTES);
    out->id = id;
    out->encKey = snceDerive_Key(root, "sslsnce ticket encrypt", context,
                                 snceDerive_encrypt);
    out->macKey =
        snceDerive_Key(root, "sslsnce ticket mac", context, snceDerive_mac);
    if (out->encKey && out->macKey &&
        snceDerive_Bytes(root, "sslsnce ticket name", context,
                         out->name + SPACE_AT, SPACE_BYTES) == SECSuccess) {
        return SECSuccess;
    }
    snceRotate_Free(out);
    return SECFailure;
}

SECStatus
snceKnown_Complete(snceKnown *k, const PRUint8 *tag)
{
    PRUint8 own[SNCE_TAG_BYTES];

    if (!tag) {
        if (snceDerive_Bytes(k->root, "sslsnce ticket tag", NULL, own,
                             sizeof own) != SECSuccess) {
            return SECFailure;
        }
        tag = own;
    }
    if (snceSource_Kind(k->times.source) == snceSource_secret) {
        PORT_Memcpy(k->keys.name + SNCE_TAG_AT, tag, SNCE_TAG_BYTES);
        return SECSuccess;
    }
    return known_Derive(k->root, k->times.id, tag, NULL, &k->keys);
}

/* ---- all of them ----------------------------------------------------------- */

unsigned
snceKnown_Count(void)
{
    return count;
}

snceKnown *
snceKnown_At(unsigned i)
{
    return &all[i];
}

snceKnown *
snceKnown_FindId(PRUint64 id)
{
    for (unsigned i = 0; i < count; i++) {
        if (all[i].times.id == id) {
            return &all[i];
        }
    }
    return NULL;
}

SECStatus
snceKnown_Keep(snceKnown *k)
{
    SECStatus rv = SECSuccess;

    snceKnown_Lock();
    if (count == capacity) {
        unsigned more = capacity ? 2 * capacity : 8;
        snceKnown *larger = PORT_Realloc(all, more * sizeof *all);

        if (larger) {
            all = larger;
            capacity = more;
        } else {
            rv = SECFailure;
        }
    }
    if (rv == SECSuccess && !snceKnown_FindId(k->times.id)) {
        all[count++] = *k;
        PORT_Memset(k, 0, sizeof *k);
    }
    snceKnown_Unlock();
    snceKnown_Free(k);
    return rv;
}

void
snceKnown_Prune(snceKnown_Stays stays, void *context)
{
    snceKnown *gone = NULL;
    unsigned goneCount = 0;

    snceKnown_Lock();
    if (count > 0) {
        gone = PORT_Alloc(count * sizeof *gone);
    }
    for (unsigned i = 0; gone && i < count;) {
        if (stays(context, &all[i])) {
            i++;
        } else {
            gone[goneCount++] = all[i];
            all[i] = all[--count];
        }
    }
    snceKnown_Unlock();
    for (unsigned i = 0; i < goneCount; i++) {
        snceKnown_Free(&gone[i]);
    }
    PORT_Free(gone);
}

void
snceKnown_Reset(void)
{
    snceKnown *old;
    unsigned oldCount;

    snceKnown_Lock();
    old = all;
    oldCount = count;
    all = NULL;
    count = capacity = 0;
    snceKnown_Unlock();
    for (unsigned i = 0; i < oldCount; i++) {
        snceKnown_Free(&old[i]);
    }
    PORT_Free(old);
}

/* ---- the name spaces of caches --------------------------------------------- */

static PRBool
known_IsSame(const snceRotateSpace *a, const snceRotateSpace *b)
{
    return a->number == b->number && a->generation == b->generation &&
           a->region == b->region && a->epoch == b->epoch;
}

/* Writes the context from which the keys of |space| are derived: its epoch, and the
 * name of the cache. Nothing in it depends on the machine or the region. Fails if
 * the cache is gone. */
static SECStatus
known_Context(const snceRotateSpace *space,
              PRUint8 out[EPOCH_BYTES + SNCE_NAME_MAX], unsigned *len)
{
    PRUint32 pass;
    snceRegion *region = snceGate_EnterRegion(space->region, &pass);
    SECStatus rv = SECFailure;
    snceServerInfo info;

    if (region && snceServer_Next(region, space->number, &info) == SNCE_OK &&
        info.id.number == space->number &&
        (space->number == 0 || info.id.generation == space->generation)) {
        for (unsigned i = 0; i < EPOCH_BYTES; i++) {
            out[i] = (PRUint8)(space->epoch >> 8 * (EPOCH_BYTES - 1 - i));
        }
        PORT_Memcpy(out + EPOCH_BYTES, info.name, info.nameLen);
        *len = EPOCH_BYTES + (unsigned)info.nameLen;
        rv = SECSuccess;
    }
    if (region) {
        snceGate_Leave(pass);
    }
    return rv;
}

/* Finds what was derived from |k| for |space|; NULL stands for the common one. The
 * caller has the lock. */
static const snceRotateKeys *
known_FindKeys(const snceKnown *k, const snceRotateSpace *space)
{
    if (!space) {
        return &k->keys;
    }
    for (unsigned i = 0; i < k->ownCount; i++) {
        if (known_IsSame(&k->owns[i].space, space)) {
            return &k->owns[i].keys;
        }
    }
    return NULL;
}

/* Keeps |keys| with the key of |id|. They take the place of those of another epoch, or
 * of a removed cache that had the same number; else, if there are many, of the oldest. */
static void
known_KeepOwn(PRUint64 id, const snceRotateSpace *space, snceRotateKeys *keys)
{
    snceRotateKeys old = { 0 };
    unsigned i = 0;
    snceKnown *k;

    snceKnown_Lock();
    k = snceKnown_FindId(id);
    if (k && !known_FindKeys(k, space)) {
        while (i < k->ownCount && k->owns[i].space.number != space->number) {
            i++;
        }
        if (i == OWNS_MAX) {
            i = k->ownNext++ % OWNS_MAX;
        } else if (i == k->ownCount) {
            snceKnownOwn *larger =
                PORT_Realloc(k->owns, (i + 1) * sizeof *larger);

            if (larger) {
                k->owns = larger;
                k->ownCount++;
                PORT_Memset(&larger[i], 0, sizeof *larger);
            }
        }
        if (i < k->ownCount) {
            old = k->owns[i].keys;
            k->owns[i].space = *space;
            snceKnown_Refer(keys, &k->owns[i].keys);
        }
    }
    snceKnown_Unlock();
    snceRotate_Free(&old);
}

/* Has |root| that |name| in the space of |context|? */
static PRBool
known_IsName(PK11SymKey *root, const SECItem *context, const PRUint8 *name)
{
    PRUint8 derived[SPACE_BYTES];

    return snceDerive_Bytes(root, "sslsnce ticket name", context, derived,
                            SPACE_BYTES) == SECSuccess &&
           PORT_Memcmp(derived, name + SPACE_AT, SPACE_BYTES) == 0;
}

PRBool
snceKnown_IsNameOf(PK11SymKey *root, const snceRotateSpace *space,
                   const PRUint8 *name)
{
    PRUint8 context[EPOCH_BYTES + SNCE_NAME_MAX];
    SECItem item = { siBuffer, context, 0 };

    if (!space) {
        return known_IsName(root, NULL, name);
    }
    return known_Context(space, context, &item.len) == SECSuccess &&
           known_IsName(root, &item, name);
}

SECStatus
snceKnown_KeysOf(PRUint64 id, const snceRotateSpace *space, const PRUint8 *name,
                 snceRotateKeys *out)
{
    PRUint8 context[EPOCH_BYTES + SNCE_NAME_MAX];
    SECItem item = { siBuffer, context, 0 };
    const snceRotateKeys *found = NULL;
    PRUint8 tag[SNCE_TAG_BYTES];
    PK11SymKey *root = NULL;
    SECStatus rv = SECFailure;
    const snceKnown *k;

    PORT_Memset(out, 0, sizeof *out);
    snceKnown_Lock();
    k = snceKnown_FindId(id);
    if (k) {
        found = known_FindKeys(k, space);
        if (found) {
            snceKnown_Refer(found, out);
        } else {
            root = PK11_ReferenceSymKey(k->root);
            PORT_Memcpy(tag, k->keys.name + SNCE_TAG_AT, sizeof tag);
        }
    }
    snceKnown_Unlock();
    if (found) {
        return SECSuccess;
    }
    if (root) {
        if (known_Context(space, context, &item.len) == SECSuccess &&
            (!name || known_IsName(root, &item, name))) {
            rv = known_Derive(root, id, tag, &item, out);
        }
        PK11_FreeSymKey(root);
    }
    if (rv == SECSuccess) {
        known_KeepOwn(id, space, out);
    }
    return rv;
}
