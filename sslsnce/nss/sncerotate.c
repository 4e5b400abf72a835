/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncerotate.h"

#include <pthread.h>

#include "secerr.h"
#include "secport.h"

#include "sncederive.h"
#include "sncegate.h"
#include "snceint.h"
#include "sncelifetime.h"
#include "snceregionkey.h"
#include "snceretry.h"
#include "sncesecret.h"
#include "snceset.h"
#include "snceshare.h"

/* Rounds of looking and making: a key; its successor; and one more. */
#define CURRENT_TRIES 3

/* Of keys with one tag, so many are tried. */
#define SAME_TAG_MAX 4

/* The lock of snceknown.h guards this too. */
static snceRetry addRetry; /* pending: the region took no key */

/* One thread at a time makes keys. It does so in NSS's own token, and waits for no
 * other. Taken before the lock of the list. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static void
rotate_BeforeFork(void)
{
    pthread_mutex_lock(&making);
    snceRegionKey_BeforeFork();
    snceKnown_Lock();
}

static void
rotate_AfterFork(void)
{
    snceKnown_Unlock();
    snceRegionKey_AfterFork();
    pthread_mutex_unlock(&making);
}

/* The locks are held across fork, as is that of sncekeycache.c, for the same reasons;
 * by one handler, because their order matters. */
__attribute__((constructor)) static void
rotate_WatchForks(void)
{
    (void)pthread_atfork(rotate_BeforeFork, rotate_AfterFork, rotate_AfterFork);
}

/* ---- which is in use ------------------------------------------------------- */

/* Until when does |k| encrypt? If the rotation was made shorter after a random key was
 * made, the shorter one counts. The caller has the lock. */
static PRTime
rotate_Until(const snceKnown *k)
{
    return snceSet_IsRandom(k)
               ? PR_MIN(k->times.encryptUntil.usec,
                        snceLifetime_Add(k->times.encryptFrom.usec,
                                         snceShare_RotationSec()))
               : k->times.encryptUntil.usec;
}

/* Is |k| of a kind that encrypts now? The caller has the lock. */
static PRBool
rotate_IsOfForce(const snceKnown *k)
{
    switch (snceSet_InForce()->kind) {
        case snceSource_key:
            return k->times.id == snceSet_InForce()->encrypts;
        case snceSource_secret:
            /* Another ticketRotation means other periods. */
            return k->secret == snceSet_InForce()->encrypts &&
                   k->times.encryptUntil.usec ==
                       snceLifetime_Add(k->times.encryptFrom.usec,
                                        snceShare_RotationSec());
        default:
            return snceSet_IsRandom(k);
    }
}

/* Does |a| encrypt rather than |b|? All processes choose the same shared key. */
static PRBool
rotate_IsBefore(const snceKnown *a, const snceKnown *b)
{
    if (a->shared != b->shared) {
        return a->shared;
    }
    if (a->times.encryptFrom.usec != b->times.encryptFrom.usec) {
        return a->times.encryptFrom.usec > b->times.encryptFrom.usec;
    }
    return a->times.id > b->times.id;
}

/* What a look for the key that encrypts found. */
typedef struct {
    PRBool found;
    PRBool shared;
    PRBool hasNext;
    PRTime until;        /* the key encrypts */
    PRTime decryptUntil; /* it decrypts */
} current;

/* Returns the key that encrypts at |now|, or NULL. The caller has the lock. */
static const snceKnown *
rotate_Best(PRTime now)
{
    const snceKnown *best = NULL;

    for (unsigned i = 0; i < snceKnown_Count(); i++) {
        const snceKnown *k = snceKnown_At(i);

        if (rotate_IsOfForce(k) && k->times.encryptFrom.usec <= now &&
            now < rotate_Until(k) && (!best || rotate_IsBefore(k, best))) {
            best = k;
        }
    }
    return best;
}

/* Finds the key that encrypts at |now|, and refers to it. */
static current
rotate_Choose(PRTime now, snceRotateKeys *out)
{
    const snceKnown *best;
    current c = { PR_FALSE, PR_FALSE, PR_FALSE, 0, 0 };
    unsigned count;

    PORT_Memset(out, 0, sizeof *out);
    snceKnown_Lock();
    count = snceKnown_Count();
    best = rotate_Best(now);
    /* Of a set, the next key is known to all. */
    c.hasNext = best && !snceSet_IsRandom(best);
    for (unsigned i = 0; best && !c.hasNext && i < count; i++) {
        const snceKnown *k = snceKnown_At(i);

        c.hasNext = rotate_IsOfForce(k) && k->shared == best->shared &&
                    k->times.encryptFrom.usec <= rotate_Until(best) &&
                    rotate_Until(k) > rotate_Until(best);
    }
    if (best) {
        c.found = PR_TRUE;
        c.shared = best->shared || !snceSet_IsRandom(best);
        c.until = rotate_Until(best);
        c.hasNext |= c.until == PR_INT64_MAX; /* there is no later time */
        c.decryptUntil = best->times.decryptUntil.usec;
        snceKnown_Refer(&best->keys, out);
    }
    snceKnown_Unlock();
    return c;
}

