/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* The ticket keys of a region: slots that any process claims, fills and publishes,
 * under the protocol of snceslot.h. Nothing here decides which key is in use: all
 * processes see the same keys and choose by the same rule. So it does no harm if two
 * processes add a key for the same time, and a process that dies while it adds one
 * leaves a claim that the next one takes back (rule 5). */
#include <string.h>

#include "sncepatience.h"
#include "snceregion.h"
#include "snceslot.h"

/* Claims that a search may lose to other processes. */
#define ADD_TRIES 64

/* A slot as it was seen. */
typedef struct {
    snceTicketSlots *all;
    unsigned index;
    snceVersion seen;
} slot;

static snceTicketSlots *
SlotsOf(const snceRegion *region)
{
    return snceRegion_Place(region, SNCE_AT_TICKET_KEYS);
}

/* The slots are never part of the heap, so they have one epoch. */
static const snceEpoch epoch = { 0 };

static uint64_t
SumOf(const snceRegion *region, const slot *at, snceVersion version,
      const uint64_t *words)
{
    uint64_t place =
        SNCE_AT_TICKET_KEYS + (uint64_t)at->index * sizeof(at->all->slot[0]);

    return snceSlot_Sum(&region->hash, &epoch, place, version, words + 1,
                        SNCE_TICKET_WORDS - 1);
}

static unsigned
UsedOf(const snceTicketSlots *all)
{
    /* Acquire: pairs with the release in NoteUsed. Bounded (rule 1). */
    uint64_t used = atomic_load_explicit(&all->used, memory_order_acquire);

    return used < SNCE_TICKET_KEYS ? (unsigned)used : SNCE_TICKET_KEYS;
}

/* Notes that the slot |index| is about to be claimed, so that later searches look
 * there. */
static void
NoteUsed(snceTicketSlots *all, unsigned index)
{
    uint64_t used = atomic_load_explicit(&all->used, memory_order_relaxed);

    for (unsigned try = 0; used <= index && try < ADD_TRIES; try++) {
        if (atomic_compare_exchange_strong_explicit(
                &all->used, &used, (uint64_t)index + 1, memory_order_release,
                memory_order_relaxed)) {
            return;
        }
    }
}

static void
NoteChange(snceTicketSlots *all)
{
    /* Release: pairs with the acquire load in snceTicketKeys_Changes. A process that
     * sees this number sees the key. */
    (void)atomic_fetch_add_explicit(&all->changes, 1, memory_order_release);
}

/* Copies the key in a slot. False if there is none, or a late writer spoiled it. */
static bool
ReadSlot(const snceRegion *region, snceTicketSlots *all, unsigned index,
         slot *at, snceTicketKey *key)
{
    uint64_t words[SNCE_TICKET_WORDS];

    at->all = all;
    at->index = index;
    at->seen = snceSlot_Version(&all->version[index]);
    if (snceVersion_State(at->seen) != SNCE_STATE_FULL) {
        return false;
    }
    snceSlot_Load(words, all->slot[index].word, SNCE_TICKET_WORDS);
    if (!snceSlot_Unchanged(&all->version[index], at->seen) ||
        words[SNCE_T_SUM] != SumOf(region, at, at->seen, words) ||
        words[SNCE_T_LENGTH] > SNCE_TICKET_VALUE_MAX) {
        return false;
    }
    key->id = words[SNCE_T_ID];
    key->under = words[SNCE_T_UNDER];
    key->created.usec = (int64_t)words[SNCE_T_CREATED];
    key->encryptFrom.usec = (int64_t)words[SNCE_T_ENCRYPT_FROM];
    key->encryptUntil.usec = (int64_t)words[SNCE_T_ENCRYPT_UNTIL];
    key->decryptUntil.usec = (int64_t)words[SNCE_T_DECRYPT_UNTIL];
    key->len = (size_t)words[SNCE_T_LENGTH];
    key->source = words[SNCE_T_SOURCE];
    for (unsigned i = 0; i < SNCE_TICKET_USES; i++) {
        key->uses[i] =
            atomic_load_explicit(&all->uses[index][i], memory_order_relaxed);
    }
    memcpy(key->value, &words[SNCE_T_VALUE], SNCE_TICKET_VALUE_MAX);
    return true;
}

