/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* The sessions of one virtual server: what the words of a slot mean. */
#include <string.h>

#include "sncecount.h"
#include "sncegrow.h"
#include "sncelock.h"
#include "snceserver.h"
#include "snceslot.h"

/* Tables grow rarely; a lookup that meets growth looks again so often. */
#define MOVE_TRIES 4

static void
Count(const snceCache *cache, unsigned figure)
{
    snceCount_Add(cache->region, cache->server, figure, 1);
}

static bool
MakeProbe(const snceCache *cache, const uint8_t *id, size_t idLen,
          const uint8_t address[SNCE_ADDRESS_BYTES], snceProbe *out)
{
    if (idLen == 0 || idLen > SNCE_ID_MAX) {
        return false;
    }
    memset(out->id, 0, sizeof(out->id));
    memcpy(out->id, id, idLen);
    memcpy(out->address, address, sizeof(out->address));
    out->shape = idLen;
    out->matchAddress = snceServer_MatchesAddress(cache->region, cache->server);
    snceProbe_Hash(out, cache->region);
    return true;
}

/* Releases what an entry that was taken out referred to. */
static void
ReleaseRefs(const snceCache *cache, snceBlobRef certificate, snceBlobRef name)
{
    const snceRefs refs = { certificate, name };

    snceServer_Release(cache->region, cache->server, &refs);
}

/* A snceTable_Gone; the context is the cache. */
static void
Gone(void *context, const uint64_t *words)
{
    const snceCache *cache = context;

    Count(cache, SNCE_N_OUT);
    ReleaseRefs(cache, words[SNCE_W_CERTIFICATE], words[SNCE_W_NAME]);
}

static void
TakeOut(snceCache *cache, const snceSpot *spot, const uint64_t *words)
{
    if (cache->region->access != SNCE_ACCESS_READ && snceTable_Take(spot)) {
        Gone(cache, words);
    }
}

void
snceSession_Wipe(snceSession *session)
{
    snceBuffer certificate = session->certificate;
    snceBuffer name = session->name;

    if (certificate.data) {
        explicit_bzero(certificate.data, certificate.len < certificate.capacity
                                             ? certificate.len
                                             : certificate.capacity);
    }
    if (name.data) {
        explicit_bzero(name.data,
                       name.len < name.capacity ? name.len : name.capacity);
    }
    explicit_bzero(session, sizeof(*session));
    session->certificate.data = certificate.data;
    session->certificate.capacity = certificate.capacity;
    session->name.data = name.data;
    session->name.capacity = name.capacity;
}

/* ---- inserting ----------------------------------------------------------- */

static snceResult
Hold(const snceCache *cache, snceBlobKind kind, const snceBuffer *buffer,
     size_t most, snceBlobRef *ref)
{
    snceBlob store;
    snceResult result;

    *ref = 0;
    if (buffer->len == 0) {
        return SNCE_OK;
    }
    if (buffer->len > most) {
        return SNCE_TOO_LARGE;
    }
    result = snceServer_Store(&store, cache->region, cache->server, kind);
    if (result == SNCE_OK) {
        result = snceBlob_Hold(&store, buffer->data, buffer->len, ref);
    }
    return result;
}

static void
CountTaken(snceCache *cache, const snceTaken *taken)
{
    if (taken->reclaimed) {
        Count(cache, SNCE_N_RECLAIMED);
    }
    if (taken->full) {
        Count(cache,
              taken->expired ? SNCE_N_REPLACED_EXPIRED : SNCE_N_REPLACED_LIVE);
        ReleaseRefs(cache, taken->certificate, taken->name);
    }
}

/* Stores the words in the table that takes inserts now. */
static snceResult
Store(snceCache *cache, const snceProbe *probe, const snceRule *rule,
      uint64_t words[SNCE_ENTRY_WORDS])
{
    snceResult result = SNCE_DROPPED;

    for (unsigned try = 0; try < MOVE_TRIES; try++) {
        snceTables tables;
        snceTaken taken;
        snceSpot spot;

        result = snceServer_Tables(&tables, cache->region, cache->server);
        if (result != SNCE_OK) {
            return result;
        }
        result = snceTable_Place(&tables.now, probe, rule, words, NULL, &spot,
                                 &taken);
        CountTaken(cache, &taken);
        if (result != SNCE_OK) {
            return result;
        }
        if (tables.growing) {
            /* The same key may wait in the old table, or be on its way from
             * there: then either it is seen here or Carry sees it gone. */
            (void)snceTable_Remove(&tables.old, probe, NULL, Gone, cache);
            (void)snceTable_Remove(&tables.now, probe, &spot, Gone, cache);
        }
        if (!snceServer_Moved(&tables, cache->region, cache->server)) {
            if ((probe->hash >> SNCE_TICKET_SHIFT & 3) == 0) {
                snceTable_Sweep(&tables.now, probe, rule, Gone, cache);
            }
            return SNCE_OK;
        }
        /* Growth began meanwhile and may have passed this set already. Take
         * the entry back and store it anew; if it is gone it was carried. */
        if (!snceTable_Take(&spot)) {
            return SNCE_OK;
        }
        result = SNCE_DROPPED;
    }
    return result;
}

