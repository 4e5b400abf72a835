/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncekeycache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "nss.h"
#include "prclist.h"
#include "secport.h"

#include "snceretry.h"
#include "sncestart.h"

#define RING_BUCKETS 256 /* a power of two; chains of four when it is full */

typedef struct keyCacheEntryStr {
    PRCList byUse; /* first, so that it has the entry's address */
    struct keyCacheEntryStr *nextInBucket;
    PK11SymKey *key; /* NULL: there is none, because a token failed */
    snceRetry retry; /* when to ask for the shared key, if this is not it */
    PRUint8 id[SSL_WRAP_KEY_ID_BYTES];
    PRUint32 hash;
    unsigned int nameLen;
    PRUint8 name[1]; /* nameLen of them */
} keyCacheEntry;

/* |lock| guards everything here. It is a pthread lock because configuring a
 * cache, which empties the key cache, may come before NSPR is initialized. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static keyCacheEntry *bucket[RING_BUCKETS];
static PRCList byUse = PR_INIT_STATIC_CLIST(&byUse); /* last used first */
static unsigned int count;
static PRUint32 generation;

static _Atomic PRBool watchingShutdown; /* ssl_WatchNssShutdown's */

/* ---- what happens to the process ----------------------------------------- */

static void
keyCache_Lock(void)
{
    pthread_mutex_lock(&lock);
}

static void
keyCache_Unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* The lock is held across fork, so that a child finds the key cache whole; a
 * thread that has it waits for no other one. The handlers are registered when
 * the library is loaded: a fork could interrupt a registration at the first
 * use, and the child would register them again, and lock twice. */
__attribute__((constructor)) static void
keyCache_WatchForks(void)
{
    (void)pthread_atfork(keyCache_Lock, keyCache_Unlock, keyCache_Unlock);
}

/* NSS calls this at NSS_Shutdown, which fails while anybody has a key. */
static SECStatus
keyCache_Shutdown(void *appData, void *nssData)
{
    snceKeyCache_Empty();
    /* Relaxed: as in ssl_WatchNssShutdown. */
    atomic_store_explicit(&watchingShutdown, PR_FALSE, memory_order_relaxed);
    return SECSuccess;
}

/* ---- the table; the caller has the lock ---------------------------------- */

/* FNV-1a. The names come from the application's own keys, so no attacker
 * chooses them. */
static PRUint32
keyCache_Hash(const SECItem *name)
{
    PRUint32 hash = 2166136261u;
    unsigned int i;

    for (i = 0; i < name->len; ++i) {
        hash = (hash ^ name->data[i]) * 16777619u;
    }
    return hash;
}

static keyCacheEntry *
keyCache_Search(const SECItem *name, PRUint32 hash)
{
    keyCacheEntry *entry = bucket[hash % RING_BUCKETS];

    while (entry && (entry->hash != hash || entry->nameLen != name->len ||
                     memcmp(entry->name, name->data, name->len) != 0)) {
        entry = entry->nextInBucket;
    }
    return entry;
}

static void
keyCache_Insert(keyCacheEntry *entry)
{
    keyCacheEntry **head = &bucket[entry->hash % RING_BUCKETS];

    entry->nextInBucket = *head;
    *head = entry;
    PR_INSERT_LINK(&entry->byUse, &byUse);
    ++count;
}

static void
keyCache_Remove(keyCacheEntry *entry)
{
    keyCacheEntry **at = &bucket[entry->hash % RING_BUCKETS];

    while (*at != entry) {
        at = &(*at)->nextInBucket;
    }
    *at = entry->nextInBucket;
    PR_REMOVE_LINK(&entry->byUse);
    --count;
}

/* ---- without the lock ---------------------------------------------------- */

static void
keyCache_Destroy(keyCacheEntry *entry)
{
    if (entry) {
        if (entry->key) {
            PK11_FreeSymKey(entry->key);
        }
        PORT_Free(entry);
    }
}

static keyCacheEntry *
keyCache_New(const SECItem *name, PK11SymKey *key, const PRUint8 *id,
             snceKeyCacheKind kind)
{
    keyCacheEntry *entry = PORT_ZAlloc(sizeof *entry + name->len);

    if (!entry) {
        return NULL;
    }
    if (key) {
        entry->key = PK11_ReferenceSymKey(key);
        PORT_Memcpy(entry->id, id, sizeof entry->id);
    }
    if (kind == snceKeyCache_forNow) {
        snceRetry_Begin(&entry->retry);
    }
    entry->hash = keyCache_Hash(name);
    entry->nameLen = name->len;
    PORT_Memcpy(entry->name, name->data, name->len);
    return entry;
}

