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
#include "sncesecret.h"

/* Rounds of looking and making: a key; its successor; and one more. */
#define CURRENT_TRIES 3

/* Of keys with one tag, so many are tried. */
#define SAME_TAG_MAX 4

/* The set of keys from files that counts (sncesource.h). */
typedef struct {
    PRTime created; /* 0: there is none */
    snceSourceKind kind;
    PRUint64 encrypts; /* the id of the key or secret that does */
} keySet;

/* The lock of snceknown.h guards these too. */
static keySet inForce;
static PRUint64 seenRegion;  /* whose keys these are; 0: none's */
static PRUint64 seenChanges; /* snceTicketKeys_Changes of the last look */
static PRBool installed;     /* a set that the region may not have yet */
static PRUint32 rotationSec = DEFAULT_ROTATION_SEC; /* of the last look */
static snceRetry addRetry; /* pending: the region took no key */
static snceRetry setRetry; /* pending: the region took a set in part only */

/* One thread at a time makes keys. It does so in NSS's own token, and waits for no
 * other. Taken before the lock of the list. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static void
rotate_BeforeFork(void)
{
    pthread_mutex_lock(&making);
    snceRegionKey_BeforeFork();
    snceKnown_Lock();
}

static void
rotate_AfterFork(void)
{
    snceKnown_Unlock();
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

/* Encrypts |k| under |rk|, for other processes. */
static SECStatus
rotate_Encrypt(const snceKnown *k, const snceRegionKey *rk, snceTicketKey *out)
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
rotate_Decrypt(const snceTicketKey *stored, const snceRegionKey *rk,
               snceKnown *k)
{
    SECItem wrapped = { siBuffer, (unsigned char *)stored->value,
                        (unsigned)stored->len };

    PORT_Memset(k, 0, sizeof *k);
    k->times = *stored;
    k->times.len = 0;
    k->shared = PR_TRUE;
    k->root = PK11_UnwrapSymKey(rk->wrap, CKM_AES_KEY_WRAP_KWP, NULL, &wrapped,
                                CKM_HKDF_DERIVE, CKA_DERIVE, SNCE_DERIVE_BYTES);
    return k->root ? snceKnown_Complete(k, NULL) : SECFailure;
}

/* ---- all of them ----------------------------------------------------------- */

static PRBool
rotate_Knows(PRUint64 id)
{
    PRBool found;

    snceKnown_Lock();
    found = snceKnown_FindId(id) != NULL;
    snceKnown_Unlock();
    return found;
}

/* Is |k| made at random: in no set, and no set's? */
static PRBool
rotate_IsRandom(const snceKnown *k)
{
    return k->secret == 0 &&
           snceSource_Kind(k->times.source) == snceSource_random;
}

/* Are all keys of the set of |k| known? The caller has the lock. */
static PRBool
rotate_IsWhole(const snceKnown *k)
{
    unsigned size = snceSource_Size(k->times.source);
    unsigned found = 0;

    for (unsigned i = 0; i < snceKnown_Count(); i++) {
        const snceKnown *other = snceKnown_At(i);

        found += other->secret == 0 &&
                 other->times.created.usec == k->times.created.usec &&
                 snceSource_Kind(other->times.source) ==
                     snceSource_Kind(k->times.source);
    }
    return found >= size;
}

/* Finds the newest set that is whole. The caller has the lock. */
static void
rotate_ChooseSet(void)
{
    PORT_Memset(&inForce, 0, sizeof inForce);
    for (unsigned i = 0; i < snceKnown_Count(); i++) {
        const snceKnown *k = snceKnown_At(i);

        if (!rotate_IsRandom(k) && k->secret == 0 &&
            k->times.created.usec > inForce.created && rotate_IsWhole(k)) {
            inForce.created = k->times.created.usec;
            inForce.kind = snceSource_Kind(k->times.source);
        }
    }
    for (unsigned i = 0; i < snceKnown_Count(); i++) {
        const snceKnown *k = snceKnown_At(i);

        if (k->times.created.usec == inForce.created && k->secret == 0 &&
            k->times.encryptUntil.usec > k->times.encryptFrom.usec &&
            !rotate_IsRandom(k)) {
            inForce.encrypts = k->times.id;
        }
    }
}

