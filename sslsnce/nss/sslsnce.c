/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sslsnce.c: the server session cache's calls of ssl.h. sslsnce/sslsnce.h says
 * what they promise, sslsnce/snce.h what a cache is. */

#define _GNU_SOURCE /* dladdr1, secure_getenv */

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prenv.h"
#include "prerror.h"
#include "secerr.h"
#include "secport.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslimpl.h"

#include "sslsnce/sslsnce.h"

#include "snceconfig.h"
#include "snceerror.h"
#include "sncefile.h"
#include "sncefleet.h"
#include "sncegate.h"
#include "snceint.h"
#include "sncelog.h"
#include "sncesid.h"
#include "sncestart.h"
#include "snceundo.h"

/* NSS's default on Linux: eight locks for sets, one for certificates and one
 * for wrapping keys. This cache has no locks; it keeps the number for callers
 * that ask for it. */
#define DEFAULT_MAX_LOCKS 10
#define MIN_MAX_LOCKS 3

/* Its loads and stores are relaxed: it is only a number. */
static _Atomic PRUint32 maxLocks = DEFAULT_MAX_LOCKS;

/* The string with which this process exported or inherited its region, "" for
 * none. Guarded by the gate's lock. */
static char regionString[SNCE_STRING_MAX];

/* The hash of the last string whose region this process may not lock in memory,
 * which was logged. Guarded by the gate's lock. */
static PRUint64 unlockedString;

/* Keeps this library loaded for the life of the process, even if somebody calls
 * dlclose. An unloaded library would leave its region mapped and its descriptor
 * open, once more each time that it is loaded again. And NSPR and NSS keep
 * pointers into it, to the texts of its errors and to the function that
 * NSS_Shutdown calls, by which the process would crash.
 *
 * A program that has libssl linked into itself has nothing to keep. It must not
 * call dlopen, which would search the disk for a library with the program's
 * name: a child that is forked in the middle of that search crashes in its own.
 * The name of a loaded library is found without a search. */
static void
ssl_StayLoaded(void)
{
    static _Atomic PRBool done;
    struct link_map *map = NULL;
    Dl_info self;

    /* Relaxed: a second dlopen would do no harm. */
    if (atomic_load_explicit(&done, memory_order_relaxed)) {
        return;
    }
    if (dladdr1(&maxLocks, &self, (void **)&map, RTLD_DL_LINKMAP) != 0 && map &&
        map->l_name && map->l_name[0]) {
        (void)dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    }
    atomic_store_explicit(&done, PR_TRUE, memory_order_relaxed);
}

/* Exports |region| to children by exec. The caller has the lock. */
static SECStatus
ssl_ExportServerCache(const snceRegion *region)
{
    char string[SNCE_STRING_MAX];
    int fd = snceRegion_Descriptor(region);
    const char *current;
    int flags;
    SECStatus rv;

    /* The descriptor of a region that was made for one process still closes on
     * exec. */
    flags = fd < 0 ? -1 : fcntl(fd, F_GETFD);
    if (flags < 0 || fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) < 0) {
        return snceError_Status(SNCE_BAD_DESCRIPTOR);
    }
    rv = snceError_Status(snceRegion_Export(region, string, sizeof string));
    if (rv != SECSuccess) {
        return SECFailure;
    }
    /* Set the environment only if it does not have the string: setting takes a
     * lock of the C library, which stays taken in a child that is forked
     * meanwhile, and a process with threads may not set it at all. Reading
     * takes no lock. */
    current = secure_getenv(SSL_ENV_VAR_NAME);
    if ((!current || strcmp(current, string) != 0) &&
        NSS_PutEnv(SSL_ENV_VAR_NAME, string) != 0) {
        PORT_SetError(SEC_ERROR_NO_MEMORY);
        return SECFailure;
    }
    PORT_Memcpy(regionString, string, sizeof regionString);
    return SECSuccess;
}

/* Gives the default cache of this process's region the limits |options|, but
 * leaves it at least as large as it is, because a second Config is often not
 * meant to shrink it. If no file was read, or the file has no line for this cache,
 * what the cache has about tickets stays. If no file was read, a closed cache stays
 * closed. If there is a file that could not be read, no limit except the size is
 * raised. In both cases other processes may have read the file, or this one earlier.
 * The caller has the lock. */