/* ---- the periods of a secret ----------------------------------------------- */

/* Copies the secret |k|, with a reference to its root. The caller has the lock. */
static void
rotate_CopySecret(const snceKnown *k, snceKnown *copy)
{
    PORT_Memset(copy, 0, sizeof *copy);
    copy->times = k->times;
    copy->keys = k->keys; /* the name; it has no others */
    copy->root = PK11_ReferenceSymKey(k->root);
}

/* Writes for how many seconds a key of the region of |identity|, 0 for none, encrypts,
 * and for how many more it decrypts. */
static void
rotate_Lengths(PRUint64 identity, PRUint32 *rotation, PRUint32 *longest)
{
    PRUint32 pass = 0;
    snceRegion *region =
        identity ? snceGate_EnterRegion(identity, &pass) : NULL;

    *rotation = snceLifetime_Rotation(region);
    *longest = snceLifetime_LongestTicket(region);
    if (region) {
        snceGate_Leave(pass);
    }
}

/* Makes the key of the period in which |now| lies, if a secret encrypts. */
static SECStatus
rotate_MakePeriod(PRUint64 identity, PRTime now)
{
    PRUint32 rotation, longest;
    const snceKnown *k;
    snceKnown secret = { 0 };
    snceKnown made;
    SECStatus rv;

    snceKnown_Lock();
    k = snceSet_InForce()->kind == snceSource_secret
            ? snceKnown_FindId(snceSet_InForce()->encrypts)
            : NULL;
    if (k) {
        rotate_CopySecret(k, &secret);
    }
    snceKnown_Unlock();
    if (!secret.root) {
        return SECFailure;
    }
    rotate_Lengths(identity, &rotation, &longest);
    rv = snceSecret_Derive(&secret, snceSecret_PeriodAt(now, rotation),
                           rotation, longest, &made);
    PK11_FreeSymKey(secret.root);
    return rv == SECSuccess ? snceKnown_Keep(&made) : rv;
}

/* Does |k| decrypt at |now|? A period's key does from the time on at which another
 * machine's clock may have reached the period. The caller has the lock. */
static PRBool
rotate_Decrypts(const snceKnown *k, PRTime now)
{
    if (snceSet_IsRandom(k)) {
        return now < k->times.decryptUntil.usec;
    }
    return k->times.created.usec == snceSet_InForce()->created &&
           k->keys.encKey && now < k->times.decryptUntil.usec &&
           (k->secret == 0 || k->times.encryptFrom.usec <=
                                  snceLifetime_Add(now, SNCE_FLEET_SKEW_SEC));
}

/* Has |k| the tag in |name|, and does it decrypt at |now|? The caller has the lock. */
static PRBool
rotate_MayBeOf(const snceKnown *k, const PRUint8 *name, PRTime now)
{
    return PORT_Memcmp(k->keys.name, name, SNCE_TAG_AT + SNCE_TAG_BYTES) == 0 &&
           rotate_Decrypts(k, now);
}

/* Makes the key of a period that |name| names, if it is one of a secret in force, and
 * |name| is in |space|. Returns its id, or 0. */