static int
rotate_CompareIds(const void *a, const void *b)
{
    PRUint64 first = ((const snceTicketKey *)a)->id;
    PRUint64 second = ((const snceTicketKey *)b)->id;

    return (first > second) - (first < second);
}

/* The keys of a region, sorted by their ids, and the time. */
typedef struct {
    const snceTicketKey *list;
    size_t count;
    PRTime now;
} listed;

/* Does |k| stay? Shared keys must be in the region. A key of this process's own stays
 * until it has expired, and a set until a newer one is in force. */
static PRBool
rotate_Stays(void *context, const snceKnown *k)
{
    const listed *region = context;

    if (!rotate_IsRandom(k) && k->times.created.usec < inForce.created) {
        return PR_FALSE;
    }
    if (!k->shared) {
        return k->times.decryptUntil.usec > region->now;
    }
    return region->count > 0 &&
           bsearch(&k->times, region->list, region->count, sizeof *region->list,
                   rotate_CompareIds) != NULL;
}

/* Drops the keys that do not stay. A set may have come into force, or gone. */
static void
rotate_Prune(const snceTicketKey *list, size_t count, PRTime now)
{
    listed region = { list, count, now };

    snceKnown_Lock();
    rotate_ChooseSet();
    snceKnown_Unlock();
    snceKnown_Prune(rotate_Stays, &region);
    snceKnown_Lock();
    rotate_ChooseSet();
    snceKnown_Unlock();
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
rotate_Add(PRUint64 identity, const snceKnown *k, const snceRegionKey *rk)
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

/* Is the key of |id| among the |count| listed ones under |rk|? */
static PRBool
rotate_IsUnder(const snceTicketKey *list, size_t count, PRUint64 id,
               const snceRegionKey *rk)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].id == id && list[i].under == rk->id) {
            return PR_TRUE;
        }
    }
    return PR_FALSE;
}

/* Takes over the keys of the region that are listed. */
static void
rotate_Learn(const snceTicketKey *list, size_t count, const snceRegionKey *rks,
             unsigned rkCount)
{
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < rkCount; j++) {
            snceKnown k;

            if (list[i].under != rks[j].id || rotate_Knows(list[i].id)) {
                continue;
            }
            if (rotate_Decrypt(&list[i], &rks[j], &k) == SECSuccess) {
                (void)snceKnown_Keep(&k);
            } else {
                snceKnown_Free(&k);
            }
        }
    }
}

/* Stores the key of |id| under each region key under which it is not there yet. Fails
 * if one could not be stored. */
static SECStatus
rotate_Spread(PRUint64 identity, const snceTicketKey *list, size_t count,
              PRUint64 id, const snceRegionKey *rks, unsigned rkCount)
{
    SECStatus rv = SECSuccess;

    for (unsigned j = 0; j < rkCount; j++) {
        snceKnown copy = { 0 };
        const snceKnown *k;

        if (rotate_IsUnder(list, count, id, &rks[j])) {
            continue;
        }
        snceKnown_Lock();
        k = snceKnown_FindId(id);
        if (k) {
            copy.times = k->times;
            copy.root = PK11_ReferenceSymKey(k->root);
        }
        snceKnown_Unlock();
        if (copy.root) {
            if (rotate_Add(identity, &copy, &rks[j]) != SNCE_OK) {
                rv = SECFailure;
            }
            PK11_FreeSymKey(copy.root);
        }
    }
    return rv;
}

/* Returns the ids of the keys of the set in force. */
static unsigned
rotate_SetIds(PRUint64 ids[SNCE_SET_MAX])
{
    unsigned n = 0;

    snceKnown_Lock();
    for (unsigned i = 0; i < snceKnown_Count() && n < SNCE_SET_MAX; i++) {
        const snceKnown *k = snceKnown_At(i);

        if (k->secret == 0 && !rotate_IsRandom(k) &&
            k->times.created.usec == inForce.created) {
            ids[n++] = k->times.id;
        }
    }
    snceKnown_Unlock();
    return n;
}

static bool
rotate_IsOlderSet(void *context, const snceTicketKey *key)
{
    return snceSource_Kind(key->source) != snceSource_random &&
           key->created.usec < *(const PRTime *)context;
}