static snceResult
ssl_GrowOnly(snceRegion *region, const snceCacheOptions *options,
             const sslCacheConfig *config)
{
    snceCache cache = snceRegion_DefaultCache(region);
    snceCacheOptions was;
    snceCacheOptions now = *options;
    snceResult result;

    result = snceCache_GetOptions(cache, &was);
    if (result != SNCE_OK) {
        return result;
    }
    now.entries = PR_MAX(was.entries, options->entries);
    /* 0 means one for each session, the most that there can be. */
    now.certificates = was.certificates && options->certificates
                           ? PR_MAX(was.certificates, options->certificates)
                           : 0;
    now.unlisted = was.unlisted;
    now.lock = was.lock;
    now.keepClosed = config->unread != PR_FALSE;
    if (config->unread && config->path) {
        ssl_LowerCacheOptions(&now, &was);
    }
    ssl_KeepTicketOptions(config, &now, &was);
    return snceCache_Configure(cache, &now);
}

/* Does what ssl_GrowOnly does. If there is no room for the size that the file
 * asks for, it tries again with the size that the application asks for. */
static SECStatus
ssl_ConfigureAgain(snceRegion *region, snceCacheOptions *options,
                   sslCacheConfig *config)
{
    snceResult result = ssl_GrowOnly(region, options, config);
    snceResult why = result;

    if (ssl_ForgoSize(config, result, options)) {
        result = ssl_GrowOnly(region, options, config);
        if (result == SNCE_OK) {
            ssl_AddSizeFault(config, why);
        }
    }
    return snceError_Status(result);
}

/* Checks whether the file asks for locked memory while |region| is not locked.
 * Then it is too late to lock it: other processes may have the region, and
 * would not know. All caches are closed instead, or the call fails if the file
 * is strict. */
static SECStatus
ssl_CheckLock(snceRegion *region, snceCacheOptions *options,
              sslCacheConfig *config)
{
    snceCacheOptions now;
    PRUint64 bytes;
    SECStatus rv;

    rv = snceError_Status(
        snceCache_GetOptions(snceRegion_DefaultCache(region), &now));
    if (rv != SECSuccess || !options->lock || now.lock) {
        return rv;
    }
    bytes = snceRegion_LeastBytes(options);
    /* A closed cache may have been closed because of the limit. */
    return ssl_CloseUnlocked(config,
                             now.closed && !ssl_MayLock(bytes) ? SNCE_LOCK_LIMIT
                                                               : SNCE_EXISTS,
                             bytes, options);
}

/* Makes a region as |options| say. If the file asks for locked memory and the
 * limit forbids it, the caches of the region are closed. */
static snceResult
ssl_CreateOrClose(snceRegion **created, snceCacheOptions *options,
                  PRBool shared, sslCacheConfig *config)
{
    snceResult result = snceRegion_Create(created, options, shared != PR_FALSE);

    if (result == SNCE_LOCK_LIMIT &&
        ssl_CloseUnlocked(config, result, snceRegion_LeastBytes(options),
                          options) == SECSuccess) {
        result = snceRegion_Create(created, options, shared != PR_FALSE);
    }
    return result;
}

/* Does what ssl_CreateOrClose does. If there is no room for the size that the
 * file asks for, it tries again with the size that the application asks for. */
static SECStatus
ssl_CreateServerCache(snceRegion **created, snceCacheOptions *options,
                      PRBool shared, sslCacheConfig *config)
{
    snceResult result = ssl_CreateOrClose(created, options, shared, config);
    snceResult why = result;

    /* If the cache may not be locked, it is closed, and not made smaller. */
    if (result != SNCE_LOCK_LIMIT && ssl_ForgoSize(config, result, options)) {
        result = ssl_CreateOrClose(created, options, shared, config);
        if (result == SNCE_OK) {
            ssl_AddSizeFault(config, why);
        }
    }
    return snceError_Status(result);
}

/* Gives the ticket keys the files that the configuration file names. If they cannot be
 * read, ssl_ReadCacheConfig has said so. A file that could not be read changes
 * nothing. */
static void
ssl_ConfigureTicketKeys(const sslCacheConfig *config,
                        char text[SNCE_KEY_FILE_TEXT_BYTES])
{
    const sslCacheConfigLine *line = ssl_FindKeyPaths(config);

    text[0] = '\0';
    if (line) {
        (void)snceFleet_Configure(ssl_KeyFileKind(line), line->keyPaths, text);
    } else if (!config->unread && ssl_ForgoesKeyFiles(config)) {
        (void)snceFleet_Configure(snceKeyFile_keys, NULL, text);
    }
}

