/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceconfig.c: applies the file that SSL_SERVER_CACHE_CONFIG names. */

#define _GNU_SOURCE /* secure_getenv */

#include "snceconfig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "prerror.h"
#include "prprf.h"
#include "secerr.h"
#include "secport.h"

#include "sslsnce/sslsnce.h"

#include "snceerror.h"
#include "sncefile.h"
#include "snceundo.h"

/* Entries of a cache that is new and closed. */
#define CLOSED_ENTRIES 1

/* ---- reading ------------------------------------------------------------- */

/* Anything but a clear no is strict, so that a misspelt "yes" has no other
 * effect. */
static PRBool
config_IsStrict(void)
{
    const char *value = secure_getenv(SSL_SERVER_CACHE_CONFIG_STRICT);
    char text[SSL_CACHE_TEXT_BYTES];
    PRUint32 flag = 1;

    if (!value || !*value) {
        return PR_FALSE;
    }
    (void)ssl_ReadCacheValue(sslCacheParam_lock, value, &flag, text);
    return flag != 0;
}

/* Checks the files of ticket keys that the file names. They are read again when the
 * keys are made: what is read here is wiped. Fails only if the file is strict. */
static SECStatus
config_CheckKeyFiles(sslCacheConfig *config)
{
    const sslCacheConfigLine *line = ssl_FindKeyPaths(config);
    SECStatus rv = SECSuccess;
    snceKeyFileSet *set;

    if (!line) {
        return SECSuccess;
    }
    set = PORT_ZNew(snceKeyFileSet);
    if (!set) {
        return SECFailure;
    }
    if (snceKeyFile_Read(ssl_KeyFileKind(line), line->keyPaths, set) !=
        SECSuccess) {
        ssl_AddCacheFault(config, sslCacheFault_keys, line->number,
                          line->column[line->keyParam], "%s", set->text);
        if (config->strict) {
            PORT_SetError(set->error);
            rv = SECFailure;
        }
    } else if (snceKeyFile_Age(set) >= SNCE_KEY_FILE_OLD_DAYS) {
        ssl_AddCacheFault(config, sslCacheFault_note, line->number,
                          line->column[line->keyParam],
                          "the key file is %d days old, and should be replaced "
                          "every %d days (RFC 9325 section 3.4)",
                          snceKeyFile_Age(set), SNCE_KEY_FILE_OLD_DAYS);
    }
    snceKeyFile_Wipe(set);
    PORT_Free(set);
    return rv;
}

SECStatus
ssl_ReadCacheConfig(sslCacheConfig *config)
{
    sslCacheFileState state;
    sslCacheFile file;
    SECStatus rv = SECSuccess;

    PORT_Memset(config, 0, sizeof *config);
    /* Not with PR_GetEnv: NSPR's lock of the environment may be taken in a
     * forked child. */
    config->path = secure_getenv(SSL_SERVER_CACHE_CONFIG);
    config->unread = PR_TRUE;
    if (!config->path) {
        return SECSuccess;
    }
    config->strict = config_IsStrict();
    state = ssl_ReadCacheFile(config->path, &file);
    config->version = file.version;
    if (state == sslCacheFile_read) {
        config->unread = PR_FALSE;
        rv = ssl_ParseCacheConfig(config, file.data, file.len);
        if (rv == SECSuccess && file.len == 0) {
            ssl_AddCacheFault(config, sslCacheFault_note, 0, 0,
                              "it is empty; the application's values count");
        }
        if (rv == SECSuccess && config->strict && config->errors) {
            PORT_SetError(SEC_ERROR_INVALID_ARGS);
            rv = SECFailure;
        }
        if (rv == SECSuccess) {
            rv = config_CheckKeyFiles(config);
        }
    } else {
        ssl_AddCacheFault(config,
                          state == sslCacheFile_scarce ? sslCacheFault_failed
                                                       : sslCacheFault_file,
                          0, 0, "%s", file.what);
        if (config->strict || state == sslCacheFile_scarce) {
            PORT_SetError(file.error);
            rv = SECFailure;
        }
    }
    ssl_FreeCacheFile(&file);
    return rv;
}

/* ---- the default cache --------------------------------------------------- */

