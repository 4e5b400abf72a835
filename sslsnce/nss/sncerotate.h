/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncerotate.h: the ticket keys that this process knows, and which of them is in use.
 *
 * Processes with a region key (snceregionkey.h) share the ticket keys of the region.
 * One key encrypts at a time; all that are still valid decrypt, found by the tag in
 * the name that a ticket begins with. A key is made, for all processes, by the
 * handshake that finds none for its time; and with each key its successor is made,
 * long before it encrypts. A process without a region key, or without a region,
 * rotates keys of its own.
 *
 * Any thread may call these; none waits while another one asks a token. */
#ifndef SSLSNCE_NSS_SNCEROTATE_H
#define SSLSNCE_NSS_SNCEROTATE_H

#include "snceknown.h"

SEC_BEGIN_PROTOS

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

/* snceRotate_Now makes a key that encrypts from now on, for all processes that share
 * keys. Fails with PR_INVALID_STATE_ERROR if the keys are of a set. */
SECStatus snceRotate_Now(void);

/* snceRotateInfo tells about one key. */
typedef struct {
    snceTicketKey times; /* with the source and the uses */
    PRUint8 name
        [SELF_ENCRYPT_KEY_NAME_LEN]; /* in the common space; of a secret, the
                                              * prefix and the tag */
    PRBool isPeriod;                 /* it is derived from a secret */
    PRBool encrypts;                 /* now, by the system's clock */
    PRBool isShared;                 /* it is from the region */
} snceRotateInfo;

/* snceRotate_List returns the keys that count, |*n| of them. The caller frees |*out|
 * with PORT_Free. */
SECStatus snceRotate_List(snceRotateInfo **out, unsigned *n);

/* snceRotate_CountUse counts a use of the key whose name |name| is, in whatever name
 * space, and returns how it stands to the one that encrypts: SNCE_TICKET_CURRENT,
 * _OLDER or _NEXT. */
snceTicketEvent snceRotate_CountUse(const sslSocket *ss, const PRUint8 *name,
                                    snceTicketUse use);

/* snceRotate_FleetRoot returns the key or secret of a file that encrypts, and the id
 * that it has on every machine; NULL while keys are made at random. It takes over what
 * other processes have read, as snceRotate_Current does. The caller frees the root. */
PK11SymKey *snceRotate_FleetRoot(const sslSocket *ss, PRUint64 *rootId);

/* snceRotate_Reset forgets all keys of this process. Those of the region come back. */
void snceRotate_Reset(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEROTATE_H */
