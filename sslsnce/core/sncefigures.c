/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* A cache's options, its figures, and the expiry of its sessions, as snce.h
 * describes them. */
#include <string.h>

#include "sncecount.h"
#include "snceview.h"

snceTime
snceCache_Expiry(snceCache cache, snceClass sessionClass, snceTime created)
{
    snceView view;
    snceRule rule;

    if (snceView_Look(&view, cache.region, cache.id) != SNCE_OK) {
        return created;
    }
    rule = snceView_Rule(&view, created);
    return snceRule_Expiry(&rule, sessionClass, created);
}

bool
snceCache_IsOpen(snceCache cache)
{
    snceState state;

    if (cache.id.number >= SNCE_SERVERS) {
        return false;
    }
    /* Sequentially consistent: as in snceView_OpenAny. */
    state = atomic_load_explicit(
        &snceRegion_Server(cache.region, cache.id.number)->state,
        memory_order_seq_cst);
    return snceState_Is(state, cache.id.generation) &&
           !(state & SNCE_SERVER_CLOSED);
}

snceResult
snceCache_GetOptions(snceCache cache, snceCacheOptions *out)
{
    const snceServerWords *entry;
    snceResult result = SNCE_CORRUPT;
    snceView view;
    uint64_t asked;

    for (unsigned try = 0; try < SNCE_VIEW_TRIES; try++) {
        result = snceView_Look(&view, cache.region, cache.id);
        if (result != SNCE_OK) {
            return result;
        }
        entry = snceRegion_Server(cache.region, cache.id.number);
        asked = atomic_load_explicit(
            &entry->asked[snceState_Backing(view.state)], memory_order_acquire);
        if (!snceView_Changed(&view)) {
            break;
        }
    }
    memset(out, 0, sizeof(*out));
    out->entries = snceWord_High(asked);
    out->certificates = snceWord_Low(asked);
    memcpy(out->timeoutSec, view.timeoutSec, sizeof(out->timeoutSec));
    out->clockSkewSec = snceView_ClockSkewSec(&view);
    out->ticketTimeoutSec =
        atomic_load_explicit(&entry->ticketTimeoutSec, memory_order_acquire);
    out->resumptionAgeSec =
        atomic_load_explicit(&entry->resumptionAgeSec, memory_order_acquire);
    out->withinTwoRotations = atomic_load_explicit(&entry->withinTwoRotations,
                                                   memory_order_acquire) != 0;
    out->sharesClientAuth = atomic_load_explicit(&entry->sharesClientAuth,
                                                 memory_order_acquire) != 0;
    out->flushes = atomic_load_explicit(&entry->flushes, memory_order_acquire);
    out->refusedUntil.usec =
        (int64_t)atomic_load_explicit(&entry->refused, memory_order_acquire);
    out->ticketEpoch =
        atomic_load_explicit(&entry->ticketEpoch, memory_order_acquire);
    out->ticketRotationSec =
        atomic_load_explicit(&entry->ticketRotationSec, memory_order_acquire);
    out->matchAddress = snceView_MatchesAddress(&view);
    out->unlisted = (view.state & SNCE_SERVER_UNLISTED) != 0;
    out->closed = snceView_Closed(&view);
    out->lock = snceRegion_Header(cache.region)->lock != 0;
    return SNCE_OK;
}

/* Returns how many sessions or certificates are in one range, by its
 * |figure|. */
static uint64_t
Within(const snceView *view, unsigned figure, uint64_t range,
       const snceWord from[2])
{
    uint64_t sum =
        snceCount_Since(view->region, view->id.number, figure, range, from);

    return sum > INT64_MAX ? 0 : sum;
}

void
snceCache_CountKeyFailure(snceCache cache)
{
    snceView view;

    if (snceView_Look(&view, cache.region, cache.id) == SNCE_OK) {
        snceCount_Add(cache.region, cache.id.number, SNCE_N_KEY_FAILURE, 1);
    }
}

void
snceCache_CountTicket(snceCache cache, snceTicketEvent event)
{
    snceView view;

    if ((unsigned)event < SNCE_TICKET_EVENTS &&
        snceView_Look(&view, cache.region, cache.id) == SNCE_OK) {
        snceCount_AddTicket(cache.region, cache.id.number, event);
    }
}

snceResult
snceCache_GetFigures(snceCache cache, snceFigures *out)
{
    const struct {
        unsigned figure;
        uint64_t *to;
    } all[] = {
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
        { SNCE_N_OVERRIDDEN, &out->overridden },
        { SNCE_N_CORRUPT, &out->corrupt },
        { SNCE_N_FUTURE, &out->missesFuture },
        { SNCE_N_KEY_FAILURE, &out->keyFailures },
        { SNCE_N_UNMAPPED, &out->unmapped },
    };
    const snceServerWords *entry;
    uint64_t left, evicted;
    snceView view;
    snceResult result = snceView_Look(&view, cache.region, cache.id);

    if (result != SNCE_OK) {
        return result;
    }
    if (!snceRegion_Counters(cache.region, cache.id.number)) {
        return SNCE_NO_MEMORY;
    }
    entry = snceRegion_Server(cache.region, cache.id.number);
    out->slots = view.now.table.pages * SNCE_PAGE_SLOTS;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        *all[i].to =
            snceCount_Sum(cache.region, cache.id.number, all[i].figure);
    }
    for (unsigned i = 0; i < SNCE_TICKET_EVENTS; i++) {
        out->tickets[i] =
            snceCount_SumTickets(cache.region, cache.id.number, i);
    }
    evicted = snceCount_Sum(cache.region, cache.id.number, SNCE_N_EVICTED);
    out->inserts += evicted;
    out->replacedLive += evicted;
    out->live =
        Within(&view, SNCE_N_LIVE, view.now.table.range, entry->liveFrom);
    out->certificates =
        Within(&view, SNCE_N_STORED, view.now.store, entry->storedFrom);
    if (view.moving) {
        out->live +=
            Within(&view, SNCE_N_LIVE, view.old.table.range, entry->liveFrom);
        if (view.old.store != view.now.store) {
            out->certificates +=
                Within(&view, SNCE_N_STORED, view.old.store, entry->storedFrom);
        }
    }
    left = out->replacedExpired + out->replacedLive + out->removals + out->live;
    out->wiped = out->inserts > left ? out->inserts - left : 0;
    return SNCE_OK;
}
