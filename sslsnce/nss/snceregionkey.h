/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceregionkey.h: the keys under which the ticket keys of a region lie encrypted.
 *
 * A region key is random. The region's key log has it once for each server key,
 * encrypted under that server key (snceunder.h), so every process that has one of these
 * server keys gets it with one operation of its token. The first process makes it;
 * processes that know it add it for server keys that the log does not have yet.
 *
 * Processes without a common server key may make a region key each. A process that has
 * server keys of both then gets both, and stores every ticket key under both
 * (sncerotate.h): so all come to have the same ticket keys.
 *
 * Any thread may call these; none waits while another one asks a token. */
#ifndef SSLSNCE_NSS_SNCEREGIONKEY_H
#define SSLSNCE_NSS_SNCEREGIONKEY_H

#include "keyt.h"
#include "pk11pub.h"
#include "prtypes.h"
#include "seccomon.h"
#include "sslimpl.h"

#include "sslsnce/snce.h"

SEC_BEGIN_PROTOS

/* At most so many region keys are known to a process. */
#define SNCE_REGION_KEYS 8

/* snceRegionKey is a region key of this process. */
typedef struct {
    PRUint64 id;      /* random, not 0 */
    PK11SymKey *wrap; /* encrypts ticket keys (AES key wrap) */
} snceRegionKey;

/* snceRegionKey_Offer notes that this process has the server key |keyPair|, to which it
 * keeps a reference; RSA, RSA-PSS or EC, or else it does nothing. |explicitly|: from
 * now on, no other server key counts. Fails if memory is short. Asks no token. */
SECStatus snceRegionKey_Offer(const sslKeyPair *keyPair, PRBool explicitly);

/* snceRegionKey_IsDue tells whether snceRegionKey_Resolve has something to do for the
 * region of that identity: a server key that was not looked up there, or whose token
 * failed a while ago (snceretry.h). */
PRBool snceRegionKey_IsDue(PRUint64 region);

/* snceRegionKey_Resolve looks up some of the server keys that are due in the region
 * that the process has, of identity |region|, and makes or adds the region key. Returns
 * how often a token failed. Asks tokens. */
unsigned snceRegionKey_Resolve(PRUint64 region, void *pwArg);

/* snceRegionKey_IsShared tells whether a region key of that region is known. */
PRBool snceRegionKey_IsShared(PRUint64 region);

/* snceRegionKey_List returns the region keys of the region |region| that are known,
 * at most SNCE_REGION_KEYS; the caller ends with snceRegionKey_Free. */
unsigned snceRegionKey_List(PRUint64 region,
                            snceRegionKey out[SNCE_REGION_KEYS]);
void snceRegionKey_Free(snceRegionKey *keys, unsigned count);

/* sncerotate.c calls these around a fork, between its own locks: a thread that has one
 * of those takes the lock of this file. */
void snceRegionKey_BeforeFork(void);
void snceRegionKey_AfterFork(void);

/* snceRegionKey_Reset drops the region keys, which come back with the next
 * snceRegionKey_Resolve. snceRegionKey_Forget drops the server keys too, for
 * NSS_Shutdown. No handshake may be going on. */
void snceRegionKey_Reset(void);
void snceRegionKey_Forget(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEREGIONKEY_H */