/* Reports that the number of certificates is lowered to that of sessions: a
 * cache has no use for more. */
static void
config_NoteCertificates(sslCacheConfig *config, const sslCacheConfigLine *line,
                        const sslServerCacheRequest *request)
{
    PRUint32 entries = request->entries ? request->entries : DEFAULT_ENTRIES;

    if (line->given & 1u << sslCacheParam_certificates &&
        request->certificates > entries) {
        ssl_AddCacheFault(config, sslCacheFault_note, line->number,
                          line->column[sslCacheParam_certificates],
                          "certificates=%u became %u (one for each session)",
                          request->certificates, entries);
    }
}

void
ssl_OverrideByConfig(sslCacheConfig *config, sslServerCacheRequest *request)
{
    PRUint32 i;
    unsigned int param;

    config->asked = *request;
    for (i = 0; i < config->count; ++i) {
        const sslCacheConfigLine *line = &config->lines[i];

        if (line->name) {
            continue;
        }
        if (line->faulty) {
            ssl_LowerCacheRequest(request, line);
            continue;
        }
        for (param = 0; param < SSL_CACHE_PARAMS; ++param) {
            if (line->given & 1u << param) {
                ssl_SetCacheParam(
                    request, (sslCacheParam)param,
                    ssl_GetCacheParam(&line->request, (sslCacheParam)param));
            }
        }
        config_NoteCertificates(config, line, request);
    }
}

/* The number of certificates that |options| ask for; 0 means one for each
 * session. */
static PRUint64
config_Certificates(const snceCacheOptions *options)
{
    return options->certificates ? options->certificates : options->entries;
}

void
ssl_AddSizeFault(sslCacheConfig *config, snceResult result)
{
    sslCacheParam param;
    PRUint32 i;

    for (i = 0; i < config->count; ++i) {
        const sslCacheConfigLine *line = &config->lines[i];

        if (line->name || line->faulty) {
            continue;
        }
        param = line->given & 1u << sslCacheParam_entries
                    ? sslCacheParam_entries
                    : sslCacheParam_certificates;
        ssl_AddCacheFault(
            config, sslCacheFault_size, line->number, line->column[param],
            "no room for %s=%u: %s", ssl_CacheParamLabel(param),
            ssl_GetCacheParam(&line->request, param), snceResult_Text(result));
        break;
    }
}

/* Whether |result| says that there is no room for the size of a cache. */
static PRBool
config_IsNoRoom(snceResult result)
{
    return result == SNCE_NO_MEMORY || result == SNCE_LIMIT ||
           result == SNCE_LOCK_LIMIT;
}

PRBool
ssl_ForgoSize(sslCacheConfig *config, snceResult result,
              snceCacheOptions *options)
{
    snceCacheOptions asked = ssl_ServerCacheOptions(&config->asked);
    PRUint64 entries = PR_MIN(options->entries, asked.entries);
    PRUint64 certificates =
        PR_MIN(config_Certificates(options), config_Certificates(&asked));

    certificates = PR_MIN(certificates, entries);
    if (!config_IsNoRoom(result) ||
        (entries == options->entries &&
         certificates == config_Certificates(options))) {
        return PR_FALSE;
    }
    if (config->strict) {
        ssl_AddSizeFault(config, result);
        return PR_FALSE;
    }
    options->entries = entries;
    options->certificates = certificates == entries ? 0 : certificates;
    return PR_TRUE;
}

/* ---- locked memory ------------------------------------------------------- */

PRBool
ssl_MayLock(PRUint64 bytes)
{
    struct rlimit limit = { 0, 0 };

    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    return bytes <= (PRUint64)limit.rlim_cur;
}

void
ssl_TellLockLimit(char *text, PRUint32 textLen, PRUint64 bytes)
{
    struct rlimit limit = { 0, 0 };

    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    PR_snprintf(text, textLen,
                "it takes %llu bytes, the limit on locked memory "
                "(RLIMIT_MEMLOCK) is %llu",
                bytes, (PRUint64)limit.rlim_cur);
}

