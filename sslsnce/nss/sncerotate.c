/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncerotate.h"

#include <pthread.h>
#include <stdlib.h>

#include "secerr.h"
#include "secport.h"

#include "sncederive.h"
#include "sncegate.h"
#include "snceint.h"
#include "sncelifetime.h"
#include "snceregionkey.h"
#include "snceretry.h"

/* Rounds of looking and making: a key; its successor; and one more. */
#define CURRENT_TRIES 3

/* A name in a ticket: NSS's prefix, a tag of the ticket key, and a tag of the name
 * space. */
#define TAG_AT SELF_ENCRYPT_KEY_NAME_PREFIX_LEN
#define TAG_BYTES 4
#define SPACE_AT (TAG_AT + TAG_BYTES)
#define SPACE_BYTES (SELF_ENCRYPT_KEY_NAME_LEN - SPACE_AT)

/* Of keys with one tag, so many are tried. */
#define SAME_TAG_MAX 4

/* For so many caches the keys are kept with each ticket key. A derivation takes some
 * ten microseconds, a kept pair of keys 13 KB. */
#define OWNS_MAX 64

/* The bytes before the cache's name in the context of a derivation. */
#define EPOCH_BYTES 4

/* What is derived from a ticket key for the tickets of one cache. */
typedef struct {
    snceRotateSpace space;
    snceRotateKeys keys;
} own;

/* A key that this process knows. */
typedef struct {
    snceTicketKey times; /* with its id; |value| is empty */
    PRBool shared;       /* the region has it */
    PK11SymKey *root;    /* the others are derived from it */
    snceRotateKeys keys; /* for cookies, and tickets of the common space */
    own *owns;
    unsigned ownCount;
    unsigned ownNext; /* the next to go when there are OWNS_MAX */
} known;

/* |lock| guards these. A thread that has it waits for nothing. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static known *all;
static unsigned count, capacity;
static PRUint64 seenRegion;  /* whose keys these are; 0: none's */
static PRUint64 seenChanges; /* snceTicketKeys_Changes of the last look */
static PRUint32 rotationSec = DEFAULT_ROTATION_SEC; /* of the last look */
static snceRetry addRetry; /* pending: the region took no key */

/* One thread at a time makes keys. It does so in NSS's own token, and waits for no
 * other. Taken before |lock|. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static void
rotate_Lock(void)
{
    pthread_mutex_lock(&lock);
}

static void
rotate_Unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void
rotate_BeforeFork(void)
{
    pthread_mutex_lock(&making);
    snceRegionKey_BeforeFork();
    rotate_Lock();
}

static void
rotate_AfterFork(void)
{
    rotate_Unlock();
    snceRegionKey_AfterFork();
    pthread_mutex_unlock(&making);
}

/* The locks are held across fork, as is that of sncekeycache.c, for the same reasons;
 * by one handler, because their order matters. */