static PRUint64
rotate_FindPeriod(PRUint64 identity, const snceRotateSpace *space,
                  const PRUint8 *name, PRTime now)
{
    snceKnown secrets[SNCE_SET_MAX];
    PRUint32 rotation, longest;
    unsigned n = 0;
    PRUint64 id = 0;

    snceKnown_Lock();
    for (unsigned i = 0; snceSet_InForce()->kind == snceSource_secret &&
                         i < snceKnown_Count() && n < SNCE_SET_MAX;
         i++) {
        const snceKnown *k = snceKnown_At(i);

        if (snceSet_Has(k)) {
            rotate_CopySecret(k, &secrets[n++]);
        }
    }
    snceKnown_Unlock();
    if (n > 0) {
        rotate_Lengths(identity, &rotation, &longest);
    }
    for (unsigned i = 0; i < n; i++) {
        PRUint32 period = snceSecret_PeriodOf(&secrets[i], name + SNCE_TAG_AT);
        PRUint32 first = snceSecret_PeriodAt(
            now - (PRTime)longest * PR_USEC_PER_SEC, rotation);
        PRUint32 last = snceSecret_PeriodAt(
            snceLifetime_Add(now, SNCE_FLEET_SKEW_SEC), rotation);
        snceKnown made;

        if (id == 0 && period >= first && period <= last &&
            snceSecret_Derive(&secrets[i], period, rotation, longest, &made) ==
                SECSuccess) {
            PRUint64 madeId = made.times.id;

            if (!snceKnown_IsNameOf(made.root, space, name)) {
                snceKnown_Free(&made);
            } else if (snceKnown_Keep(&made) == SECSuccess) {
                id = madeId;
            }
        }
        PK11_FreeSymKey(secrets[i].root);
    }
    return id;
}

/* ---- making ---------------------------------------------------------------- */

static bool
rotate_HasExpired(void *context, const snceTicketKey *key)
{
    return key->decryptUntil.usec <= *(const PRTime *)context;
}

/* Wipes the keys of the region that have expired by the clock of a socket and by the
 * system's: a socket whose clock is ahead wipes none that others need. */
static void
rotate_WipeExpired(PRUint64 identity, PRTime now)
{
    PRUint32 pass;
    snceRegion *region = snceGate_EnterRegion(identity, &pass);

    if (region) {
        now = PR_MIN(now, PR_Now());
        (void)snceTicketKeys_Remove(region, rotate_HasExpired, &now);
        snceGate_Leave(pass);
    }
}

/* May the region be asked to take a key? If it has failed to, only after a while. */
static PRBool
rotate_MayAdd(void)
{
    PRBool may;

    snceKnown_Lock();
    may = snceRetry_MayTry(&addRetry);
    snceKnown_Unlock();
    return may;
}

static void
rotate_NoteAdd(PRBool added)
{
    snceKnown_Lock();
    snceRetry_Note(&addRetry, added);
    snceKnown_Unlock();
}

/* Returns the times of a key that encrypts from |from| on. It decrypts until the last
 * ticket made with it has expired. */
static snceTicketKey
rotate_Times(PRUint64 identity, PRTime now, PRTime from)
{
    PRUint32 rotation, longest;
    snceTicketKey times;

    rotate_Lengths(identity, &rotation, &longest);
    PORT_Memset(&times, 0, sizeof times);
    times.created.usec = now;
    times.encryptFrom.usec = from;
    times.encryptUntil.usec = snceLifetime_Add(from, rotation);
    times.decryptUntil.usec =
        snceLifetime_Add(times.encryptUntil.usec, longest);
    return times;
}

/* Makes the key that encrypts from |from| on: for all processes if this one has a
 * region key, else for itself. */
static SECStatus
rotate_Make(void *pwArg, PRUint64 identity, PRTime now, PRTime from)
{
    snceRegionKey rks[SNCE_REGION_KEYS];
    unsigned rkCount;
    snceKnown k;

    PORT_Memset(&k, 0, sizeof k);
    k.times = rotate_Times(identity, now, from);
    if (snceDerive_Generate(pwArg, &k.root, &k.times.id) != SECSuccess ||
        snceKnown_Complete(&k, NULL) != SECSuccess) {
        snceKnown_Free(&k);
        return SECFailure;
    }
    rkCount = identity ? snceRegionKey_List(identity, rks) : 0;
    if (rkCount > 0) {
        rotate_WipeExpired(identity, now);
    }
    for (unsigned i = 0; i < rkCount; i++) {
        k.shared |= snceShare_Add(identity, &k, &rks[i]) == SNCE_OK;
    }
    if (rkCount > 0) {
        rotate_NoteAdd(k.shared);
        snceRegionKey_Free(rks, rkCount);
    }
    return snceKnown_Keep(&k);
}

/* Looks for the key that encrypts now. PR_TRUE if it is there, with its successor. */
static PRBool
rotate_LookUp(const sslSocket *ss, snceShareLook how, PRUint64 *identity,
              PRTime *now, current *c, snceRotateKeys *out)
{
    *identity = snceShare_Refresh(ss, how);
    *now = ssl_Time(ss);
    *c = rotate_Choose(*now, out);
    if (!c->found && rotate_MakePeriod(*identity, *now) == SECSuccess) {
        *c = rotate_Choose(*now, out);
    }
    if (c->found && !c->shared && *identity &&
        snceRegionKey_IsShared(*identity) && rotate_MayAdd()) {
        c->found = PR_FALSE; /* a shared one is due */
    }
    return c->found && c->hasNext;
}

