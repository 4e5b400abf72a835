/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceunder.h"

#include <stddef.h>

#include "keyhi.h"
#include "secerr.h"
#include "secport.h"

#define KEY_BYTES 32

enum {
    UNDER_OAEP = 1, /* RSA, OAEP with SHA-256 */
    UNDER_PKCS1 = 2,
    UNDER_ECDH = 3
};

/* The largest RSA key that libssl takes has 8,192 bits. */
PR_STATIC_ASSERT(SNCE_UNDER_BYTES >= 8192 / 8);

static const CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256,
                                              CKZ_DATA_SPECIFIED, NULL, 0 };
static const SECItem oaepItem = { siBuffer, (unsigned char *)&oaep,
                                  sizeof oaep };

/* What the secret of an agreement is for, as the KDF's shared information. */
static const SECItem purpose = { siBuffer,
                                 (unsigned char *)"sslsnce region key", 18 };

static const snceUnderAgreement agreement = { CKM_AES_KEY_WRAP_KWP, KEY_BYTES,
                                              CKD_SHA256_KDF, &purpose };

size_t
snceUnder_Bytes(const snceUnder *under)
{
    return offsetof(snceUnder, data) + under->publicLen + under->wrappedLen;
}

/* Returns the secret on which two EC keys agree, as a key for |operation|. */
static PK11SymKey *
under_Agree(const snceUnderAgreement *how, SECKEYPrivateKey *privKey,
            SECKEYPublicKey *pubKey, CK_ATTRIBUTE_TYPE operation)
{
    return PK11_PubDeriveWithKDF(
        privKey, pubKey, PR_FALSE, NULL, NULL, CKM_ECDH1_DERIVE, how->wrap,
        operation, how->keyBytes, how->kdf, (SECItem *)how->purpose, NULL);
}

static SECStatus
under_EncryptRSA(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey,
                 PK11SymKey *key, snceUnder *out)
{
    PRBool byOAEP = PK11_DoesMechanism(privKey->pkcs11Slot, CKM_RSA_PKCS_OAEP);
    SECItem wrapped = { siBuffer, out->data, sizeof out->data };
    SECStatus rv;

    if (byOAEP) {
        rv = PK11_PubWrapSymKeyWithMechanism(
            pubKey, CKM_RSA_PKCS_OAEP, (SECItem *)&oaepItem, key, &wrapped);
    } else {
        rv = PK11_PubWrapSymKey(CKM_RSA_PKCS, pubKey, key, &wrapped);
    }
    out->kind = byOAEP ? UNDER_OAEP : UNDER_PKCS1;
    out->wrappedLen = (PRUint16)wrapped.len;
    return rv;
}

SECStatus
snceUnder_EncryptEC(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey,
                    const snceUnderAgreement *how, PK11SymKey *key,
                    PRUint8 *data, unsigned capacity, PRUint16 *publicLen,
                    PRUint16 *wrappedLen)
{
    SECKEYPrivateKey *ephemeral = NULL;
    SECKEYPublicKey *ephemeralPub = NULL;
    PK11SymKey *agreed = NULL;
    SECItem wrapped = { siBuffer, NULL, 0 };
    SECStatus rv = SECFailure;
    const SECItem *value;

    ephemeral = SECKEY_CreateECPrivateKey(&pubKey->u.ec.DEREncodedParams,
                                          &ephemeralPub, NULL);
    if (!ephemeral) {
        goto loser;
    }
    value = &ephemeralPub->u.ec.publicValue;
    if (value->len >= capacity) {
        PORT_SetError(SEC_ERROR_INVALID_KEY);
        goto loser;
    }
    /* With the server's private key, not the ephemeral one: so this fails at once if
     * the server's key cannot derive on its token. */
    agreed = under_Agree(how, privKey, ephemeralPub, CKA_WRAP);
    if (!agreed) {
        goto loser;
    }
    PORT_Memcpy(data, value->data, value->len);
    wrapped.data = data + value->len;
    wrapped.len = capacity - value->len;
    rv = PK11_WrapSymKey(how->wrap, NULL, agreed, key, &wrapped);
    if (rv == SECSuccess) {
        *publicLen = (PRUint16)value->len;
        *wrappedLen = (PRUint16)wrapped.len;
    }

loser:
    if (agreed) {
        PK11_FreeSymKey(agreed);
    }
    SECKEY_DestroyPrivateKey(ephemeral);
    SECKEY_DestroyPublicKey(ephemeralPub);
    return rv;
}

