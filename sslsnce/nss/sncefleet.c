/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE /* MADV_DONTDUMP */

#include "sncefleet.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "nss.h"
#include "prerror.h"
#include "prprf.h"
#include "secerr.h"
#include "secport.h"

#include "sncederive.h"
#include "sncegate.h"
#include "snceint.h"
#include "sncelog.h"
#include "snceregionkey.h"
#include "sncerotate.h"
#include "snceset.h"

/* Between two looks at the files. */
#define LOOK_USEC PR_USEC_PER_SEC

/* Whether there are files to look at. Relaxed: whoever reads it takes |lock| then. */
static _Atomic PRBool hasFiles;
/* Whether |pending| is set. The same. */
static _Atomic PRBool hasPending;
/* Whether this process may not read the files. Relaxed: a hint. */
static _Atomic PRBool isForbidden;
/* The last look of this process, by PR_Now. Relaxed: a hint. */
static _Atomic PRInt64 lastLook;

/* |lock| guards these. A thread that has it waits for nothing. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static snceKeyFileKind kind;
static char *paths;             /* NULL: there are none */
static PRUint64 version;        /* of the files that were read last */
static snceKeyFileSet *pending; /* read, and not yet made keys of */
static PRTime pendingCreated;   /* snceSet_Next when it was read */

static void
fleet_Lock(void)
{
    pthread_mutex_lock(&lock);
}

static void
fleet_Unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* The lock is held across fork, as is that of sncekeycache.c, for the same reasons. */
__attribute__((constructor)) static void
fleet_WatchForks(void)
{
    (void)pthread_atfork(fleet_Lock, fleet_Unlock, fleet_Unlock);
}

/* ---- what was read --------------------------------------------------------- */

