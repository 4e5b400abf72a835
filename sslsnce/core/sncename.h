/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncename.h: names of virtual servers, and the index that finds them.
 *
 * The index holds hints: a place in it that says where a name may be. Whether
 * it is there is for the server's own entry to say (rule 14). */
#ifndef SNCENAME_H
#define SNCENAME_H

#include "snceregion.h"

/* snceName is a name in lower case, in words as they lie in the directory. */
typedef struct {
    uint64_t word[SNCE_NAME_MAX / 8 + 2]; /* zero-filled; zeros behind it */
    size_t len;
} snceName;

/* snceName_Fold folds |name|, without the dot that may end it. False if no name
 * of that length can be; otherwise it may still be none. */
bool snceName_Fold(snceName *out, const uint8_t *name, size_t len);

/* snceName_Check tells whether a folded name may be a virtual server's. */
bool snceName_Check(const snceName *name);

/* snceName_Wildcard makes the wildcard for |name|, "*" instead of its first
 * label. False if there is none. */
bool snceName_Wildcard(snceName *out, const snceName *name);

/* snceName_IsWildcard tells whether |name| is a wildcard. */
static inline bool
snceName_IsWildcard(const snceName *name)
{
    return *(const uint8_t *)name->word == '*';
}

/* snceName_Find returns the life word and the number of the live server of that
 * name, or false. */
bool snceName_Find(const snceRegion *region, const snceName *name,
                   uint64_t *life, uint32_t *number);

/* snceName_Enter makes the server |number|, which is not live yet, findable as
 * |name| and writes that into its entry. The caller has the turn. */
void snceName_Enter(const snceRegion *region, uint32_t number,
                    const snceName *name);

/* snceName_AnyWildcard tells whether there may be a wildcard at all. */
bool snceName_AnyWildcard(const snceRegion *region);

/* snceName_Leave takes the name of the server |number|, which is not live any
 * more, out of the index. The caller has the turn. */
void snceName_Leave(const snceRegion *region, uint32_t number);

/* snceName_Tidy takes out of the index what leads nowhere, as far as no search
 * passes through it. The caller has the turn. */
void snceName_Tidy(const snceRegion *region);

#endif /* SNCENAME_H */