/* Finds the key that encrypts now, or makes it. */
static SECStatus
rotate_Current(const sslSocket *ss, snceRotateKeys *out)
{
    PRUint64 identity;
    PRTime now;
    current c;
    int cancel;

    if (rotate_LookUp(ss, snceShare_ask, &identity, &now, &c, out)) {
        return SECSuccess;
    }
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&making);
    for (unsigned try = 0; try < CURRENT_TRIES; try++) {
        snceRotate_Free(out);
        if (rotate_LookUp(ss, snceShare_onlyLook, &identity, &now, &c, out)) {
            break;
        }
        if (rotate_Make(ss->pkcs11PinArg, identity, now,
                        c.found ? c.until : now) != SECSuccess) {
            break;
        }
    }
    pthread_mutex_unlock(&making);
    (void)pthread_setcancelstate(cancel, NULL);
    if (!out->encKey) {
        PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        return SECFailure;
    }
    return SECSuccess;
}

/* ---- the name spaces of caches --------------------------------------------- */

snceRotateSpace
snceRotate_SpaceOf(const sslSocket *ss)
{
    const sslServerOrigin *origin = &ss->sec.origin;
    snceRotateSpace space = { origin->cache.number, origin->cache.generation,
                              origin->ticketEpoch, snceGate_Identity() };

    return space;
}

SECStatus
snceRotate_Current(const sslSocket *ss, const snceRotateSpace *space,
                   snceRotateKeys *out)
{
    SECStatus rv = rotate_Current(ss, out);

    if (rv == SECSuccess && space) {
        PRUint64 id = out->id;

        snceRotate_Free(out);
        rv = snceKnown_KeysOf(id, space, NULL, out);
    }
    return rv;
}

PRTime
snceRotate_CurrentEnd(const sslSocket *ss)
{
    snceRotateKeys keys;
    current c = rotate_Choose(ssl_Time(ss), &keys);

    snceRotate_Free(&keys);
    return c.decryptUntil;
}

/* Collects the ids of the keys that have the tag in |name|, and decrypt at |now|.
 * Returns how many. */
static unsigned
rotate_WithTag(const PRUint8 *name, PRTime now, PRUint64 ids[SAME_TAG_MAX])
{
    unsigned n = 0;

    snceKnown_Lock();
    for (unsigned i = 0; i < snceKnown_Count() && n < SAME_TAG_MAX; i++) {
        const snceKnown *k = snceKnown_At(i);

        if (rotate_MayBeOf(k, name, now)) {
            ids[n++] = k->times.id;
        }
    }
    snceKnown_Unlock();
    return n;
}

PRBool
snceRotate_Find(const sslSocket *ss, const snceRotateSpace *space,
                const PRUint8 name[SELF_ENCRYPT_KEY_NAME_LEN],
                snceRotateKeys *out)
{
    PRUint64 ids[SAME_TAG_MAX];
    PRUint64 identity;
    unsigned n;

    PORT_Memset(out, 0, sizeof *out);
    identity = snceShare_Refresh(ss, snceShare_ask);
    n = rotate_WithTag(name, ssl_Time(ss), ids);
    if (n == 0) {
        ids[0] = rotate_FindPeriod(identity, space, name, ssl_Time(ss));
        n = ids[0] != 0;
    }
    for (unsigned i = 0; i < n; i++) {
        if (snceKnown_KeysOf(ids[i], space, name, out) == SECSuccess &&
            PORT_Memcmp(out->name, name, sizeof out->name) == 0) {
            return PR_TRUE;
        }
        snceRotate_Free(out);
    }
    return PR_FALSE;
}

/* ---- for operators --------------------------------------------------------- */

SECStatus
snceRotate_Now(void)
{
    PRUint64 identity = snceShare_Refresh(NULL, snceShare_ask);
    PRTime now = PR_Now();
    PRBool isRandom;
    SECStatus rv;
    int cancel;

    snceKnown_Lock();
    isRandom = snceSet_InForce()->encrypts == 0;
    snceKnown_Unlock();
    if (!isRandom) {
        PORT_SetError(PR_INVALID_STATE_ERROR);
        return SECFailure;
    }
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&making);
    rv = rotate_Make(NULL, identity, now, now);
    pthread_mutex_unlock(&making);
    (void)pthread_setcancelstate(cancel, NULL);
    return rv;
}