/* Wipes the sets of the region that are older than the one in force. */
static void
rotate_Withdraw(PRUint64 identity, const snceTicketKey *list, size_t count)
{
    PRTime created;
    PRBool any = PR_FALSE;
    snceRegion *region;
    PRUint32 pass;

    snceKnown_Lock();
    created = inForce.created;
    snceKnown_Unlock();
    for (size_t i = 0; i < count; i++) {
        any |= rotate_IsOlderSet(&created, &list[i]);
    }
    region = any ? snceGate_EnterRegion(identity, &pass) : NULL;
    if (region) {
        (void)snceTicketKeys_Remove(region, rotate_IsOlderSet, &created);
        snceGate_Leave(pass);
    }
}

/* Notes whether the region has taken the whole set in force. If not, it is asked again
 * after a while. */
static void
rotate_NoteSet(SECStatus rv)
{
    snceKnown_Lock();
    if (rv == SECSuccess) {
        PORT_Memset(&setRetry, 0, sizeof setRetry);
    } else {
        installed = PR_TRUE;
        if (!snceRetry_Pending(&setRetry)) {
            snceRetry_Begin(&setRetry);
        } else {
            (void)snceRetry_Due(&setRetry); /* puts the next attempt off */
        }
    }
    snceKnown_Unlock();
}

/* Takes over the keys of the region that are listed, and stores each one, and those of
 * the set in force, under those region keys under which it is not there yet. Sorts the
 * list. */
static void
rotate_Merge(PRUint64 identity, snceTicketKey *list, size_t count,
             const snceRegionKey *rks, unsigned rkCount, PRTime now)
{
    SECStatus rv = SECSuccess;
    PRUint64 ids[SNCE_SET_MAX];
    unsigned idCount;

    if (count > 0) {
        qsort(list, count, sizeof *list, rotate_CompareIds);
    }
    rotate_Learn(list, count, rks, rkCount);
    rotate_Prune(list, count, now);
    for (size_t i = 0; rkCount > 1 && i < count; i++) {
        (void)rotate_Spread(identity, list, count, list[i].id, rks, rkCount);
    }
    idCount = rotate_SetIds(ids);
    for (unsigned i = 0; i < idCount; i++) {
        if (rotate_Spread(identity, list, count, ids[i], rks, rkCount) !=
            SECSuccess) {
            rv = SECFailure;
        }
    }
    /* Until the set is whole, other processes need the one before it. */
    if (rkCount > 0 && rv == SECSuccess) {
        rotate_Withdraw(identity, list, count);
    }
    rotate_NoteSet(rv);
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
    snceKnown_Lock();
    rotationSec = rotation;
    stale = seenRegion != identity || seenChanges != changes ||
            (installed &&
             (!snceRetry_Pending(&setRetry) || snceRetry_IsTime(&setRetry)));
    if (stale) {
        installed = PR_FALSE;
    }
    snceKnown_Unlock();
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
        snceKnown_Lock();
        seenRegion = identity;
        seenChanges = changes;
        snceKnown_Unlock();
        PORT_Free(list);
    }
    snceRegionKey_Free(rks, rkCount);
    return identity;
}

/* ---- which is in use ------------------------------------------------------- */

/* Until when does |k| encrypt? If the rotation was made shorter after a random key was
 * made, the shorter one counts. The caller has the lock. */
static PRTime
rotate_Until(const snceKnown *k)
{
    return rotate_IsRandom(k)
               ? PR_MIN(
                     k->times.encryptUntil.usec,
                     snceLifetime_Add(k->times.encryptFrom.usec, rotationSec))
               : k->times.encryptUntil.usec;
}

/* Is |k| of a kind that encrypts now? The caller has the lock. */
static PRBool
rotate_IsOfForce(const snceKnown *k)
{
    switch (inForce.kind) {
        case snceSource_key:
            return k->times.id == inForce.encrypts;
        case snceSource_secret:
            return k->secret == inForce.encrypts;
        default:
            return rotate_IsRandom(k);
    }
}

