/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncewrap.c: the keys that wrap the sessions' master secrets.
 *
 * There is one for each kind of server key and each wrapping mechanism, itself
 * wrapped under a server key, so that the region holds no secret in the clear.
 * A record of the region's key log is written once; the first process to write
 * one gives all others its key. */

#include "secerr.h"
#include "secport.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslimpl.h"

#include "snceerror.h"
#include "sncegate.h"
#include "snceint.h"

PR_STATIC_ASSERT(sizeof(SSLWrappedSymWrappingKey) <= SNCE_KEY_VALUE_MAX);

/* ssl3con.c lays an EC-wrapped key out as four 16-bit lengths and 504 bytes:
 * the curve's parameters, the ephemeral public value and the wrapped key. */
#define WRAP_EC_LENGTHS_BYTES 8
#define WRAP_EC_VAR_BYTES 504

/* Of ssl3con.c, which no header declares: the kind of server key by its index.
 */
extern const SSLAuthType ssl_wrap_key_auth_type[SSL_NUM_WRAP_KEYS];

static void
wrap_Name(PRUint8 name[SNCE_KEY_NAME_BYTES], unsigned int wrapMechIndex,
          unsigned int wrapKeyIndex)
{
    PORT_Memset(name, 0, SNCE_KEY_NAME_BYTES);
    PORT_Memcpy(name, SNCE_KEY_TAG_WRAP, sizeof SNCE_KEY_TAG_WRAP);
    name[SNCE_KEY_TAG_BYTES] = (PRUint8)wrapKeyIndex;
    name[SNCE_KEY_TAG_BYTES + 1] = (PRUint8)wrapMechIndex;
}

static PRBool
wrap_IsEC(unsigned int wrapKeyIndex)
{
    switch (ssl_wrap_key_auth_type[wrapKeyIndex]) {
        case ssl_auth_ecdsa:
        case ssl_auth_ecdh_rsa:
        case ssl_auth_ecdh_ecdsa:
            return PR_TRUE;
        default:
            return PR_FALSE;
    }
}

/* libssl uses the lengths in a record without asking whether they fit. */
static PRBool
wrap_Valid(const SSLWrappedSymWrappingKey *wswk, size_t len,
           unsigned int wrapMechIndex, unsigned int wrapKeyIndex)
{
    if (len != sizeof *wswk || wswk->wrapMechIndex != (int)wrapMechIndex ||
        wswk->wrapKeyIndex != wrapKeyIndex || wswk->wrappedSymKeyLen == 0 ||
        wswk->wrappedSymKeyLen > sizeof wswk->wrappedSymmetricWrappingkey) {
        return PR_FALSE;
    }
    if (wrap_IsEC(wrapKeyIndex)) {
        PRUint16 lengths[WRAP_EC_LENGTHS_BYTES / sizeof(PRUint16)];

        /* lengths[0] is the curve's size in bits */
        PORT_Memcpy(lengths, wswk->wrappedSymmetricWrappingkey, sizeof lengths);
        if ((PRUint32)lengths[1] + lengths[2] + lengths[3] >
            WRAP_EC_VAR_BYTES) {
            return PR_FALSE;
        }
    }
    return PR_TRUE;
}

/* What both calls begin with: the record's name, and the region. Returns NULL,
 * with an error set, or the region, which the caller leaves. */
static snceRegion *
wrap_Enter(unsigned int wrapMechIndex, unsigned int wrapKeyIndex,
           PRUint8 name[SNCE_KEY_NAME_BYTES], PRUint32 *pass)
{
    snceRegion *region;

    PORT_Assert(wrapMechIndex < SSL_NUM_WRAP_MECHS &&
                wrapKeyIndex < SSL_NUM_WRAP_KEYS);
    if (wrapMechIndex >= SSL_NUM_WRAP_MECHS ||
        wrapKeyIndex >= SSL_NUM_WRAP_KEYS) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return NULL;
    }
    wrap_Name(name, wrapMechIndex, wrapKeyIndex);
    region = snceGate_Enter(pass);
    if (!region) {
        PORT_SetError(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED);
    }
    return region;
}

SECStatus
ssl_GetWrappingKey(unsigned int wrapMechIndex, unsigned int wrapKeyIndex,
                   SSLWrappedSymWrappingKey *wswk)
{
    PRUint8 name[SNCE_KEY_NAME_BYTES];
    SSLWrappedSymWrappingKey found;
    snceRegion *region;
    snceResult result;
    size_t len = 0;
    PRUint32 pass;

    region = wrap_Enter(wrapMechIndex, wrapKeyIndex, name, &pass);
    if (!region) {
        return SECFailure;
    }
    result =
        snceKeyLog_Get(region, name, (PRUint8 *)&found, sizeof found, &len);
    snceGate_Leave(pass);

    if (result == SNCE_OK &&
        !wrap_Valid(&found, len, wrapMechIndex, wrapKeyIndex)) {
        result = SNCE_CORRUPT;
    }
    if (result == SNCE_OK) {
        *wswk = found;
    }
    return snceError_Status(result);
}

/* SECSuccess: there was one already, |*wswk| is now that one. SECFailure: the
 * caller's counts, whether or not others get it (with an error set if not). */
SECStatus
ssl_SetWrappingKey(SSLWrappedSymWrappingKey *wswk)
{
    PRUint8 name[SNCE_KEY_NAME_BYTES];
    SSLWrappedSymWrappingKey found;
    snceRegion *region;
    snceResult result;
    unsigned int wrapMechIndex = (unsigned int)wswk->wrapMechIndex;
    unsigned int wrapKeyIndex = wswk->wrapKeyIndex;
    size_t len = 0;
    PRUint32 pass;

    region = wrap_Enter(wrapMechIndex, wrapKeyIndex, name, &pass);
    if (!region) {
        return SECFailure;
    }
    result = snceKeyLog_Put(region, name, (const PRUint8 *)wswk, sizeof *wswk,
                            (PRUint8 *)&found, sizeof found, &len);
    snceGate_Leave(pass);

    if (result == SNCE_EXISTS) {
        if (wrap_Valid(&found, len, wrapMechIndex, wrapKeyIndex)) {
            *wswk = found;
            return SECSuccess;
        }
        result = SNCE_CORRUPT;
    }
    (void)snceError_Status(result);
    return SECFailure;
}