SECStatus
snceUnder_Encrypt(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey,
                  PK11SymKey *key, snceUnder *out)
{
    PORT_Memset(out, 0, sizeof *out);
    switch (SECKEY_GetPublicKeyType(pubKey)) {
        case rsaKey:
        case rsaPssKey:
            return under_EncryptRSA(pubKey, privKey, key, out);
        case ecKey:
            out->kind = UNDER_ECDH;
            return snceUnder_EncryptEC(pubKey, privKey, &agreement, key,
                                       out->data, sizeof out->data,
                                       &out->publicLen, &out->wrappedLen);
        default:
            PORT_SetError(SEC_ERROR_INVALID_KEY);
            return SECFailure;
    }
}

PK11SymKey *
snceUnder_DecryptEC(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey,
                    const snceUnderAgreement *how, PRUint8 *data,
                    PRUint16 publicLen, PRUint16 wrappedLen,
                    CK_MECHANISM_TYPE target, CK_ATTRIBUTE_TYPE operation)
{
    SECItem wrapped = { siBuffer, data + publicLen, wrappedLen };
    SECKEYPublicKey ephemeralPub;
    PK11SymKey *agreed;
    PK11SymKey *key;

    /* the ephemeral public key, on the server key's curve */
    PORT_Memset(&ephemeralPub, 0, sizeof ephemeralPub);
    ephemeralPub.keyType = ecKey;
    ephemeralPub.pkcs11ID = CK_INVALID_HANDLE;
    ephemeralPub.u.ec.DEREncodedParams = pubKey->u.ec.DEREncodedParams;
    ephemeralPub.u.ec.publicValue.data = data;
    ephemeralPub.u.ec.publicValue.len = publicLen;

    agreed = under_Agree(how, privKey, &ephemeralPub, CKA_UNWRAP);
    if (!agreed) {
        return NULL;
    }
    key = PK11_UnwrapSymKey(agreed, how->wrap, NULL, &wrapped, target,
                            operation, how->keyBytes);
    PK11_FreeSymKey(agreed);
    return key;
}

PK11SymKey *
snceUnder_Decrypt(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey,
                  snceUnder *under, size_t len)
{
    SECItem wrapped = { siBuffer, NULL, 0 };
    PRBool isEC = SECKEY_GetPublicKeyType(pubKey) == ecKey;
    PK11SymKey *key = NULL;

    if (len < offsetof(snceUnder, data) ||
        under->publicLen > sizeof under->data ||
        under->wrappedLen > sizeof under->data - under->publicLen ||
        len != snceUnder_Bytes(under) || isEC != (under->kind == UNDER_ECDH)) {
        PORT_SetError(SEC_ERROR_BAD_DATABASE);
        return NULL;
    }
    wrapped.data = under->data + under->publicLen;
    wrapped.len = under->wrappedLen;
    switch (under->kind) {
        case UNDER_OAEP:
            key = PK11_PubUnwrapSymKeyWithMechanism(
                privKey, CKM_RSA_PKCS_OAEP, (SECItem *)&oaepItem, &wrapped,
                CKM_HKDF_DERIVE, CKA_DERIVE, KEY_BYTES);
            break;
        case UNDER_PKCS1:
            key = PK11_PubUnwrapSymKey(privKey, &wrapped, CKM_HKDF_DERIVE,
                                       CKA_DERIVE, KEY_BYTES);
            break;
        case UNDER_ECDH:
            key = snceUnder_DecryptEC(pubKey, privKey, &agreement, under->data,
                                      under->publicLen, under->wrappedLen,
                                      CKM_HKDF_DERIVE, CKA_DERIVE);
            break;
        default:
            PORT_SetError(SEC_ERROR_BAD_DATABASE);
    }
    /* The length too: for a wrong padding a token may return a made-up key, so as to
     * tell an attacker nothing. */
    if (key && PK11_GetKeyLength(key) != KEY_BYTES) {
        PK11_FreeSymKey(key);
        key = NULL;
        PORT_SetError(SEC_ERROR_BAD_KEY);
    }
    return key;
}
