/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncetestshim.h"

#include <string.h>

#include "nss.h"
#include "pk11pub.h"
#include "secitem.h"
#include "snce/nss/sncegate.h"
#include "ssl.h"
#include "sslimpl.h"

ShimSid *ShimNewSid(const ShimFields *fields, CERTCertificate *certificate) {
  sslSessionID *sid = PORT_ZNew(sslSessionID);
  if (!sid) return NULL;
  sid->references = 1;
  sid->cached = never_cached;
  sid->version = fields->version;
  memcpy(&sid->addr, fields->address, sizeof(sid->addr));
  sid->creationTime = fields->creationTime;
  sid->lastAccessTime = fields->lastAccessTime;
  sid->expirationTime = fields->expirationTime;
  sid->u.ssl3.sessionIDLength = (PRUint8)fields->idLen;
  memcpy(sid->u.ssl3.sessionID, fields->id, SSL3_SESSIONID_BYTES);
  memcpy(sid->u.ssl3.keys.wrapped_master_secret, fields->masterSecret, 48);
  sid->u.ssl3.keys.wrapped_master_secret_len = fields->masterSecretLen;
  sid->u.ssl3.keys.resumable = fields->resumable;
  sid->u.ssl3.keys.extendedMasterSecretUsed = fields->extendedMasterSecret;
  sid->u.ssl3.cipherSuite = fields->cipherSuite;
  sid->u.ssl3.masterWrapMech = fields->masterWrapMech;
  sid->authType = (SSLAuthType)fields->authType;
  sid->authKeyBits = fields->authKeyBits;
  sid->keaType = (SSLKEAType)fields->keaType;
  sid->keaKeyBits = fields->keaKeyBits;
  sid->keaGroup = (SSLNamedGroup)fields->keaGroup;
  sid->sigScheme = (SSLSignatureScheme)fields->sigScheme;
  if (fields->namedCurve) {
    sid->namedCurve = ssl_LookupNamedGroup((SSLNamedGroup)fields->namedCurve);
  }
  if (fields->name[0]) {
    SECItem name = {siBuffer, (unsigned char *)fields->name,
                    (unsigned int)strlen(fields->name)};
    if (SECITEM_CopyItem(NULL, &sid->u.ssl3.srvName, &name) != SECSuccess) {
      PORT_Free(sid);
      return NULL;
    }
  }
  if (certificate) sid->peerCert = CERT_DupCertificate(certificate);
  return sid;
}

ShimSid *ShimNewSessionSid(PRFileDesc *fd, PRUint16 version) {
  sslSocket *ss = ssl_FindSocket(fd);
  /* Not sec.isServer, which waits for the handshake to begin. */
  PRBool is_server = ss->handshaking == sslHandshakingAsServer;
  sslSessionID *sid = ssl3_NewSessionID(ss, is_server);
  if (!sid) return NULL;
  sid->version = version;
  sid->lastAccessTime = sid->creationTime = ssl_Time(ss);
  sid->expirationTime =
      sid->creationTime + (PRTime)ssl_ticket_lifetime * PR_USEC_PER_SEC;
  if (!is_server) {
    /* A client's session has the ID that its server gave it. */
    sid->u.ssl3.sessionIDLength = SSL3_SESSIONID_BYTES;
    (void)PK11_GenerateRandom(sid->u.ssl3.sessionID, SSL3_SESSIONID_BYTES);
  }
  memset(sid->u.ssl3.keys.wrapped_master_secret, 0x5a, 48);
  sid->u.ssl3.keys.wrapped_master_secret_len = 48;
  return sid;
}

void ShimFreeSid(ShimSid *sid) { ssl_FreeSID(sid); }

void ShimGetFields(const ShimSid *sid, ShimFields *fields) {
  memset(fields, 0, sizeof(*fields));
  fields->version = sid->version;
  memcpy(fields->address, &sid->addr, sizeof(sid->addr));
  fields->creationTime = sid->creationTime;
  fields->lastAccessTime = sid->lastAccessTime;
  fields->expirationTime = sid->expirationTime;
  fields->idLen = sid->u.ssl3.sessionIDLength;
  memcpy(fields->id, sid->u.ssl3.sessionID, SSL3_SESSIONID_BYTES);
  memcpy(fields->masterSecret, sid->u.ssl3.keys.wrapped_master_secret, 48);
  fields->masterSecretLen = sid->u.ssl3.keys.wrapped_master_secret_len;
  fields->resumable = sid->u.ssl3.keys.resumable;
  fields->extendedMasterSecret = sid->u.ssl3.keys.extendedMasterSecretUsed;
  fields->cipherSuite = sid->u.ssl3.cipherSuite;
  fields->masterWrapMech = sid->u.ssl3.masterWrapMech;
  fields->authType = sid->authType;
  fields->authKeyBits = sid->authKeyBits;
  fields->keaType = sid->keaType;
  fields->keaKeyBits = sid->keaKeyBits;
  fields->keaGroup = sid->keaGroup;
  fields->sigScheme = sid->sigScheme;
  fields->namedCurve = sid->namedCurve ? sid->namedCurve->name : 0;
  if (sid->u.ssl3.srvName.len < sizeof(fields->name)) {
    memcpy(fields->name, sid->u.ssl3.srvName.data, sid->u.ssl3.srvName.len);
  }
  fields->certificate = sid->peerCert ? &sid->peerCert->derCert : NULL;
}