__attribute__((constructor)) static void
rotate_WatchForks(void)
{
    (void)pthread_atfork(rotate_BeforeFork, rotate_AfterFork, rotate_AfterFork);
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

static void
rotate_FreeKnown(known *k)
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

/* Derives what tickets need from |root|, whose id is |id|: for the common space, or
 * for that of |context|. */
static SECStatus
rotate_Derive(PK11SymKey *root, PRUint64 id, const SECItem *context,
              snceRotateKeys *out)
{
    PORT_Memset(out, 0, sizeof *out);
    PORT_Memcpy(out->name, SELF_ENCRYPT_KEY_NAME_PREFIX, TAG_AT);
    out->id = id;
    out->encKey = snceDerive_Key(root, "sslsnce ticket encrypt", context,
                                 snceDerive_encrypt);
    out->macKey =
        snceDerive_Key(root, "sslsnce ticket mac", context, snceDerive_mac);
    if (out->encKey && out->macKey &&
        snceDerive_Bytes(root, "sslsnce ticket tag", NULL, out->name + TAG_AT,
                         TAG_BYTES) == SECSuccess &&
        snceDerive_Bytes(root, "sslsnce ticket name", context,
                         out->name + SPACE_AT, SPACE_BYTES) == SECSuccess) {
        return SECSuccess;
    }
    snceRotate_Free(out);
    return SECFailure;
}

/* Encrypts |k| under |rk|, for other processes. */
static SECStatus
rotate_Encrypt(const known *k, const snceRegionKey *rk, snceTicketKey *out)
{
    SECItem wrapped = { siBuffer, out->value, sizeof out->value };
    SECStatus rv;

    *out = k->times;
    wrapped.data = out->value;
    rv = PK11_WrapSymKey(CKM_AES_KEY_WRAP_KWP, NULL, rk->wrap, k->root,
                         &wrapped);
    out->under = rk->id;
    out->len = wrapped.len;
    return rv;
}

static SECStatus
rotate_Decrypt(const snceTicketKey *stored, const snceRegionKey *rk, known *k)
{
    SECItem wrapped = { siBuffer, (unsigned char *)stored->value,
                        (unsigned)stored->len };

    PORT_Memset(k, 0, sizeof *k);
    k->times = *stored;
    k->times.len = 0;
    k->shared = PR_TRUE;
    k->root = PK11_UnwrapSymKey(rk->wrap, CKM_AES_KEY_WRAP_KWP, NULL, &wrapped,
                                CKM_HKDF_DERIVE, CKA_DERIVE, SNCE_DERIVE_BYTES);
    return k->root ? rotate_Derive(k->root, k->times.id, NULL, &k->keys)
                   : SECFailure;
}

/* ---- all of them ----------------------------------------------------------- */

/* The caller has the lock. */
static known *
rotate_FindId(PRUint64 id)
{
    for (unsigned i = 0; i < count; i++) {
        if (all[i].times.id == id) {
            return &all[i];
        }
    }
    return NULL;
}

static PRBool
rotate_Knows(PRUint64 id)
{
    PRBool found;

    rotate_Lock();
    found = rotate_FindId(id) != NULL;
    rotate_Unlock();
    return found;
}

/* Takes over |*k|, unless a key of its id is there. */
static SECStatus
rotate_Keep(known *k)
{
    SECStatus rv = SECSuccess;

    rotate_Lock();
    if (count == capacity) {
        unsigned more = capacity ? 2 * capacity : 8;
        known *larger = PORT_Realloc(all, more * sizeof *all);

        if (larger) {
            all = larger;
            capacity = more;
        } else {
            rv = SECFailure;
        }
    }
    if (rv == SECSuccess && !rotate_FindId(k->times.id)) {
        all[count++] = *k;
        PORT_Memset(k, 0, sizeof *k);
    }
    rotate_Unlock();
    rotate_FreeKnown(k);
    return rv;
}

static int
rotate_CompareIds(const void *a, const void *b)
{
    PRUint64 first = ((const snceTicketKey *)a)->id;
    PRUint64 second = ((const snceTicketKey *)b)->id;

    return (first > second) - (first < second);
}

/* Drops the shared keys that are not in |list|, which is sorted, and keys of this
 * process's own that have expired. */
static void
rotate_Prune(const snceTicketKey *list, size_t listed, PRTime now)
{
    known *gone = NULL;
    unsigned goneCount = 0;

    rotate_Lock();
    if (count > 0) {
        gone = PORT_Alloc(count * sizeof *gone);
    }
    for (unsigned i = 0; gone && i < count;) {
        known *k = &all[i];
        PRBool stays = k->times.decryptUntil.usec > now;

        if (k->shared) {
            stays = listed > 0 && bsearch(&k->times, list, listed, sizeof *list,
                                          rotate_CompareIds) != NULL;
        }
        if (stays) {
            i++;
        } else {
            gone[goneCount++] = *k;
            *k = all[--count];
        }
    }
    rotate_Unlock();
    for (unsigned i = 0; i < goneCount; i++) {
        rotate_FreeKnown(&gone[i]);
    }
    PORT_Free(gone);
}

/* ---- those of the region --------------------------------------------------- */

/* Copies the keys of the region, with the number of changes before. |*out| is the
 * caller's to free. */
static SECStatus
rotate_ListRegion(PRUint64 identity, snceTicketKey **out, size_t *listed,
                  PRUint64 *changes)
{
    size_t max = 32;
    snceResult result;

    do {
        snceRegion *region;
        PRUint32 pass;

        *out = PORT_Alloc(max * sizeof **out);
        if (!*out) {
            return SECFailure;
        }
        result = SNCE_GONE;
        region = snceGate_EnterRegion(identity, &pass);
        if (region) {
            *changes = snceTicketKeys_Changes(region);
            result = snceTicketKeys_List(region, *out, max, listed);
            snceGate_Leave(pass);
        }
        if (result != SNCE_OK) {
            PORT_Free(*out);
            *out = NULL;
        }
        max *= 8;
    } while (result == SNCE_TOO_LARGE && max < 1000000);
    return result == SNCE_OK ? SECSuccess : SECFailure;
}

/* Adds |k| to the region under |rk|. */
static snceResult
rotate_Add(PRUint64 identity, const known *k, const snceRegionKey *rk)
{
    snceResult result = SNCE_GONE;
    snceTicketKey stored;
    snceRegion *region;
    PRUint32 pass;

    if (rotate_Encrypt(k, rk, &stored) != SECSuccess) {
        return SNCE_NO_MEMORY;
    }
    region = snceGate_EnterRegion(identity, &pass);
    if (region) {
        result = snceTicketKeys_Add(region, &stored);
        snceGate_Leave(pass);
    }
    return result;
}

/* Is the key of |id| among the |listed| ones under |rk|? */
static PRBool
rotate_IsUnder(const snceTicketKey *list, size_t listed, PRUint64 id,
               const snceRegionKey *rk)
{
    for (size_t i = 0; i < listed; i++) {
        if (list[i].id == id && list[i].under == rk->id) {
            return PR_TRUE;
        }
    }
    return PR_FALSE;
}

/* Takes over the keys of the region that are listed, and stores each one under those
 * region keys under which it is not there yet. Sorts the list. */
static void
rotate_Merge(PRUint64 identity, snceTicketKey *list, size_t listed,
             const snceRegionKey *rks, unsigned rkCount, PRTime now)
{
    if (listed > 0) {
        qsort(list, listed, sizeof *list, rotate_CompareIds);
    }
    for (size_t i = 0; i < listed; i++) {
        for (unsigned j = 0; j < rkCount; j++) {
            known k;

            if (list[i].under != rks[j].id || rotate_Knows(list[i].id)) {
                continue;
            }
            if (rotate_Decrypt(&list[i], &rks[j], &k) == SECSuccess) {
                (void)rotate_Keep(&k);
            } else {
                rotate_FreeKnown(&k);
            }
        }
    }
    rotate_Prune(list, listed, now);
    for (unsigned j = 0; rkCount > 1 && j < rkCount; j++) {
        for (size_t i = 0; i < listed; i++) {
            known copy = { 0 };
            known *k;

            if (rotate_IsUnder(list, listed, list[i].id, &rks[j])) {
                continue;
            }
            rotate_Lock();
            k = rotate_FindId(list[i].id);
            if (k) {
                copy.times = k->times;
                copy.root = PK11_ReferenceSymKey(k->root);
            }
            rotate_Unlock();
            if (copy.root) {
                (void)rotate_Add(identity, &copy, &rks[j]);
                PK11_FreeSymKey(copy.root);
            }
        }
    }
}

/* Counts failures of a token in the figure of the socket's cache. */
static void
rotate_CountFailures(const sslSocket *ss, unsigned failures)
{
    snceRegion *region;
    PRUint32 pass;

    region = failures ? snceGate_Enter(&pass) : NULL;
    if (region) {
        for (unsigned i = 0; i < failures; i++) {
            snceCache_CountKeyFailure(
                ssl_ServerCache(region, ss->sec.origin.cache));
        }
        snceGate_Leave(pass);
    }
}

/* Whether a look at the region may ask tokens for region keys. */
typedef enum { rotateLook_ask, rotateLook_onlyLook } rotateLook;

/* Looks at the region, if anything has changed there or may be done about this
 * process's server keys. Returns the region's identity, 0 for none. */
static PRUint64
rotate_Refresh(const sslSocket *ss, rotateLook how)
{
    PRUint64 identity = 0, changes = 0;
    PRUint32 rotation;
    snceRegionKey rks[SNCE_REGION_KEYS];
    snceTicketKey *list = NULL;
    unsigned rkCount;
    PRBool stale, isDue;
    snceRegion *region;
    size_t listed = 0;
    PRUint32 pass;

    region = snceGate_Enter(&pass);
    if (region) {
        identity = snceRegion_Identity(region);
        changes = snceTicketKeys_Changes(region);
    }
    rotation = snceLifetime_Rotation(region);
    if (region) {
        snceGate_Leave(pass);
    }
    rotate_Lock();
    rotationSec = rotation;
    stale = seenRegion != identity || seenChanges != changes;
    rotate_Unlock();
    isDue = how == rotateLook_ask && identity && snceRegionKey_IsDue(identity);
    if (!stale && !isDue) {
        return identity;
    }
    if (isDue) {
        rotate_CountFailures(ss,
                             snceRegionKey_Resolve(identity, ss->pkcs11PinArg));
    }
    rkCount = snceRegionKey_List(identity, rks);
    if (!identity ||
        rotate_ListRegion(identity, &list, &listed, &changes) == SECSuccess) {
        rotate_Merge(identity, list, listed, rks, rkCount, ssl_Time(ss));
        rotate_Lock();
        seenRegion = identity;
        seenChanges = changes;
        rotate_Unlock();
        PORT_Free(list);
    }
    snceRegionKey_Free(rks, rkCount);
    return identity;
}

/* ---- which is in use ------------------------------------------------------- */

static void
rotate_Refer(const snceRotateKeys *keys, snceRotateKeys *out)
{
    *out = *keys;
    out->encKey = PK11_ReferenceSymKey(keys->encKey);
    out->macKey = PK11_ReferenceSymKey(keys->macKey);
}

/* Until when does |k| encrypt? If the rotation was made shorter after |k| was made,
 * the shorter one counts. The caller has the lock. */
static PRTime
rotate_Until(const known *k)
{
    return PR_MIN(k->times.encryptUntil.usec,
                  snceLifetime_Add(k->times.encryptFrom.usec, rotationSec));
}

/* Does |a| encrypt rather than |b|? All processes choose the same shared key. */
static PRBool
rotate_IsBefore(const known *a, const known *b)
{
    if (a->shared != b->shared) {
        return a->shared;
    }
    if (a->times.encryptFrom.usec != b->times.encryptFrom.usec) {
        return a->times.encryptFrom.usec > b->times.encryptFrom.usec;
    }
    return a->times.id > b->times.id;
}

/* What a look for the key that encrypts found. */
typedef struct {
    PRBool found;
    PRBool shared;
    PRBool hasNext;
    PRTime until;        /* the key encrypts */
    PRTime decryptUntil; /* it decrypts */
} current;

/* Finds the key that encrypts at |now|, and refers to it. */
static current
rotate_Choose(PRTime now, snceRotateKeys *out)
{
    const known *best = NULL;
    current c = { PR_FALSE, PR_FALSE, PR_FALSE, 0, 0 };

    PORT_Memset(out, 0, sizeof *out);
    rotate_Lock();
    for (unsigned i = 0; i < count; i++) {
        if (all[i].times.encryptFrom.usec <= now &&
            now < rotate_Until(&all[i]) &&
            (!best || rotate_IsBefore(&all[i], best))) {
            best = &all[i];
        }
    }
    for (unsigned i = 0; best && i < count; i++) {
        c.hasNext |= all[i].shared == best->shared &&
                     all[i].times.encryptFrom.usec <= rotate_Until(best) &&
                     rotate_Until(&all[i]) > rotate_Until(best);
    }
    if (best) {
        c.found = PR_TRUE;
        c.shared = best->shared;
        c.until = rotate_Until(best);
        c.hasNext |= c.until == PR_INT64_MAX; /* there is no later time */
        c.decryptUntil = best->times.decryptUntil.usec;
        rotate_Refer(&best->keys, out);
    }
    rotate_Unlock();
    return c;
}

static bool
rotate_HasExpired(void *context, const snceTicketKey *key)
{
    return key->decryptUntil.usec <= *(const PRTime *)context;
}

/* Wipes the keys of the region that have expired by the clock of a socket and by the
 * system's: a socket whose clock is ahead wipes none that others need. */
static void
rotate_WipeExpired(PRUint64 identity, PRTime now)
{
    PRUint32 pass;
    snceRegion *region = snceGate_EnterRegion(identity, &pass);

    if (region) {
        now = PR_MIN(now, PR_Now());
        (void)snceTicketKeys_Remove(region, rotate_HasExpired, &now);
        snceGate_Leave(pass);
    }
}

/* May the region be asked to take a key? If it has failed to, only after a while. */
static PRBool
rotate_MayAdd(void)
{
    PRBool may;

    rotate_Lock();
    may = !snceRetry_Pending(&addRetry) || snceRetry_IsTime(&addRetry);
    rotate_Unlock();
    return may;
}

static void
rotate_NoteAdd(PRBool added)
{
    rotate_Lock();
    if (added) {
        PORT_Memset(&addRetry, 0, sizeof addRetry);
    } else if (!snceRetry_Pending(&addRetry)) {
        snceRetry_Begin(&addRetry);
    } else {
        (void)snceRetry_Due(&addRetry); /* puts the next attempt off */
    }
    rotate_Unlock();
}

/* Returns the times of a key that encrypts from |from| on. It decrypts until the last
 * ticket made with it has expired. */
static snceTicketKey
rotate_Times(PRUint64 identity, PRTime now, PRTime from)
{
    PRUint32 pass = 0, rotation, longest;
    snceRegion *region =
        identity ? snceGate_EnterRegion(identity, &pass) : NULL;
    snceTicketKey times;

    rotation = snceLifetime_Rotation(region);
    longest = snceLifetime_LongestTicket(region);
    if (region) {
        snceGate_Leave(pass);
    }
    PORT_Memset(&times, 0, sizeof times);
    times.created.usec = now;
    times.encryptFrom.usec = from;
    times.encryptUntil.usec = snceLifetime_Add(from, rotation);
    times.decryptUntil.usec =
        snceLifetime_Add(times.encryptUntil.usec, longest);
    return times;
}

/* Makes the key that encrypts from |from| on: for all processes if this one has a
 * region key, else for itself. */
static SECStatus
rotate_Make(const sslSocket *ss, PRUint64 identity, PRTime now, PRTime from)
{
    snceRegionKey rks[SNCE_REGION_KEYS];
    unsigned rkCount;
    known k;

    PORT_Memset(&k, 0, sizeof k);
    k.times = rotate_Times(identity, now, from);
    if (snceDerive_Generate(ss->pkcs11PinArg, &k.root, &k.times.id) !=
            SECSuccess ||
        rotate_Derive(k.root, k.times.id, NULL, &k.keys) != SECSuccess) {
        rotate_FreeKnown(&k);
        return SECFailure;
    }
    rkCount = identity ? snceRegionKey_List(identity, rks) : 0;
    if (rkCount > 0) {
        rotate_WipeExpired(identity, now);
    }
    for (unsigned i = 0; i < rkCount; i++) {
        k.shared |= rotate_Add(identity, &k, &rks[i]) == SNCE_OK;
    }
    if (rkCount > 0) {
        rotate_NoteAdd(k.shared);
        snceRegionKey_Free(rks, rkCount);
    }
    return rotate_Keep(&k);
}

/* Looks for the key that encrypts now. PR_TRUE if it is there, with its successor. */
static PRBool
rotate_LookUp(const sslSocket *ss, rotateLook how, PRUint64 *identity,
              PRTime *now, current *c, snceRotateKeys *out)
{
    *identity = rotate_Refresh(ss, how);
    *now = ssl_Time(ss);
    *c = rotate_Choose(*now, out);
    if (c->found && !c->shared && *identity &&
        snceRegionKey_IsShared(*identity) && rotate_MayAdd()) {
        c->found = PR_FALSE; /* a shared one is due */
    }
    return c->found && c->hasNext;
}

/* Finds the key that encrypts now, or makes it. */
static SECStatus
rotate_Current(const sslSocket *ss, snceRotateKeys *out)
{
    PRUint64 identity;
    PRTime now;
    current c;
    int cancel;

    if (rotate_LookUp(ss, rotateLook_ask, &identity, &now, &c, out)) {
        return SECSuccess;
    }
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&making);
    for (unsigned try = 0; try < CURRENT_TRIES; try++) {
        snceRotate_Free(out);
        if (rotate_LookUp(ss, rotateLook_onlyLook, &identity, &now, &c, out)) {
            break;
        }
        if (rotate_Make(ss, identity, now, c.found ? c.until : now) !=
            SECSuccess) {
            break;
        }
    }
    pthread_mutex_unlock(&making);
    (void)pthread_setcancelstate(cancel, NULL);
    if (!out->encKey) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return SECFailure;
    }
    return SECSuccess;
}

