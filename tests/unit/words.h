/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* words.h: the counting words of a region, read, and set near their ends, which
 * a test would take hours to reach. In C, as the layout is. */
#ifndef SSLSNCE_TESTS_UNIT_WORDS_H_
#define SSLSNCE_TESTS_UNIT_WORDS_H_

#include "sslsnce/snce.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many slots the table of the server |number| has, in the home it lives in.
 */
uint64_t WordsSlots(const snceRegion *region, uint32_t number);
/* The version word of one of them. */
uint64_t WordsVersion(const snceRegion *region, uint32_t number, uint64_t slot);
void WordsSetVersion(const snceRegion *region, uint32_t number, uint64_t slot,
                     uint64_t version);
/* The end of a writer's work: snceSlot_Publish of |claim|. */
bool WordsPublish(const snceRegion *region, uint32_t number, uint64_t slot,
                  uint64_t claim);
/* Changes a full slot's version as a lookup does, which notes a time in its
 * ticket, and as if the slot was taken again. False if it is not full. */
bool WordsNoteUse(const snceRegion *region, uint32_t number, uint64_t slot);
bool WordsRenew(const snceRegion *region, uint32_t number, uint64_t slot);
/* The word of an empty slot, and of one that a writer claimed and left. */
uint64_t WordsEmpty(uint32_t generation);
uint64_t WordsClaimed(uint32_t generation, uint8_t ticket, uint32_t tag);

/* The same of the |way|th cell of the store's first set, which is there once a
 * certificate of up to 1,024 bytes was stored. */
void WordsSetCell(const snceRegion *region, uint32_t number, unsigned way,
                  uint64_t version);
uint64_t WordsCell(const snceRegion *region, uint32_t number, unsigned way);
/* The word that counts the sessions which refer to the |way|th cell of the
 * first set of the store. */
uint64_t WordsReferences(const snceRegion *region, uint32_t number,
                         unsigned way);
void WordsSetReferences(const snceRegion *region, uint32_t number, unsigned way,
                        uint64_t word);

uint64_t WordsLife(const snceRegion *region, uint32_t number);
void WordsSetLife(const snceRegion *region, uint32_t number, uint64_t life);
/* The range word of the table lived in. */
uint64_t WordsTable(const snceRegion *region, uint32_t number);
void WordsSetTable(const snceRegion *region, uint32_t number, uint64_t word);

void WordsSetSerial(const snceRegion *region, uint64_t serial);
void WordsSetAttached(const snceRegion *region, uint32_t attached);
/* Adds to the count of the lookups that found something. */
void WordsAddHits(const snceRegion *region, uint32_t number, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_UNIT_WORDS_H_ */
