/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceset.h"

#include "secport.h"

#include "sncederive.h"

/* The lock of snceknown.h guards these. */
static snceSet inForce;
static PRBool isNew;

const snceSet *
snceSet_InForce(void)
{
    return &inForce;
}

PRBool
snceSet_IsRandom(const snceKnown *k)
{
    return k->secret == 0 &&
           snceSource_Kind(k->times.source) == snceSource_random;
}

PRBool
snceSet_Has(const snceKnown *k)
{
    return k->secret == 0 && !snceSet_IsRandom(k) &&
           k->times.created.usec == inForce.created;
}

/* Are all keys of the set of |k| known? The caller has the lock. */
static PRBool
set_IsWhole(const snceKnown *k)
{
    unsigned size = snceSource_Size(k->times.source);
    unsigned found = 0;

    for (unsigned i = 0; i < snceKnown_Count(); i++) {
        const snceKnown *other = snceKnown_At(i);

        found += other->secret == 0 &&
                 other->times.created.usec == k->times.created.usec &&
                 snceSource_Kind(other->times.source) ==
                     snceSource_Kind(k->times.source);
    }
    return found >= size;
}

void
snceSet_Choose(void)
{
    PORT_Memset(&inForce, 0, sizeof inForce);
    for (unsigned i = 0; i < snceKnown_Count(); i++) {
        const snceKnown *k = snceKnown_At(i);

        if (!snceSet_IsRandom(k) && k->secret == 0 &&
            k->times.created.usec > inForce.created && set_IsWhole(k)) {
            inForce.created = k->times.created.usec;
            inForce.kind = snceSource_Kind(k->times.source);
        }
    }
    for (unsigned i = 0; i < snceKnown_Count(); i++) {
        const snceKnown *k = snceKnown_At(i);

        if (snceSet_Has(k) &&
            k->times.encryptUntil.usec > k->times.encryptFrom.usec) {
            inForce.encrypts = k->times.id;
        }
    }
}

unsigned
snceSet_Ids(PRUint64 ids[SNCE_SET_MAX])
{
    unsigned n = 0;

    snceKnown_Lock();
    for (unsigned i = 0; i < snceKnown_Count() && n < SNCE_SET_MAX; i++) {
        const snceKnown *k = snceKnown_At(i);

        if (snceSet_Has(k)) {
            ids[n++] = k->times.id;
        }
    }
    snceKnown_Unlock();
    return n;
}

PRBool
snceSet_IsNew(void)
{
    return isNew;
}

void
snceSet_NoteNew(PRBool value)
{
    isNew = value;
}

PRTime
snceSet_Next(void)
{
    PRTime now = PR_Now();

    snceKnown_Lock();
    now = PR_MAX(now, inForce.created + 1);
    snceKnown_Unlock();
    return now;
}

SECStatus
snceSet_Install(snceSourceKind kind, PRTime createdUsec,
                PK11SymKey *const *roots, unsigned size, unsigned encrypts)
{
    const snceTime created = { createdUsec };
    SECStatus rv = SECSuccess;

    for (unsigned i = 0; rv == SECSuccess && i < size; i++) {
        snceKnown k = { 0 };
        PRUint64 rootId;

        k.root = PK11_ReferenceSymKey(roots[i]);
        k.times.created = created;
        k.times.source = snceSource_Of(kind, size);
        if (i == encrypts) {
            k.times.encryptUntil.usec = PR_INT64_MAX;
        }
        k.times.decryptUntil.usec = PR_INT64_MAX;
        rv = snceDerive_Bytes(k.root, "sslsnce ticket id", NULL,
                              (PRUint8 *)&rootId, sizeof rootId);
        k.times.id = snceSource_Id(rootId, created);
        if (rv == SECSuccess) {
            rv = snceKnown_Complete(&k, NULL);
        }
        if (rv == SECSuccess) {
            rv = snceKnown_Keep(&k);
        } else {
            snceKnown_Free(&k);
        }
    }
    if (rv == SECSuccess) {
        snceKnown_Lock();
        snceSet_Choose();
        isNew = PR_TRUE;
        snceKnown_Unlock();
    }
    return rv;
}

PK11SymKey *
snceSet_FindRoot(PRUint64 rootId)
{
    PK11SymKey *root = NULL;

    snceKnown_Lock();
    for (unsigned i = 0; !root && i < snceKnown_Count(); i++) {
        const snceKnown *k = snceKnown_At(i);

        if (snceSet_Has(k) && snceSource_RootId(&k->times) == rootId) {
            root = PK11_ReferenceSymKey(k->root);
        }
    }
    snceKnown_Unlock();
    return root;
}

void
snceSet_Reset(void)
{
    snceKnown_Lock();
    PORT_Memset(&inForce, 0, sizeof inForce);
    isNew = PR_FALSE;
    snceKnown_Unlock();
}
