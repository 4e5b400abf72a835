/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncesecret.h"

#include "secport.h"

#include "sncederive.h"
#include "sncelifetime.h"

/* The length of a rotation and the period's number: machines that rotate at different
 * times have different keys. */
#define CONTEXT_BYTES 8

static void
secret_Put(PRUint8 *to, PRUint32 number)
{
    for (unsigned i = 0; i < 4; i++) {
        to[i] = (PRUint8)(number >> 8 * (3 - i));
    }
}

static PRUint32
secret_Get(const PRUint8 *from)
{
    return (PRUint32)from[0] << 24 | (PRUint32)from[1] << 16 |
           (PRUint32)from[2] << 8 | from[3];
}

PRUint32
snceSecret_PeriodAt(PRTime now, PRUint32 rotationSec)
{
    return now > 0 ? (PRUint32)(now / ((PRTime)rotationSec * PR_USEC_PER_SEC))
                   : 0;
}

PRUint32
snceSecret_PeriodOf(const snceKnown *secret, const PRUint8 *tag)
{
    return secret_Get(secret->keys.name + SNCE_TAG_AT) ^ secret_Get(tag);
}

SECStatus
snceSecret_Derive(const snceKnown *secret, PRUint32 period,
                  PRUint32 rotationSec, PRUint32 longestSec, snceKnown *out)
{
    PRTime from = (PRTime)period * rotationSec * PR_USEC_PER_SEC;
    PRUint8 bytes[CONTEXT_BYTES];
    SECItem context = { siBuffer, bytes, sizeof bytes };
    PRUint8 tag[SNCE_TAG_BYTES];
    PRUint64 rootId;

    PORT_Memset(out, 0, sizeof *out);
    secret_Put(bytes, rotationSec);
    secret_Put(bytes + 4, period);
    secret_Put(tag, secret_Get(secret->keys.name + SNCE_TAG_AT) ^ period);
    out->secret = secret->times.id;
    out->times.created = secret->times.created;
    out->times.encryptFrom.usec = from;
    out->times.encryptUntil.usec = snceLifetime_Add(from, rotationSec);
    out->times.decryptUntil.usec =
        snceLifetime_Add(out->times.encryptUntil.usec, longestSec);
    out->root = snceDerive_Key(secret->root, "sslsnce period", &context,
                               snceDerive_root);
    if (out->root &&
        snceDerive_Bytes(out->root, "sslsnce ticket id", NULL,
                         (PRUint8 *)&rootId, sizeof rootId) == SECSuccess) {
        out->times.id = snceSource_Id(rootId, out->times.created);
        if (snceKnown_Complete(out, tag) == SECSuccess) {
            return SECSuccess;
        }
    }
    snceKnown_Free(out);
    return SECFailure;
}
