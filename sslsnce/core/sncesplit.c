/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncesplit.h"

#include <string.h>

#include "sncecarry.h"
#include "sncefind.h"
#include "sncestep.h"

/* How often one slot is looked at. Each look after the first means that
 * something was moved out of the slot, or that another process changed it or
 * stored something in the same sets. */
#define SPLIT_TRIES 4

/* Tries to freeze a table. Each failure is a page that another process took
 * into use. */
#define FREEZE_TRIES 64

/* Changes the size word from what was seen to |to|. Sequentially consistent:
 * pairs with snceBacking_Size. */
static bool
Change(snceBacking *backing, snceSize to)
{
    snceSize seen = backing->table.size;

    return atomic_compare_exchange_strong_explicit(&backing->words->size, &seen,
                                                   to, memory_order_seq_cst,
                                                   memory_order_relaxed);
}

/* Copies the entry |words|, which was read at |from|, to where lookups look,
 * and takes the old one out. Returns what snceCarry_Copy returns; on SNCE_OK
 * |*to| is where the copy lies. */
static snceResult
MoveOnce(const snceCarry *carry, const snceLookupKey *lookupKey,
         const sncePosition *from, const uint64_t words[SNCE_ENTRY_WORDS],
         sncePosition *to)
{
    uint64_t copy[SNCE_ENTRY_WORDS];
    snceResult result;

    memcpy(copy, words, sizeof(copy));
    result = snceCarry_Copy(carry, lookupKey, from, copy, to);
    explicit_bzero(copy, sizeof(copy));
    SNCE_STEP("split-copied");
    /* If the sets are full of younger entries, this one is evicted. */
    if (result != SNCE_DROPPED && result != SNCE_NO_MEMORY &&
        snceTable_Take(&carry->old->table, from)) {
        snceBacking_Lose(carry->old, words[SNCE_W_CERTIFICATE]);
    }
    SNCE_STEP("split-moved");
    return result;
}

/* Moves an entry. If another process moves it at the same time, there may be
 * two copies, until a removal, or an insert of the same key, takes both out.
 *
 * A slow process may have stored its copy in a page that is being split by now,
 * at a place which the splitting processes have already passed. So this
 * function follows: it moves the copy on, or takes it out if lookups no longer
 * look for it there. */
static void
Move(const snceCarry *carry, const snceLookupKey *lookupKey,
     const sncePosition *from, const uint64_t words[SNCE_ENTRY_WORDS])
{
    snceBacking now = *carry->now;
    const snceCarry on = { &now, &now, carry->rule, NULL };
    sncePosition at, to;

    if (MoveOnce(carry, lookupKey, from, words, &at) != SNCE_OK) {
        return;
    }
    for (unsigned try = 0; try < SPLIT_TRIES; try++) {
        if (!snceTable_Resize(&now.table, snceBacking_Size(&now)) ||
            snceTable_IsPlace(&now.table, lookupKey->hash, at.set) ||
            !snceSlot_Unchanged(&at.set->version[at.way], at.seen)) {
            return;
        }
        if (!snceTable_IsLookedAt(&now.table, lookupKey->hash, at.set)) {
            if (snceTable_Take(&now.table, &at)) {
                snceBacking_Lose(&now, words[SNCE_W_CERTIFICATE]);
            }
            return;
        }
        if (MoveOnce(&on, lookupKey, &at, words, &to) == SNCE_OK) {
            at = to;
        }
    }
}

/* What is to be done with an entry in a slot of the page that is being
 * split. */
typedef enum {
    STAYS,
    MOVES,
    GOES, /* it has expired, or was spoiled by a late writer, or no lookup looks
           * for it here */
    CHANGES
} fate;

/* Decides about an entry. Half of the entries stay, so the whole entry is
 * copied to |words| only if it does not stay. */
