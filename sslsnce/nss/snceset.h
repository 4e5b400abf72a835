/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceset.h: the sets of ticket keys that one reading of the files gave (sncesource.h),
 * and which of them is in force. */
#ifndef SSLSNCE_NSS_SNCESET_H
#define SSLSNCE_NSS_SNCESET_H

#include "snceknown.h"
#include "sncesource.h"

SEC_BEGIN_PROTOS

/* Keys of a set, at most. */
#define SNCE_SET_MAX 16

/* The set that is in force. */
typedef struct {
    PRTime created; /* 0: there is none */
    snceSourceKind kind;
    PRUint64 encrypts; /* the id of the key or secret that does */
} snceSet;

/* snceSet_InForce returns the set in force, and snceSet_Choose finds it anew: the newest
 * set whose keys are all known. The caller has the lock of snceknown.h. */
const snceSet *snceSet_InForce(void);
void snceSet_Choose(void);

/* snceSet_IsRandom tells whether |k| was made at random: it is in no set, and not
 * derived from a secret. snceSet_Has tells whether it is one of the keys or secrets of
 * the set in force. The caller has the lock. */
PRBool snceSet_IsRandom(const snceKnown *k);
PRBool snceSet_Has(const snceKnown *k);

/* snceSet_Ids writes the ids of the keys of the set in force, and returns how many. */
unsigned snceSet_Ids(PRUint64 ids[SNCE_SET_MAX]);

/* snceSet_IsNew tells whether other processes may not have all of the set in force yet;
 * snceSet_NoteNew sets that. The caller has the lock. */
PRBool snceSet_IsNew(void);
void snceSet_NoteNew(PRBool isNew);

/* snceSet_Next returns when a set is created that is read now: after the one in force,
 * even if the clock was set back. */
PRTime snceSet_Next(void);

/* snceSet_Install puts the |size| keys |roots|, a set of the time |created|, into
 * force, in place of the set that was: for this process, and with the next handshake
 * for all that have a region key in common. A set of a later time stays in force,
 * though, whoever installed it. |encrypts| is the index of the key that does. Their
 * references stay the caller's. Of the kind snceSource_ended, one key ends the sets:
 * keys are made at random again. Fails if memory is short or the token fails; then
 * nothing changes. */
SECStatus snceSet_Install(snceSourceKind kind, PRTime created,
                          PK11SymKey *const *roots, unsigned size,
                          unsigned encrypts);

/* snceSet_FindRoot returns the key or secret of the set in force that has |rootId| on
 * every machine, or NULL. The caller frees it. */
PK11SymKey *snceSet_FindRoot(PRUint64 rootId);

/* snceSet_Reset is called after all keys were forgotten. */
void snceSet_Reset(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCESET_H */
