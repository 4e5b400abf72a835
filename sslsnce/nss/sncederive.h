/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncederive.h: keys and names derived from a key, by HKDF with SHA-256 (RFC 5869),
 * in the calls that also work in FIPS mode. */
#ifndef SSLSNCE_NSS_SNCEDERIVE_H
#define SSLSNCE_NSS_SNCEDERIVE_H

#include "pk11pub.h"
#include "prtypes.h"
#include "seccomon.h"

SEC_BEGIN_PROTOS

/* The length of keys: of those from which others are derived, and of the derived. */
#define SNCE_DERIVE_BYTES 32

/* What a derived key is for. */
typedef enum {
    snceDerive_wrap,    /* AES key wrap with padding (RFC 5649) */
    snceDerive_encrypt, /* AES-CBC */
    snceDerive_mac,     /* HMAC with SHA-256 */
    snceDerive_wrapEcb, /* AES-ECB, in which 48 bytes stay 48 */
    snceDerive_root     /* others are derived from it */
} snceDeriveUse;

/* snceDerive_Generate makes a random key from which others are derived, in NSS's own
 * token, and an |*id| that is derived from it, not 0. Fails with an NSS error; then there is no
 * key. The caller frees the key. */
SECStatus snceDerive_Generate(void *pwArg, PK11SymKey **key, PRUint64 *id);

/* snceDerive_Import makes a key from which others are derived of the |len| bytes of
 * |secret|, which are as random as a key or more of them are needed (extract and
 * expand), bound to |label|. So one file that serves two purposes gives two keys. */
PK11SymKey *snceDerive_Import(const PRUint8 *secret, unsigned len,
                              const char *label, void *pwArg);

/* snceDerive_Key expands |from|, a key for HKDF, to a key that is bound to |label| and
 * |context|, which may be NULL and has at most 280 bytes. Returns NULL, with an NSS
 * error, on failure; the caller frees the key. */
PK11SymKey *snceDerive_Key(PK11SymKey *from, const char *label,
                           const SECItem *context, snceDeriveUse use);

/* snceDerive_Bytes expands |from| to |len| bytes that are not secret. */
SECStatus snceDerive_Bytes(PK11SymKey *from, const char *label,
                           const SECItem *context, PRUint8 *out, unsigned len);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEDERIVE_H */
