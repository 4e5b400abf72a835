/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncevalue.h"

#include <string.h>

#include "prprf.h"
#include "secport.h"

#include "sncekeyfile.h"

/* The largest number that a value may be: as many sessions as a cache can hold,
 * and more than any other parameter takes. */
#define NUMBER_MAX SNCE_ENTRIES_MAX

typedef enum {
    valueKind_number,
    valueKind_duration,
    valueKind_flag,
    valueKind_label, /* a number that only tells things apart */
    valueKind_paths
} valueKind;

static const struct {
    const char *label;
    const char *expected;
    valueKind kind;
    PRUint32 least; /* of a duration */
    PRUint32 most;
    PRUint32 byDefault; /* of a number: what 0 stands for */
    PRUint32 strictest; /* of a flag */
} valueParams[SSL_CACHE_PARAMS] = {
    { "entries", "a number", valueKind_number, 0, 0, DEFAULT_ENTRIES, 0 },
    { "certificates", "a number", valueKind_number, 0, 0, PR_UINT32_MAX, 0 },
    { "ssl2Timeout", "seconds, 5m, 1h or 1d", valueKind_duration,
      MIN_TIMEOUT_SEC, MAX_SSL2_TIMEOUT_SEC, DEFAULT_SSL2_TIMEOUT_SEC, 0 },
    { "ssl3Timeout", "seconds, 5m, 1h or 1d", valueKind_duration,
      MIN_TIMEOUT_SEC, MAX_SSL3_TIMEOUT_SEC, DEFAULT_SSL3_TIMEOUT_SEC, 0 },
    { "clockSkew", "seconds or 5m", valueKind_duration, MIN_CLOCK_SKEW_SEC,
      MAX_CLOCK_SKEW_SEC, DEFAULT_CLOCK_SKEW_SEC, 0 },
    { "ticketTimeout", "seconds, 5m, 1h or 1d", valueKind_duration,
      MIN_TIMEOUT_SEC, MAX_TICKET_TIMEOUT_SEC, DEFAULT_TICKET_TIMEOUT_SEC, 0 },
    /* Before TLS 1.3 the default is less than this. */
    { "maxResumptionAge", "seconds, 5m, 1h or 1d", valueKind_duration,
      MIN_TIMEOUT_SEC, MAX_RESUMPTION_AGE_SEC, DEFAULT_RESUMPTION_AGE_SEC, 0 },
    { "ticketEpoch", "a number", valueKind_label, 0, 0, 0, 0 },
    { "ticketRotation", "seconds, 5m, 1h or 1d", valueKind_duration,
      MIN_ROTATION_SEC, MAX_ROTATION_SEC, DEFAULT_ROTATION_SEC, 0 },
    { "ticketClientAuth", "own or shared", valueKind_flag, 0, 0, 0, 0 },
    { "matchClientAddress", "yes or no", valueKind_flag, 0, 0, 0, 1 },
    { "lock", "yes or no", valueKind_flag, 0, 0, 0, 1 },
    { "ticketKeyFile", NULL, valueKind_paths, 0, 0, 0, 0 },
    { "ticketSecretFile", NULL, valueKind_paths, 0, 0, 0, 0 },
};

/* ---- labels -------------------------------------------------------------- */

PRBool
ssl_FindCacheParam(const char *label, sslCacheParam *param)
{
    unsigned int i;

    for (i = 0; i < SSL_CACHE_PARAMS; ++i) {
        if (PORT_Strcasecmp(label, valueParams[i].label) == 0) {
            *param = (sslCacheParam)i;
            return PR_TRUE;
        }
    }
    return PR_FALSE;
}

const char *
ssl_CacheParamLabel(sslCacheParam param)
{
    return valueParams[param].label;
}

/* Returns how many bytes must be added, left out or replaced to turn one word
 * into the other, without regard to case. */
static unsigned int
value_Distance(const char *a, const char *b)
{
    unsigned int row[SSL_CACHE_LABEL_MAX + 1];
    unsigned int bLen = (unsigned int)strlen(b);
    unsigned int i;
    unsigned int j;

    for (j = 0; j <= bLen; ++j) {
        row[j] = j;
    }
    for (i = 1; a[i - 1]; ++i) {
        unsigned int diagonal = row[0];

        row[0] = i;
        for (j = 1; j <= bLen; ++j) {
            unsigned int best =
                diagonal + ((a[i - 1] | 0x20) != (b[j - 1] | 0x20));

            diagonal = row[j];
            best = PR_MIN(best, row[j] + 1);
            best = PR_MIN(best, row[j - 1] + 1);
            row[j] = best;
        }
    }
    return row[bLen];
}

const char *
ssl_SuggestCacheParam(const char *label)
{
    const char *best = "name";
    unsigned int least = value_Distance(label, best);
    unsigned int i;

    for (i = 0; i < SSL_CACHE_PARAMS; ++i) {
        unsigned int distance = value_Distance(label, valueParams[i].label);

        if (distance < least) {
            least = distance;
            best = valueParams[i].label;
        }
    }
    return least <= 2 && least < strlen(label) ? best : NULL;
}