/* Memory for what is read from files, which is in no core dump. */
static snceKeyFileSet *
fleet_NewSet(void)
{
    void *set = mmap(NULL, sizeof(snceKeyFileSet), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (set == MAP_FAILED) {
        PORT_SetError(SEC_ERROR_NO_MEMORY);
        return NULL;
    }
    (void)madvise(set, sizeof(snceKeyFileSet), MADV_DONTDUMP);
    return set;
}

static void
fleet_FreeSet(snceKeyFileSet *set)
{
    if (set) {
        snceKeyFile_Wipe(set);
        (void)munmap(set, sizeof *set);
    }
}

/* Makes keys of |set|, and puts them into force, unless files that were read after
 * |created| are. */
static SECStatus
fleet_Import(snceKeyFileKind of, const snceKeyFileSet *set, PRTime created,
             void *pwArg)
{
    PR_STATIC_ASSERT(SNCE_KEY_FILE_MAX <= SNCE_SET_MAX);
    const char *label = of == snceKeyFile_keys ? "sslsnce ticket key file"
                                               : "sslsnce ticket secret";
    PK11SymKey *roots[SNCE_SET_MAX] = { NULL };
    SECStatus rv = SECSuccess;

    for (unsigned i = 0; rv == SECSuccess && i < set->count; i++) {
        roots[i] =
            snceDerive_Import(set->key[i].bytes, set->key[i].len, label, pwArg);
        rv = roots[i] ? SECSuccess : SECFailure;
    }
    if (rv == SECSuccess) {
        rv = snceSet_Install(of == snceKeyFile_keys ? snceSource_key
                                                    : snceSource_secret,
                             created, roots, set->count, set->encrypts);
    }
    for (unsigned i = 0; i < set->count; i++) {
        if (roots[i]) {
            PK11_FreeSymKey(roots[i]);
        }
    }
    return rv;
}

/* From now on keys are made at random. */
static SECStatus
fleet_End(void)
{
    PK11SymKey *root;
    PRUint64 id;
    SECStatus rv;

    if (!NSS_IsInitialized()) {
        return SECSuccess; /* no key was made yet */
    }
    if (snceDerive_Generate(NULL, &root, &id) != SECSuccess) {
        return SECFailure;
    }
    rv = snceSet_Install(snceSource_ended, snceSet_Next(), &root, 1, 1);
    PK11_FreeSymKey(root);
    return rv;
}

/* Makes keys of |set|, which this takes over, or keeps it until the token is ready. By
 * then others may have read the files again: what they read counts. */
static void
fleet_Take(snceKeyFileKind of, snceKeyFileSet *set, PRTime created, void *pwArg)
{
    snceKeyFileSet *old;

    if (NSS_IsInitialized() &&
        fleet_Import(of, set, created, pwArg) == SECSuccess) {
        fleet_FreeSet(set);
        set = NULL;
    }
    fleet_Lock();
    old = pending;
    pending = set;
    pendingCreated = created;
    atomic_store_explicit(&hasPending, set != NULL, memory_order_relaxed);
    fleet_Unlock();
    fleet_FreeSet(old);
}

/* Tries again with what is pending. A process that was forked just now may have what
 * its parent read long ago, while the other processes have read the files since. */
static void
fleet_TakePending(void *pwArg)
{
    snceKeyFileSet *set;
    snceKeyFileKind of;
    PRTime created;

    fleet_Lock();
    set = pending;
    created = pendingCreated;
    of = kind;
    pending = NULL;
    atomic_store_explicit(&hasPending, PR_FALSE, memory_order_relaxed);
    fleet_Unlock();
    if (set) {
        fleet_Take(of, set, created, pwArg);
    }
}

/* ---- the files ------------------------------------------------------------- */

/* What became of a reading. */
typedef enum {
    fleetRead_done,
    fleetRead_failed,    /* the files are not as they must be */
    fleetRead_forbidden, /* this process may not read them */
    fleetRead_none       /* there are no files to read */
} fleetRead;

static fleetRead
fleet_ReadUncancelled(void *pwArg, char text[SNCE_KEY_FILE_TEXT_BYTES])
{
    fleetRead result = fleetRead_failed;
    snceKeyFileSet *set;
    snceKeyFileKind of;
    PRTime created = snceSet_Next();
    char *names;

    fleet_Lock();
    of = kind;
    names = paths ? PORT_Strdup(paths) : NULL;
    fleet_Unlock();
    if (!names) {
        return fleetRead_none;
    }
    set = fleet_NewSet();
    if (!set) {
        PORT_Free(names);
        (void)PR_snprintf(text, SNCE_KEY_FILE_TEXT_BYTES, "out of memory");
        return fleetRead_failed;
    }
    if (snceKeyFile_Read(of, names, set) == SECSuccess) {
        result = fleetRead_done;
    } else {
        result = set->mayNotRead ? fleetRead_forbidden : fleetRead_failed;
        PORT_Memcpy(text, set->text, SNCE_KEY_FILE_TEXT_BYTES);
    }
    atomic_store_explicit(&isForbidden, result == fleetRead_forbidden,
                          memory_order_relaxed);
    fleet_Lock();
    version = set->version;
    fleet_Unlock();
    if (result == fleetRead_done) {
        fleet_Take(of, set, created, pwArg);
    } else {
        PORT_SetError(set->error);
        fleet_FreeSet(set);
    }
    PORT_Free(names);
    return result;
}

/* Reads the files and makes keys of them. A thread that was cancelled meanwhile would
 * leave a file open. */
static fleetRead
fleet_Read(void *pwArg, char text[SNCE_KEY_FILE_TEXT_BYTES])
{
    fleetRead result;
    int cancel;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    result = fleet_ReadUncancelled(pwArg, text);
    (void)pthread_setcancelstate(cancel, NULL);
    return result;
}

/* Is it this process's turn to look at the files? */
static PRBool
fleet_IsTurn(void)
{
    PRInt64 now = PR_Now();
    PRInt64 last = atomic_load_explicit(&lastLook, memory_order_relaxed);
    PRBool may = PR_TRUE;
    snceRegion *region;
    PRUint32 pass;

    /* As an unsigned number, a time that was set back is long ago. */
    if ((PRUint64)now - (PRUint64)last < LOOK_USEC ||
        !atomic_compare_exchange_strong_explicit(&lastLook, &last, now,
                                                 memory_order_relaxed,
                                                 memory_order_relaxed)) {
        return PR_FALSE;
    }
    region = snceGate_Enter(&pass);
    if (region) {
        /* A process that cannot get keys from others looks for itself. So does one
         * that may not read the files: it takes no turn from those that may, and
         * notices when it may. */
        may = atomic_load_explicit(&isForbidden, memory_order_relaxed) ||
              !snceRegionKey_IsShared(snceRegion_Identity(region)) ||
              snceTicketKeys_MayLook(region, ssl_TimeForCache(now), LOOK_USEC);
        snceGate_Leave(pass);
    }
    return may;
}

static PRBool
fleet_HasChanged(void)
{
    PRUint64 was;
    char *names;
    PRBool changed;

    fleet_Lock();
    was = version;
    names = paths ? PORT_Strdup(paths) : NULL;
    fleet_Unlock();
    changed = names && snceKeyFile_Version(names) != was;
    PORT_Free(names);
    return changed;
}

/* ---- calls ----------------------------------------------------------------- */

/* Takes over |names| as the files to look at, or none with NULL. Returns whether there
 * were others, or a set that waits. */
static PRBool
fleet_Name(snceKeyFileKind of, char *names)
{
    snceKeyFileSet *oldSet;
    PRBool had;
    char *old;

    fleet_Lock();
    old = paths;
    oldSet = pending;
    paths = names;
    kind = of;
    version = 0;
    pending = NULL;
    atomic_store_explicit(&hasPending, PR_FALSE, memory_order_relaxed);
    atomic_store_explicit(&hasFiles, names != NULL, memory_order_relaxed);
    fleet_Unlock();
    had = old || oldSet;
    fleet_FreeSet(oldSet);
    PORT_Free(old);
    return had;
}

SECStatus
snceFleet_Configure(snceKeyFileKind of, const char *names,
                    char text[SNCE_KEY_FILE_TEXT_BYTES])
{
    char *copy;

    text[0] = '\0';
    if (!names) {
        return fleet_Name(of, NULL) ? fleet_End() : SECSuccess;
    }
    copy = PORT_Strdup(names);
    if (!copy) {
        return SECFailure;
    }
    (void)fleet_Name(of, copy);
    return fleet_Read(NULL, text) == fleetRead_done ? SECSuccess : SECFailure;
}

SECStatus
snceFleet_Set(snceKeyFileKind of, const snceKeyFileSet *set)
{
    snceKeyFileSet *copy;

    if (set->count == 0) {
        (void)fleet_Name(of, NULL);
        return fleet_End();
    }
    copy = fleet_NewSet();
    if (!copy) {
        return SECFailure;
    }
    *copy = *set;
    (void)fleet_Name(of, NULL);
    fleet_Take(of, copy, snceSet_Next(), NULL);
    return SECSuccess;
}

void
snceFleet_Log(const char *text)
{
    char message[SNCE_KEY_FILE_TEXT_BYTES + 64];

    (void)PR_snprintf(message, sizeof message,
                      "%s; the ticket keys stay as they are", text);
    ssl_Log(message);
}

void
snceFleet_Look(const sslSocket *ss)
{
    char text[SNCE_KEY_FILE_TEXT_BYTES] = "";
    fleetRead result;

    if (atomic_load_explicit(&hasPending, memory_order_relaxed)) {
        fleet_TakePending(ss->pkcs11PinArg);
    }
    if (!atomic_load_explicit(&hasFiles, memory_order_relaxed) ||
        !fleet_IsTurn() || !fleet_HasChanged()) {
        return;
    }
    result = fleet_Read(ss->pkcs11PinArg, text);
    /* If it is forbidden, others may read the files; or their owner or mode, and so
     * their version, will change. */
    if (result == fleetRead_failed) {
        snceFleet_Log(text);
    }
}

void
snceFleet_Reset(void)
{
    fleet_Lock();
    version = 0;
    fleet_Unlock();
    atomic_store_explicit(&lastLook, 0, memory_order_relaxed);
}

SECStatus
snceFleet_Reload(void)
{
    char text[SNCE_KEY_FILE_TEXT_BYTES] = "";

    switch (fleet_Read(NULL, text)) {
        case fleetRead_done:
            return SECSuccess;
        case fleetRead_none:
            PORT_SetError(PR_INVALID_STATE_ERROR);
            return SECFailure;
        default:
            PR_SetErrorText((PRIntn)strlen(text), text);
            return SECFailure;
    }
}
