/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncevalue.h: the parameters that a line of the configuration file may have,
 * and their values. */
#ifndef SSLSNCE_NSS_SNCEVALUE_H
#define SSLSNCE_NSS_SNCEVALUE_H

#include "prtypes.h"
#include "seccomon.h"

#include "snceint.h"

SEC_BEGIN_PROTOS

/* The parameters, except the name. */
typedef enum {
    sslCacheParam_entries,
    sslCacheParam_certificates,
    sslCacheParam_ssl2Timeout,
    sslCacheParam_ssl3Timeout,
    sslCacheParam_clockSkew,
    sslCacheParam_ticketTimeout,
    sslCacheParam_maxResumptionAge,
    sslCacheParam_ticketEpoch,
    sslCacheParam_ticketRotation,
    sslCacheParam_ticketClientAuth,
    sslCacheParam_matchClientAddress,
    sslCacheParam_lock,
    sslCacheParam_ticketKeyFile,
    sslCacheParam_ticketSecretFile
} sslCacheParam;
#define SSL_CACHE_PARAMS (sslCacheParam_ticketSecretFile + 1)

/* Bytes of a message, its NUL included. */
#define SSL_CACHE_TEXT_BYTES 256

/* A longer word is no label. */
#define SSL_CACHE_LABEL_MAX 24

/* ssl_FindCacheParam finds the parameter with that label, in any case. Returns
 * whether there is one. */
PRBool ssl_FindCacheParam(const char *label, sslCacheParam *param);

/* ssl_CacheParamLabel returns the label as the documents spell it. */
const char *ssl_CacheParamLabel(sslCacheParam param);

/* ssl_SuggestCacheParam returns the label that somebody who wrote |label|, of
 * at most SSL_CACHE_LABEL_MAX bytes, may have meant; NULL if none is
 * similar. */
const char *ssl_SuggestCacheParam(const char *label);

/* ssl_IsPathParam tells whether the values of |param| are paths: strings, which
 * are in a line (snceparse.h), and not in a request. The values of all other
 * parameters are numbers. */
PRBool ssl_IsPathParam(sslCacheParam param);

typedef enum {
    sslCacheValue_read,
    sslCacheValue_clamped, /* read, but out of range: |text| says what it became */
    sslCacheValue_wrong    /* |text| says what was expected */
} sslCacheValue;

/* ssl_ReadCacheValue reads |value|: a number, a duration in seconds, or 1 for
 * yes and 0 for no; |param| has no paths. |*out| is written unless the value is
 * wrong; |text| is written unless the value was read as it is. */
sslCacheValue ssl_ReadCacheValue(sslCacheParam param, const char *value,
                                 PRUint32 *out,
                                 char text[SSL_CACHE_TEXT_BYTES]);

/* ssl_CheckCachePaths checks |value|, a path or several with commas between
 * them. |text| is written unless the value was read. */
sslCacheValue ssl_CheckCachePaths(sslCacheParam param, const char *value,
                                  char text[SSL_CACHE_TEXT_BYTES]);

/* ssl_SetCacheParam puts a value that was read into |*request|; ssl_GetCacheParam
 * returns it. Paths are in no request: there these set nothing, and return 0. */
void ssl_SetCacheParam(sslServerCacheRequest *request, sslCacheParam param,
                       PRUint32 value);
PRUint32 ssl_GetCacheParam(const sslServerCacheRequest *request,
                           sslCacheParam param);

/* ssl_LowerCacheParam lowers |param| of |*request| to |value|, if that is less
 * (0 counts as the default that it stands for) or, for a flag, stricter. A
 * ticketEpoch has no order: it is set to |value|. */
void ssl_LowerCacheParam(sslServerCacheRequest *request, sslCacheParam param,
                         PRUint32 value);

/* ssl_StrictestOf returns the stricter value of a flag; for a number, 0. */
PRUint32 ssl_StrictestOf(sslCacheParam param);

/* ssl_IsRegionParam tells whether |param| is for name=* only, because it counts
 * for all caches. */
PRBool ssl_IsRegionParam(sslCacheParam param);

/* ssl_ShowCacheValue writes |value|, or its beginning, into |shown| in a form
 * fit for a message, and returns |shown|. */
#define SSL_CACHE_SHOWN_BYTES 64
const char *ssl_ShowCacheValue(char shown[SSL_CACHE_SHOWN_BYTES],
                               const char *value);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEVALUE_H */
