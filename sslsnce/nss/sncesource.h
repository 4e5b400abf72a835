/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncesource.h: where a ticket key is from (snceTicketKey.source), as arithmetic.
 *
 * The keys that one reading of the files gave are a set. All of its keys have the time
 * of the reading as |created|, and each says how many there are. The newest set whose
 * keys are all there is in force. So a set takes effect at once, and one that
 * a process left half stored by its death never does. */
#ifndef SSLSNCE_NSS_SNCESOURCE_H
#define SSLSNCE_NSS_SNCESOURCE_H

#include "prtypes.h"

#include "sslsnce/snce.h"

typedef enum {
    snceSource_random, /* made at random when it was due; in no set. 0 */
    snceSource_key,    /* a line of a key file, or a key file */
    snceSource_secret, /* a key is derived from it for each period */
    snceSource_ended /* alone in its set: from now on keys are made at random */
} snceSourceKind;

static inline PRUint64
snceSource_Of(snceSourceKind kind, unsigned size)
{
    return (PRUint64)kind | (PRUint64)size << 32;
}

static inline snceSourceKind
snceSource_Kind(PRUint64 source)
{
    return (snceSourceKind)(source & 0xffff);
}

static inline unsigned
snceSource_Size(PRUint64 source)
{
    return (unsigned)(source >> 32);
}

/* snceSource_Id returns the id of a key in the set of |created|: two sets may have the
 * same key. snceSource_RootId returns the id that the key has on every machine. */
static inline PRUint64
snceSource_Id(PRUint64 rootId, snceTime created)
{
    PRUint64 id = rootId + (PRUint64)created.usec;

    return id ? id : 1;
}

static inline PRUint64
snceSource_RootId(const snceTicketKey *key)
{
    return key->id - (PRUint64)key->created.usec;
}

#endif /* SSLSNCE_NSS_SNCESOURCE_H */
