/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "endpoint.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cert.h"
#include "keyhi.h"
#include "nss.h"
#include "pk11pub.h"
#include "secerr.h"
#include "secitem.h"
#include "sslexp.h"
#include "test_identity.h"

namespace regress {
namespace {

constexpr char kIdentityVariable[] = "REGRESS_IDENTITY";
// So long that a machine under load is quick enough; other machines never wait
// that long.
constexpr PRUint32 kPatienceSec = 30;

CERTCertificate* identity_cert;
SECKEYPrivateKey* identity_key;

// The identity's file has two items, each a length and as many bytes.
bool PutItem(int fd, const SECItem& item) {
  return write(fd, &item.len, sizeof(item.len)) == sizeof(item.len) &&
         write(fd, item.data, item.len) == static_cast<ssize_t>(item.len);
}

bool GetItem(int fd, off_t* at, std::vector<uint8_t>* out) {
  unsigned int len;
  if (pread(fd, &len, sizeof(len), *at) != sizeof(len) || len > 65536) {
    return false;
  }
  out->resize(len);
  *at += sizeof(len);
  ssize_t got = pread(fd, out->data(), len, *at);
  *at += len;
  return got == static_cast<ssize_t>(len);
}

bool WriteIdentity(int fd) {
  SECKEYPrivateKey* key;
  SECKEYPublicKey* pub;
  if (NSS_NoDB_Init(nullptr) != SECSuccess ||
      !nss_test::MakeRsaPair(2048, false, &key, &pub)) {
    return false;
  }
  CERTCertificate* cert = nss_test::SelfSign(kHost, pub, key);
  SECItem* der = PK11_ExportDERPrivateKeyInfo(key, nullptr);
  return cert && der && PutItem(fd, *der) && PutItem(fd, cert->derCert);
}

bool ReadIdentity() {
  const char* number = getenv(kIdentityVariable);
  std::vector<uint8_t> key_der;
  std::vector<uint8_t> cert_der;
  off_t at = 0;
  if (!number || !GetItem(atoi(number), &at, &key_der) ||
      !GetItem(atoi(number), &at, &cert_der)) {
    PR_SetError(SEC_ERROR_IO, 0);
    return false;
  }
  SECItem key_item = {siBuffer, key_der.data(),
                      static_cast<unsigned int>(key_der.size())};
  SECItem cert_item = {siBuffer, cert_der.data(),
                       static_cast<unsigned int>(cert_der.size())};
  PK11SlotInfo* slot = PK11_GetInternalKeySlot();
  SECStatus rv = PK11_ImportDERPrivateKeyInfoAndReturnKey(
      slot, &key_item, nullptr, nullptr, PR_FALSE, PR_TRUE, KU_ALL,
      &identity_key, nullptr);
  PK11_FreeSlot(slot);
  identity_cert = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &cert_item,
                                          nullptr, PR_FALSE, PR_TRUE);
  return rv == SECSuccess && identity_cert;
}

struct Clock {
  PRTime now;
  PRTime tick;
};

PRTime ReadClock(void* arg) {
  Clock* clock = static_cast<Clock*>(arg);
  clock->now += clock->tick;
  return clock->now;
}

SECStatus AcceptCertificate(void*, PRFileDesc*, PRBool, PRBool) {
  return SECSuccess;
}

// Returns a libssl socket over |tcp|, set up as |side| says. Owns |tcp|.
PRFileDesc* Import(PRFileDesc* tcp, const Side& side, Clock* clock,
                   bool server) {
  SSLVersionRange range = {side.version, side.version};
  PRFileDesc* fd = SSL_ImportFD(nullptr, tcp);
  if (!fd) {
    PR_Close(tcp);
    return nullptr;
  }
  clock->now = side.clock - side.tick;
  clock->tick = side.tick;
  if (SSL_VersionRangeSet(fd, &range) != SECSuccess ||
      SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, side.tickets) !=
          SECSuccess ||
      SSL_AuthCertificateHook(fd, AcceptCertificate, nullptr) != SECSuccess ||
      (side.clock && SSL_SetTimeFunc(fd, ReadClock, clock) != SECSuccess) ||
      SSL_ResetHandshake(fd, server) != SECSuccess) {
    PR_Close(fd);
    return nullptr;
  }
  return fd;
}

