/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceshare.h"

#include <stdlib.h>

#include "secport.h"

#include "sncederive.h"
#include "sncegate.h"
#include "snceint.h"
#include "sncelifetime.h"
#include "snceretry.h"
#include "snceset.h"

/* Lists of the region's keys, until nothing changes meanwhile. */
#define LIST_TRIES 4

/* The lock of snceknown.h guards these. */
static PRUint64 seenRegion;  /* whose keys these are; 0: none's */
static PRUint64 seenChanges; /* snceTicketKeys_Changes of the last look */
static PRUint32 rotationSec = DEFAULT_ROTATION_SEC; /* of the last look */
static snceRetry setRetry; /* pending: the region took a set in part only */

/* ---- one key --------------------------------------------------------------- */

/* Encrypts |k| under |rk|, for other processes. */
static SECStatus
share_Encrypt(const snceKnown *k, const snceRegionKey *rk, snceTicketKey *out)
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
share_Decrypt(const snceTicketKey *stored, const snceRegionKey *rk,
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
share_Knows(PRUint64 id)
{
    PRBool found;

    snceKnown_Lock();
    found = snceKnown_FindId(id) != NULL;
    snceKnown_Unlock();
    return found;
}

static int
share_CompareIds(const void *a, const void *b)
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
} regionList;

/* Does |k| stay? Shared keys must be in the region. A key of this process's own stays
 * until it has expired, and a set until a newer one is in force. */
static PRBool
share_Stays(void *context, const snceKnown *k)
{
    const regionList *region = context;

    if (!snceSet_IsRandom(k) &&
        k->times.created.usec < snceSet_InForce()->created) {
        return PR_FALSE;
    }
    if (!k->shared) {
        return k->times.decryptUntil.usec > region->now;
    }
    return region->count > 0 &&
           bsearch(&k->times, region->list, region->count, sizeof *region->list,
                   share_CompareIds) != NULL;
}

/* Drops the keys that do not stay. A set may have come into force, or gone. */
static void
share_Prune(const snceTicketKey *list, size_t count, PRTime now)
{
    regionList region = { list, count, now };

    snceKnown_Lock();
    snceSet_Choose();
    snceKnown_Unlock();
    snceKnown_Prune(share_Stays, &region);
    snceKnown_Lock();
    snceSet_Choose();
    snceKnown_Unlock();
}

/* ---- those of the region --------------------------------------------------- */

