/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncering.h"

#include <pthread.h>
#include <string.h>

#include "nss.h"
#include "prclist.h"
#include "secport.h"

#include "snceretry.h"
#include "sncestart.h"

#define RING_BUCKETS 256 /* a power of two; chains of four when it is full */

typedef struct ringEntryStr {
    PRCList byUse; /* first, so that a link is its entry */
    struct ringEntryStr *nextInBucket;
    PK11SymKey *key; /* NULL: none, because a token failed */
    snceRetry retry; /* for the shared key, if this is none */
    PRUint8 id[SSL_WRAP_KEY_ID_BYTES];
    PRUint32 hash;
    unsigned int nameLen;
    PRUint8 name[1]; /* nameLen of them */
} ringEntry;

/* Everything here is guarded by |lock|. It is a pthread lock, because a cache
 * may be configured, which empties the ring, before NSPR is initialized. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ringEntry *bucket[RING_BUCKETS];
static PRCList byUse = PR_INIT_STATIC_CLIST(&byUse); /* last used first */
static unsigned int count;
static PRUint32 turn;

static _Atomic PRBool watchingShutdown;

/* ---- what happens to the process ----------------------------------------- */

static void
ring_Lock(void)
{
    pthread_mutex_lock(&lock);
}

static void
ring_Unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* The lock is held across fork: nobody who has it waits for another one. That
 * is so from when the library is loaded, and not from the first use, which a
 * fork could interrupt: the child would do it again, and lock twice. */
__attribute__((constructor)) static void
ring_WatchForks(void)
{
    (void)pthread_atfork(ring_Lock, ring_Unlock, ring_Unlock);
}

/* At NSS_Shutdown, which fails while somebody has a key. */
static SECStatus
ring_Shutdown(void *appData, void *nssData)
{
    snceRing_Empty();
    watchingShutdown = PR_FALSE;
    return SECSuccess;
}

/* ---- the table; the caller has the lock ---------------------------------- */

/* FNV-1a. The names are of the application's own keys: nobody else chooses
 * them. */
static PRUint32
ring_Hash(const SECItem *name)
{
    PRUint32 hash = 2166136261u;
    unsigned int i;

    for (i = 0; i < name->len; ++i) {
        hash = (hash ^ name->data[i]) * 16777619u;
    }
    return hash;
}

static ringEntry *
ring_Search(const SECItem *name, PRUint32 hash)
{
    ringEntry *entry = bucket[hash % RING_BUCKETS];

    while (entry && (entry->hash != hash || entry->nameLen != name->len ||
                     memcmp(entry->name, name->data, name->len) != 0)) {
        entry = entry->nextInBucket;
    }
    return entry;
}

static void
ring_Insert(ringEntry *entry)
{
    ringEntry **head = &bucket[entry->hash % RING_BUCKETS];

    entry->nextInBucket = *head;
    *head = entry;
    PR_INSERT_LINK(&entry->byUse, &byUse);
    ++count;
}

static void
ring_Remove(ringEntry *entry)
{
    ringEntry **at = &bucket[entry->hash % RING_BUCKETS];

    while (*at != entry) {
        at = &(*at)->nextInBucket;
    }
    *at = entry->nextInBucket;
    PR_REMOVE_LINK(&entry->byUse);
    --count;
}

/* ---- without the lock ---------------------------------------------------- */

static void
ring_Destroy(ringEntry *entry)
{
    if (entry) {
        if (entry->key) {
            PK11_FreeSymKey(entry->key);
        }
        PORT_Free(entry);
    }
}

static ringEntry *
ring_New(const SECItem *name, PK11SymKey *key, const PRUint8 *id,
         snceRingKind kind)
{
    ringEntry *entry = PORT_ZAlloc(sizeof *entry + name->len);

    if (!entry) {
        return NULL;
    }
    if (key) {
        entry->key = PK11_ReferenceSymKey(key);
        PORT_Memcpy(entry->id, id, sizeof entry->id);
    }
    if (kind == snceRing_forNow) {
        snceRetry_Begin(&entry->retry);
    }
    entry->hash = ring_Hash(name);
    entry->nameLen = name->len;
    PORT_Memcpy(entry->name, name->data, name->len);
    return entry;
}

