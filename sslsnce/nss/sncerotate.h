/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncerotate.h: the ticket keys that this process knows, and which of them is in use.
 *
 * Processes with a region key (snceregionkey.h) share the ticket keys of the region.
 * One key encrypts at a time; all that are still valid decrypt, found by the tag in
 * the name that a ticket begins with. A key is made, for all processes, by the
 * handshake that finds none for its time; and with each key its successor is made,
 * long before it encrypts. A process without a region key, or without a region, rotates keys of its own.
 *
 * Any thread may call these; none waits while another one asks a token. */
#ifndef SSLSNCE_NSS_SNCEROTATE_H
#define SSLSNCE_NSS_SNCEROTATE_H

#include "pk11pub.h"
#include "prtypes.h"
#include "seccomon.h"
#include "sslimpl.h"

SEC_BEGIN_PROTOS

/* snceRotateKeys is one ticket key as libssl uses it. */
typedef struct {
    PRUint64 id;
    PRUint8 name[SELF_ENCRYPT_KEY_NAME_LEN]; /* a ticket begins with it */
    PK11SymKey *encKey;                      /* AES-CBC */
    PK11SymKey *macKey;                      /* HMAC with SHA-256 */
} snceRotateKeys;

/* snceRotateSpace is the name space of a cache: tickets of one never open under
 * another. The default cache has the common space, in which cookies are, too, until
 * it gets a ticketEpoch. All zero: the common space. */
typedef struct {
    PRUint32 number; /* of the cache */
    PRUint32 generation;
    PRUint32 epoch; /* its ticketEpoch, when the ClientHello came */
    PRUint64 region;
} snceRotateSpace;

/* snceRotate_SpaceOf returns the space of the cache to which the last ClientHello of
 * |ss| belongs. */
snceRotateSpace snceRotate_SpaceOf(const sslSocket *ss);

/* snceRotate_Current returns the key that encrypts now, by the clock of |ss|, in
 * |space|; NULL stands for the common one. If there is none, makes it; if it has no
 * successor, makes that. Fails, with an NSS error, if no key can be made. The caller
 * ends with snceRotate_Free. */
SECStatus snceRotate_Current(const sslSocket *ss, const snceRotateSpace *space,
                             snceRotateKeys *out);

/* snceRotate_CurrentEnd returns until when the key decrypts that encrypts now; 0 if
 * this process knows none. */
PRTime snceRotate_CurrentEnd(const sslSocket *ss);

/* snceRotate_Find returns the key of that |name| in |space|, if there is one that
 * still decrypts; NULL stands for the common space. The caller ends with
 * snceRotate_Free. */
PRBool snceRotate_Find(const sslSocket *ss, const snceRotateSpace *space,
                       const PRUint8 name[SELF_ENCRYPT_KEY_NAME_LEN],
                       snceRotateKeys *out);

void snceRotate_Free(snceRotateKeys *keys);

/* snceRotate_Reset forgets all keys of this process. Those of the region come back. */
void snceRotate_Reset(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEROTATE_H */
