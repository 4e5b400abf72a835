/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceregionkey.h"

#include <pthread.h>
#include <stddef.h>

#include "keyhi.h"
#include "secerr.h"
#include "sechash.h"
#include "secport.h"

#include "sncegate.h"
#include "snceint.h"
#include "sncederive.h"
#include "snceretry.h"
#include "snceunder.h"

/* Server keys that a process offers at most. Servers with more certificates share
 * ticket keys under the first ones. */
#define PAIRS 256

/* Server keys that one handshake looks up at most: the others wait for the next. */
#define RESOLVED_AT_ONCE 4

/* The record of the key log. The id is not secret: with it, a process that has the key
 * already need not ask its token. */
typedef struct {
    PRUint64 id;
    snceUnder under;
} record;

PR_STATIC_ASSERT(sizeof(record) <= SNCE_KEY_VALUE_MAX);
PR_STATIC_ASSERT(SNCE_KEY_TAG_BYTES + SHA256_LENGTH == SNCE_KEY_NAME_BYTES);

/* A server key of this process. */
typedef struct {
    PRUint8 name[SNCE_KEY_NAME_BYTES]; /* of its record */
    sslKeyPair *keyPair;               /* a reference */
    PRUint64 region; /* where it was looked up last; 0: nowhere */
    snceRetry retry; /* pending: its token failed */
} pair;

/* A region key, and the key itself, which is encrypted for further server keys. */
typedef struct {
    PRUint64 id;
    PRUint64 region;
    PK11SymKey *key;
    PK11SymKey *wrap;
} regionKey;

/* |lock| guards all of these. A thread that has it waits for nothing. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pair *pairs[PAIRS + 1]; /* room for an explicit one */
static unsigned pairCount;
static pair *explicitPair; /* one of |pairs| */
static regionKey keys[SNCE_REGION_KEYS];
static unsigned keyCount;

static void
regionKey_Lock(void)
{
    pthread_mutex_lock(&lock);
}

static void
regionKey_Unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void
snceRegionKey_BeforeFork(void)
{
    regionKey_Lock();
}

void
snceRegionKey_AfterFork(void)
{
    regionKey_Unlock();
}

/* ---- server keys ----------------------------------------------------------- */

/* A record's name has the hash of the public key, so that processes find the records
 * of their own server keys only. */
static SECStatus
regionKey_RecordName(const SECKEYPublicKey *pubKey,
                     PRUint8 name[SNCE_KEY_NAME_BYTES])
{
    SECItem *spki;
    SECStatus rv;

    PORT_Memset(name, 0, SNCE_KEY_NAME_BYTES);
    PORT_Memcpy(name, SNCE_KEY_TAG_REGION, sizeof SNCE_KEY_TAG_REGION);
    spki = SECKEY_EncodeDERSubjectPublicKeyInfo(pubKey);
    if (!spki) {
        return SECFailure;
    }
    rv = HASH_HashBuf(HASH_AlgSHA256, name + SNCE_KEY_TAG_BYTES, spki->data,
                      spki->len);
    SECITEM_FreeItem(spki, PR_TRUE);
    return rv;
}

static void
regionKey_DestroyPair(pair *p)
{
    if (p) {
        ssl_FreeKeyPair(p->keyPair);
        PORT_Free(p);
    }
}

/* The caller has the lock. */
static pair *
regionKey_FindPair(const PRUint8 name[SNCE_KEY_NAME_BYTES])
{
    for (unsigned i = 0; i < pairCount; i++) {
        if (PORT_Memcmp(pairs[i]->name, name, SNCE_KEY_NAME_BYTES) == 0) {
            return pairs[i];
        }
    }
    return NULL;
}