snceResult
snceCache_Insert(snceCache *cache, const snceSession *session, snceTime now)
{
    uint64_t words[SNCE_ENTRY_WORDS];
    snceBlobRef certificate = 0, name = 0;
    snceProbe probe;
    snceRule rule;
    snceResult result;

    if (cache->region->access == SNCE_ACCESS_READ) {
        return SNCE_READ_ONLY;
    }
    if (!MakeProbe(cache, session->id, session->idLen, session->address,
                   &probe) ||
        (unsigned)session->sessionClass >= SNCE_CLASSES) {
        Count(cache, SNCE_N_REFUSED);
        return SNCE_INVALID;
    }
    result = Hold(cache, SNCE_BLOB_CERTIFICATES, &session->certificate,
                  SNCE_CERTIFICATE_MAX, &certificate);
    if (result == SNCE_OK) {
        result =
            Hold(cache, SNCE_BLOB_NAMES, &session->name, SNCE_NAME_MAX, &name);
    }
    if (result != SNCE_OK) {
        ReleaseRefs(cache, certificate, name);
        Count(cache, SNCE_N_REFUSED);
        return result;
    }

    memcpy(&words[SNCE_W_ID], probe.id, sizeof(probe.id));
    memcpy(&words[SNCE_W_ADDRESS], probe.address, sizeof(probe.address));
    words[SNCE_W_CREATED] = (uint64_t)session->created.usec;
    words[SNCE_W_SHAPE] = probe.shape | (uint64_t)session->sessionClass << 8;
    words[SNCE_W_CERTIFICATE] = certificate;
    words[SNCE_W_NAME] = name;
    memcpy(&words[SNCE_W_STATE], session->state, SNCE_STATE_BYTES);
    words[SNCE_W_ACCESS] = (uint64_t)session->lastAccess.usec;

    rule = snceServer_Rule(cache->region, cache->server, now);
    result = Store(cache, &probe, &rule, words);
    explicit_bzero(words, sizeof(words));
    if (result == SNCE_OK) {
        Count(cache, SNCE_N_INSERT);
    } else {
        ReleaseRefs(cache, certificate, name);
        Count(cache, SNCE_N_DROPPED);
    }
    return result;
}

/* ---- looking up ---------------------------------------------------------- */

/* Copies a blob that an entry refers to into the caller's buffer. */
static snceResult
ReadBlob(const snceCache *cache, snceBlobKind kind, snceBlobRef ref,
         snceBuffer *out)
{
    snceBlob store;
    snceResult result;

    if (ref == 0) {
        out->len = 0;
        return SNCE_OK;
    }
    result = snceServer_Store(&store, cache->region, cache->server, kind);
    if (result == SNCE_OK) {
        result =
            snceBlob_Read(&store, ref, out->data, out->capacity, &out->len);
    }
    return result;
}

static snceResult
Find(const snceCache *cache, const snceProbe *probe,
     uint64_t words[SNCE_ENTRY_WORDS], snceSpot *spot, bool *otherAddress)
{
    snceResult result = SNCE_MISS;

    for (unsigned try = 0; try < MOVE_TRIES; try++) {
        snceTables tables;

        result = snceServer_Tables(&tables, cache->region, cache->server);
        if (result != SNCE_OK) {
            return result;
        }
        if (tables.growing) {
            result =
                snceTable_Find(&tables.old, probe, words, spot, otherAddress);
            if (result == SNCE_OK) {
                return result;
            }
        }
        result = snceTable_Find(&tables.now, probe, words, spot, otherAddress);
        if (result == SNCE_OK ||
            !snceServer_Moved(&tables, cache->region, cache->server)) {
            return result;
        }
    }
    return result;
}

/* Does the session belong to the server name that is asked for? */
static bool
NameFits(const snceKey *key, const snceBuffer *name)
{
    return !key->name ||
           (key->nameLen == name->len &&
            (name->len == 0 || memcmp(key->name, name->data, name->len) == 0));
}