/* Adds what the region counted of the keys. */
static void
rotate_AddUses(snceRotateInfo *infos, unsigned n)
{
    PRUint64 identity = snceGate_Identity();
    snceTicketKey *list = NULL;
    PRUint64 changes;
    size_t count = 0;

    if (!identity ||
        snceShare_List(identity, &list, &count, &changes) != SECSuccess) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < n; j++) {
            if (infos[j].times.id == list[i].id) {
                infos[j].times.uses[SNCE_USE_MADE] +=
                    list[i].uses[SNCE_USE_MADE];
                infos[j].times.uses[SNCE_USE_ACCEPTED] +=
                    list[i].uses[SNCE_USE_ACCEPTED];
            }
        }
    }
    PORT_Free(list);
}

SECStatus
snceRotate_List(snceRotateInfo **out, unsigned *n)
{
    const snceKnown *best;

    (void)snceShare_Refresh(NULL, snceShare_ask);
    *n = 0;
    snceKnown_Lock();
    *out = PORT_ZAlloc((snceKnown_Count() + 1) * sizeof **out);
    best = rotate_Best(PR_Now());
    for (unsigned i = 0; *out && i < snceKnown_Count(); i++) {
        const snceKnown *k = snceKnown_At(i);
        snceRotateInfo *info = &(*out)[*n];

        if (!snceSet_IsRandom(k) &&
            k->times.created.usec != snceSet_InForce()->created) {
            continue;
        }
        info->times = k->times;
        PORT_Memset(info->times.uses, 0, sizeof info->times.uses);
        PORT_Memcpy(info->name, k->keys.name, sizeof info->name);
        info->isPeriod = k->secret != 0;
        info->encrypts = k == best;
        info->isShared = k->shared;
        ++*n;
    }
    snceKnown_Unlock();
    if (!*out) {
        return SECFailure;
    }
    rotate_AddUses(*out, *n);
    return SECSuccess;
}

/* Finds the key whose name a ticket begins with, and how it stands to the one that
 * encrypts. Returns the id of the key, or of its secret, or 0. */
static PRUint64
rotate_Standing(const PRUint8 *name, PRTime now, snceTicketEvent *event)
{
    const snceKnown *best, *found = NULL;
    PRUint64 id = 0;

    snceKnown_Lock();
    best = rotate_Best(now);
    for (unsigned i = 0; !found && i < snceKnown_Count(); i++) {
        const snceKnown *k = snceKnown_At(i);

        if (rotate_MayBeOf(k, name, now)) {
            found = k;
        }
    }
    *event = SNCE_TICKET_OLDER;
    if (found) {
        id = found->secret ? found->secret : found->times.id;
        if (found == best) {
            *event = SNCE_TICKET_CURRENT;
        } else if (rotate_IsOfForce(found) &&
                   found->times.encryptFrom.usec > now) {
            *event = SNCE_TICKET_NEXT;
        }
    }
    snceKnown_Unlock();
    return id;
}

snceTicketEvent
snceRotate_CountUse(const sslSocket *ss, const PRUint8 *name, snceTicketUse use)
{
    snceTicketEvent event;
    PRUint64 id = rotate_Standing(name, ssl_Time(ss), &event);
    PRUint32 pass;
    snceRegion *region = id ? snceGate_Enter(&pass) : NULL;

    if (region) {
        snceTicketKeys_CountUse(region, id, use);
        snceGate_Leave(pass);
    }
    return event;
}

/* ---- for the wrapping keys ------------------------------------------------- */

PK11SymKey *
snceRotate_FleetRoot(const sslSocket *ss, PRUint64 *rootId)
{
    PK11SymKey *root = NULL;
    const snceKnown *k;

    (void)snceShare_Refresh(ss, snceShare_ask);
    snceKnown_Lock();
    k = snceSet_InForce()->encrypts
            ? snceKnown_FindId(snceSet_InForce()->encrypts)
            : NULL;
    if (k && snceSet_InForce()->kind != snceSource_ended) {
        root = PK11_ReferenceSymKey(k->root);
        *rootId = snceSource_RootId(&k->times);
    }
    snceKnown_Unlock();
    return root;
}

void
snceRotate_Reset(void)
{
    snceKnown_Reset();
    snceSet_Reset();
    snceShare_Reset();
    snceKnown_Lock();
    PORT_Memset(&addRetry, 0, sizeof addRetry);
    snceKnown_Unlock();
}
