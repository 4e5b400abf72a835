/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "socket.h"

#include "nss.h"
#include "prerror.h"
#include "ssl.h"
#include "sslexp.h"
#include "sslproto.h"

static PRTime MockTime(void *arg) {
  (void)arg;
  return bench_Time.usec;
}

/* Fills in the fields that protocol code writes into a new session. */
static void FillIn(sslSocket *ss, sslSessionID *sid) {
  sid->version = SSL_LIBRARY_VERSION_TLS_1_2;
  sid->lastAccessTime = sid->creationTime = ssl_Time(ss);
  sid->expirationTime =
      sid->creationTime + (PRTime)ssl_ticket_lifetime * PR_USEC_PER_SEC;
  sid->authType = ssl_auth_rsa_sign;
  sid->authKeyBits = 2048;
  sid->keaType = ssl_kea_ecdh;
  sid->keaKeyBits = 255;
  sid->keaGroup = ssl_grp_ec_curve25519;
  sid->sigScheme = ssl_sig_rsa_pss_rsae_sha256;
  sid->u.ssl3.cipherSuite = TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
  sid->u.ssl3.sessionIDLength = SNCE_ID_MAX;
  sid->u.ssl3.masterWrapMech = CKM_DES3_ECB;
  sid->u.ssl3.keys.wrapped_master_secret_len = 48;
}

sslSocket *bench_Socket(bool systemClock) {
  PRFileDesc *fd;
  sslSocket *ss;

  if (NSS_NoDB_Init(NULL) != SECSuccess) {
    bench_Fail("no NSS: %s", PR_ErrorToName(PR_GetError()));
  }
  fd = SSL_ImportFD(NULL, PR_NewTCPSocket());
  if (!fd || SSL_ResetHandshake(fd, PR_TRUE) != SECSuccess ||
      (!systemClock && SSL_SetTimeFunc(fd, MockTime, NULL) != SECSuccess)) {
    bench_Fail("no socket: %s", PR_ErrorToName(PR_GetError()));
  }
  ss = ssl_FindSocket(fd);
  ss->sec.isServer = PR_TRUE; /* as when its handshake begins */
  memcpy(&ss->sec.ci.peer, bench_Address, sizeof(ss->sec.ci.peer));
  ss->sec.ci.sid = ssl3_NewSessionID(ss, PR_TRUE);
  if (!ss->sec.ci.sid) {
    bench_Fail("no session: %s", PR_ErrorToName(PR_GetError()));
  }
  FillIn(ss, ss->sec.ci.sid);
  return ss;
}
