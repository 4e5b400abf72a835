/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceserver.h: the directory of virtual servers.
 *
 * Reading an entry costs a few relaxed loads; changing one is a rare change
 * (rule 9), made of single stores in an order in which a process may die after
 * any of them. */
#ifndef SNCESERVER_H
#define SNCESERVER_H

#include "snceblob.h"
#include "snceregion.h"
#include "sncetable.h"

/* snceServer_CheckOptions returns SNCE_OK or SNCE_INVALID. */
snceResult snceServer_CheckOptions(const snceCacheOptions *options);

/* snceServer_Bytes returns the heap that a virtual server takes at first. */
uint64_t snceServer_Bytes(const snceCacheOptions *options);

/* snceServer_Init makes the virtual server at |server|. The caller has the
 * turn for rare changes, or the region to itself. Returns SNCE_OK or
 * SNCE_NO_MEMORY. */
snceResult snceServer_Init(snceRegion *region, uint32_t server,
                           const snceCacheOptions *options);

/* snceServer_Retime sets timeouts and flags, at once. */
void snceServer_Retime(const snceRegion *region, uint32_t server,
                       const snceCacheOptions *options);

/* snceTables is the pair of tables that a session may lie in: while a cache
 * grows there are two, and an entry is in one of them or, for an instant, in
 * both. Look in |old| first: what is no longer there is in |now|. */
typedef struct {
    uint64_t stamp; /* of |now|; compare with snceServer_Moved afterwards */
    bool growing;
    snceTable old; /* only while growing */
    snceTable now;
} snceTables;

/* snceServer_Tables opens the tables. Returns SNCE_OK or SNCE_CORRUPT. */
snceResult snceServer_Tables(snceTables *out, const snceRegion *region,
                             uint32_t server);

/* snceServer_Moved tells whether growth began since |tables| was opened, so
 * that what was not found may be in a table that was not looked at. */
bool snceServer_Moved(const snceTables *tables, const snceRegion *region,
                      uint32_t server);

/* snceServer_Rule returns when entries expire, at the time |now|. */
snceRule snceServer_Rule(const snceRegion *region, uint32_t server,
                         snceTime now);

/* snceServer_MatchesAddress tells whether the address is part of the key. */
bool snceServer_MatchesAddress(const snceRegion *region, uint32_t server);

/* snceServer_Store opens one of the server's blob stores. */
snceResult snceServer_Store(snceBlob *out, const snceRegion *region,
                            uint32_t server, snceBlobKind kind);

/* snceRefs is what an entry refers to; 0 for nothing. */
typedef struct {
    snceBlobRef certificate;
    snceBlobRef name;
} snceRefs;

/* snceServer_Retain counts one entry more with |refs|. False, and nothing is
 * counted, if one of them was evicted. */
bool snceServer_Retain(const snceRegion *region, uint32_t server,
                       const snceRefs *refs);

/* snceServer_Release counts one entry less. */
void snceServer_Release(const snceRegion *region, uint32_t server,
                        const snceRefs *refs);

#endif /* SNCESERVER_H */