/* May a key be stored there without a loss: is the slot empty, or did its writer die? */
static bool
IsFree(const snceRegion *region, const slot *at)
{
    switch (snceVersion_State(at->seen)) {
        case SNCE_STATE_EMPTY:
            return snceSlot_Rested(at->seen, snceTick_Now(region));
        case SNCE_STATE_BUSY:
            return snceClaim_Abandoned(&at->all->version[at->index], at->seen,
                                       snceTick_Now(region));
        default:
            return false;
    }
}

/* Finds a free slot, from |*next| on, and moves |*next| behind it. So a search that
 * goes on after a lost claim ends, however many processes add keys. */
static bool
FindFree(const snceRegion *region, snceTicketSlots *all, unsigned *next,
         slot *out)
{
    out->all = all;
    while (*next < SNCE_TICKET_KEYS) {
        out->index = (*next)++;
        NoteUsed(all, out->index);
        out->seen = snceSlot_Version(&all->version[out->index]);
        if (IsFree(region, out)) {
            return true;
        }
    }
    return false;
}

/* Finds the slot of the key which is the first to go. */
static bool
FindFirstToGo(const snceRegion *region, snceTicketSlots *all, slot *out)
{
    int64_t earliest = INT64_MAX;
    bool found = false;

    for (unsigned i = 0; i < SNCE_TICKET_KEYS; i++) {
        snceTicketKey key;
        slot at;

        /* A spoiled one goes before any key. */
        if (!ReadSlot(region, all, i, &at, &key)) {
            if (snceVersion_State(at.seen) != SNCE_STATE_FULL) {
                continue;
            }
            key.decryptUntil.usec = INT64_MIN;
        }
        if (key.decryptUntil.usec < earliest) {
            earliest = key.decryptUntil.usec;
            *out = at;
            found = true;
        }
    }
    return found;
}

/* Stores |words| in a claimed slot and publishes them. If the claim was overridden
 * meanwhile, what was stored late is taken back. */
static bool
FillSlot(const snceRegion *region, const slot *at, snceVersion claim,
         uint64_t words[SNCE_TICKET_WORDS])
{
    snceWord *version = &at->all->version[at->index];
    snceWord *to = at->all->slot[at->index].word;

    words[SNCE_T_SUM] = SumOf(region, at, claim, words);
    for (unsigned i = 0; i < SNCE_TICKET_USES; i++) {
        atomic_store_explicit(&at->all->uses[at->index][i], 0,
                              memory_order_relaxed);
    }
    /* A writer that was interrupted may have lost its claim. What it stores late spoils
     * the key that lies here now, so it looks before each word. */
    for (unsigned i = 0;
         i < SNCE_TICKET_WORDS && snceSlot_Holds(version, claim); i++) {
        snceSlot_Store(&to[i], &words[i], 1);
    }
    SNCE_STEP("ticket-stored");
    if (snceSlot_Publish(version, claim)) {
        return true;
    }
    for (unsigned i = 0; i < SNCE_TICKET_WORDS; i++) {
        snceSlot_TakeBack(&to[i], words[i]);
    }
    return false;
}

/* Wipes a claimed slot and gives it back. */
static void
VacateSlot(const snceRegion *region, const slot *at, snceVersion claim)
{
    snceTick tick = claim & SNCE_OVERRODE ? snceTick_Now(region) : 0;
    snceWord *version = &at->all->version[at->index];

    /* As in FillSlot. */
    for (unsigned i = 0;
         i < SNCE_TICKET_WORDS && snceSlot_Holds(version, claim); i++) {
        snceSlot_Wipe(&at->all->slot[at->index].word[i], 1);
    }
    SNCE_STEP("ticket-wiped");
    (void)snceSlot_Vacate(version, claim, tick);
}

static bool
ClaimSlot(const slot *at, snceVersion *claim)
{
    return snceSlot_Claim(&at->all->version[at->index], &epoch, at->seen, 0,
                          claim);
}

uint64_t
snceTicketKeys_Changes(const snceRegion *region)
{
    snceTicketSlots *all = SlotsOf(region);

    /* Acquire: pairs with the release in NoteChange. */
    return all ? atomic_load_explicit(&all->changes, memory_order_acquire) : 0;
}