static fate
Judge(const snceCarry *carry, const sncePosition *position, unsigned side,
      uint64_t words[SNCE_ENTRY_WORDS], snceLookupKey *lookupKey)
{
    const snceTable *table = &carry->old->table;
    uint64_t last = snceTable_Last(table);
    uint64_t page[2];

    snceSlot_Load(words + SNCE_W_ID,
                  position->set->slot[position->way].word + SNCE_W_ID,
                  SNCE_W_SHAPE + 1 - SNCE_W_ID);
    if (!snceSlot_Unchanged(&position->set->version[position->way],
                            position->seen)) {
        return CHANGES;
    }
    snceCarry_LookupKey(lookupKey, table->region, words);
    snceTable_Pages(table, lookupKey->hash, page);
    if (page[side] == snceSize_Partner(last, table->pages)) {
        return STAYS;
    }
    switch (snceTable_Read(table, position, words)) {
        case SNCE_OK:
            break;
        case SNCE_MISS:
            return CHANGES;
        default:
            words[SNCE_W_CERTIFICATE] = 0; /* its reference does not count */
            return snceTable_IsNamed(table) ? GOES : CHANGES;
    }
    return page[side] != last ||
                   snceRule_Expired(&carry->rule, snceTable_ClassOf(words),
                                    (int64_t)words[SNCE_W_CREATED])
               ? GOES
               : MOVES;
}

/* Moves out of a slot what is to be moved. Skips claims: their writers notice
 * that the table has grown. Returns false if something may still be there. */
static bool
SplitSlot(const snceCarry *carry, snceSet *set, unsigned way, unsigned side,
          uint64_t words[SNCE_ENTRY_WORDS])
{
    for (unsigned try = 0; try < SPLIT_TRIES; try++) {
        sncePosition position = sncePosition_At(set, way);
        snceLookupKey lookupKey;

        if (snceVersion_State(position.seen) != SNCE_STATE_FULL) {
            return true;
        }
        switch (Judge(carry, &position, side, words, &lookupKey)) {
            case STAYS:
                return true;
            case MOVES:
                Move(carry, &lookupKey, &position, words);
                break;
            case GOES:
                if (snceTable_Take(&carry->old->table, &position)) {
                    snceBacking_Lose(carry->old, words[SNCE_W_CERTIFICATE]);
                }
                break;
            case CHANGES:
                break;
        }
    }
    return false;
}

/* Moves the sessions of the last page in use out of the page from which it is
 * split. If nothing is left there, says so in the size word. */
static void
Split(snceBacking *backing, const snceRule *rule)
{
    const snceCarry carry = { backing, backing, *rule, NULL };
    const snceTable *table = &backing->table;
    uint64_t partner = snceSize_Partner(snceTable_Last(table), table->pages);
    uint64_t words[SNCE_ENTRY_WORDS];
    bool emptied = true;

    for (unsigned i = 0; i < SNCE_PAGE_SLOTS && emptied; i++) {
        unsigned side = i / SNCE_WAYS;
        snceSet *set = snceTable_Set(table, 2 * partner + side);

        emptied = set && SplitSlot(&carry, set, i % SNCE_WAYS, side, words);
    }
    explicit_bzero(words, sizeof(words));
    SNCE_STEP("split-emptied");
    if (emptied) {
        (void)Change(backing, table->size & ~SNCE_SIZE_SPLITTING);
    }
    SNCE_STEP("split-ended");
}

void
snceSplit_Grow(snceBacking *backing, const snceRule *rule)
{
    snceTable *table = &backing->table;

    if (!snceTable_Resize(table, snceBacking_Size(backing)) ||
        (table->size & SNCE_SIZE_FROZEN)) {
        return;
    }
    if (!snceTable_IsSplitting(table)) {
        /* Map the page before the size word sends anybody to it. */
        if (snceTable_IsGrown(table) ||
            !snceTable_Set(table, 2 * snceTable_Used(table))) {
            return;
        }
        /* On failure another process has taken the page into use. */
        if (!Change(backing, snceSize_Begun(table->size))) {
            return;
        }
        SNCE_STEP("split-began");
        (void)snceTable_Resize(table, snceSize_Begun(table->size));
    }
    Split(backing, rule);
    (void)snceTable_Resize(table, snceBacking_Size(backing));
}

void
snceSplit_Freeze(snceBacking *backing, const snceRule *rule)
{
    for (unsigned try = 0; try < FREEZE_TRIES; try++) {
        if (!snceTable_Resize(&backing->table, snceBacking_Size(backing))) {
            return;
        }
        if (!(backing->table.size & SNCE_SIZE_FROZEN)) {
            (void)Change(backing, backing->table.size | SNCE_SIZE_FROZEN);
        } else if (snceTable_IsSplitting(&backing->table)) {
            Split(backing, rule);
        } else {
            return;
        }
    }
}
