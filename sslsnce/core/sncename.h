/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncename.h: names of virtual servers, and the index that finds them.
 *
 * The index is a hash table of hints. A hint says which server may have a name.
 * Whether it has is decided by the server's own entry (rule 14). */
#ifndef SNCENAME_H
#define SNCENAME_H

#include "snceregion.h"

/* snceName is a name in lower case, in words as they lie in the directory. */
typedef struct {
    uint64_t word[SNCE_NAME_MAX / 8 + 2]; /* zero-filled, with a word of zeros
                                           * behind the name */
    size_t len;
} snceName;

/* snceName_Fold converts |name| to lower case and drops a dot at its end.
 * Returns false if no name can have that length, or if it ends in a NUL. On
 * true it may still be no valid name: snceName_Check. */
bool snceName_Fold(snceName *out, const uint8_t *name, size_t len);

/* snceName_Check tells whether a virtual server may have this folded name. */
bool snceName_Check(const snceName *name);

/* snceName_Wildcard makes the wildcard that matches |name|: "*" instead of its
 * first label. Returns false if there is none, because the name has one label
 * only. */
bool snceName_Wildcard(snceName *out, const snceName *name);

/* snceName_IsWildcard tells whether |name| is a wildcard. */
static inline bool
snceName_IsWildcard(const snceName *name)
{
    return *(const uint8_t *)name->word == '*';
}

/* snceName_Find finds the live server of that name. Returns true, and its state
 * word and its number, or false if there is none. */
bool snceName_Find(const snceRegion *region, const snceName *name,
                   uint64_t *state, uint32_t *number);

/* snceName_Enter writes |name| into the entry of the server |number|, which is
 * not live yet, and enters the server in the index. The caller holds the
 * administrative lock. */
void snceName_Enter(const snceRegion *region, uint32_t number,
                    const snceName *name);

/* snceName_AnyWildcard tells whether any server may have a wildcard as its
 * name. */
bool snceName_AnyWildcard(const snceRegion *region);

/* snceName_Leave takes the name of the server |number|, which is not live any
 * more, out of its entry and the index. The caller holds the administrative
 * lock. */
void snceName_Leave(const snceRegion *region, uint32_t number);

/* snceName_Tidy wipes those hints that lead to no live server and through which
 * no search passes. The caller holds the administrative lock. */
void snceName_Tidy(const snceRegion *region);

#endif /* SNCENAME_H */