SECStatus
snceRegionKey_Offer(const sslKeyPair *keyPair, PRBool explicitly)
{
    KeyType type = SECKEY_GetPublicKeyType(keyPair->pubKey);
    PRUint8 name[SNCE_KEY_NAME_BYTES];
    pair *known, *made;

    if (type != rsaKey && type != rsaPssKey && type != ecKey) {
        return SECSuccess;
    }
    if (regionKey_RecordName(keyPair->pubKey, name) != SECSuccess) {
        return SECFailure;
    }
    regionKey_Lock();
    known = regionKey_FindPair(name);
    if (known && explicitly) {
        explicitPair = known;
    }
    regionKey_Unlock();
    if (known) {
        return SECSuccess;
    }

    made = PORT_ZNew(pair);
    if (!made) {
        return SECFailure;
    }
    PORT_Memcpy(made->name, name, sizeof made->name);
    made->keyPair = ssl_GetKeyPairRef((sslKeyPair *)keyPair);
    regionKey_Lock();
    known = regionKey_FindPair(name); /* another thread may have been faster */
    if (!known && pairCount < (explicitly ? PAIRS + 1 : PAIRS)) {
        known = pairs[pairCount++] = made;
        made = NULL;
    }
    if (known && explicitly) {
        explicitPair = known;
    }
    regionKey_Unlock();
    regionKey_DestroyPair(made);
    if (!known && explicitly) {
        PORT_SetError(SEC_ERROR_NO_MEMORY);
        return SECFailure;
    }
    return SECSuccess;
}

/* The caller has the lock. */
static PRBool
regionKey_Counts(const pair *p)
{
    return !explicitPair || p == explicitPair;
}

/* The same. A token that failed is not asked again once the region key is known by
 * another server key. */
static PRBool
regionKey_PairIsDue(const pair *p, PRUint64 region, PRBool shared)
{
    if (!regionKey_Counts(p)) {
        return PR_FALSE;
    }
    if (p->region != region) {
        return PR_TRUE;
    }
    return !shared && snceRetry_Pending(&p->retry) &&
           snceRetry_IsTime(&p->retry);
}

/* The same. */
static PRBool
regionKey_HasKey(PRUint64 region)
{
    return keyCount > 0 && keys[0].region == region;
}

PRBool
snceRegionKey_IsShared(PRUint64 region)
{
    PRBool shared;

    regionKey_Lock();
    shared = regionKey_HasKey(region);
    regionKey_Unlock();
    return shared;
}

PRBool
snceRegionKey_IsDue(PRUint64 region)
{
    PRBool due = PR_FALSE;
    PRBool shared;

    regionKey_Lock();
    shared = regionKey_HasKey(region);
    for (unsigned i = 0; !due && i < pairCount; i++) {
        due = regionKey_PairIsDue(pairs[i], region, shared);
    }
    regionKey_Unlock();
    return due;
}

/* Returns a server key to look up in |region| now, or NULL. It stays until
 * snceRegionKey_Forget. */
static pair *
regionKey_NextPair(PRUint64 region)
{
    pair *found = NULL;

    regionKey_Lock();
    for (unsigned i = 0; !found && i < pairCount; i++) {
        if (regionKey_PairIsDue(pairs[i], region, regionKey_HasKey(region))) {
            found = pairs[i];
            /* If its token failed, this puts the next attempt off: one thread asks
             * again. The first time, each thread asks: without the answer it would
             * make keys of the process's own. */
            (void)snceRetry_Due(&found->retry);
        }
    }
    regionKey_Unlock();
    return found;
}

/* Notes that |p| was looked up in |region|, and whether it is to be asked again. */
static void
regionKey_NoteLookUp(pair *p, PRUint64 region, PRBool again)
{
    regionKey_Lock();
    if (!again || p->region != region) {
        PORT_Memset(&p->retry, 0, sizeof p->retry);
    }
    if (again && !snceRetry_Pending(&p->retry)) {
        snceRetry_Begin(&p->retry);
    }
    p->region = region;
    regionKey_Unlock();
}

/* ---- region keys ----------------------------------------------------------- */

