/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncederive.h"

#include <string.h>

#include "secerr.h"
#include "secport.h"

/* Room for a label and a context. */
#define INFO_BYTES 320

/* How an expansion comes by its key. */
typedef enum { deriveFrom_key, deriveFrom_secret } deriveFrom;

static PK11SymKey *
derive_Expand(PK11SymKey *from, deriveFrom kind, CK_MECHANISM_TYPE how,
              const char *label, const SECItem *context,
              CK_MECHANISM_TYPE target, CK_ATTRIBUTE_TYPE operation, int size,
              CK_FLAGS flags)
{
    CK_HKDF_PARAMS params;
    SECItem item = { siBuffer, (unsigned char *)&params, sizeof params };
    PRUint8 info[INFO_BYTES];
    size_t len = strlen(label);

    if (context) {
        if (len + 1 + context->len > sizeof info) {
            PORT_SetError(SEC_ERROR_INVALID_ARGS);
            return NULL;
        }
        /* No label contains the 0 that ends it. */
        PORT_Memcpy(info, label, len + 1);
        PORT_Memcpy(info + len + 1, context->data, context->len);
        label = (const char *)info;
        len += 1 + context->len;
    }

    PORT_Memset(&params, 0, sizeof params);
    params.bExtract = kind == deriveFrom_secret;
    params.bExpand = CK_TRUE;
    params.prfHashMechanism = CKM_SHA256;
    params.ulSaltType = CKF_HKDF_SALT_NULL;
    params.pInfo = (CK_BYTE_PTR)label;
    params.ulInfoLen = len;
    return PK11_DeriveWithFlags(from, how, &item, target, operation, size,
                                flags);
}

PK11SymKey *
snceDerive_Key(PK11SymKey *from, const char *label, const SECItem *context,
               snceDeriveUse use)
{
    static const struct {
        CK_MECHANISM_TYPE target;
        CK_ATTRIBUTE_TYPE operation;
        CK_FLAGS flags;
    } uses[] = {
        { CKM_AES_KEY_WRAP_KWP, CKA_WRAP, CKF_WRAP | CKF_UNWRAP },
        { CKM_AES_CBC, CKA_ENCRYPT, CKF_ENCRYPT | CKF_DECRYPT },
        { CKM_SHA256_HMAC, CKA_SIGN, CKF_SIGN | CKF_VERIFY },
        { CKM_AES_ECB, CKA_WRAP, CKF_WRAP | CKF_UNWRAP },
        { CKM_HKDF_DERIVE, CKA_DERIVE, CKF_DERIVE },
    };

    return derive_Expand(from, deriveFrom_key, CKM_HKDF_DERIVE, label, context,
                         uses[use].target, uses[use].operation,
                         SNCE_DERIVE_BYTES, uses[use].flags);
}

PK11SymKey *
snceDerive_Import(const PRUint8 *secret, unsigned len, const char *label,
                  void *pwArg)
{
    SECItem item = { siBuffer, (unsigned char *)secret, len };
    PK11SlotInfo *slot = PK11_GetInternalSlot();
    PK11SymKey *imported, *made = NULL;

    if (!slot) {
        return NULL;
    }
    imported = PK11_ImportDataKey(slot, CKM_HKDF_DERIVE, PK11_OriginUnwrap,
                                  CKA_DERIVE, &item, pwArg);
    PK11_FreeSlot(slot);
    if (imported) {
        made = derive_Expand(imported, deriveFrom_secret, CKM_HKDF_DERIVE,
                             label, NULL, CKM_HKDF_DERIVE, CKA_DERIVE,
                             SNCE_DERIVE_BYTES, CKF_DERIVE);
        PK11_FreeSymKey(imported);
    }
    return made;
}

SECStatus
snceDerive_Bytes(PK11SymKey *from, const char *label, const SECItem *context,
                 PRUint8 *out, unsigned len)
{
    PK11SymKey *made =
        derive_Expand(from, deriveFrom_key, CKM_HKDF_DATA, label, context,
                      CKM_HKDF_DERIVE, CKA_DERIVE, (int)len, 0);
    SECStatus rv = SECFailure;
    SECItem *bytes;

    if (!made) {
        return SECFailure;
    }
    if (PK11_ExtractKeyValue(made) == SECSuccess) {
        bytes = PK11_GetKeyData(made);
        if (bytes && bytes->len == len) {
            PORT_Memcpy(out, bytes->data, len);
            rv = SECSuccess;
        } else {
            PORT_SetError(SEC_ERROR_LIBRARY_FAILURE);
        }
    }
    PK11_FreeSymKey(made);
    return rv;
}

/* A random id would not do: processes that were forked get the same random bytes from
 * NSS for a while, and keys made by different calls would have one id. */
SECStatus
snceDerive_Generate(void *pwArg, PK11SymKey **key, PRUint64 *id)
{
    PK11SlotInfo *slot = PK11_GetInternalSlot();

    *key = NULL;
    *id = 0;
    if (!slot) {
        return SECFailure;
    }
    *key = PK11_KeyGen(slot, CKM_HKDF_KEY_GEN, NULL, SNCE_DERIVE_BYTES, pwArg);
    PK11_FreeSlot(slot);
    if (*key && snceDerive_Bytes(*key, "sslsnce id", NULL, (PRUint8 *)id,
                                 sizeof *id) != SECSuccess) {
        PK11_FreeSymKey(*key);
        *key = NULL;
    }
    if (*key && *id == 0) {
        *id = 1;
    }
    return *key ? SECSuccess : SECFailure;
}