/* Removes the entry of |name| if it still has |key|. */
static void
keyCache_Forget(const SECItem *name, const PK11SymKey *key)
{
    keyCacheEntry *entry;

    keyCache_Lock();
    entry = keyCache_Search(name, keyCache_Hash(name));
    if (entry && entry->key == key) {
        keyCache_Remove(entry);
    } else {
        entry = NULL;
    }
    keyCache_Unlock();
    keyCache_Destroy(entry);
}

PK11SymKey *
snceKeyCache_Find(const SECItem *name, PRUint8 id[SSL_WRAP_KEY_ID_BYTES],
                  PRBool *ask)
{
    PRUint32 hash = keyCache_Hash(name);
    PK11SymKey *key = NULL;
    keyCacheEntry *entry;

    *ask = PR_TRUE;
    keyCache_Lock();
    entry = keyCache_Search(name, hash);
    if (entry) {
        *ask = snceRetry_Due(&entry->retry);
        if (entry->key) {
            key = PK11_ReferenceSymKey(entry->key);
            PORT_Memcpy(id, entry->id, sizeof entry->id);
        }
        PR_REMOVE_LINK(&entry->byUse);
        PR_INSERT_LINK(&entry->byUse, &byUse);
    }
    keyCache_Unlock();

    if (key && !PK11_VerifyKeyOK(key)) {
        keyCache_Forget(name, key);
        PK11_FreeSymKey(key);
        key = NULL;
        *ask = PR_TRUE;
    }
    return key;
}

PRUint32
snceKeyCache_Generation(void)
{
    PRUint32 now;

    keyCache_Lock();
    now = generation;
    keyCache_Unlock();
    return now;
}

PK11SymKey *
snceKeyCache_Add(const SECItem *name, PK11SymKey *key,
                 PRUint8 id[SSL_WRAP_KEY_ID_BYTES], snceKeyCacheKind kind,
                 PRUint32 since)
{
    PK11SymKey *others = NULL;
    keyCacheEntry *evicted = NULL;
    keyCacheEntry *entry;
    keyCacheEntry *there;

    if (ssl_WatchNssShutdown(keyCache_Shutdown, &watchingShutdown) !=
        SECSuccess) {
        return key;
    }
    entry = keyCache_New(name, key, id, kind);
    if (!entry) {
        return key;
    }

    keyCache_Lock();
    there = keyCache_Search(name, entry->hash);
    if (generation != since) {
        /* the key was made for a region that may be another one now */
    } else if (there && there->key &&
               (kind == snceKeyCache_forNow ||
                !snceRetry_Pending(&there->retry))) {
        others = PK11_ReferenceSymKey(there->key);
        PORT_Memcpy(id, there->id, sizeof there->id);
    } else if (!there || key) {
        if (there) {
            if (kind == snceKeyCache_forNow) {
                entry->retry = there->retry;
            }
            keyCache_Remove(there);
            evicted = there;
        }
        keyCache_Insert(entry);
        entry = NULL;
        if (count > SNCE_RING_MAX) {
            evicted = (keyCacheEntry *)PR_LIST_TAIL(&byUse);
            keyCache_Remove(evicted);
        }
    }
    keyCache_Unlock();

    keyCache_Destroy(entry);
    keyCache_Destroy(evicted);
    if (others) {
        if (key) {
            PK11_FreeSymKey(key);
        }
        return others;
    }
    return key;
}

void
snceKeyCache_Empty(void)
{
    PRCList all = PR_INIT_STATIC_CLIST(&all);

    keyCache_Lock();
    ++generation;
    while (!PR_CLIST_IS_EMPTY(&byUse)) {
        keyCacheEntry *entry = (keyCacheEntry *)PR_LIST_HEAD(&byUse);

        keyCache_Remove(entry);
        PR_APPEND_LINK(&entry->byUse, &all);
    }
    keyCache_Unlock();

    while (!PR_CLIST_IS_EMPTY(&all)) {
        keyCacheEntry *entry = (keyCacheEntry *)PR_LIST_HEAD(&all);

        PR_REMOVE_LINK(&entry->byUse);
        keyCache_Destroy(entry);
    }
}
