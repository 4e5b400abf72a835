/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceconfig.c: reads the file that SSL_SERVER_CACHE_CONFIG names. */

#include "snceconfig.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "prerror.h"
#include "prio.h"
#include "prprf.h"
#include "secerr.h"
#include "secport.h"
#include "utilpars.h"

#include "snceerror.h"

/* A line for each cache that fits a region takes a tenth of this. */
#define CONFIG_BYTES_MAX (1024 * 1024)

/* More than any parameter takes; as many sessions as a cache can hold. */
#define CONFIG_NUMBER_MAX SNCE_ENTRIES_MAX

/* What is wrong is said in this many bytes at most. */
#define CONFIG_TEXT_BYTES 512

/* The line being read, for messages. */
typedef struct {
    const char *path;
    unsigned int line;
} configPlace;

/* Says |what| of |place| and returns SECFailure. |line| 0 is the file itself.
 */
static SECStatus
config_Fail(const configPlace *place, PRErrorCode error, const char *what,
            const char *value)
{
    char text[CONFIG_TEXT_BYTES];

    if (place->line) {
        PR_snprintf(text, sizeof text, "SSL_SERVER_CACHE_CONFIG: %s:%u: %s%s",
                    place->path, place->line, what, value);
    } else {
        PR_snprintf(text, sizeof text, "SSL_SERVER_CACHE_CONFIG: %s: %s%s",
                    place->path, what, value);
    }
    (void)fprintf(stderr, "%s\n", text);
    PORT_SetError(error);
    PR_SetErrorText((PRIntn)strlen(text), text);
    return SECFailure;
}

static const struct {
    const char *label;
    sslCacheConfigField field;
} configLabels[] = { { "entries", sslCacheConfig_entries },
                     { "certificates", sslCacheConfig_certificates },
                     { "ssl2Timeout", sslCacheConfig_ssl2Timeout },
                     { "ssl3Timeout", sslCacheConfig_ssl3Timeout },
                     { "matchClientAddress",
                       sslCacheConfig_matchClientAddress },
                     { "lock", sslCacheConfig_lock } };

/* NSSUTIL_ArgDecodeNumber takes what it can of a string; here all of it must be
 * a number. */
static SECStatus
config_Number(const configPlace *place, const char *value, PRUint32 *out)
{
    size_t len = strlen(value);
    long number;

    if (len == 0 || strspn(value, "0123456789") != len) {
        return config_Fail(place, SEC_ERROR_INVALID_ARGS,
                           "not a decimal number: ", value);
    }
    /* One digit less than 2^31 has: nothing overflows. */
    number = len <= 9 ? NSSUTIL_ArgDecodeNumber(value) : LONG_MAX;
    if (value[0] == '0' && len > 1) {
        return config_Fail(place, SEC_ERROR_INVALID_ARGS,
                           "a number does not begin with 0: ", value);
    }
    if (number > CONFIG_NUMBER_MAX) {
        return config_Fail(place, SEC_ERROR_INVALID_ARGS,
                           "a number over 100000000: ", value);
    }
    *out = (PRUint32)number;
    return SECSuccess;
}

/* |*out| is true for "no": the file asks the other way round. */
static SECStatus
config_No(const configPlace *place, const char *value, PRBool *out)
{
    if (PORT_Strcasecmp(value, "yes") == 0) {
        *out = PR_FALSE;
        return SECSuccess;
    }
    if (PORT_Strcasecmp(value, "no") == 0) {
        *out = PR_TRUE;
        return SECSuccess;
    }
    return config_Fail(place, SEC_ERROR_INVALID_ARGS,
                       "neither yes nor no: ", value);
}

static SECStatus
config_Yes(const configPlace *place, const char *value, PRBool *out)
{
    PRBool no = PR_FALSE;
    SECStatus rv = config_No(place, value, &no);

    if (rv == SECSuccess) {
        *out = !no;
    }
    return rv;
}

static SECStatus
config_SetField(const configPlace *place, sslCacheConfigLine *line,
                sslCacheConfigField field, const char *value)
{
    switch (field) {
        case sslCacheConfig_entries:
            return config_Number(place, value, &line->wish.entries);
        case sslCacheConfig_certificates:
            return config_Number(place, value, &line->wish.certificates);
        case sslCacheConfig_ssl2Timeout:
            return config_Number(place, value, &line->wish.ssl2Timeout);
        case sslCacheConfig_ssl3Timeout:
            return config_Number(place, value, &line->wish.ssl3Timeout);
        case sslCacheConfig_matchClientAddress:
            return config_No(place, value, &line->wish.anyAddress);
        case sslCacheConfig_lock:
            return config_Yes(place, value, &line->wish.lock);
    }
    PORT_Assert(0);
    return SECFailure;
}

