/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceunder.h: a symmetric key encrypted under a server key, for every process that
 * has that server key. */
#ifndef SSLSNCE_NSS_SNCEUNDER_H
#define SSLSNCE_NSS_SNCEUNDER_H

#include "keyt.h"
#include "pk11pub.h"
#include "prtypes.h"
#include "seccomon.h"

SEC_BEGIN_PROTOS

/* snceUnder is the encrypted key, as bytes for other processes. */
#define SNCE_UNDER_BYTES 2048
typedef struct {
    PRUint16 kind;       /* how it is encrypted: snceunder.c */
    PRUint16 publicLen;  /* EC: bytes of the ephemeral public value; RSA: 0 */
    PRUint16 wrappedLen; /* bytes of the encrypted key, which follow it */
    PRUint16 reserved;   /* 0 */
    PRUint8 data[SNCE_UNDER_BYTES];
} snceUnder;

/* snceUnder_Bytes returns how many bytes of |under| are used, from its beginning. */
size_t snceUnder_Bytes(const snceUnder *under);

/* snceUnder_Encrypt encrypts |key|, of 32 bytes, under the server key whose halves
 * |pubKey| and |privKey| are: RSA, by OAEP if the private key's token decrypts that
 * and else by PKCS #1, or EC, under the secret on which the private key and an
 * ephemeral one agree (SHA-256 KDF; AES key wrap). Fails, with an NSS error, for a key
 * of another type, and for an EC key whose token only signs. May ask the token. */
SECStatus snceUnder_Encrypt(SECKEYPublicKey *pubKey, SECKEYPrivateKey *privKey,
                            PK11SymKey *key, snceUnder *out);

/* snceUnder_Decrypt returns the key, for HKDF, or NULL with an NSS error. |len| is the
 * number of bytes that the region says |under| has. The caller frees the key. Asks the
 * token of |privKey|. */
PK11SymKey *snceUnder_Decrypt(SECKEYPublicKey *pubKey,
                              SECKEYPrivateKey *privKey, snceUnder *under,
                              size_t len);

/* snceUnderAgreement says how an EC server key and an ephemeral one agree on a secret,
 * and what that does. */
typedef struct {
    CK_MECHANISM_TYPE wrap; /* encrypts the key */
    int keyBytes; /* of the secret, and of the key; 0: what |wrap| has */
    CK_ULONG kdf;
    const SECItem *purpose; /* shared information of the KDF, or NULL */
} snceUnderAgreement;

/* snceUnder_EncryptEC and snceUnder_DecryptEC do the same for an EC key only, in
 * another form: |data|, of |capacity| bytes, gets the ephemeral public value and, behind
 * it, the encrypted key. */
SECStatus snceUnder_EncryptEC(SECKEYPublicKey *pubKey,
                              SECKEYPrivateKey *privKey,
                              const snceUnderAgreement *how, PK11SymKey *key,
                              PRUint8 *data, unsigned capacity,
                              PRUint16 *publicLen, PRUint16 *wrappedLen);
PK11SymKey *snceUnder_DecryptEC(SECKEYPublicKey *pubKey,
                                SECKEYPrivateKey *privKey,
                                const snceUnderAgreement *how, PRUint8 *data,
                                PRUint16 publicLen, PRUint16 wrappedLen,
                                CK_MECHANISM_TYPE target,
                                CK_ATTRIBUTE_TYPE operation);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEUNDER_H */
