/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_identity.h"

#include <unistd.h>

#include <cstdint>
#include <vector>

#include "cryptohi.h"
#include "pk11pub.h"
#include "secasn1.h"
#include "secder.h"
#include "secoid.h"

namespace nss_test {

bool MakeRsaPair(int bits, bool permanent, SECKEYPrivateKey** priv,
                 SECKEYPublicKey** pub) {
  PK11RSAGenParams params;
  params.keySizeInBits = bits;
  params.pe = 65537;
  PK11SlotInfo* slot = PK11_GetInternalKeySlot();
  *priv =
      PK11_GenerateKeyPair(slot, CKM_RSA_PKCS_KEY_PAIR_GEN, &params, pub,
                           permanent, permanent ? PR_TRUE : PR_FALSE, nullptr);
  PK11_FreeSlot(slot);
  return *priv != nullptr;
}

bool MakeEcPair(bool permanent, SECKEYPrivateKey** priv,
                SECKEYPublicKey** pub) {
  const SECOidData* curve = SECOID_FindOIDByTag(SEC_OID_SECG_EC_SECP256R1);
  std::vector<uint8_t> der = {SEC_ASN1_OBJECT_ID,
                              static_cast<uint8_t>(curve->oid.len)};
  der.insert(der.end(), curve->oid.data, curve->oid.data + curve->oid.len);
  SECItem params = {siBuffer, der.data(),
                    static_cast<unsigned int>(der.size())};
  PK11SlotInfo* slot = PK11_GetInternalKeySlot();
  *priv =
      PK11_GenerateKeyPair(slot, CKM_EC_KEY_PAIR_GEN, &params, pub, permanent,
                           permanent ? PR_TRUE : PR_FALSE, nullptr);
  PK11_FreeSlot(slot);
  return *priv != nullptr;
}

CERTCertificate* SelfSign(const std::string& name, SECKEYPublicKey* pub,
                          SECKEYPrivateKey* priv, size_t padding) {
  static unsigned long serial = static_cast<unsigned long>(getpid()) << 16;
  CERTName* subject = CERT_AsciiToName(("CN=" + name).c_str());
  CERTSubjectPublicKeyInfo* spki = SECKEY_CreateSubjectPublicKeyInfo(pub);
  CERTCertificateRequest* request =
      CERT_CreateCertificateRequest(subject, spki, nullptr);
  PRTime now = PR_Now();
  CERTValidity* validity = CERT_CreateValidity(
      now - 86400 * PR_USEC_PER_SEC, now + 365LL * 86400 * PR_USEC_PER_SEC);
  CERTCertificate* draft =
      CERT_CreateCertificate(++serial, subject, validity, request);
  CERTCertificate* result = nullptr;
  SECOidTag algorithm = SEC_GetSignatureAlgorithmOidTag(
      SECKEY_GetPrivateKeyType(priv), SEC_OID_SHA256);
  SECItem* der;
  SECItem signed_der = {siBuffer, nullptr, 0};

  *draft->version.data = 2;
  draft->version.len = 1;
  if (padding) {
    // An extension that no program knows, not critical: 2.5.29.99.
    static uint8_t oid[] = {0x55, 0x1d, 0x63};
    SECItem oid_item = {siBuffer, oid, sizeof(oid)};
    std::vector<uint8_t> octets(padding, 0x5a);
    SECItem value = {siBuffer, octets.data(),
                     static_cast<unsigned int>(octets.size())};
    void* extensions = CERT_StartCertExtensions(draft);
    CERT_AddExtensionByOID(extensions, &oid_item, &value, PR_FALSE, PR_TRUE);
    CERT_FinishExtensions(extensions);
  }
  if (SECOID_SetAlgorithmID(draft->arena, &draft->signature, algorithm,
                            nullptr) == SECSuccess) {
    der = SEC_ASN1EncodeItem(draft->arena, nullptr, draft,
                             SEC_ASN1_GET(CERT_CertificateTemplate));
    if (der && SEC_DerSignData(draft->arena, &signed_der, der->data, der->len,
                               priv, algorithm) == SECSuccess) {
      result = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &signed_der,
                                       nullptr, PR_FALSE, PR_TRUE);
    }
  }
  CERT_DestroyCertificate(draft);
  CERT_DestroyValidity(validity);
  CERT_DestroyCertificateRequest(request);
  SECKEY_DestroySubjectPublicKeyInfo(spki);
  CERT_DestroyName(subject);
  return result;
}

}  // namespace nss_test
