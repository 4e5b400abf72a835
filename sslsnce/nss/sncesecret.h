/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncesecret.h: the ticket keys of a fleet that has one secret. Time is divided into
 * periods as long as a ticket key encrypts (ticketRotation), counted from 1970. The key
 * of a period is derived from the secret and the period's number, so all machines with
 * the secret have the same keys, without telling each other. */
#ifndef SSLSNCE_NSS_SNCESECRET_H
#define SSLSNCE_NSS_SNCESECRET_H

#include "prtime.h"
#include "prtypes.h"

#include "snceknown.h"

SEC_BEGIN_PROTOS

/* snceSecret_PeriodAt returns the period in which |now| lies. */
PRUint32 snceSecret_PeriodAt(PRTime now, PRUint32 rotationSec);

/* snceSecret_PeriodOf returns the period that |tag| stands for, if it is the tag of a
 * key of |secret|. A key's tag tells its period, so that of ten thousand keys only that
 * one need be derived. */
PRUint32 snceSecret_PeriodOf(const snceKnown *secret, const PRUint8 *tag);

/* snceSecret_Derive makes the key of |period|, which decrypts for |longestSec| seconds
 * after it has encrypted. The caller ends with snceKnown_Free or snceKnown_Keep. */
SECStatus snceSecret_Derive(const snceKnown *secret, PRUint32 period,
                            PRUint32 rotationSec, PRUint32 longestSec,
                            snceKnown *out);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCESECRET_H */