/* Does |a| encrypt rather than |b|? All processes choose the same shared key. */
static PRBool
rotate_IsBefore(const snceKnown *a, const snceKnown *b)
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
    const snceKnown *best = NULL;
    current c = { PR_FALSE, PR_FALSE, PR_FALSE, 0, 0 };
    unsigned count;

    PORT_Memset(out, 0, sizeof *out);
    snceKnown_Lock();
    count = snceKnown_Count();
    for (unsigned i = 0; i < count; i++) {
        const snceKnown *k = snceKnown_At(i);

        if (rotate_IsOfForce(k) && k->times.encryptFrom.usec <= now &&
            now < rotate_Until(k) && (!best || rotate_IsBefore(k, best))) {
            best = k;
        }
    }
    /* Of a set, the next key is known to all. */
    c.hasNext = best && !rotate_IsRandom(best);
    for (unsigned i = 0; best && !c.hasNext && i < count; i++) {
        const snceKnown *k = snceKnown_At(i);

        c.hasNext = rotate_IsOfForce(k) && k->shared == best->shared &&
                    k->times.encryptFrom.usec <= rotate_Until(best) &&
                    rotate_Until(k) > rotate_Until(best);
    }
    if (best) {
        c.found = PR_TRUE;
        c.shared = best->shared || !rotate_IsRandom(best);
        c.until = rotate_Until(best);
        c.hasNext |= c.until == PR_INT64_MAX; /* there is no later time */
        c.decryptUntil = best->times.decryptUntil.usec;
        snceKnown_Refer(&best->keys, out);
    }
    snceKnown_Unlock();
    return c;
}

/* ---- the periods of a secret ----------------------------------------------- */

/* Copies the secret of |id|, with a reference to its root. The caller has the lock. */
static void
rotate_CopySecret(const snceKnown *k, snceKnown *copy)
{
    PORT_Memset(copy, 0, sizeof *copy);
    copy->times = k->times;
    copy->keys = k->keys; /* the name; it has no others */
    copy->root = PK11_ReferenceSymKey(k->root);
}

/* For how many seconds a key encrypts, and then decrypts, in |*region|. */
static void
rotate_Lengths(PRUint64 identity, PRUint32 *rotation, PRUint32 *longest)
{
    PRUint32 pass = 0;
    snceRegion *region =
        identity ? snceGate_EnterRegion(identity, &pass) : NULL;

    *rotation = snceLifetime_Rotation(region);
    *longest = snceLifetime_LongestTicket(region);
    if (region) {
        snceGate_Leave(pass);
    }
}

/* Makes the key of the period in which |now| lies, if a secret encrypts. */
static SECStatus
rotate_MakePeriod(PRUint64 identity, PRTime now)
{
    PRUint32 rotation, longest;
    const snceKnown *k;
    snceKnown secret = { 0 };
    snceKnown made;
    SECStatus rv;

    snceKnown_Lock();
    k = inForce.kind == snceSource_secret ? snceKnown_FindId(inForce.encrypts)
                                          : NULL;
    if (k) {
        rotate_CopySecret(k, &secret);
    }
    snceKnown_Unlock();
    if (!secret.root) {
        return SECFailure;
    }
    rotate_Lengths(identity, &rotation, &longest);
    rv = snceSecret_Derive(&secret, snceSecret_PeriodAt(now, rotation),
                           rotation, longest, &made);
    PK11_FreeSymKey(secret.root);
    return rv == SECSuccess ? snceKnown_Keep(&made) : rv;
}

/* Does |k| decrypt at |now|? A period's key does from the time on at which another
 * machine's clock may have reached the period. The caller has the lock. */
static PRBool
rotate_Decrypts(const snceKnown *k, PRTime now)
{
    if (rotate_IsRandom(k)) {
        return now < k->times.decryptUntil.usec;
    }
    return k->times.created.usec == inForce.created && k->keys.encKey &&
           now < k->times.decryptUntil.usec &&
           (k->secret == 0 || k->times.encryptFrom.usec <=
                                  snceLifetime_Add(now, SNCE_FLEET_SKEW_SEC));
}

/* Makes the key of a period that |name| names, if it is one of a secret in force, and
 * |name| is in |space|. Returns its id, or 0. */