SECStatus
ssl_CloseUnlocked(sslCacheConfig *config, snceResult result, PRUint64 bytes,
                  snceCacheOptions *options)
{
    unsigned int number = 0;
    unsigned int column = 0;
    char text[SSL_CACHE_TEXT_BYTES];
    PRUint32 i;

    for (i = 0; i < config->count; ++i) {
        const sslCacheConfigLine *line = &config->lines[i];

        if (!line->name && line->request.lock) {
            number = line->number;
            column = line->column[sslCacheParam_lock];
        }
    }
    if (result == SNCE_EXISTS) {
        ssl_AddCacheFault(config, sslCacheFault_unlocked, number, column,
                          "too late to lock the cache in memory: it is there "
                          "already");
    } else {
        ssl_TellLockLimit(text, sizeof text, bytes);
        ssl_AddCacheFault(config, sslCacheFault_unlocked, number, column,
                          "the cache cannot be locked in memory: %s", text);
    }
    if (config->strict) {
        PORT_SetError(result == SNCE_EXISTS ? PR_INVALID_STATE_ERROR
                                            : snceError_Code(result));
        return SECFailure;
    }
    config->closed = PR_TRUE;
    options->lock = false;
    options->closed = true;
    return SECSuccess;
}

/* ---- virtual servers ----------------------------------------------------- */

/* What became of the cache of a line. */
typedef enum {
    configLine_other, /* nothing yet: the line is for the default cache */
    configLine_added,
    configLine_there, /* it existed already */
    configLine_full   /* there is no room for it */
} configLineState;

typedef struct {
    configLineState state;
    snceResult noRoom; /* why, for configLine_full */
    snceServerId id;
    snceCacheOptions options;
} configServer;

PR_STATIC_ASSERT(SNCE_SERVERS_MAX == 1024); /* a message has the number */

static SECStatus
config_Fail(sslCacheConfig *config, const sslCacheConfigLine *line,
            snceResult result)
{
    const char *why = result == SNCE_FULL
                          ? "1024 are there, as many as there can be"
                          : snceResult_Text(result);

    ssl_AddCacheFault(config, sslCacheFault_failed, line ? line->number : 0,
                      line ? line->nameColumn : 0,
                      "the cache cannot be made: %s", why);
    return snceError_Status(result);
}

static snceResult
config_Configure(snceRegion *region, snceServerId id,
                 const snceCacheOptions *options)
{
    return snceCache_Configure(snceRegion_Cache(region, id), options);
}

/* Adds the server of |line|, or finds it if it exists; if the region is |full|,
 * only looks for it. A wrong line closes its server: a new one gets its size
 * when a later call opens it, and one that exists keeps its other options. */
static snceResult
config_Enter(sslCacheConfig *config, snceRegion *region,
             const sslCacheConfigLine *line, PRBool full, configServer *server)
{
    const PRUint8 *name = (const PRUint8 *)line->name;
    size_t nameLen = strlen(line->name);
    snceResult result;

    server->options = ssl_ServerCacheOptions(&line->request);
    server->options.closed = line->faulty || config->closed;
    if (line->faulty) {
        server->options.entries = CLOSED_ENTRIES;
        server->options.certificates = CLOSED_ENTRIES;
    } else {
        config_NoteCertificates(config, line, &line->request);
    }
    if (full) {
        result = snceServer_Find(region, name, nameLen, &server->id);
        result = result == SNCE_OK ? SNCE_EXISTS : SNCE_FULL;
    } else {
        result = snceServer_Add(region, name, nameLen, &server->options,
                                &server->id);
    }
    switch (result) {
        case SNCE_OK:
            server->state = configLine_added;
            ssl_NoteCacheAdded(config, server->id);
            return SNCE_OK;
        case SNCE_FULL:
        case SNCE_NO_MEMORY:
        case SNCE_LIMIT:
        case SNCE_LOCK_LIMIT:
            server->state = configLine_full;
            server->noRoom = result;
            return SNCE_OK;
        case SNCE_EXISTS:
            server->state = configLine_there;
            if (!line->faulty) {
                return SNCE_OK;
            }
            result = snceCache_GetOptions(snceRegion_Cache(region, server->id),
                                          &server->options);
            server->options.closed = true;
            return result;
        default:
            return result;
    }
}