static void
regionKey_FreeKey(regionKey *k)
{
    if (k->key) {
        PK11_FreeSymKey(k->key);
    }
    if (k->wrap) {
        PK11_FreeSymKey(k->wrap);
    }
    PORT_Memset(k, 0, sizeof *k);
}

/* Takes over |made|, unless there is a key of that id or no room. Keys of another
 * region go. */
static void
regionKey_Keep(regionKey *made)
{
    regionKey old[SNCE_REGION_KEYS];
    unsigned oldCount = 0;
    PRBool known = PR_FALSE;

    regionKey_Lock();
    if (keyCount > 0 && keys[0].region != made->region) {
        PORT_Memcpy(old, keys, keyCount * sizeof *keys);
        oldCount = keyCount;
        keyCount = 0;
    }
    for (unsigned i = 0; i < keyCount; i++) {
        known |= keys[i].id == made->id;
    }
    if (!known && keyCount < SNCE_REGION_KEYS) {
        keys[keyCount++] = *made;
        PORT_Memset(made, 0, sizeof *made);
    }
    regionKey_Unlock();
    for (unsigned i = 0; i < oldCount; i++) {
        regionKey_FreeKey(&old[i]);
    }
    regionKey_FreeKey(made);
}

/* Finds the first known key of |region|, or the one of |id| if that is not 0. The
 * caller frees |out->key|. */
static PRBool
regionKey_Known(PRUint64 region, PRUint64 id, regionKey *out)
{
    PRBool found = PR_FALSE;

    PORT_Memset(out, 0, sizeof *out);
    regionKey_Lock();
    for (unsigned i = 0; !found && i < keyCount; i++) {
        if (keys[i].region == region && (id == 0 || keys[i].id == id)) {
            out->id = keys[i].id;
            out->region = region;
            out->key = PK11_ReferenceSymKey(keys[i].key);
            found = PR_TRUE;
        }
    }
    regionKey_Unlock();
    return found;
}

static SECStatus
regionKey_DeriveWrap(regionKey *k)
{
    k->wrap = snceDerive_Key(k->key, "sslsnce wrap", NULL, snceDerive_wrap);
    return k->wrap ? SECSuccess : SECFailure;
}

/* ---- the records ----------------------------------------------------------- */

/* Returns SNCE_GONE if this process has another region by now, or none. */
static snceResult
regionKey_Get(PRUint64 region, const pair *p, record *r, size_t *len)
{
    snceResult result = SNCE_GONE;
    PRUint32 pass;
    snceRegion *now = snceGate_EnterRegion(region, &pass);

    if (now) {
        result = snceKeyLog_Get(now, p->name, (PRUint8 *)r, sizeof *r, len);
        snceGate_Leave(pass);
    }
    return result;
}

/* The same; SNCE_EXISTS if there was a record already, which |*r| is then. */
static snceResult
regionKey_Put(PRUint64 region, const pair *p, record *r, size_t *len)
{
    snceResult result = SNCE_GONE;
    PRUint32 pass;
    snceRegion *now = snceGate_EnterRegion(region, &pass);

    if (now) {
        result =
            snceKeyLog_Put(now, p->name, (PRUint8 *)r,
                           offsetof(record, under) + snceUnder_Bytes(&r->under),
                           (PRUint8 *)r, sizeof *r, len);
        snceGate_Leave(pass);
    }
    return result;
}

/* What became of a look at one server key. */
typedef enum {
    LOOK_DONE,  /* the region key is known, or this server key gives none */
    LOOK_LATER, /* memory was short */
    LOOK_FAILED /* its token failed */
} look;

