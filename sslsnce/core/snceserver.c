/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* The directory of virtual servers. Implements what snce.h says of snceServer,
 * and the handles of caches. */
#include <string.h>

#include "sncechange.h"
#include "sncedirectory.h"
#include "sncename.h"
#include "snceoptions.h"
#include "snceshape.h"
#include "sncestep.h"

/* ---- handles ------------------------------------------------------------- */

static snceServerId
IdOf(const snceRegion *region, uint32_t number, uint32_t generation)
{
    const snceServerId id = { number, generation, region->identity };

    return id;
}

snceCache
snceRegion_Cache(snceRegion *region, snceServerId id)
{
    /* An id of another region gets a number that no server has. */
    const snceCache cache = { region,
                              { id.region == region->identity ? id.number
                                                              : UINT32_MAX,
                                id.generation } };

    return cache;
}

snceCache
snceRegion_DefaultCache(snceRegion *region)
{
    const snceCache cache = { region, { 0, SNCE_DEFAULT_GENERATION } };

    return cache;
}

snceServerId
snceCache_Id(snceCache cache)
{
    return IdOf(cache.region, cache.id.number, cache.id.generation);
}

/* ---- changing ------------------------------------------------------------ */

/* Returns the number of a free entry for a new server, or 0 if there is none.
 * Entry 0 is the default cache's. */
static uint32_t
FindFree(const snceRegion *region)
{
    snceHeader *header = snceRegion_Header(region);
    uint32_t used =
        atomic_load_explicit(&header->servers, memory_order_relaxed);
    uint32_t number = 1;

    while (number < SNCE_SERVERS && number < used &&
           snceState_Phase(
               snceDirectory_Load(&snceRegion_Server(region, number)->state)) !=
               SNCE_SERVER_FREE) {
        number++;
    }
    if (number >= SNCE_SERVERS) {
        return 0;
    }
    if (number >= used) {
        /* Count the entry before anything is stored there: a search for free
         * ranges looks only at entries that are counted. */
        atomic_store_explicit(&header->servers, number + 1,
                              memory_order_release);
    }
    return number;
}

/* A server that is added may be one that was removed. So it refuses tickets up to the
 * latest time up to which a removed one did. */
static void
RefuseAsRemoved(const snceRegion *region, snceServerWords *entry)
{
    atomic_store_explicit(
        &entry->refused,
        snceDirectory_Load(&snceRegion_Header(region)->refused),
        memory_order_release);
}

/* |entry| is about to be removed. */
static void
NoteRefused(const snceRegion *region, const snceServerWords *entry)
{
    snceWord *latest = &snceRegion_Header(region)->refused;
    uint64_t until = snceDirectory_Load(&entry->refused);

    if ((int64_t)until > (int64_t)snceDirectory_Load(latest)) {
        atomic_store_explicit(latest, until, memory_order_release);
    }
}

static snceResult
Add(snceRegion *region, const snceName *name, const snceCacheOptions *options,
    snceServerId *id)
{
    const snceShape shape = snceShape_Of(options);
    uint32_t number = FindFree(region);
    snceServerWords *entry = snceRegion_Server(region, number);
    snceResult result;
    snceState state;

    if (number == 0) {
        return SNCE_FULL;
    }
    snceChange_Mark(region, number);
    SNCE_STEP("add-began");
    state = snceState_Born(snceDirectory_Load(&entry->state),
                           snceOptions_Flags(options));
    result = snceShape_Furnish(region, number, 0, &shape);
    if (result != SNCE_OK) {
        return result;
    }
    snceOptions_Retime(entry, options);
    RefuseAsRemoved(region, entry);
    SNCE_STEP("add-furnished");
    snceName_Enter(region, number, name);
    SNCE_STEP("add-entered");
    snceDirectory_Commit(entry, state);
    SNCE_STEP("add-published");
    *id = IdOf(region, number, snceState_Generation(state));
    return SNCE_OK;
}

bool
snceServer_IsName(const uint8_t *name, size_t nameLen)
{
    snceName folded;

    return snceName_Fold(&folded, name, nameLen) && snceName_Check(&folded);
}