void
snceTicketKeys_CountUse(snceRegion *region, uint64_t id, snceTicketUse use)
{
    snceTicketSlots *all = SlotsOf(region);

    if (!all || region->access == SNCE_ACCESS_READ ||
        (unsigned)use >= SNCE_TICKET_USES) {
        return;
    }
    for (unsigned i = 0, used = UsedOf(all); i < used; i++) {
        if (atomic_load_explicit(&all->slot[i].word[SNCE_T_ID],
                                 memory_order_relaxed) == id) {
            (void)atomic_fetch_add_explicit(&all->uses[i][use], 1,
                                            memory_order_relaxed);
            return;
        }
    }
}

bool
snceTicketKeys_MayLook(snceRegion *region, snceTime now, int64_t apart)
{
    snceTicketSlots *all = SlotsOf(region);
    uint64_t last;

    if (!all || region->access == SNCE_ACCESS_READ) {
        return false;
    }
    last = atomic_load_explicit(&all->looked, memory_order_relaxed);
    /* As an unsigned number, a time that is set back is far ahead. */
    return (uint64_t)now.usec - last >= (uint64_t)apart &&
           atomic_compare_exchange_strong_explicit(
               &all->looked, &last, (uint64_t)now.usec, memory_order_relaxed,
               memory_order_relaxed);
}

snceResult
snceTicketKeys_Add(snceRegion *region, const snceTicketKey *key)
{
    uint64_t words[SNCE_TICKET_WORDS] = { 0 };
    snceResult result = SNCE_DROPPED;
    snceTicketSlots *all;
    unsigned next = 0;

    if (key->id == 0 || key->len == 0 || key->len > SNCE_TICKET_VALUE_MAX) {
        return SNCE_INVALID;
    }
    if (region->access == SNCE_ACCESS_READ) {
        return SNCE_READ_ONLY;
    }
    all = SlotsOf(region);
    if (!all) {
        return SNCE_NO_MEMORY;
    }
    words[SNCE_T_ID] = key->id;
    words[SNCE_T_UNDER] = key->under;
    words[SNCE_T_CREATED] = (uint64_t)key->created.usec;
    words[SNCE_T_ENCRYPT_FROM] = (uint64_t)key->encryptFrom.usec;
    words[SNCE_T_ENCRYPT_UNTIL] = (uint64_t)key->encryptUntil.usec;
    words[SNCE_T_DECRYPT_UNTIL] = (uint64_t)key->decryptUntil.usec;
    words[SNCE_T_LENGTH] = key->len;
    words[SNCE_T_SOURCE] = key->source;
    memcpy(&words[SNCE_T_VALUE], key->value, key->len);
    for (unsigned try = 0; result != SNCE_OK && try < ADD_TRIES; try++) {
        snceVersion claim;
        slot at;

        if ((!FindFree(region, all, &next, &at) &&
             !FindFirstToGo(region, all, &at)) ||
            !ClaimSlot(&at, &claim)) {
            continue;
        }
        SNCE_STEP("ticket-claimed");
        if (FillSlot(region, &at, claim, words)) {
            SNCE_STEP("ticket-published");
            NoteChange(all);
            result = SNCE_OK;
        }
    }
    explicit_bzero(words, sizeof(words));
    return result;
}

snceResult
snceTicketKeys_List(const snceRegion *region, snceTicketKey *out, size_t max,
                    size_t *count)
{
    snceTicketSlots *all = SlotsOf(region);
    snceTicketKey key;
    slot at;

    *count = 0;
    if (!all) {
        return SNCE_NO_MEMORY;
    }
    for (unsigned i = 0, used = UsedOf(all); i < used; i++) {
        if (ReadSlot(region, all, i, &at, &key)) {
            if (*count == max) {
                return SNCE_TOO_LARGE;
            }
            out[(*count)++] = key;
        }
    }
    return SNCE_OK;
}

unsigned
snceTicketKeys_Remove(snceRegion *region, snceTicketKeys_Gone gone,
                      void *context)
{
    snceTicketSlots *all = SlotsOf(region);
    unsigned removed = 0;

    if (!all || region->access == SNCE_ACCESS_READ) {
        return 0;
    }
    for (unsigned i = 0, used = UsedOf(all); i < used; i++) {
        snceVersion claim;
        snceTicketKey key;
        slot at;

        if (ReadSlot(region, all, i, &at, &key) && gone(context, &key) &&
            ClaimSlot(&at, &claim)) {
            SNCE_STEP("ticket-removed");
            VacateSlot(region, &at, claim);
            NoteChange(all);
            removed++;
        }
    }
    return removed;
}