void
ssl_KeepTicketOptions(const sslCacheConfig *config, snceCacheOptions *options,
                      const snceCacheOptions *now)
{
    PRBool hasLine = PR_FALSE, hasEpoch = PR_FALSE;
    PRUint32 i;

    for (i = 0; !config->unread && i < config->count; ++i) {
        const sslCacheConfigLine *line = &config->lines[i];

        if (!line->name) {
            hasLine = PR_TRUE;
            hasEpoch |=
                !line->faulty || line->given & 1u << sslCacheParam_ticketEpoch;
        }
    }
    if (!hasLine) {
        ssl_CopyTicketOptions(options, now);
    } else if (!hasEpoch) {
        /* An epoch that cannot be read must not bring old tickets back. */
        options->ticketEpoch = now->ticketEpoch;
    }
}

void
ssl_LowerCacheOptions(snceCacheOptions *options, const snceCacheOptions *other)
{
    unsigned int i;

    for (i = 0; i < SNCE_CLASSES; ++i) {
        options->timeoutSec[i] =
            PR_MIN(options->timeoutSec[i], other->timeoutSec[i]);
    }
    options->clockSkewSec = PR_MIN(options->clockSkewSec, other->clockSkewSec);
    options->ticketTimeoutSec =
        PR_MIN(options->ticketTimeoutSec, other->ticketTimeoutSec);
    options->resumptionAgeSec =
        PR_MIN(options->resumptionAgeSec, other->resumptionAgeSec);
    options->withinTwoRotations |= other->withinTwoRotations;
    options->sharesClientAuth &= other->sharesClientAuth;
    options->matchAddress |= other->matchAddress;
    options->closed |= other->closed;
}

/* There is no room for the server of the line |full|: lowers the cache that its
 * clients get instead to the limits of that line. |lineOf| has for each
 * server's number the index of its line + 1, or 0. */
static snceResult
config_LowerInstead(sslCacheConfig *config, snceRegion *region,
                    const PRUint32 *lineOf, configServer *servers,
                    PRUint32 full, snceCacheOptions *defaultOptions)
{
    const sslCacheConfigLine *line = &config->lines[full];
    char shown[SSL_CACHE_SHOWN_BYTES];
    snceCacheOptions options;
    snceResult result = SNCE_OK;
    snceServerId id;

    id = snceServer_Choose(region, (const PRUint8 *)line->name,
                           strlen(line->name));
    ssl_AddCacheFault(config, sslCacheFault_note, line->number,
                      line->nameColumn,
                      "no room for a cache \"%s\": %s; the cache that "
                      "its clients get instead keeps to its limits too",
                      ssl_ShowCacheValue(shown, line->name),
                      servers[full].noRoom == SNCE_FULL
                          ? "1024 are there"
                          : snceResult_Text(servers[full].noRoom));
    if (id.number == 0) {
        ssl_LowerCacheOptions(defaultOptions, &servers[full].options);
    } else if (lineOf[id.number]) {
        configServer *instead = &servers[lineOf[id.number] - 1];

        ssl_LowerCacheOptions(&instead->options, &servers[full].options);
        instead->state = configLine_there;
    } else {
        result = snceCache_GetOptions(snceRegion_Cache(region, id), &options);
        if (result == SNCE_OK) {
            ssl_LowerCacheOptions(&options, &servers[full].options);
            result = config_Configure(region, id, &options);
        }
    }
    return result;
}

/* Closes all caches that are not closed yet, the default cache first: while
 * that one is closed, ssl_AddServerCache adds new ones closed. */
static snceResult
config_CloseOthers(snceRegion *region)
{
    snceServerInfo info;
    snceResult result = SNCE_OK;
    PRUint32 next = 0;

    while (result == SNCE_OK &&
           snceServer_Next(region, next, &info) == SNCE_OK) {
        next = info.id.number + 1;
        if (!info.options.closed) {
            info.options.closed = true;
            result = config_Configure(region, info.id, &info.options);
        }
        if (result == SNCE_GONE) {
            result = SNCE_OK; /* removed meanwhile */
        }
    }
    return result;
}

/* Returns the first line for whose server there is no number left, or NULL. A
 * strict file is checked with this before anything is changed. */