snceResult
snceServer_Add(snceRegion *region, const uint8_t *name, size_t nameLen,
               const snceCacheOptions *options, snceServerId *id)
{
    snceResult result = snceOptions_Check(options);
    uint32_t number;
    snceName folded;
    snceState state;

    if (result != SNCE_OK) {
        return result;
    }
    if (nameLen == 0 || name[nameLen - 1] == '.' ||
        !snceName_Fold(&folded, name, nameLen) || !snceName_Check(&folded)) {
        return SNCE_INVALID;
    }
    result = snceChange_Begin(region);
    if (result != SNCE_OK) {
        return result;
    }
    if (snceName_Find(region, &folded, &state, &number)) {
        *id = IdOf(region, number, snceState_Generation(state));
        result = SNCE_EXISTS;
    } else {
        result = Add(region, &folded, options, id);
    }
    snceChange_End(region);
    return result;
}

snceResult
snceServer_Remove(snceRegion *region, snceServerId id)
{
    snceServerWords *entry;
    snceResult result;
    snceState state;

    if (id.number == 0 || id.number >= SNCE_SERVERS) {
        return SNCE_INVALID;
    }
    if (id.region != region->identity) {
        return SNCE_GONE;
    }
    result = snceChange_Begin(region);
    if (result != SNCE_OK) {
        return result;
    }
    entry = snceRegion_Server(region, id.number);
    state = snceDirectory_Load(&entry->state);
    if (snceState_Is(state, id.generation)) {
        snceChange_Mark(region, id.number);
        SNCE_STEP("remove-began");
        NoteRefused(region, entry);
        snceDirectory_Commit(entry, snceState_Next(state, SNCE_SERVER_LEAVING,
                                                   SNCE_SERVER_PHASE_MASK));
        SNCE_STEP("remove-published");
        snceChange_Bury(region, id.number);
    } else {
        result = SNCE_GONE;
    }
    snceChange_End(region);
    return result;
}

/* ---- finding ------------------------------------------------------------- */

snceResult
snceServer_Find(const snceRegion *region, const uint8_t *name, size_t nameLen,
                snceServerId *id)
{
    uint32_t number;
    snceName folded;
    snceState state;

    if (!snceName_Fold(&folded, name, nameLen) ||
        !snceName_Find(region, &folded, &state, &number)) {
        return SNCE_MISS;
    }
    *id = IdOf(region, number, snceState_Generation(state));
    return SNCE_OK;
}

static bool
ChooseBy(const snceRegion *region, const snceName *name, snceServerId *id)
{
    uint32_t number;
    snceState state;

    if (!snceName_Find(region, name, &state, &number) ||
        (state & SNCE_SERVER_UNLISTED)) {
        return false;
    }
    *id = IdOf(region, number, snceState_Generation(state));
    return true;
}

snceServerId
snceServer_Choose(const snceRegion *region, const uint8_t *name, size_t nameLen)
{
    snceServerId id = IdOf(region, 0, SNCE_DEFAULT_GENERATION);
    snceName folded, wildcard;

    if (snceName_Fold(&folded, name, nameLen) &&
        !snceName_IsWildcard(&folded) && !ChooseBy(region, &folded, &id) &&
        snceName_AnyWildcard(region) && snceName_Wildcard(&wildcard, &folded)) {
        (void)ChooseBy(region, &wildcard, &id);
    }
    return id;
}

snceResult
snceServer_Next(const snceRegion *region, uint32_t number, snceServerInfo *out)
{
    for (; number < SNCE_SERVERS; number++) {
        const snceServerWords *entry = snceRegion_Server(region, number);
        uint64_t name[sizeof(entry->name) / sizeof(entry->name[0])];
        snceState state;

        /* Acquire: pairs with snceDirectory_Commit, and with the release stores
         * in snceName_Enter, as in snceName_Find. */
        state = atomic_load_explicit(&entry->state, memory_order_acquire);
        if (snceState_Phase(state) != SNCE_SERVER_LIVE) {
            continue;
        }
        out->id = IdOf(region, number, snceState_Generation(state));
        out->nameLen =
            (size_t)atomic_load_explicit(&entry->nameLen, memory_order_acquire);
        for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
            name[i] =
                atomic_load_explicit(&entry->name[i], memory_order_acquire);
        }
        memcpy(out->name, name, sizeof(out->name));
        if (out->nameLen <= SNCE_NAME_MAX &&
            snceCache_GetOptions(
                snceRegion_Cache((snceRegion *)region, out->id),
                &out->options) == SNCE_OK) {
            out->name[out->nameLen] = 0;
            return SNCE_OK;
        }
    }
    return SNCE_MISS;
}