/* ---- values -------------------------------------------------------------- */

const char *
ssl_ShowCacheValue(char shown[SSL_CACHE_SHOWN_BYTES], const char *value)
{
    size_t len = strlen(value);
    size_t i;

    for (i = 0; i < len && i < SSL_CACHE_SHOWN_BYTES - 1; ++i) {
        shown[i] = value[i] >= ' ' && value[i] < 0x7f ? value[i] : '?';
    }
    shown[i] = '\0';
    if (i < len) {
        PORT_Memcpy(shown + SSL_CACHE_SHOWN_BYTES - 4, "...", 4);
    }
    return shown;
}

static sslCacheValue
value_Expected(sslCacheParam param, const char *value, const char *expected,
               char text[SSL_CACHE_TEXT_BYTES])
{
    char shown[SSL_CACHE_SHOWN_BYTES];

    (void)PR_snprintf(text, SSL_CACHE_TEXT_BYTES, "%s=\"%s\", expected %s",
                      valueParams[param].label,
                      ssl_ShowCacheValue(shown, value), expected);
    return sslCacheValue_wrong;
}

/* Reads the digits that |value| begins with; |*rest| points behind them. */
static sslCacheValue
value_Digits(sslCacheParam param, const char *value, PRUint32 *out,
             const char **rest, char text[SSL_CACHE_TEXT_BYTES])
{
    size_t len = strspn(value, "0123456789");
    PRUint32 number = 0;
    size_t i;

    if (len == 0) {
        return value_Expected(param, value, valueParams[param].expected, text);
    }
    if (value[0] == '0' && len > 1) {
        return value_Expected(param, value, "no 0 in front", text);
    }
    for (i = 0; i < len && number <= NUMBER_MAX; ++i) {
        number = number * 10 + (PRUint32)(value[i] - '0');
    }
    if (number > NUMBER_MAX) {
        return value_Expected(param, value, "at most 100000000", text);
    }
    *out = number;
    *rest = value + len;
    return sslCacheValue_read;
}

static sslCacheValue
value_Number(sslCacheParam param, const char *value, PRUint32 *out,
             char text[SSL_CACHE_TEXT_BYTES])
{
    const char *rest = "";
    PRUint32 number = 0;
    sslCacheValue result = value_Digits(param, value, &number, &rest, text);

    if (result == sslCacheValue_read && *rest) {
        return value_Expected(param, value, valueParams[param].expected, text);
    }
    *out = number;
    return result;
}

/* Seconds in a unit; 0 if there is no such unit. */
static PRUint32
value_Unit(const char *unit)
{
    if (!unit[0]) {
        return 1;
    }
    switch (unit[1] ? '?' : unit[0] | 0x20) {
        case 's':
            return 1;
        case 'm':
            return 60;
        case 'h':
            return 3600;
        case 'd':
            return 86400;
        default:
            return 0;
    }
}

/* Clamps a duration as the calls of ssl.h do, but reports it. */
static sslCacheValue
value_Duration(sslCacheParam param, const char *value, PRUint32 *out,
               char text[SSL_CACHE_TEXT_BYTES])
{
    const PRUint32 least = valueParams[param].least;
    const PRUint32 most = valueParams[param].most;
    const char *rest = "";
    PRUint32 number = 0;
    sslCacheValue result = value_Digits(param, value, &number, &rest, text);
    PRUint64 seconds = (PRUint64)number * value_Unit(rest);

    if (result != sslCacheValue_read) {
        return result;
    }
    if (!value_Unit(rest)) {
        return value_Expected(param, value, valueParams[param].expected, text);
    }
    *out = (PRUint32)PR_MIN(seconds, most);
    if (*out && *out < least) {
        *out = least;
    }
    if (*out == seconds) {
        return sslCacheValue_read;
    }
    (void)PR_snprintf(text, SSL_CACHE_TEXT_BYTES,
                      "%s=%s became %u (%u to %u seconds)",
                      valueParams[param].label, value, *out, least, most);
    return sslCacheValue_clamped;
}

static sslCacheValue
value_Flag(sslCacheParam param, const char *value, PRUint32 *out,
           char text[SSL_CACHE_TEXT_BYTES])
{
    static const char *const words[][2] = { { "no", "yes" },
                                            { "false", "true" },
                                            { "off", "on" },
                                            { "0", "1" },
                                            { "own", "shared" } };
    const PRBool isAuth = param == sslCacheParam_ticketClientAuth;
    unsigned int i;
    PRUint32 flag;

    for (i = 0; i < PR_ARRAY_SIZE(words); ++i) {
        for (flag = 0; flag <= 1; ++flag) {
            if (isAuth == (i == PR_ARRAY_SIZE(words) - 1) &&
                PORT_Strcasecmp(value, words[i][flag]) == 0) {
                *out = flag;
                return sslCacheValue_read;
            }
        }
    }
    return value_Expected(param, value, valueParams[param].expected, text);
}