/* Reads what the entry refers to: all of it, or the session is not there. */
static snceResult
ReadBlobs(snceCache *cache, const snceKey *key, const snceSpot *spot,
          const uint64_t *words, snceSession *out)
{
    snceResult certificate, name;

    certificate = ReadBlob(cache, SNCE_BLOB_CERTIFICATES,
                           words[SNCE_W_CERTIFICATE], &out->certificate);
    name = ReadBlob(cache, SNCE_BLOB_NAMES, words[SNCE_W_NAME], &out->name);
    if (certificate == SNCE_MISS || name == SNCE_MISS) {
        TakeOut(cache, spot, words);
        Count(cache, SNCE_N_CERTIFICATE);
        return SNCE_MISS;
    }
    if (certificate != SNCE_OK || name != SNCE_OK) {
        return certificate != SNCE_OK ? certificate : name;
    }
    if (!NameFits(key, &out->name)) {
        Count(cache, SNCE_N_NAME);
        return SNCE_MISS;
    }
    return SNCE_OK;
}

/* Moves the time of the last access. It is outside the checksum, so a reader
 * that comes late can at worst move that of another entry which was last used
 * in the same microsecond (rule 6). */
static void
MoveAccess(const snceSpot *spot, uint64_t from, snceTime now)
{
    if (from != (uint64_t)now.usec) {
        (void)atomic_compare_exchange_strong_explicit(
            &spot->set->slot[spot->way].word[SNCE_W_ACCESS], &from,
            (uint64_t)now.usec, memory_order_relaxed, memory_order_relaxed);
    }
}

snceResult
snceCache_Lookup(snceCache *cache, const snceKey *key, snceTime now,
                 snceSession *out)
{
    uint64_t words[SNCE_ENTRY_WORDS];
    bool otherAddress = false;
    snceResult result;
    snceProbe probe;
    snceSpot spot;
    snceRule rule;
    unsigned sessionClass;

    if (!MakeProbe(cache, key->id, key->idLen, key->address, &probe)) {
        return SNCE_INVALID;
    }
    result = Find(cache, &probe, words, &spot, &otherAddress);
    if (result == SNCE_CORRUPT) {
        /* A slot spoiled by a writer that lost its claim: one entry less. */
        Count(cache, SNCE_N_CORRUPT);
        result = SNCE_MISS;
    }
    if (result != SNCE_OK) {
        Count(cache, otherAddress ? SNCE_N_ADDRESS : SNCE_N_UNKNOWN);
        goto done;
    }

    rule = snceServer_Rule(cache->region, cache->server, now);
    sessionClass = snceTable_ClassOf(words);
    if (snceRule_Expired(&rule, sessionClass, (int64_t)words[SNCE_W_CREATED])) {
        TakeOut(cache, &spot, words);
        Count(cache, SNCE_N_EXPIRED);
        result = SNCE_MISS;
        goto done;
    }
    result = ReadBlobs(cache, key, &spot, words, out);
    if (result != SNCE_OK) {
        goto done;
    }

    memcpy(out->id, &words[SNCE_W_ID], sizeof(out->id));
    out->idLen = key->idLen;
    memcpy(out->address, &words[SNCE_W_ADDRESS], sizeof(out->address));
    out->sessionClass = (snceClass)sessionClass;
    out->created.usec = (int64_t)words[SNCE_W_CREATED];
    out->lastAccess.usec = (int64_t)words[SNCE_W_ACCESS];
    out->expires = snceCache_Expiry(cache, out->sessionClass, out->created);
    memcpy(out->state, &words[SNCE_W_STATE], SNCE_STATE_BYTES);
    if (cache->region->access != SNCE_ACCESS_READ) {
        snceSlot_Visit(&spot.set->version[spot.way], spot.seen);
        MoveAccess(&spot, words[SNCE_W_ACCESS], now);
    }
    Count(cache, SNCE_N_HIT);

done:
    explicit_bzero(words, sizeof(words));
    return result;
}

snceResult
snceCache_Remove(snceCache *cache, const snceKey *key)
{
    unsigned removed = 0;
    snceProbe probe;

    if (cache->region->access == SNCE_ACCESS_READ) {
        return SNCE_READ_ONLY;
    }
    if (!MakeProbe(cache, key->id, key->idLen, key->address, &probe)) {
        return SNCE_INVALID;
    }
    for (unsigned try = 0; try < MOVE_TRIES; try++) {
        snceTables tables;
        snceResult result =
            snceServer_Tables(&tables, cache->region, cache->server);

        if (result != SNCE_OK) {
            return result;
        }
        if (tables.growing) {
            removed += snceTable_Remove(&tables.old, &probe, NULL, Gone, cache);
        }
        removed += snceTable_Remove(&tables.now, &probe, NULL, Gone, cache);
        if (!snceServer_Moved(&tables, cache->region, cache->server)) {
            break;
        }
    }
    snceCount_Add(cache->region, cache->server, SNCE_N_REMOVED, removed);
    return removed ? SNCE_OK : SNCE_MISS;
}