/* Takes |name| out if it still has |key|. */
static void
ring_Forget(const SECItem *name, const PK11SymKey *key)
{
    ringEntry *entry;

    ring_Lock();
    entry = ring_Search(name, ring_Hash(name));
    if (entry && entry->key == key) {
        ring_Remove(entry);
    } else {
        entry = NULL;
    }
    ring_Unlock();
    ring_Destroy(entry);
}

PK11SymKey *
snceRing_Find(const SECItem *name, PRUint8 id[SSL_WRAP_KEY_ID_BYTES],
              PRBool *ask)
{
    PRUint32 hash = ring_Hash(name);
    PK11SymKey *key = NULL;
    ringEntry *entry;

    *ask = PR_TRUE;
    ring_Lock();
    entry = ring_Search(name, hash);
    if (entry) {
        *ask = snceRetry_Due(&entry->retry);
        if (entry->key) {
            key = PK11_ReferenceSymKey(entry->key);
            PORT_Memcpy(id, entry->id, sizeof entry->id);
        }
        PR_REMOVE_LINK(&entry->byUse);
        PR_INSERT_LINK(&entry->byUse, &byUse);
    }
    ring_Unlock();

    if (key && !PK11_VerifyKeyOK(key)) {
        ring_Forget(name, key);
        PK11_FreeSymKey(key);
        key = NULL;
        *ask = PR_TRUE;
    }
    return key;
}

PRUint32
snceRing_Turn(void)
{
    PRUint32 now;

    ring_Lock();
    now = turn;
    ring_Unlock();
    return now;
}

PK11SymKey *
snceRing_Add(const SECItem *name, PK11SymKey *key,
             PRUint8 id[SSL_WRAP_KEY_ID_BYTES], snceRingKind kind,
             PRUint32 since)
{
    PK11SymKey *others = NULL;
    ringEntry *evicted = NULL;
    ringEntry *entry;
    ringEntry *there;

    if (ssl_WatchNssShutdown(ring_Shutdown, &watchingShutdown) != SECSuccess) {
        return key;
    }
    entry = ring_New(name, key, id, kind);
    if (!entry) {
        return key;
    }

    ring_Lock();
    there = ring_Search(name, entry->hash);
    if (turn != since) {
        /* made for a region that may be another one now */
    } else if (there && there->key &&
               (kind == snceRing_forNow || !snceRetry_Pending(&there->retry))) {
        others = PK11_ReferenceSymKey(there->key);
        PORT_Memcpy(id, there->id, sizeof there->id);
    } else if (!there || key) {
        if (there) {
            if (kind == snceRing_forNow) {
                entry->retry = there->retry;
            }
            ring_Remove(there);
            evicted = there;
        }
        ring_Insert(entry);
        entry = NULL;
        if (count > SNCE_RING_MAX) {
            evicted = (ringEntry *)PR_LIST_TAIL(&byUse);
            ring_Remove(evicted);
        }
    }
    ring_Unlock();

    ring_Destroy(entry);
    ring_Destroy(evicted);
    if (others) {
        if (key) {
            PK11_FreeSymKey(key);
        }
        return others;
    }
    return key;
}

void
snceRing_Empty(void)
{
    PRCList all = PR_INIT_STATIC_CLIST(&all);

    ring_Lock();
    ++turn;
    while (!PR_CLIST_IS_EMPTY(&byUse)) {
        ringEntry *entry = (ringEntry *)PR_LIST_HEAD(&byUse);

        ring_Remove(entry);
        PR_APPEND_LINK(&entry->byUse, &all);
    }
    ring_Unlock();

    while (!PR_CLIST_IS_EMPTY(&all)) {
        ringEntry *entry = (ringEntry *)PR_LIST_HEAD(&all);

        PR_REMOVE_LINK(&entry->byUse);
        ring_Destroy(entry);
    }
}
