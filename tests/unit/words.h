/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* words.h: reads a region's words that count, and sets them near their limits,
 * which a test would take hours to reach. In C, as the layout is. */
#ifndef SSLSNCE_TESTS_UNIT_WORDS_H_
#define SSLSNCE_TESTS_UNIT_WORDS_H_

#include "sslsnce/snce.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many slots the table of the server |number| has, in the backing store in
 * use. */
uint64_t WordsSlots(const snceRegion *region, uint32_t number);
/* The version word of one of these slots. */
uint64_t WordsVersion(const snceRegion *region, uint32_t number, uint64_t slot);
void WordsSetVersion(const snceRegion *region, uint32_t number, uint64_t slot,
                     uint64_t version);
/* The last step of a writer: snceSlot_Publish of |claim|. */
bool WordsPublish(const snceRegion *region, uint32_t number, uint64_t slot,
                  uint64_t claim);
/* Change the version of a full slot: WordsNoteUse notes a time in its ticket,
 * as a lookup does; WordsRenew counts its generation up, as if the slot had
 * been claimed again. They return false if the slot is not full. */
bool WordsNoteUse(const snceRegion *region, uint32_t number, uint64_t slot);
bool WordsRenew(const snceRegion *region, uint32_t number, uint64_t slot);
/* The tag of an ID: 21 bits, which depend on the region's keys. */
uint32_t WordsTag(const snceRegion *region, const uint8_t id[SNCE_ID_MAX]);
/* The version word of an empty slot, and of one that a writer claimed and
 * left. */
uint64_t WordsEmpty(uint32_t generation);
uint64_t WordsClaimed(uint32_t generation, uint8_t ticket, uint32_t tag);

/* The version word of the |way|th cell in the first set of the certificate
 * store. The set exists once a certificate of up to 1,024 bytes was stored. */
void WordsSetCell(const snceRegion *region, uint32_t number, unsigned way,
                  uint64_t version);
uint64_t WordsCell(const snceRegion *region, uint32_t number, unsigned way);
/* The word that counts the sessions which refer to that cell. */
uint64_t WordsReferences(const snceRegion *region, uint32_t number,
                         unsigned way);
void WordsSetReferences(const snceRegion *region, uint32_t number, unsigned way,
                        uint64_t word);

uint64_t WordsState(const snceRegion *region, uint32_t number);
void WordsSetState(const snceRegion *region, uint32_t number, uint64_t state);
/* The range word of the table in use. */
uint64_t WordsTable(const snceRegion *region, uint32_t number);
void WordsSetTable(const snceRegion *region, uint32_t number, uint64_t word);

/* Makes the memory of the heap that was given back count as rested, so that it
 * may be used again. */
void WordsSetRested(const snceRegion *region);
void WordsSetSerial(const snceRegion *region, uint64_t serial);
void WordsSetAttached(const snceRegion *region, uint32_t attached);
/* Adds |n| to the server's count of hits. */
void WordsAddHits(const snceRegion *region, uint32_t number, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_UNIT_WORDS_H_ */
