/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceserver.h"

#define DEFAULT_NAMES 1024

/* One certificate for each session, up to this many. */
#define CERTIFICATES_MAX 1000000

#define TIMEOUT_MAX_SEC (100u * 365 * 86400)

static uint64_t
CertificatesFor(const snceCacheOptions *options)
{
    uint64_t cells =
        options->certificates ? options->certificates : options->entries;

    return cells < CERTIFICATES_MAX ? cells : CERTIFICATES_MAX;
}

static uint64_t
NamesFor(const snceCacheOptions *options)
{
    return options->names ? options->names : DEFAULT_NAMES;
}

snceResult
snceServer_CheckOptions(const snceCacheOptions *options)
{
    if (options->entries == 0 || options->entries > SNCE_ENTRIES_MAX ||
        options->certificates > SNCE_ENTRIES_MAX ||
        options->names > CERTIFICATES_MAX ||
        options->timeoutSec[SNCE_CLASS_SSL2] > TIMEOUT_MAX_SEC ||
        options->timeoutSec[SNCE_CLASS_SSL3] > TIMEOUT_MAX_SEC) {
        return SNCE_INVALID;
    }
    return SNCE_OK;
}

uint64_t
snceServer_Bytes(const snceCacheOptions *options)
{
    return snceLayout_InPages(
               snceTable_Bytes(snceTable_SetsFor(options->entries))) +
           snceLayout_InPages(snceBlob_Bytes(SNCE_BLOB_CERTIFICATES,
                                             CertificatesFor(options))) +
           snceLayout_InPages(
               snceBlob_Bytes(SNCE_BLOB_NAMES, NamesFor(options)));
}

void
snceServer_Retime(const snceRegion *region, uint32_t server,
                  const snceCacheOptions *options)
{
    snceServer *entry = snceRegion_Server(region, server);

    /* Relaxed: each field counts on its own, as soon as it is seen. */
    for (unsigned i = 0; i < SNCE_CLASSES; i++) {
        atomic_store_explicit(&entry->timeoutSec[i], options->timeoutSec[i],
                              memory_order_relaxed);
    }
    atomic_store_explicit(&entry->flags,
                          options->matchAddress ? SNCE_MATCH_ADDRESS : 0,
                          memory_order_relaxed);
}

snceResult
snceServer_Init(snceRegion *region, uint32_t server,
                const snceCacheOptions *options)
{
    snceServer *entry = snceRegion_Server(region, server);
    uint64_t sets = snceTable_SetsFor(options->entries);
    uint64_t certificates = CertificatesFor(options);
    uint64_t names = NamesFor(options);
    uint64_t table, certificateStore, nameStore;

    table = snceRegion_Allocate(region, snceTable_Bytes(sets));
    certificateStore = snceRegion_Allocate(
        region, snceBlob_Bytes(SNCE_BLOB_CERTIFICATES, certificates));
    nameStore =
        snceRegion_Allocate(region, snceBlob_Bytes(SNCE_BLOB_NAMES, names));
    if (!table || !certificateStore || !nameStore) {
        return SNCE_NO_MEMORY;
    }
    snceTable_Init(region, table, sets);
    snceBlob_Init(region, certificateStore, certificates);
    snceBlob_Init(region, nameStore, names);

    snceServer_Retime(region, server, options);
    atomic_store_explicit(&entry->entries, options->entries,
                          memory_order_relaxed);
    atomic_store_explicit(&entry->certificates, certificateStore,
                          memory_order_relaxed);
    atomic_store_explicit(&entry->names, nameStore, memory_order_relaxed);
    atomic_store_explicit(&entry->table, table, memory_order_relaxed);
    /* Release: whoever comes to look for virtual servers sees a live one whole.
     * The default cache is published by the region's magic word instead. */
    atomic_store_explicit(&entry->state, SNCE_SERVER_LIVE,
                          memory_order_release);
    return SNCE_OK;
}

snceResult
snceServer_Tables(snceTables *out, const snceRegion *region, uint32_t server)
{
    snceServer *entry = snceRegion_Server(region, server);
    uint64_t previous;

    /* |table| first: growth stores |previous| before it (sequentially
     * consistent there and here), so whoever sees the new table sees the old
     * one as well, until that is empty. */
    out->stamp = atomic_load_explicit(&entry->table, memory_order_seq_cst);
    previous = atomic_load_explicit(&entry->previous, memory_order_seq_cst);
    out->growing = previous != 0 && previous != out->stamp;
    if (out->growing && snceTable_At(&out->old, region, previous) != SNCE_OK) {
        /* Its pages may have been given back since: then it is empty, and no
         * longer entered. */
        if (atomic_load_explicit(&entry->previous, memory_order_seq_cst) ==
            previous) {
            return SNCE_CORRUPT;
        }
        out->growing = false;
    }
    return snceTable_At(&out->now, region, out->stamp);
}

bool
snceServer_Moved(const snceTables *tables, const snceRegion *region,
                 uint32_t server)
{
    snceServer *entry = snceRegion_Server(region, server);

    return atomic_load_explicit(&entry->table, memory_order_seq_cst) !=
           tables->stamp;
}

snceRule
snceServer_Rule(const snceRegion *region, uint32_t server, snceTime now)
{
    snceServer *entry = snceRegion_Server(region, server);
    snceRule rule;

    rule.now = now;
    for (unsigned i = 0; i < SNCE_CLASSES; i++) {
        rule.timeoutSec[i] =
            atomic_load_explicit(&entry->timeoutSec[i], memory_order_relaxed);
    }
    return rule;
}

bool
snceServer_MatchesAddress(const snceRegion *region, uint32_t server)
{
    snceServer *entry = snceRegion_Server(region, server);

    return (atomic_load_explicit(&entry->flags, memory_order_relaxed) &
            SNCE_MATCH_ADDRESS) != 0;
}

snceResult
snceServer_Store(snceBlob *out, const snceRegion *region, uint32_t server,
                 snceBlobKind kind)
{
    snceServer *entry = snceRegion_Server(region, server);
    uint64_t offset = atomic_load_explicit(
        kind == SNCE_BLOB_CERTIFICATES ? &entry->certificates : &entry->names,
        memory_order_relaxed);

    return snceBlob_At(out, region, server, kind, offset);
}

static bool
RetainOne(const snceRegion *region, uint32_t server, snceBlobKind kind,
          snceBlobRef ref)
{
    snceBlob store;

    return ref == 0 ||
           (snceServer_Store(&store, region, server, kind) == SNCE_OK &&
            snceBlob_Retain(&store, ref));
}

static void
ReleaseOne(const snceRegion *region, uint32_t server, snceBlobKind kind,
           snceBlobRef ref)
{
    snceBlob store;

    if (ref && snceServer_Store(&store, region, server, kind) == SNCE_OK) {
        snceBlob_Release(&store, ref);
    }
}

bool
snceServer_Retain(const snceRegion *region, uint32_t server,
                  const snceRefs *refs)
{
    if (!RetainOne(region, server, SNCE_BLOB_CERTIFICATES, refs->certificate)) {
        return false;
    }
    if (!RetainOne(region, server, SNCE_BLOB_NAMES, refs->name)) {
        ReleaseOne(region, server, SNCE_BLOB_CERTIFICATES, refs->certificate);
        return false;
    }
    return true;
}

void
snceServer_Release(const snceRegion *region, uint32_t server,
                   const snceRefs *refs)
{
    ReleaseOne(region, server, SNCE_BLOB_CERTIFICATES, refs->certificate);
    ReleaseOne(region, server, SNCE_BLOB_NAMES, refs->name);
}