SECStatus
snceShare_List(PRUint64 identity, snceTicketKey **out, size_t *listed,
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
            /* A list that was made while a set took another one's place may have
             * neither. */
            for (unsigned try = 0; try < LIST_TRIES; try++) {
                *changes = snceTicketKeys_Changes(region);
                result = snceTicketKeys_List(region, *out, max, listed);
                if (*changes == snceTicketKeys_Changes(region)) {
                    break;
                }
            }
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

snceResult
snceShare_Add(PRUint64 identity, const snceKnown *k, const snceRegionKey *rk)
{
    snceResult result = SNCE_GONE;
    snceTicketKey stored;
    snceRegion *region;
    PRUint32 pass;

    if (share_Encrypt(k, rk, &stored) != SECSuccess) {
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
share_IsUnder(const snceTicketKey *list, size_t count, PRUint64 id,
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
share_Learn(const snceTicketKey *list, size_t count, const snceRegionKey *rks,
            unsigned rkCount)
{
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < rkCount; j++) {
            snceKnown k;

            if (list[i].under != rks[j].id || share_Knows(list[i].id)) {
                continue;
            }
            if (share_Decrypt(&list[i], &rks[j], &k) == SECSuccess) {
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
share_Spread(PRUint64 identity, const snceTicketKey *list, size_t count,
             PRUint64 id, const snceRegionKey *rks, unsigned rkCount)
{
    SECStatus rv = SECSuccess;

    for (unsigned j = 0; j < rkCount; j++) {
        snceKnown copy = { 0 };
        const snceKnown *k;

        if (share_IsUnder(list, count, id, &rks[j])) {
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
            if (snceShare_Add(identity, &copy, &rks[j]) != SNCE_OK) {
                rv = SECFailure;
            }
            PK11_FreeSymKey(copy.root);
        }
    }
    return rv;
}

static bool
share_IsOlderSet(void *context, const snceTicketKey *key)
{
    return snceSource_Kind(key->source) != snceSource_random &&
           key->created.usec < *(const PRTime *)context;
}

/* Wipes the sets of the region that are older than the one in force. */
static void
share_Withdraw(PRUint64 identity, const snceTicketKey *list, size_t count)
{
    PRTime created;
    PRBool any = PR_FALSE;
    snceRegion *region;
    PRUint32 pass;

    snceKnown_Lock();
    created = snceSet_InForce()->created;
    snceKnown_Unlock();
    for (size_t i = 0; i < count; i++) {
        any |= share_IsOlderSet(&created, &list[i]);
    }
    region = any ? snceGate_EnterRegion(identity, &pass) : NULL;
    if (region) {
        (void)snceTicketKeys_Remove(region, share_IsOlderSet, &created);
        snceGate_Leave(pass);
    }
}

/* Notes whether the region has taken the whole set in force. If not, it is asked again
 * after a while. */
static void
share_NoteSet(SECStatus rv)
{
    snceKnown_Lock();
    snceRetry_Note(&setRetry, rv == SECSuccess);
    if (rv != SECSuccess) {
        snceSet_NoteNew(PR_TRUE);
    }
    snceKnown_Unlock();
}

/* Takes over the keys of the region that are listed, and stores each one, and those of
 * the set in force, under those region keys under which it is not there yet. Sorts the
 * list. */
static void
share_Merge(PRUint64 identity, snceTicketKey *list, size_t count,
            const snceRegionKey *rks, unsigned rkCount, PRTime now)
{
    SECStatus rv = SECSuccess;
    PRUint64 ids[SNCE_SET_MAX];
    unsigned idCount;

    if (count > 0) {
        qsort(list, count, sizeof *list, share_CompareIds);
    }
    share_Learn(list, count, rks, rkCount);
    share_Prune(list, count, now);
    for (size_t i = 0; rkCount > 1 && i < count; i++) {
        (void)share_Spread(identity, list, count, list[i].id, rks, rkCount);
    }
    idCount = snceSet_Ids(ids);
    for (unsigned i = 0; i < idCount; i++) {
        if (share_Spread(identity, list, count, ids[i], rks, rkCount) !=
            SECSuccess) {
            rv = SECFailure;
        }
    }
    /* Until the set is whole, other processes need the one before it. */
    if (rkCount > 0 && rv == SECSuccess) {
        share_Withdraw(identity, list, count);
    }
    share_NoteSet(rv);
}

/* Counts failures of a token in the figure of the socket's cache. */
static void
share_CountFailures(const sslSocket *ss, unsigned failures)
{
    snceRegion *region;
    PRUint32 pass;

    region = failures ? snceGate_Enter(&pass) : NULL;
    if (region) {
        for (unsigned i = 0; i < failures; i++) {
            snceCache_CountKeyFailure(
                ss ? ssl_ServerCache(region, ss->sec.origin.cache)
                   : snceRegion_DefaultCache(region));
        }
        snceGate_Leave(pass);
    }
}

PRUint64
snceShare_Refresh(const sslSocket *ss, snceShareLook how)
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
            (snceSet_IsNew() && snceRetry_MayTry(&setRetry));
    if (stale) {
        snceSet_NoteNew(PR_FALSE);
    }
    snceKnown_Unlock();
    isDue = how == snceShare_ask && identity && snceRegionKey_IsDue(identity);
    if (!stale && !isDue) {
        return identity;
    }
    if (isDue) {
        share_CountFailures(
            ss, snceRegionKey_Resolve(identity, ss ? ss->pkcs11PinArg : NULL));
    }
    rkCount = snceRegionKey_List(identity, rks);
    if (!identity ||
        snceShare_List(identity, &list, &listed, &changes) == SECSuccess) {
        share_Merge(identity, list, listed, rks, rkCount,
                    ss ? ssl_Time(ss) : PR_Now());
        snceKnown_Lock();
        seenRegion = identity;
        seenChanges = changes;
        snceKnown_Unlock();
        PORT_Free(list);
    }
    snceRegionKey_Free(rks, rkCount);
    return identity;
}

PRUint32
snceShare_RotationSec(void)
{
    return rotationSec;
}

void
snceShare_Reset(void)
{
    snceKnown_Lock();
    seenRegion = seenChanges = 0;
    PORT_Memset(&setRetry, 0, sizeof setRetry);
    snceKnown_Unlock();
}