/* ---- the name spaces of caches --------------------------------------------- */

snceRotateSpace
snceRotate_SpaceOf(const sslSocket *ss)
{
    const sslServerOrigin *origin = &ss->sec.origin;
    snceRotateSpace space = { origin->cache.number, origin->cache.generation,
                              origin->ticketEpoch, 0 };
    PRUint32 pass;
    snceRegion *region = snceGate_Enter(&pass);

    if (region) {
        space.region = snceRegion_Identity(region);
        snceGate_Leave(pass);
    }
    return space;
}

static PRBool
rotate_IsSame(const snceRotateSpace *a, const snceRotateSpace *b)
{
    return a->number == b->number && a->generation == b->generation &&
           a->region == b->region && a->epoch == b->epoch;
}

/* Writes the context from which the keys of |space| are derived: its epoch, and the
 * name of the cache. Nothing in it depends on the machine or the region. Fails if
 * the cache is gone. */
static SECStatus
rotate_Context(const snceRotateSpace *space,
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
rotate_FindKeys(const known *k, const snceRotateSpace *space)
{
    if (!space) {
        return &k->keys;
    }
    for (unsigned i = 0; i < k->ownCount; i++) {
        if (rotate_IsSame(&k->owns[i].space, space)) {
            return &k->owns[i].keys;
        }
    }
    return NULL;
}

/* Keeps |keys| with the key of |id|. They take the place of those of another epoch, or
 * of a removed cache that had the same number; else, if there are many, of the oldest. */
static void
rotate_KeepOwn(PRUint64 id, const snceRotateSpace *space, snceRotateKeys *keys)
{
    snceRotateKeys old = { 0 };
    unsigned i = 0;
    known *k;

    rotate_Lock();
    k = rotate_FindId(id);
    if (k && !rotate_FindKeys(k, space)) {
        while (i < k->ownCount && k->owns[i].space.number != space->number) {
            i++;
        }
        if (i == OWNS_MAX) {
            i = k->ownNext++ % OWNS_MAX;
        } else if (i == k->ownCount) {
            own *larger = PORT_Realloc(k->owns, (i + 1) * sizeof *larger);

            if (larger) {
                k->owns = larger;
                k->ownCount++;
                PORT_Memset(&larger[i], 0, sizeof *larger);
            }
        }
        if (i < k->ownCount) {
            old = k->owns[i].keys;
            k->owns[i].space = *space;
            rotate_Refer(keys, &k->owns[i].keys);
        }
    }
    rotate_Unlock();
    snceRotate_Free(&old);
}

/* Is |name| what is derived from |root|? So a client that makes names up causes no
 * keys. */
static PRBool
rotate_IsNameOf(PK11SymKey *root, const SECItem *context, const PRUint8 *name)
{
    PRUint8 derived[SPACE_BYTES];

    return snceDerive_Bytes(root, "sslsnce ticket name", context, derived,
                            SPACE_BYTES) == SECSuccess &&
           PORT_Memcmp(derived, name + SPACE_AT, SPACE_BYTES) == 0;
}

/* Returns what is derived from the key of |id| for |space|; NULL stands for the common
 * one. Fails if |name|, which may be NULL, is the name of other keys. */
static SECStatus
rotate_KeysOf(PRUint64 id, const snceRotateSpace *space, const PRUint8 *name,
              snceRotateKeys *out)
{
    PRUint8 context[EPOCH_BYTES + SNCE_NAME_MAX];
    SECItem item = { siBuffer, context, 0 };
    const snceRotateKeys *found = NULL;
    PK11SymKey *root = NULL;
    SECStatus rv = SECFailure;
    const known *k;

    PORT_Memset(out, 0, sizeof *out);
    rotate_Lock();
    k = rotate_FindId(id);
    if (k) {
        found = rotate_FindKeys(k, space);
        if (found) {
            rotate_Refer(found, out);
        } else {
            root = PK11_ReferenceSymKey(k->root);
        }
    }
    rotate_Unlock();
    if (found) {
        return SECSuccess;
    }
    if (root) {
        if (rotate_Context(space, context, &item.len) == SECSuccess &&
            (!name || rotate_IsNameOf(root, &item, name))) {
            rv = rotate_Derive(root, id, &item, out);
        }
        PK11_FreeSymKey(root);
    }
    if (rv == SECSuccess) {
        rotate_KeepOwn(id, space, out);
    }
    return rv;
}

SECStatus
snceRotate_Current(const sslSocket *ss, const snceRotateSpace *space,
                   snceRotateKeys *out)
{
    SECStatus rv = rotate_Current(ss, out);

    if (rv == SECSuccess && space) {
        PRUint64 id = out->id;

        snceRotate_Free(out);
        rv = rotate_KeysOf(id, space, NULL, out);
    }
    return rv;
}

PRTime
snceRotate_CurrentEnd(const sslSocket *ss)
{
    snceRotateKeys keys;
    current c = rotate_Choose(ssl_Time(ss), &keys);

    snceRotate_Free(&keys);
    return c.decryptUntil;
}

/* Collects the ids of the keys that have the tag in |name|, and still decrypt at
 * |now|. Returns how many. */
static unsigned
rotate_WithTag(const PRUint8 *name, PRTime now, PRUint64 ids[SAME_TAG_MAX])
{
    unsigned n = 0;

    rotate_Lock();
    for (unsigned i = 0; i < count && n < SAME_TAG_MAX; i++) {
        if (PORT_Memcmp(all[i].keys.name, name, SPACE_AT) == 0 &&
            now < all[i].times.decryptUntil.usec) {
            ids[n++] = all[i].times.id;
        }
    }
    rotate_Unlock();
    return n;
}

PRBool
snceRotate_Find(const sslSocket *ss, const snceRotateSpace *space,
                const PRUint8 name[SELF_ENCRYPT_KEY_NAME_LEN],
                snceRotateKeys *out)
{
    PRUint64 ids[SAME_TAG_MAX];
    unsigned n;

    PORT_Memset(out, 0, sizeof *out);
    (void)rotate_Refresh(ss, rotateLook_ask);
    n = rotate_WithTag(name, ssl_Time(ss), ids);
    for (unsigned i = 0; i < n; i++) {
        if (rotate_KeysOf(ids[i], space, name, out) == SECSuccess &&
            PORT_Memcmp(out->name, name, sizeof out->name) == 0) {
            return PR_TRUE;
        }
        snceRotate_Free(out);
    }
    return PR_FALSE;
}

void
snceRotate_Reset(void)
{
    known *old;
    unsigned oldCount;

    rotate_Lock();
    old = all;
    oldCount = count;
    all = NULL;
    count = capacity = 0;
    seenRegion = seenChanges = 0;
    PORT_Memset(&addRetry, 0, sizeof addRetry);
    rotate_Unlock();
    for (unsigned i = 0; i < oldCount; i++) {
        rotate_FreeKnown(&old[i]);
    }
    PORT_Free(old);
}