static SECStatus
ssl_ConfigUncancelled(const sslServerCacheRequest *request, PRBool shared)
{
    sslServerCacheRequest wanted = *request;
    snceCacheOptions options;
    char text[SNCE_KEY_FILE_TEXT_BYTES];
    sslCacheConfig config;
    snceRegion *region;
    snceRegion *created = NULL;
    SECStatus rv;

    rv = ssl_StartServerCache();
    if (rv != SECSuccess) {
        return rv;
    }
    rv = ssl_ReadCacheConfig(&config);
    ssl_StayLoaded();
    ssl_OverrideByConfig(&config, &wanted);
    options = ssl_ServerCacheOptions(&wanted);

    region = snceGate_Lock();
    if (rv != SECSuccess) {
        goto done;
    }
    if (region) {
        rv = ssl_CheckLock(region, &options, &config);
    } else {
        rv = ssl_CreateServerCache(&created, &options, shared, &config);
        region = created;
    }
    if (rv == SECSuccess) {
        rv = ssl_AddByConfig(&config, region, &options);
    }
    /* Also in a new region: adding the servers may have lowered |options|. */
    if (rv == SECSuccess) {
        rv = ssl_ConfigureAgain(region, &options, &config);
    }
    if (rv == SECSuccess && shared) {
        rv = ssl_ExportServerCache(region);
    }
    if (rv != SECSuccess && !created) {
        ssl_UndoCacheChanges(&config, region);
    }
    if (created) {
        if (rv == SECSuccess) {
            snceGate_Open(created);
            /* Forget the wrapping keys that were made while there was no
             * region: they are in no record, so other processes could not
             * unwrap what they wrap. Do so after the region was opened, so that
             * none of them enters the key cache later. */
            SSL3_ShutdownServerCache();
            ssl_sid_lookup = ssl_LookupInDefaultCache;
        } else {
            PRErrorCode err = PORT_GetError();

            snceRegion_Close(created);
            if (PORT_GetError() != err) {
                PORT_SetError(err);
            }
        }
    }

done:
    snceGate_Unlock();
    if (rv == SECSuccess) {
        ssl_ConfigureTicketKeys(&config, text);
    }
    ssl_ReportCacheConfig(&config, rv);
    ssl_FreeCacheConfig(&config);
    return rv;
}

/* Disables cancellation: a thread that is cancelled while it reads the file
 * would leave it open. */
SECStatus
ssl_ConfigServerCache(const sslServerCacheRequest *request, PRBool shared)
{
    SECStatus rv;
    int cancel;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    rv = ssl_ConfigUncancelled(request, shared);
    (void)pthread_setcancelstate(cancel, NULL);
    return rv;
}

/* Configures the default cache as the calls of ssl.h ask. */
static SECStatus
ssl_ConfigDefaultCache(int maxCacheEntries, int maxCertCacheEntries,
                       PRUint32 ssl2_timeout, PRUint32 ssl3_timeout,
                       PRBool shared)
{
    sslServerCacheRequest request = { 0 };

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    if (maxCacheEntries < 0) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    request.entries = maxCacheEntries;
    request.certificates = PR_MAX(maxCertCacheEntries, 0);
    request.ssl2Timeout = ssl2_timeout;
    request.ssl3Timeout = ssl3_timeout;
    return ssl_ConfigServerCache(&request, shared);
}

SECStatus
SSL_ConfigServerSessionIDCache(int maxCacheEntries, PRUint32 ssl2_timeout,
                               PRUint32 ssl3_timeout, const char *directory)
{
    return ssl_ConfigDefaultCache(maxCacheEntries, 0, ssl2_timeout,
                                  ssl3_timeout, PR_FALSE);
}

SECStatus
SSL_ConfigMPServerSIDCache(int maxCacheEntries, PRUint32 ssl2_timeout,
                           PRUint32 ssl3_timeout, const char *directory)
{
    return ssl_ConfigDefaultCache(maxCacheEntries, 0, ssl2_timeout,
                                  ssl3_timeout, PR_TRUE);
}

SECStatus
SSL_ConfigServerSessionIDCacheWithOpt(
    PRUint32 ssl2_timeout, PRUint32 ssl3_timeout, const char *directory,
    int maxCacheEntries, int maxCertCacheEntries, int maxSrvNameCacheEntries,
    PRBool enableMPCache)
{
    return ssl_ConfigDefaultCache(maxCacheEntries, maxCertCacheEntries,
                                  ssl2_timeout, ssl3_timeout, enableMPCache);
}

/* A process that has a region keeps it. The call succeeds if |string| names
 * that region, by whatever descriptor, which stays the caller's. For any other
 * string it sets an error and fails. The caller has the lock. */
static SECStatus
ssl_InheritAgain(const snceRegion *region, const char *string)
{
    if (strcmp(string, regionString) == 0 ||
        snceRegion_IsNamed(region, string) == SNCE_OK) {
        return SECSuccess;
    }
    if (snceError_Status(snceRegion_CheckString(string)) == SECSuccess) {
        PORT_SetError(PR_INVALID_STATE_ERROR);
    }
    return SECFailure;
}

#define INHERIT_TEXT_BYTES 256