static const sslCacheConfigLine *
config_FindExcess(const sslCacheConfig *config, const snceRegion *region)
{
    snceServerInfo info;
    snceServerId id;
    PRUint32 next = 1; /* behind the default cache */
    PRUint32 servers = 0;
    PRUint32 i;

    while (snceServer_Next(region, next, &info) == SNCE_OK) {
        next = info.id.number + 1;
        ++servers;
    }
    for (i = 0; i < config->count; ++i) {
        const char *name = config->lines[i].name;

        if (name &&
            snceServer_Find(region, (const PRUint8 *)name, strlen(name), &id) ==
                SNCE_MISS &&
            ++servers > SNCE_SERVERS_MAX) {
            return &config->lines[i];
        }
    }
    return NULL;
}

/* Adds all new servers before it changes those that exist: then it knows which
 * clients get another cache instead, and can lower that cache in the same
 * change. So at no time is a cache less strict than the file asks. */
static SECStatus
config_AddServers(sslCacheConfig *config, snceRegion *region,
                  configServer *servers, snceCacheOptions *defaultOptions)
{
    PRUint32 lineOf[SNCE_SERVERS_MAX + 1] = { 0 };
    snceResult result;
    PRBool full = PR_FALSE;
    PRUint32 i;

    for (i = 0; i < config->count; ++i) {
        const sslCacheConfigLine *line = &config->lines[i];

        if (!line->name) {
            continue;
        }
        result = config_Enter(config, region, line, full, &servers[i]);
        if (result != SNCE_OK) {
            return config_Fail(config, line, result);
        }
        if (servers[i].state == configLine_full) {
            /* A later line may ask for a smaller cache, or for one that
             * exists. */
            full |= servers[i].noRoom == SNCE_FULL;
        } else {
            lineOf[servers[i].id.number] = i + 1;
        }
    }
    for (i = 0; i < config->count; ++i) {
        if (!config->lines[i].name || servers[i].state != configLine_full) {
            continue;
        }
        if (config->strict) {
            return config_Fail(config, &config->lines[i], servers[i].noRoom);
        }
        result = config_LowerInstead(config, region, lineOf, servers, i,
                                     defaultOptions);
        if (result != SNCE_OK) {
            return config_Fail(config, &config->lines[i], result);
        }
    }
    for (i = 0; i < config->count; ++i) {
        if (servers[i].state != configLine_there) {
            continue;
        }
        result = ssl_NoteCacheChange(config, region, servers[i].id);
        if (result == SNCE_OK) {
            result =
                config_Configure(region, servers[i].id, &servers[i].options);
        }
        if (config_IsNoRoom(result) && !config->strict) {
            /* The cache has all that the line says, except the size. */
            ssl_AddCacheFault(
                config, sslCacheFault_note, config->lines[i].number,
                config->lines[i].nameColumn, "the cache keeps its size: %s",
                snceResult_Text(result));
        } else if (result != SNCE_OK) {
            return config_Fail(config, &config->lines[i], result);
        }
    }
    return SECSuccess;
}

SECStatus
ssl_AddByConfig(sslCacheConfig *config, snceRegion *region,
                snceCacheOptions *defaultOptions)
{
    const sslCacheConfigLine *excess;
    SECStatus rv = ssl_BeginCacheUndo(config);
    snceResult result;

    if (rv != SECSuccess) {
        return rv;
    }
    excess = config->strict ? config_FindExcess(config, region) : NULL;
    if (excess) {
        return config_Fail(config, excess, SNCE_FULL);
    }
    result = ssl_NoteCacheChange(config, region,
                                 snceCache_Id(snceRegion_DefaultCache(region)));
    if (result != SNCE_OK) {
        return config_Fail(config, NULL, result);
    }
    if (config->count) {
        configServer *servers = PORT_ZAlloc(config->count * sizeof *servers);

        if (!servers) {
            return SECFailure;
        }
        rv = config_AddServers(config, region, servers, defaultOptions);
        PORT_Free(servers);
    }
    if (rv == SECSuccess && config->closed) {
        result = config_CloseOthers(region);
        if (result != SNCE_OK) {
            rv = config_Fail(config, NULL, result);
        }
    }
    return rv;
}