static PRUint64
rotate_FindPeriod(PRUint64 identity, const snceRotateSpace *space,
                  const PRUint8 *name, PRTime now)
{
    snceKnown secrets[SNCE_SET_MAX];
    PRUint32 rotation, longest;
    unsigned n = 0;
    PRUint64 id = 0;

    snceKnown_Lock();
    for (unsigned i = 0; inForce.kind == snceSource_secret &&
                         i < snceKnown_Count() && n < SNCE_SET_MAX;
         i++) {
        const snceKnown *k = snceKnown_At(i);

        if (snceSource_Kind(k->times.source) == snceSource_secret &&
            k->times.created.usec == inForce.created) {
            rotate_CopySecret(k, &secrets[n++]);
        }
    }
    snceKnown_Unlock();
    if (n > 0) {
        rotate_Lengths(identity, &rotation, &longest);
    }
    for (unsigned i = 0; i < n; i++) {
        PRUint32 period = snceSecret_PeriodOf(&secrets[i], name + SNCE_TAG_AT);
        PRUint32 first = snceSecret_PeriodAt(
            now - (PRTime)longest * PR_USEC_PER_SEC, rotation);
        PRUint32 last = snceSecret_PeriodAt(
            snceLifetime_Add(now, SNCE_FLEET_SKEW_SEC), rotation);
        snceKnown made;

        if (id == 0 && period >= first && period <= last &&
            snceSecret_Derive(&secrets[i], period, rotation, longest, &made) ==
                SECSuccess) {
            PRUint64 madeId = made.times.id;

            if (!snceKnown_IsNameOf(made.root, space, name)) {
                snceKnown_Free(&made);
            } else if (snceKnown_Keep(&made) == SECSuccess) {
                id = madeId;
            }
        }
        PK11_FreeSymKey(secrets[i].root);
    }
    return id;
}

/* ---- making ---------------------------------------------------------------- */

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

    snceKnown_Lock();
    may = !snceRetry_Pending(&addRetry) || snceRetry_IsTime(&addRetry);
    snceKnown_Unlock();
    return may;
}

static void
rotate_NoteAdd(PRBool added)
{
    snceKnown_Lock();
    if (added) {
        PORT_Memset(&addRetry, 0, sizeof addRetry);
    } else if (!snceRetry_Pending(&addRetry)) {
        snceRetry_Begin(&addRetry);
    } else {
        (void)snceRetry_Due(&addRetry); /* puts the next attempt off */
    }
    snceKnown_Unlock();
}

/* Returns the times of a key that encrypts from |from| on. It decrypts until the last
 * ticket made with it has expired. */