/* Writes into the error's text why this process cannot inherit a cache that is
 * locked in memory. |message| gets the same text, to be logged, or "" if the
 * last one was for the same |string|. The caller has the lock, and logs after
 * it has released it. */
static SECStatus
ssl_FailInheritLock(const char *string, char message[INHERIT_TEXT_BYTES])
{
    PRUint64 hash = ssl_HashVersion(0, string, strlen(string));
    char limit[128];

    ssl_TellLockLimit(limit, sizeof limit, snceRegion_StringBytes(string));
    (void)snprintf(message, INHERIT_TEXT_BYTES,
                   "SSL_InheritMPServerSIDCache: the cache is locked in "
                   "memory: %s",
                   limit);
    PORT_SetError(snceError_Code(SNCE_LOCK_LIMIT));
    PR_SetErrorText((PRIntn)strlen(message), message);
    if (hash == unlockedString) {
        *message = '\0';
    }
    unlockedString = hash;
    return SECFailure;
}

/* A child by exec reads the files of ticket keys too: its parent may have no server key,
 * and so no way to give them to it. If the child may not, it has them only if a process
 * that may makes handshakes under the same server key; so it says that it may not. */
static void
ssl_InheritTicketKeys(void)
{
    char text[SNCE_KEY_FILE_TEXT_BYTES] = "";
    sslCacheConfig config;
    int cancel;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (ssl_ReadCacheConfig(&config) == SECSuccess) {
        ssl_ConfigureTicketKeys(&config, text);
    }
    ssl_FreeCacheConfig(&config);
    (void)pthread_setcancelstate(cancel, NULL);
    if (*text) {
        snceFleet_Log(text);
    }
}

SECStatus
ssl_InheritServerCache(const char *envString)
{
    char message[INHERIT_TEXT_BYTES] = "";
    PRBool inherited = PR_FALSE;
    snceRegion *region;
    snceResult result;
    SECStatus rv;

    rv = ssl_StartServerCache();
    if (rv != SECSuccess) {
        return rv;
    }

    ssl_StayLoaded();
    region = snceGate_Lock();
    if (region && !envString) {
        goto done; /* inherited by fork, or an earlier call */
    }
    if (!envString) {
        envString = secure_getenv(SSL_ENV_VAR_NAME); /* not PR_GetEnv: see
                                                      * ssl_ReadCacheConfig */
        if (!envString) {
            PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
            rv = SECFailure;
            goto done;
        }
    }
    if (region) {
        rv = ssl_InheritAgain(region, envString);
        goto done;
    }

    result = snceRegion_Inherit(&region, envString);
    rv = result == SNCE_LOCK_LIMIT ? ssl_FailInheritLock(envString, message)
                                   : snceError_Status(result);
    if (rv != SECSuccess) {
        goto done;
    }
    /* The core accepted it, so it is shorter than SNCE_STRING_MAX. */
    PORT_Assert(strlen(envString) < sizeof regionString);
    strncpy(regionString, envString, sizeof regionString - 1);
    snceGate_Open(region);
    inherited = PR_TRUE;
    SSL3_ShutdownServerCache(); /* as in ssl_ConfigServerCache */
    ssl_sid_lookup = ssl_LookupInDefaultCache;

done:
    snceGate_Unlock();
    if (*message) {
        ssl_Log(message);
    }
    if (inherited) {
        ssl_InheritTicketKeys();
    }
    return rv;
}

SECStatus
SSL_InheritMPServerSIDCache(const char *envString)
{
    return ssl_InheritServerCache(envString);
}

void
ssl_ShutdownServerCache(void)
{
    snceRegion *region;

    region = snceGate_Lock();
    if (region) {
        /* If a thread does not come out, the region stays mapped: that costs
         * memory, but the server goes on. */
        if (snceGate_Close()) {
            snceRegion_Close(region);
        }
        PORT_Memset(regionString, 0, sizeof regionString);
    }
    snceGate_Unlock();
}

SECStatus
SSL_ShutdownServerSessionIDCache(void)
{
    ssl_ShutdownServerCache();
    /* After the region was closed, so that no handshake brings one of its keys
     * back. */
    SSL3_ShutdownServerCache();
    return SECSuccess;
}

PRUint32
SSL_GetMaxServerCacheLocks(void)
{
    return atomic_load_explicit(&maxLocks, memory_order_relaxed);
}

SECStatus
SSL_SetMaxServerCacheLocks(PRUint32 newMaxLocks)
{
    if (newMaxLocks < MIN_MAX_LOCKS) {
        (void)ssl_StartServerCache();
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    atomic_store_explicit(&maxLocks, newMaxLocks, memory_order_relaxed);
    return SECSuccess;
}