static SECStatus
config_SetName(const configPlace *place, const sslCacheConfig *config,
               sslCacheConfigLine *line, PRBool *named, const char *value)
{
    PRUint32 i;

    if (*named) {
        return config_Fail(place, SEC_ERROR_INVALID_ARGS,
                           "a second name: ", value);
    }
    *named = PR_TRUE;
    if (strcmp(value, "*") != 0) {
        if (!snceServer_IsName((const PRUint8 *)value, strlen(value))) {
            return config_Fail(place, SEC_ERROR_INVALID_ARGS,
                               "no host's name: ", value);
        }
        line->name = PORT_Strdup(value);
        if (!line->name) {
            return SECFailure;
        }
    }
    for (i = 0; i < config->count; ++i) {
        const char *other = config->lines[i].name;

        if (line->name ? other && PORT_Strcasecmp(other, line->name) == 0
                       : !other) {
            return config_Fail(place, SEC_ERROR_INVALID_ARGS,
                               "a cache that has a line already: ", value);
        }
    }
    return SECSuccess;
}

static SECStatus
config_SetParameter(const configPlace *place, const sslCacheConfig *config,
                    sslCacheConfigLine *line, PRBool *named, const char *label,
                    const char *value)
{
    unsigned int i;

    if (PORT_Strcasecmp(label, "name") == 0) {
        return config_SetName(place, config, line, named, value);
    }
    for (i = 0; i < PR_ARRAY_SIZE(configLabels); ++i) {
        sslCacheConfigField field = configLabels[i].field;

        if (PORT_Strcasecmp(label, configLabels[i].label) != 0) {
            continue;
        }
        if (line->given & field) {
            return config_Fail(place, SEC_ERROR_INVALID_ARGS,
                               "a parameter that is given twice: ", label);
        }
        line->given |= field;
        return config_SetField(place, line, field, value);
    }
    return config_Fail(place, SEC_ERROR_INVALID_ARGS,
                       "an unknown parameter: ", label);
}

/* Whether the value of |len| bytes with its quotes has both of them, if any:
 * NSSUTIL_ArgFetchValue takes the end of the string for the second one. */
static PRBool
config_Ended(const char *value, unsigned int len)
{
    static const char quotes[] = "''\"\"<>{}[]()";
    unsigned int i;

    for (i = 0; i + 1 < sizeof quotes; i += 2) {
        if (value[0] == quotes[i]) {
            return len > 1 && value[len - 1] == quotes[i + 1] &&
                   (!value[len] || NSSUTIL_ArgIsBlank(value[len]));
        }
    }
    return PR_TRUE;
}

/* Reads "label=value label=value ..." in NSS's parameter syntax. */
static SECStatus
config_ReadLine(const configPlace *place, const sslCacheConfig *config,
                const char *text, sslCacheConfigLine *line)
{
    PRBool named = PR_FALSE;
    SECStatus rv = SECSuccess;

    text = NSSUTIL_ArgStrip(text);
    while (rv == SECSuccess && *text) {
        int next = 0;
        char *label = NSSUTIL_ArgGetLabel(text, &next);
        char *value = NULL;

        if (!label || text[next - 1] != '=') {
            PORT_Free(label);
            return config_Fail(place, SEC_ERROR_INVALID_ARGS,
                               "not label=value: ", text);
        }
        text += next;
        value = NSSUTIL_ArgFetchValue(text, &next);
        if (!value || !*value) {
            rv = config_Fail(place, SEC_ERROR_INVALID_ARGS,
                             "a parameter without a value: ", label);
        } else if (!config_Ended(text, (unsigned int)next)) {
            rv = config_Fail(place, SEC_ERROR_INVALID_ARGS,
                             "a quotation that does not end: ", label);
        } else {
            text = NSSUTIL_ArgStrip(text + next);
            rv = config_SetParameter(place, config, line, &named, label, value);
        }
        PORT_Free(label);
        PORT_Free(value);
    }
    if (rv == SECSuccess && !named) {
        rv = config_Fail(place, SEC_ERROR_INVALID_ARGS, "a line without a name",
                         "");
    }
    if (rv == SECSuccess && line->name && (line->given & sslCacheConfig_lock)) {
        rv = config_Fail(place, SEC_ERROR_INVALID_ARGS,
                         "lock is for name=*, and then for all caches", "");
    }
    return rv;
}

static SECStatus
config_AddLine(const configPlace *place, sslCacheConfig *config,
               const char *text)
{
    sslCacheConfigLine line = { 0 };
    sslCacheConfigLine *lines;

    line.number = place->line;
    if (config_ReadLine(place, config, text, &line) != SECSuccess) {
        goto loser;
    }
    lines = PORT_Realloc(config->lines, (config->count + 1) * sizeof line);
    if (!lines) {
        goto loser;
    }
    config->lines = lines;
    config->lines[config->count++] = line;
    return SECSuccess;

loser:
    PORT_Free(line.name);
    return SECFailure;
}