/* Keeps the region key that the record |*r| has. */
static look
regionKey_FromRecord(const pair *p, PRUint64 region, record *r, size_t len)
{
    regionKey k;

    if (len < offsetof(record, under) || r->id == 0) {
        return LOOK_DONE; /* it passed its checksum, so another build wrote it */
    }
    if (regionKey_Known(region, r->id, &k)) {
        PK11_FreeSymKey(k.key);
        return LOOK_DONE;
    }
    PORT_Memset(&k, 0, sizeof k);
    k.id = r->id;
    k.region = region;
    k.key = snceUnder_Decrypt(p->keyPair->pubKey, p->keyPair->privKey,
                              &r->under, len - offsetof(record, under));
    if (!k.key || regionKey_DeriveWrap(&k) != SECSuccess) {
        regionKey_FreeKey(&k);
        return LOOK_FAILED;
    }
    regionKey_Keep(&k);
    return LOOK_DONE;
}

/* Looks up one server key in the region, and adds the region key for it if it is not
 * there. If there is no region key yet, makes it. */
static look
regionKey_LookUp(const pair *p, PRUint64 region, void *pwArg)
{
    look found = LOOK_DONE;
    snceResult result;
    size_t len = 0;
    regionKey k;
    record r;

    result = regionKey_Get(region, p, &r, &len);
    if (result == SNCE_OK) {
        return regionKey_FromRecord(p, region, &r, len);
    }
    if (result != SNCE_MISS) {
        return result == SNCE_NO_MEMORY ? LOOK_LATER : LOOK_DONE;
    }
    if (!regionKey_Known(region, 0, &k)) {
        k.region = region;
        if (snceDerive_Generate(pwArg, &k.key, &k.id) != SECSuccess ||
            regionKey_DeriveWrap(&k) != SECSuccess) {
            regionKey_FreeKey(&k);
            return LOOK_FAILED;
        }
    }
    r.id = k.id;
    if (snceUnder_Encrypt(p->keyPair->pubKey, p->keyPair->privKey, k.key,
                          &r.under) != SECSuccess) {
        regionKey_FreeKey(&k);
        return LOOK_FAILED;
    }
    result = regionKey_Put(region, p, &r, &len);
    if (result == SNCE_OK && k.wrap) {
        regionKey_Keep(&k);
    } else if (result == SNCE_EXISTS) {
        found = regionKey_FromRecord(p, region, &r, len);
    } else if (result == SNCE_NO_MEMORY) {
        found = LOOK_LATER;
    }
    regionKey_FreeKey(&k);
    return found;
}

unsigned
snceRegionKey_Resolve(PRUint64 region, void *pwArg)
{
    unsigned failures = 0;
    pair *p;

    for (unsigned i = 0;
         i < RESOLVED_AT_ONCE && (p = regionKey_NextPair(region)) != NULL;
         i++) {
        look found = regionKey_LookUp(p, region, pwArg);

        regionKey_NoteLookUp(p, region, found != LOOK_DONE);
        failures += found == LOOK_FAILED;
    }
    return failures;
}

unsigned
snceRegionKey_List(PRUint64 region, snceRegionKey out[SNCE_REGION_KEYS])
{
    unsigned count = 0;

    regionKey_Lock();
    for (unsigned i = 0; i < keyCount; i++) {
        if (keys[i].region == region) {
            out[count].id = keys[i].id;
            out[count++].wrap = PK11_ReferenceSymKey(keys[i].wrap);
        }
    }
    regionKey_Unlock();
    return count;
}

void
snceRegionKey_Free(snceRegionKey *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        PK11_FreeSymKey(list[i].wrap);
    }
}

void
snceRegionKey_Reset(void)
{
    for (unsigned i = 0; i < keyCount; i++) {
        regionKey_FreeKey(&keys[i]);
    }
    keyCount = 0;
    for (unsigned i = 0; i < pairCount; i++) {
        pairs[i]->region = 0;
        PORT_Memset(&pairs[i]->retry, 0, sizeof pairs[i]->retry);
    }
}

void
snceRegionKey_Forget(void)
{
    snceRegionKey_Reset();
    for (unsigned i = 0; i < pairCount; i++) {
        regionKey_DestroyPair(pairs[i]);
    }
    pairCount = 0;
    explicitPair = NULL;
}