void ShimSetTimes(ShimSid *sid, PRTime creation, PRTime lastAccess,
                  PRTime expiration) {
  sid->creationTime = creation;
  sid->lastAccessTime = lastAccess;
  sid->expirationTime = expiration;
}
void ShimSetIdLength(ShimSid *sid, unsigned int len) {
  sid->u.ssl3.sessionIDLength = (PRUint8)len;
}
void ShimSetName(ShimSid *sid, const char *name, unsigned int len) {
  SECItem item = {siBuffer, (unsigned char *)name, len};
  SECITEM_FreeItem(&sid->u.ssl3.srvName, PR_FALSE);
  (void)SECITEM_CopyItem(NULL, &sid->u.ssl3.srvName, &item);
}

int ShimIsInServerCache(const ShimSid *sid) {
  return sid->cached == in_server_cache;
}
int ShimIsInClientCache(const ShimSid *sid) {
  return sid->cached == in_client_cache;
}
int ShimIsNeverCached(const ShimSid *sid) {
  return sid->cached == never_cached;
}
int ShimIsInvalid(const ShimSid *sid) { return sid->cached == invalid_cache; }

void ShimCache(PRFileDesc *fd, ShimSid *sid) {
  ssl_FindSocket(fd)->sec.cache(sid);
}
void ShimUncache(PRFileDesc *fd, ShimSid *sid) {
  ssl_FindSocket(fd)->sec.uncache(sid);
}
int ShimHasPointers(PRFileDesc *fd) {
  sslSocket *ss = ssl_FindSocket(fd);
  return ss->sec.cache && ss->sec.uncache;
}
int ShimSamePointers(PRFileDesc *a, PRFileDesc *b) {
  sslSocket *x = ssl_FindSocket(a);
  sslSocket *y = ssl_FindSocket(b);
  return x->sec.cache == y->sec.cache && x->sec.uncache == y->sec.uncache;
}

ShimSid *ShimLookup(PRFileDesc *fd, const PRUint8 *id, unsigned int len) {
  SECItem item = {siBuffer, (unsigned char *)id, len};
  return ssl_LookupServerSession(ssl_FindSocket(fd), &item);
}
ShimSid *ShimLookupDefault(PRTime now, const PRUint8 address[16],
                           const PRUint8 *id, unsigned int len) {
  PRIPv6Addr addr;
  memcpy(&addr, address, sizeof(addr));
  return ssl_sid_lookup(now, &addr, (unsigned char *)id, len,
                        CERT_GetDefaultCertDB());
}
ShimSid *ShimLookupClient(PRFileDesc *fd) {
  sslSocket *ss = ssl_FindSocket(fd);
  return ssl_LookupSID(ssl_Time(ss), &ss->sec.ci.peer, ss->sec.ci.port,
                       ss->peerID, ss->url);
}
void ShimSetPeer(PRFileDesc *fd, const PRUint8 address[16]) {
  memcpy(&ssl_FindSocket(fd)->sec.ci.peer, address, 16);
}
ShimSid *ShimSocketSid(PRFileDesc *fd) {
  return ssl_FindSocket(fd)->sec.ci.sid;
}

int ShimEnterGate(PRUint32 *pass) { return snceGate_Enter(pass) != NULL; }
void ShimLeaveGate(PRUint32 pass) { snceGate_Leave(pass); }

SECStatus ShimGetWrappingKey(unsigned int mech, unsigned int key,
                             PRUint8 *value, unsigned int *len) {
  SSLWrappedSymWrappingKey wswk;
  SECStatus rv = ssl_GetWrappingKey(mech, key, &wswk);
  if (rv == SECSuccess) {
    *len = wswk.wrappedSymKeyLen;
    memcpy(value, wswk.wrappedSymmetricWrappingkey, *len);
  }
  return rv;
}
SECStatus ShimSetWrappingKey(unsigned int mech, unsigned int key,
                             PRUint8 *value, unsigned int *len) {
  SSLWrappedSymWrappingKey wswk;
  SECStatus rv;
  memset(&wswk, 0, sizeof(wswk));
  wswk.wrapMechIndex = (PRInt16)mech;
  wswk.wrapKeyIndex = (PRUint16)key;
  wswk.wrappedSymKeyLen = (PRUint16)*len;
  memcpy(wswk.wrappedSymmetricWrappingkey, value, *len);
  rv = ssl_SetWrappingKey(&wswk);
  *len = wswk.wrappedSymKeyLen;
  memcpy(value, wswk.wrappedSymmetricWrappingkey, *len);
  return rv;
}

static SECStatus CopyKey(PK11SymKey *key, PRUint8 *out, unsigned int len) {
  SECItem *value;
  if (PK11_ExtractKeyValue(key) != SECSuccess) return SECFailure;
  value = PK11_GetKeyData(key);
  if (!value || value->len != len) return SECFailure;
  memcpy(out, value->data, len);
  return SECSuccess;
}
SECStatus ShimTicketKeys(PRFileDesc *fd, PRUint8 out[16 + 32 + 32]) {
  PK11SymKey *aes;
  PK11SymKey *hmac;
  if (ssl_GetSelfEncryptKeys(ssl_FindSocket(fd), out, &aes, &hmac) !=
      SECSuccess) {
    return SECFailure;
  }
  if (CopyKey(aes, out + 16, 32) != SECSuccess) return SECFailure;
  return CopyKey(hmac, out + 48, 32);
}
void ShimResetTicketKeys(void) { ssl_ResetSelfEncryptKeys(); }
