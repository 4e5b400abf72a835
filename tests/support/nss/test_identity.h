/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_identity.h: keys and self-signed certificates. Uses only NSS's public
// API, so that a program built for the distribution's NSS can use it too.
#ifndef SSLSNCE_TESTS_SUPPORT_NSS_TEST_IDENTITY_H_
#define SSLSNCE_TESTS_SUPPORT_NSS_TEST_IDENTITY_H_

#include <cstddef>
#include <string>

#include "cert.h"
#include "keyhi.h"

namespace nss_test {

// Make a key pair in the internal key slot, RSA or on P-256; a |permanent| one
// is stored in the database. On failure they return false, with NSS's error
// set. The caller ends with SECKEY_DestroyPrivateKey and
// SECKEY_DestroyPublicKey.
bool MakeRsaPair(int bits, bool permanent, SECKEYPrivateKey** priv,
                 SECKEYPublicKey** pub);
bool MakeEcPair(bool permanent, SECKEYPrivateKey** priv, SECKEYPublicKey** pub);

// Returns a certificate for "CN=|name|", signed by its own key, valid from
// yesterday for a year, in no database. An extension of |padding| bytes makes
// it larger. NULL on failure; the caller ends with CERT_DestroyCertificate.
CERTCertificate* SelfSign(const std::string& name, SECKEYPublicKey* pub,
                          SECKEYPrivateKey* priv, size_t padding = 0);

}  // namespace nss_test

#endif  // SSLSNCE_TESTS_SUPPORT_NSS_TEST_IDENTITY_H_