static snceTicketKey
rotate_Times(PRUint64 identity, PRTime now, PRTime from)
{
    PRUint32 rotation, longest;
    snceTicketKey times;

    rotate_Lengths(identity, &rotation, &longest);
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
    snceKnown k;

    PORT_Memset(&k, 0, sizeof k);
    k.times = rotate_Times(identity, now, from);
    if (snceDerive_Generate(ss->pkcs11PinArg, &k.root, &k.times.id) !=
            SECSuccess ||
        snceKnown_Complete(&k, NULL) != SECSuccess) {
        snceKnown_Free(&k);
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
    return snceKnown_Keep(&k);
}

/* Looks for the key that encrypts now. PR_TRUE if it is there, with its successor. */
static PRBool
rotate_LookUp(const sslSocket *ss, rotateLook how, PRUint64 *identity,
              PRTime *now, current *c, snceRotateKeys *out)
{
    *identity = rotate_Refresh(ss, how);
    *now = ssl_Time(ss);
    *c = rotate_Choose(*now, out);
    if (!c->found && rotate_MakePeriod(*identity, *now) == SECSuccess) {
        *c = rotate_Choose(*now, out);
    }
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

SECStatus
snceRotate_Current(const sslSocket *ss, const snceRotateSpace *space,
                   snceRotateKeys *out)
{
    SECStatus rv = rotate_Current(ss, out);

    if (rv == SECSuccess && space) {
        PRUint64 id = out->id;

        snceRotate_Free(out);
        rv = snceKnown_KeysOf(id, space, NULL, out);
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

/* Collects the ids of the keys that have the tag in |name|, and decrypt at |now|.
 * Returns how many. */
static unsigned
rotate_WithTag(const PRUint8 *name, PRTime now, PRUint64 ids[SAME_TAG_MAX])
{
    unsigned n = 0;

    snceKnown_Lock();
    for (unsigned i = 0; i < snceKnown_Count() && n < SAME_TAG_MAX; i++) {
        const snceKnown *k = snceKnown_At(i);

        if (PORT_Memcmp(k->keys.name, name, SNCE_TAG_AT + SNCE_TAG_BYTES) ==
                0 &&
            rotate_Decrypts(k, now)) {
            ids[n++] = k->times.id;
        }
    }
    snceKnown_Unlock();
    return n;
}

PRBool
snceRotate_Find(const sslSocket *ss, const snceRotateSpace *space,
                const PRUint8 name[SELF_ENCRYPT_KEY_NAME_LEN],
                snceRotateKeys *out)
{
    PRUint64 ids[SAME_TAG_MAX];
    PRUint64 identity;
    unsigned n;

    PORT_Memset(out, 0, sizeof *out);
    identity = rotate_Refresh(ss, rotateLook_ask);
    n = rotate_WithTag(name, ssl_Time(ss), ids);
    if (n == 0) {
        ids[0] = rotate_FindPeriod(identity, space, name, ssl_Time(ss));
        n = ids[0] != 0;
    }
    for (unsigned i = 0; i < n; i++) {
        if (snceKnown_KeysOf(ids[i], space, name, out) == SECSuccess &&
            PORT_Memcmp(out->name, name, sizeof out->name) == 0) {
            return PR_TRUE;
        }
        snceRotate_Free(out);
    }
    return PR_FALSE;
}

/* ---- sets ------------------------------------------------------------------ */

PRTime
snceRotate_NextSet(void)
{
    PRTime now = PR_Now();

    snceKnown_Lock();
    now = PR_MAX(now, inForce.created + 1);
    snceKnown_Unlock();
    return now;
}

SECStatus
snceRotate_Install(snceSourceKind kind, PRTime createdUsec,
                   PK11SymKey *const *roots, unsigned size, unsigned encrypts)
{
    const snceTime created = { createdUsec };
    SECStatus rv = SECSuccess;

    for (unsigned i = 0; rv == SECSuccess && i < size; i++) {
        snceKnown k = { 0 };
        PRUint64 rootId;

        k.root = PK11_ReferenceSymKey(roots[i]);
        k.times.created = created;
        k.times.source = snceSource_Of(kind, i, size);
        if (i == encrypts) {
            k.times.encryptUntil.usec = PR_INT64_MAX;
        }
        k.times.decryptUntil.usec = PR_INT64_MAX;
        rv = snceDerive_Bytes(k.root, "sslsnce ticket id", NULL,
                              (PRUint8 *)&rootId, sizeof rootId);
        k.times.id = snceSource_Id(rootId, created);
        if (rv == SECSuccess) {
            rv = snceKnown_Complete(&k, NULL);
        }
        if (rv == SECSuccess) {
            rv = snceKnown_Keep(&k);
        } else {
            snceKnown_Free(&k);
        }
    }
    if (rv == SECSuccess) {
        snceKnown_Lock();
        rotate_ChooseSet();
        installed = PR_TRUE;
        snceKnown_Unlock();
    }
    return rv;
}

PK11SymKey *
snceRotate_FleetRoot(PRUint64 *rootId)
{
    PK11SymKey *root = NULL;
    const snceKnown *k;

    snceKnown_Lock();
    k = inForce.encrypts ? snceKnown_FindId(inForce.encrypts) : NULL;
    if (k && inForce.kind != snceSource_ended) {
        root = PK11_ReferenceSymKey(k->root);
        *rootId = snceSource_RootId(&k->times);
    }
    snceKnown_Unlock();
    return root;
}

PK11SymKey *
snceRotate_FindFleetRoot(PRUint64 rootId)
{
    PK11SymKey *root = NULL;

    snceKnown_Lock();
    for (unsigned i = 0; !root && i < snceKnown_Count(); i++) {
        const snceKnown *k = snceKnown_At(i);

        if (!rotate_IsRandom(k) && k->secret == 0 &&
            k->times.created.usec == inForce.created &&
            snceSource_RootId(&k->times) == rootId) {
            root = PK11_ReferenceSymKey(k->root);
        }
    }
    snceKnown_Unlock();
    return root;
}

void
snceRotate_Reset(void)
{
    snceKnown_Reset();
    snceKnown_Lock();
    seenRegion = seenChanges = 0;
    PORT_Memset(&inForce, 0, sizeof inForce);
    PORT_Memset(&addRetry, 0, sizeof addRetry);
    PORT_Memset(&setRetry, 0, sizeof setRetry);
    snceKnown_Unlock();
}