sslCacheValue
ssl_ReadCacheValue(sslCacheParam param, const char *value, PRUint32 *out,
                   char text[SSL_CACHE_TEXT_BYTES])
{
    switch (valueParams[param].kind) {
        case valueKind_number:
        case valueKind_label:
            return value_Number(param, value, out, text);
        case valueKind_duration:
            return value_Duration(param, value, out, text);
        default:
            return value_Flag(param, value, out, text);
    }
}

PRBool
ssl_IsPathParam(sslCacheParam param)
{
    return valueParams[param].kind == valueKind_paths;
}

sslCacheValue
ssl_CheckCachePaths(sslCacheParam param, const char *value,
                    char text[SSL_CACHE_TEXT_BYTES])
{
    const char *expected = snceKeyFile_CheckPaths(value);

    return expected ? value_Expected(param, value, expected, text)
                    : sslCacheValue_read;
}

/* ---- in a request ----------------------------------------------------------- */

void
ssl_SetCacheParam(sslServerCacheRequest *request, sslCacheParam param,
                  PRUint32 value)
{
    switch (param) {
        case sslCacheParam_entries:
            request->entries = value;
            break;
        case sslCacheParam_certificates:
            request->certificates = value;
            break;
        case sslCacheParam_ssl2Timeout:
            request->ssl2Timeout = value;
            break;
        case sslCacheParam_ssl3Timeout:
            request->ssl3Timeout = value;
            break;
        case sslCacheParam_clockSkew:
            request->clockSkewSec = value;
            break;
        case sslCacheParam_ticketTimeout:
            request->ticketTimeout = value;
            break;
        case sslCacheParam_maxResumptionAge:
            request->maxResumptionAge = value;
            break;
        case sslCacheParam_ticketEpoch:
            request->ticketEpoch = value;
            break;
        case sslCacheParam_ticketRotation:
            request->ticketRotation = value;
            break;
        case sslCacheParam_ticketClientAuth:
            request->sharesClientAuth = value != 0;
            break;
        case sslCacheParam_matchClientAddress:
            request->anyAddress = !value;
            break;
        case sslCacheParam_lock:
            request->lock = value != 0;
            break;
        case sslCacheParam_ticketKeyFile:
        case sslCacheParam_ticketSecretFile:
            break; /* in the line */
    }
}

PRUint32
ssl_GetCacheParam(const sslServerCacheRequest *request, sslCacheParam param)
{
    switch (param) {
        case sslCacheParam_entries:
            return request->entries;
        case sslCacheParam_certificates:
            return request->certificates;
        case sslCacheParam_ssl2Timeout:
            return request->ssl2Timeout;
        case sslCacheParam_ssl3Timeout:
            return request->ssl3Timeout;
        case sslCacheParam_clockSkew:
            return request->clockSkewSec;
        case sslCacheParam_ticketTimeout:
            return request->ticketTimeout;
        case sslCacheParam_maxResumptionAge:
            return request->maxResumptionAge;
        case sslCacheParam_ticketEpoch:
            return request->ticketEpoch;
        case sslCacheParam_ticketRotation:
            return request->ticketRotation;
        case sslCacheParam_ticketClientAuth:
            return request->sharesClientAuth != PR_FALSE;
        case sslCacheParam_matchClientAddress:
            return !request->anyAddress;
        case sslCacheParam_lock:
            return request->lock != PR_FALSE;
        case sslCacheParam_ticketKeyFile:
        case sslCacheParam_ticketSecretFile:
            break; /* in the line */
    }
    return 0;
}

void
ssl_LowerCacheParam(sslServerCacheRequest *request, sslCacheParam param,
                    PRUint32 value)
{
    PRUint32 now = ssl_GetCacheParam(request, param);
    PRUint32 byDefault = valueParams[param].byDefault;

    if (param == sslCacheParam_maxResumptionAge) {
        /* More than two rotations must not lengthen the default of before TLS
         * 1.3. */
        request->withinTwoRotations |= !request->maxResumptionAge;
    }
    if (valueParams[param].kind == valueKind_label) {
        ssl_SetCacheParam(request, param, value);
    } else if (valueParams[param].kind == valueKind_flag) {
        if (value == valueParams[param].strictest) {
            ssl_SetCacheParam(request, param, value);
        }
    } else if ((value ? value : byDefault) < (now ? now : byDefault)) {
        ssl_SetCacheParam(request, param, value ? value : byDefault);
    }
}

PRUint32
ssl_StrictestOf(sslCacheParam param)
{
    return valueParams[param].strictest;
}

PRBool
ssl_IsRegionParam(sslCacheParam param)
{
    return param == sslCacheParam_lock ||
           param == sslCacheParam_ticketRotation || ssl_IsPathParam(param);
}