/* ---- limits -------------------------------------------------------------- */

snceTime
snceCache_Expiry(const snceCache *cache, snceClass sessionClass,
                 snceTime created)
{
    snceRule rule = snceServer_Rule(cache->region, cache->server, created);
    snceTime expiry;

    if (__builtin_add_overflow(
            created.usec,
            (int64_t)rule.timeoutSec[(unsigned)sessionClass % SNCE_CLASSES] *
                1000000,
            &expiry.usec)) {
        expiry.usec = INT64_MAX;
    }
    return expiry;
}

snceResult
snceCache_Configure(snceCache *cache, const snceCacheOptions *options)
{
    snceRule rule;
    snceResult result = snceServer_CheckOptions(options);

    if (result == SNCE_OK) {
        result = snceLock_Take(cache->region);
    }
    if (result != SNCE_OK) {
        return result;
    }
    snceServer_Retime(cache->region, cache->server, options);
    /* Carried over at the beginning of time: nothing has expired by then, so
     * what the clocks of sockets say does not matter here. */
    rule =
        snceServer_Rule(cache->region, cache->server, (snceTime){ INT64_MIN });
    result = snceGrow_To(cache->region, cache->server, options->entries, &rule);
    snceLock_Give(cache->region);
    return result;
}

void
snceCache_GetOptions(const snceCache *cache, snceCacheOptions *out)
{
    snceRule rule =
        snceServer_Rule(cache->region, cache->server, (snceTime){ 0 });
    snceServer *entry = snceRegion_Server(cache->region, cache->server);
    snceBlob store;

    memset(out, 0, sizeof(*out));
    out->entries = atomic_load_explicit(&entry->entries, memory_order_relaxed);
    if (snceServer_Store(&store, cache->region, cache->server,
                         SNCE_BLOB_CERTIFICATES) == SNCE_OK) {
        out->certificates = store.cells;
    }
    if (snceServer_Store(&store, cache->region, cache->server,
                         SNCE_BLOB_NAMES) == SNCE_OK) {
        out->names = store.cells;
    }
    memcpy(out->timeoutSec, rule.timeoutSec, sizeof(out->timeoutSec));
    out->matchAddress = snceServer_MatchesAddress(cache->region, cache->server);
}

snceResult
snceCache_GetFigures(const snceCache *cache, snceFigures *out)
{
    uint64_t takenOut;
    const struct {
        unsigned figure;
        uint64_t *to;
    } all[] = {
        { SNCE_N_OUT, &takenOut },
        { SNCE_N_HIT, &out->hits },
        { SNCE_N_UNKNOWN, &out->missesUnknown },
        { SNCE_N_EXPIRED, &out->missesExpired },
        { SNCE_N_ADDRESS, &out->missesAddress },
        { SNCE_N_NAME, &out->missesName },
        { SNCE_N_CERTIFICATE, &out->missesCertificate },
        { SNCE_N_INSERT, &out->inserts },
        { SNCE_N_REPLACED_EXPIRED, &out->replacedExpired },
        { SNCE_N_REPLACED_LIVE, &out->replacedLive },
        { SNCE_N_DROPPED, &out->dropped },
        { SNCE_N_REFUSED, &out->refused },
        { SNCE_N_REMOVED, &out->removals },
        { SNCE_N_RECLAIMED, &out->reclaimed },
        { SNCE_N_CORRUPT, &out->corrupt },
        { SNCE_N_STORED, &out->certificates },
    };
    snceTables tables;

    if (snceServer_Tables(&tables, cache->region, cache->server) != SNCE_OK) {
        return SNCE_CORRUPT;
    }
    out->slots = tables.now.setCount * SNCE_WAYS;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        *all[i].to = snceCount_Sum(cache->region, cache->server, all[i].figure);
    }
    out->live =
        out->inserts - out->replacedExpired - out->replacedLive - takenOut;
    out->wiped = takenOut > out->removals ? takenOut - out->removals : 0;
    if (out->live > out->inserts) { /* below zero: others went on meanwhile */
        out->live = 0;
    }
    return SNCE_OK;
}