// A library refuses a structure that is larger than its own. Ours ends
// before 3.54.
constexpr size_t kChannelInfoSize = offsetof(SSLChannelInfo, pskType);

// Fills in |out| after a complete handshake.
void Look(PRFileDesc* fd, Outcome* out) {
  SSLChannelInfo info;
  memset(&info, 0, sizeof(info));
  if (SSL_GetChannelInfo(fd, &info, kChannelInfoSize) != SECSuccess) {
    out->error = PR_GetError();
    return;
  }
  out->complete = true;
  out->resumed = info.resumed;
  out->created = info.creationTime;
  out->accessed = info.lastAccessTime;
  out->expires = info.expirationTime;
  out->id_length = info.sessionIDLength;
}

}  // namespace

bool MakeIdentity() {
  int fd = memfd_create("identity", 0);
  if (fd < 0) return false;
  pid_t pid = fork();
  if (pid == 0) _exit(WriteIdentity(fd) ? 0 : 1);
  int status = 1;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) return false;
  return setenv(kIdentityVariable, std::to_string(fd).c_str(), 1) == 0;
}

bool StartNss() {
  static bool started = false;
  if (started) return true;
  SSLVersionRange range = {SSL_LIBRARY_VERSION_TLS_1_2,
                           SSL_LIBRARY_VERSION_TLS_1_3};
  started =
      NSS_NoDB_Init(nullptr) == SECSuccess &&
      NSS_SetDomesticPolicy() == SECSuccess &&
      SSL_VersionRangeSetDefault(ssl_variant_stream, &range) == SECSuccess &&
      ReadIdentity();
  return started;
}

bool HasTimeFunc() {
  return SSL_GetExperimentalAPI("SSL_SetTimeFunc") != nullptr;
}

Outcome Serve(PRFileDesc* tcp, const Side& side) {
  const PRIntervalTime patience = PR_SecondsToInterval(kPatienceSec);
  Outcome out;
  Clock clock;
  PRFileDesc* fd = Import(tcp, side, &clock, true);
  if (!fd) {
    out.error = PR_GetError();
    return out;
  }
  if (SSL_ConfigServerCert(fd, identity_cert, identity_key, nullptr, 0) !=
          SECSuccess ||
      SSL_ForceHandshakeWithTimeout(fd, patience) != SECSuccess) {
    out.error = PR_GetError();
  } else {
    Look(fd, &out);
    if (side.invalidate && SSL_InvalidateSession(fd) != SECSuccess) {
      out.complete = false;
      out.error = PR_GetError();
    }
    PR_Send(fd, "!", 1, 0, patience);
  }
  PR_Close(fd);
  return out;
}

Outcome Visit(PRFileDesc* tcp, const Side& side, const std::string& visitor) {
  const PRIntervalTime patience = PR_SecondsToInterval(kPatienceSec);
  Outcome out;
  Clock clock;
  char byte;
  PRFileDesc* fd = Import(tcp, side, &clock, false);
  if (!fd) {
    out.error = PR_GetError();
    return out;
  }
  if (SSL_SetURL(fd, side.host[0] ? side.host : kHost) != SECSuccess ||
      SSL_SetSockPeerID(fd, visitor.c_str()) != SECSuccess ||
      SSL_ForceHandshakeWithTimeout(fd, patience) != SECSuccess ||
      PR_Recv(fd, &byte, 1, 0, patience) != 1) {
    out.error = PR_GetError();
  } else {
    Look(fd, &out);
    if (side.invalidate && SSL_InvalidateSession(fd) != SECSuccess) {
      out.complete = false;
      out.error = PR_GetError();
    }
  }
  PR_Close(fd);
  return out;
}

}  // namespace regress