/* The whole file as a string, which the caller frees. */
static char *
config_ReadFile(const configPlace *place)
{
    PRFileInfo64 info;
    PRFileDesc *fd;
    char *text = NULL;
    PRInt32 got = 0;
    PRInt32 len = 0;

    fd = PR_Open(place->path, PR_RDONLY, 0);
    if (!fd || PR_GetOpenFileInfo64(fd, &info) != PR_SUCCESS) {
        (void)config_Fail(place, PR_GetError(),
                          "cannot be read: ", PR_ErrorToName(PR_GetError()));
        goto done;
    }
    if (info.type != PR_FILE_FILE || info.size > CONFIG_BYTES_MAX) {
        (void)config_Fail(place, SEC_ERROR_INVALID_ARGS,
                          "not a file of at most 1 MiB", "");
        goto done;
    }
    text = PORT_Alloc((size_t)info.size + 1);
    if (!text) {
        goto done;
    }
    while (len < info.size &&
           (got = PR_Read(fd, text + len, (PRInt32)info.size - len)) > 0) {
        len += got;
    }
    if (got < 0) {
        (void)config_Fail(place, PR_GetError(),
                          "cannot be read: ", PR_ErrorToName(PR_GetError()));
        PORT_Free(text);
        text = NULL;
        goto done;
    }
    text[len] = '\0';
    if (strlen(text) != (size_t)len) {
        (void)config_Fail(place, SEC_ERROR_INVALID_ARGS, "has a NUL in it", "");
        PORT_Free(text);
        text = NULL;
    }

done:
    if (fd) {
        (void)PR_Close(fd);
    }
    return text;
}

SECStatus
ssl_ReadCacheConfig(const char *path, sslCacheConfig *config)
{
    configPlace place = { path, 0 };
    SECStatus rv = SECSuccess;
    char *text;
    char *line;

    PORT_Memset(config, 0, sizeof *config);
    if (!path) {
        return SECSuccess;
    }
    config->path = path;
    text = config_ReadFile(&place);
    if (!text) {
        return SECFailure;
    }
    for (line = text; line && rv == SECSuccess;) {
        char *end = strchr(line, '\n');
        const char *start;

        if (end) {
            *end++ = '\0';
        }
        ++place.line;
        start = NSSUTIL_ArgStrip(line);
        if (*start && *start != '#') {
            rv = config_AddLine(&place, config, start);
        }
        line = end;
    }
    PORT_Free(text);
    if (rv != SECSuccess) {
        ssl_FreeCacheConfig(config);
    }
    return rv;
}

void
ssl_OverrideByConfig(const sslCacheConfig *config, sslServerCacheWish *wish)
{
    PRUint32 i;

    for (i = 0; i < config->count; ++i) {
        const sslCacheConfigLine *line = &config->lines[i];

        if (line->name) {
            continue;
        }
        if (line->given & sslCacheConfig_entries) {
            wish->entries = line->wish.entries;
        }
        if (line->given & sslCacheConfig_certificates) {
            wish->certificates = line->wish.certificates;
        }
        if (line->given & sslCacheConfig_ssl2Timeout) {
            wish->ssl2Timeout = line->wish.ssl2Timeout;
        }
        if (line->given & sslCacheConfig_ssl3Timeout) {
            wish->ssl3Timeout = line->wish.ssl3Timeout;
        }
        if (line->given & sslCacheConfig_matchClientAddress) {
            wish->anyAddress = line->wish.anyAddress;
        }
        if (line->given & sslCacheConfig_lock) {
            wish->lock = line->wish.lock;
        }
    }
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
ssl_FailLock(const sslCacheConfig *config, snceResult result, PRUint64 bytes)
{
    configPlace place = { config->path, 0 };
    char text[CONFIG_TEXT_BYTES];
    PRUint32 i;

    for (i = 0; i < config->count; ++i) {
        if (!config->lines[i].name &&
            (config->lines[i].given & sslCacheConfig_lock)) {
            place.line = config->lines[i].number;
        }
    }
    if (result == SNCE_EXISTS) {
        return config_Fail(
            &place, PR_INVALID_STATE_ERROR,
            "too late to lock the cache in memory: ", "it is there already");
    }
    ssl_TellLockLimit(text, sizeof text, bytes);
    return config_Fail(&place, snceError_Code(result),
                       "the cache cannot be locked in memory: ", text);
}

SECStatus
ssl_AddByConfig(const sslCacheConfig *config, snceRegion *region)
{
    PRUint32 i;

    for (i = 0; i < config->count; ++i) {
        const sslCacheConfigLine *line = &config->lines[i];
        snceCacheOptions options = ssl_ServerCacheOptions(&line->wish);
        snceServerId id;
        snceResult result;

        if (!line->name) {
            continue;
        }
        result = snceServer_Add(region, (const PRUint8 *)line->name,
                                strlen(line->name), &options, &id);
        if (result == SNCE_EXISTS) {
            result =
                snceCache_Configure(snceRegion_Cache(region, id), &options);
        }
        if (result != SNCE_OK) {
            configPlace place = { config->path, line->number };

            return config_Fail(
                &place, snceError_Code(result),
                "the cache cannot be made: ", snceResult_Text(result));
        }
    }
    return SECSuccess;
}

void
ssl_FreeCacheConfig(sslCacheConfig *config)
{
    PRUint32 i;

    for (i = 0; i < config->count; ++i) {
        PORT_Free(config->lines[i].name);
    }
    PORT_Free(config->lines);
    PORT_Memset(config, 0, sizeof *config);
}
