/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncetestshim.h"

#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "nss.h"
#include "pk11pub.h"
#include "secerr.h"
#include "secitem.h"
#include "snce/nss/snceerror.h"
#include "snce/nss/sncefleet.h"
#include "snce/nss/sncegate.h"
#include "snce/nss/snceinstance.h"
#include "snce/nss/snceint.h"
#include "snce/nss/sncekeycache.h"
#include "snce/nss/snceknown.h"
#include "snce/nss/snceparse.h"
#include "snce/nss/snceregionkey.h"
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
  memcpy(sid->wrapKeyId, fields->wrapKeyId, sizeof(sid->wrapKeyId));
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
    sid->origin.nameLen = (PRUint8)name.len;
    memcpy(sid->origin.name, name.data, sid->origin.nameLen);
    if (fields->nameChosen &&
        SECITEM_CopyItem(NULL, &sid->u.ssl3.srvName, &name) != SECSuccess) {
      PORT_Free(sid);
      return NULL;
    }
  }
  if (certificate) sid->peerCert = CERT_DupCertificate(certificate);
  return sid;
}

ShimSid *ShimNewSessionSid(PRFileDesc *fd, PRUint16 version) {
  sslSocket *ss = ssl_FindSocket(fd);
  /* Do not use sec.isServer, which is set only when the handshake begins. */
  PRBool is_server = ss->handshaking == sslHandshakingAsServer;
  sslSessionID *sid = ssl3_NewSessionID(ss, is_server);
  if (!sid) return NULL;
  sid->version = version;
  sid->lastAccessTime = sid->creationTime = ssl_Time(ss);
  sid->expirationTime =
      sid->creationTime + (PRTime)ssl_ticket_lifetime * PR_USEC_PER_SEC;
  if (!is_server) {
    /* A client's session has the ID that its server chose. */
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
  memcpy(fields->wrapKeyId, sid->wrapKeyId, sizeof(fields->wrapKeyId));
  fields->authType = sid->authType;
  fields->authKeyBits = sid->authKeyBits;
  fields->keaType = sid->keaType;
  fields->keaKeyBits = sid->keaKeyBits;
  fields->keaGroup = sid->keaGroup;
  fields->sigScheme = sid->sigScheme;
  fields->namedCurve = sid->namedCurve ? sid->namedCurve->name : 0;
  memcpy(fields->name, sid->origin.name, sid->origin.nameLen);
  fields->nameChosen = sid->u.ssl3.srvName.len != 0;
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
int ShimOfferAs(PRFileDesc *fd, const char *url) {
  ShimSid *sid;
  if (ssl_GetPeerInfo(ssl_FindSocket(fd)) != SECSuccess) return 0;
  sid = ShimLookupClient(fd);
  if (!sid) return 0;
  PORT_Free((void *)sid->urlSvrName);
  sid->urlSvrName = PORT_Strdup(url);
  ssl_FreeSID(sid);
  return SSL_SetURL(fd, url) == SECSuccess;
}
void ShimSetPeer(PRFileDesc *fd, const PRUint8 address[16]) {
  memcpy(&ssl_FindSocket(fd)->sec.ci.peer, address, 16);
}
PRUint32 ShimBoundCache(PRFileDesc *fd) {
  sslSocket *ss = ssl_FindSocket(fd);
  return ss->sec.boundToCache ? ss->sec.boundCache.number : 0;
}
void ShimNoteOrigin(PRFileDesc *fd) {
  ssl_NoteServerOrigin(ssl_FindSocket(fd));
}
void ShimSetOrigin(ShimSid *sid, PRFileDesc *fd) {
  sid->origin = ssl_FindSocket(fd)->sec.origin;
}
void ShimSetServerName(PRFileDesc *fd, const char *name) {
  sslServerOrigin *origin = &ssl_FindSocket(fd)->sec.origin;
  origin->nameLen = (PRUint8)strlen(name);
  memcpy(origin->name, name, origin->nameLen);
}
ShimSid *ShimSocketSid(PRFileDesc *fd) {
  return ssl_FindSocket(fd)->sec.ci.sid;
}

void ShimSetId(ShimSid *sid, const PRUint8 *id, unsigned int len) {
  memcpy(sid->u.ssl3.sessionID, id, len);
  sid->u.ssl3.sessionIDLength = (PRUint8)len;
}
unsigned int ShimTicketLength(const ShimSid *sid) {
  return sid->u.ssl3.locked.sessionTicket.ticket.len;
}

PRUint32 ShimTicketHint(const ShimSid *sid) {
  return sid ? sid->u.ssl3.locked.sessionTicket.ticket_lifetime_hint : 0;
}

int ShimTicketName(const ShimSid *sid, PRUint8 out[16]) {
  const SECItem *ticket = &sid->u.ssl3.locked.sessionTicket.ticket;
  if (ticket->len < 16) return 0;
  PORT_Memcpy(out, ticket->data, 16);
  return 1;
}

void ShimRename(PRFileDesc *fd, const char *url) {
  sslSessionID *sid = ssl_FindSocket(fd)->sec.ci.sid;
  PORT_Free((void *)sid->urlSvrName);
  sid->urlSvrName = PORT_Strdup(url);
}
void ShimNegotiatedName(PRFileDesc *fd, char name[300]) {
  SECItem *item = SSL_GetNegotiatedHostInfo(fd);
  memset(name, 0, 300);
  if (item && item->data && item->len < 300)
    memcpy(name, item->data, item->len);
  SECITEM_FreeItem(item, PR_TRUE);
}

PR_STATIC_ASSERT(sizeof(cacheDesc) <= sizeof(ShimInstance));
SECStatus ShimConfigInstance(ShimInstance *instance, int entries, PRUint32 ssl2,
                             PRUint32 ssl3) {
  return SSL_ConfigServerSessionIDCacheInstance((cacheDesc *)instance, entries,
                                                ssl2, ssl3, NULL, PR_FALSE);
}
SECStatus ShimInheritInstance(ShimInstance *instance, const char *string) {
  return SSL_InheritMPServerSIDCacheInstance((cacheDesc *)instance, string);
}
SECStatus ShimShutdownInstance(ShimInstance *instance) {
  return SSL_ShutdownServerSessionIDCacheInstance((cacheDesc *)instance);
}
void ShimBindInstance(PRFileDesc *fd, const ShimInstance *instance) {
  ssl_BindServerCacheInstance(ssl_FindSocket(fd), (const cacheDesc *)instance);
}

int ShimEnterGate(PRUint32 *pass) { return snceGate_Enter(pass) != NULL; }
void ShimLeaveGate(PRUint32 pass) { snceGate_Leave(pass); }

int ShimStoreChanged(const ShimSid *sid, size_t at, PRUint8 mask) {
  PRUint8 none[1];
  snceSession session;
  snceKey key;
  snceResult result = SNCE_INVALID;
  PRUint32 pass;
  snceRegion *region = snceGate_Enter(&pass);
  if (!region) return SNCE_GONE;
  memset(&session, 0, sizeof(session));
  session.certificate.data = none;
  session.certificate.capacity = sizeof(none);
  memset(&key, 0, sizeof(key));
  key.id = sid->u.ssl3.sessionID;
  key.idLen = sid->u.ssl3.sessionIDLength;
  memcpy(key.address, &sid->addr, sizeof(key.address));
  result = snceCache_Lookup(snceRegion_DefaultCache(region), &key,
                            (snceTime){sid->creationTime}, &session);
  if (result == SNCE_OK && at < sizeof(session.state)) {
    session.state[at] ^= mask;
    result = snceCache_Insert(snceRegion_DefaultCache(region), &session,
                              (snceTime){sid->creationTime});
  }
  snceGate_Leave(pass);
  return result;
}
PRErrorCode ShimErrorOf(int result) {
  return snceError_Code((snceResult)result);
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
  SECStatus rv = CopyKey(aes, out + 16, 32);
  if (rv == SECSuccess) rv = CopyKey(hmac, out + 48, 32);
  PK11_FreeSymKey(aes);
  PK11_FreeSymKey(hmac);
  return rv;
}
void ShimResetTicketKeys(void) {
  ssl_ResetSelfEncryptKeys();
  snceRegionKey_Forget();
}
PRBool ShimDecryptsTickets(PRFileDesc *fd, const PRUint8 name[16]) {
  PRUint8 found[16];
  PK11SymKey *aes;
  PK11SymKey *hmac;
  if (ssl_FindSelfEncryptKeys(ssl_FindSocket(fd), name, 16, found, &aes,
                              &hmac) != SECSuccess) {
    return PR_FALSE;
  }
  PK11_FreeSymKey(aes);
  PK11_FreeSymKey(hmac);
  return memcmp(name, found, sizeof(found)) == 0;
}
unsigned int ShimCountTicketKeys(void) {
  snceTicketKey keys[64];
  size_t count = 0;
  PRUint32 pass;
  snceRegion *region = snceGate_Enter(&pass);
  if (!region) return 0;
  (void)snceTicketKeys_List(region, keys, 64, &count);
  snceGate_Leave(pass);
  return (unsigned int)count;
}
unsigned int ShimWrappedFileKeys(PRUint8 *out, unsigned int max) {
  snceTicketKey keys[64];
  size_t count = 0;
  unsigned int len = 0;
  PRUint32 pass;
  snceRegion *region = snceGate_Enter(&pass);
  if (!region) return 0;
  (void)snceTicketKeys_List(region, keys, 64, &count);
  snceGate_Leave(pass);
  for (size_t i = 0; i < count && len + keys[i].len <= max; ++i) {
    if (snceSource_Kind(keys[i].source) == snceSource_random) continue;
    memcpy(out + len, keys[i].value, keys[i].len);
    len += (unsigned int)keys[i].len;
  }
  return len;
}
SECStatus ShimReloadKeyFiles(void) { return snceFleet_Reload(); }
unsigned int ShimProtectTicket(PRFileDesc *fd, const PRUint8 *in,
                               unsigned int len, PRUint8 *out,
                               unsigned int max) {
  unsigned int outLen = 0;
  return ssl_ProtectTicket(ssl_FindSocket(fd), in, len, out, &outLen, max) ==
                 SECSuccess
             ? outLen
             : 0;
}
SECStatus ShimUnprotectTicket(PRFileDesc *fd, const PRUint8 *in,
                              unsigned int len, PRUint8 *out,
                              unsigned int *outLen, unsigned int max) {
  return ssl_UnprotectTicket(ssl_FindSocket(fd), in, len, out, outLen, max);
}
unsigned int ShimGetTicket(const ShimSid *sid, PRUint8 *out, unsigned int max) {
  const SECItem *ticket = &sid->u.ssl3.locked.sessionTicket.ticket;
  if (ticket->len > max) return 0;
  memcpy(out, ticket->data, ticket->len);
  return ticket->len;
}
SECStatus ShimSetTicket(ShimSid *sid, const PRUint8 *ticket, unsigned int len) {
  const SECItem item = {siBuffer, (unsigned char *)ticket, len};
  SECITEM_FreeItem(&sid->u.ssl3.locked.sessionTicket.ticket, PR_FALSE);
  return SECITEM_CopyItem(NULL, &sid->u.ssl3.locked.sessionTicket.ticket,
                          &item);
}
unsigned int ShimKnownTicketKeys(void) {
  snceKnown_Lock();
  const unsigned int count = snceKnown_Count();
  snceKnown_Unlock();
  return count;
}
/* No header of NSS declares this either. */
extern sslSelfEncryptKeys *ssl_GetSelfEncryptKeysInt(void);
static const CK_MECHANISM_TYPE kWrapMech = CKM_DES3_ECB;

SECStatus ShimGetWrapKey(SECKEYPublicKey *pub, SECKEYPrivateKey *priv,
                         ShimWrapKey *out) {
  sslKeyPair pair = {priv, pub, 1};
  sslServerCert cert;
  sslSessionID sid;
  sslSocket *ss = PORT_ZNew(sslSocket);
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  PK11SymKey *key;
  SECStatus rv = SECFailure;
  memset(&cert, 0, sizeof(cert));
  memset(&sid, 0, sizeof(sid));
  cert.serverKeyPair = &pair;
  ss->sec.serverCert = &cert;
  key = ssl3_GetWrappingKey(ss, &sid, slot, kWrapMech, NULL);
  if (key) {
    memcpy(out->id, sid.wrapKeyId, sizeof(out->id));
    rv = CopyKey(key, out->value, sizeof(out->value));
    PK11_FreeSymKey(key);
  }
  PK11_FreeSlot(slot);
  PORT_Free(ss);
  return rv;
}
int ShimFitsWrapKey(SECKEYPublicKey *pub, SECKEYPrivateKey *priv,
                    const ShimWrapKey *key) {
  sslKeyPair pair = {priv, pub, 1};
  sslServerCert cert;
  sslSessionID sid;
  sslSocket *ss = PORT_ZNew(sslSocket);
  int fits;
  memset(&cert, 0, sizeof(cert));
  memset(&sid, 0, sizeof(sid));
  cert.serverKeyPair = &pair;
  sid.u.ssl3.masterWrapMech = kWrapMech;
  memcpy(sid.wrapKeyId, key->id, sizeof(key->id));
  fits = ssl_SessionFitsCert(ss, &cert, &sid);
  PORT_Free(ss);
  return fits;
}
void ShimForgetWrapKeys(void) { (void)SSL3_ShutdownServerCache(); }
void ShimTouchWrapKeys(void) { (void)snceKeyCache_Generation(); }

/* The functions below replace those of the C library and of NSS in the whole
 * program. */

static _Atomic int clockStands;
static struct timespec clockAt;

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (clock == CLOCK_MONOTONIC && clockStands) {
    *now = clockAt;
    return 0;
  }
  return (int)syscall(SYS_clock_gettime, clock, now);
}
void ShimAdvanceClock(long sec) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  now.tv_sec += sec;
  clockAt = now;
  clockStands = 1;
}
void ShimLetClockRun(void) { clockStands = 0; }

static _Atomic int fillStderr, filledStderr;

void ShimFillStderr(void) {
  filledStderr = 0;
  fillStderr = 1;
}
int ShimHasFilledStderr(void) { return filledStderr; }

int poll(struct pollfd *fds, nfds_t count, int msec) {
  int (*real)(struct pollfd *, nfds_t, int) = dlsym(RTLD_NEXT, "poll");
  const int ready = real(fds, count, msec);
  if (ready == 1 && count == 1 && fds->fd == STDERR_FILENO && fillStderr) {
    const int flags = fcntl(STDERR_FILENO, F_GETFL);
    fillStderr = 0;
    (void)fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
    while (write(STDERR_FILENO, "x", 1) == 1) {
    }
    (void)fcntl(STDERR_FILENO, F_SETFL, flags);
    filledStderr = 1;
  }
  return ready;
}

static _Atomic int failUnwraps, failKeyGens, failWraps, failRegistrations;
static _Atomic int goodWraps;
static _Atomic unsigned int unwraps;

static int Fails(_Atomic int *times) {
  if (*times == 0) return 0;
  if (*times > 0) --*times;
  PORT_SetError(SEC_ERROR_NO_MEMORY);
  return 1;
}
void ShimFailUnwraps(int times) { failUnwraps = times; }
void ShimFailKeyGens(int times) { failKeyGens = times; }
void ShimFailWraps(int times) {
  goodWraps = 0;
  failWraps = times;
}
void ShimFailWrapsAfter(int good) {
  goodWraps = good;
  failWraps = -1;
}
void ShimFailRegistrations(int times) { failRegistrations = times; }
unsigned int ShimCountUnwraps(void) { return unwraps; }

PK11SymKey *PK11_PubUnwrapSymKey(SECKEYPrivateKey *key, SECItem *wrapped,
                                 CK_MECHANISM_TYPE target,
                                 CK_ATTRIBUTE_TYPE operation, int len) {
  PK11SymKey *(*real)(SECKEYPrivateKey *, SECItem *, CK_MECHANISM_TYPE,
                      CK_ATTRIBUTE_TYPE, int) =
      dlsym(RTLD_NEXT, "PK11_PubUnwrapSymKey");
  ++unwraps;
  return Fails(&failUnwraps) ? NULL
                             : real(key, wrapped, target, operation, len);
}
PK11SymKey *PK11_PubUnwrapSymKeyWithMechanism(SECKEYPrivateKey *key,
                                              CK_MECHANISM_TYPE mech,
                                              SECItem *param, SECItem *wrapped,
                                              CK_MECHANISM_TYPE target,
                                              CK_ATTRIBUTE_TYPE operation,
                                              int len) {
  PK11SymKey *(*real)(SECKEYPrivateKey *, CK_MECHANISM_TYPE, SECItem *,
                      SECItem *, CK_MECHANISM_TYPE, CK_ATTRIBUTE_TYPE, int) =
      dlsym(RTLD_NEXT, "PK11_PubUnwrapSymKeyWithMechanism");
  /* PK11_PubUnwrapSymKey calls this with another mechanism. */
  if (mech == CKM_RSA_PKCS_OAEP) {
    ++unwraps;
    if (Fails(&failUnwraps)) return NULL;
  }
  return real(key, mech, param, wrapped, target, operation, len);
}
SECStatus PK11_WrapSymKey(CK_MECHANISM_TYPE type, SECItem *params,
                          PK11SymKey *wrapping, PK11SymKey *key,
                          SECItem *wrapped) {
  SECStatus (*real)(CK_MECHANISM_TYPE, SECItem *, PK11SymKey *, PK11SymKey *,
                    SECItem *) = dlsym(RTLD_NEXT, "PK11_WrapSymKey");
  if (failWraps && goodWraps > 0) {
    --goodWraps;
    return real(type, params, wrapping, key, wrapped);
  }
  return Fails(&failWraps) ? SECFailure
                           : real(type, params, wrapping, key, wrapped);
}
PK11SymKey *PK11_KeyGen(PK11SlotInfo *slot, CK_MECHANISM_TYPE type,
                        SECItem *param, int len, void *pwArg) {
  PK11SymKey *(*real)(PK11SlotInfo *, CK_MECHANISM_TYPE, SECItem *, int,
                      void *) = dlsym(RTLD_NEXT, "PK11_KeyGen");
  return Fails(&failKeyGens) ? NULL : real(slot, type, param, len, pwArg);
}
static _Atomic unsigned int derivations;
unsigned int ShimCountDerivations(void) { return derivations; }
PK11SymKey *PK11_DeriveWithFlags(PK11SymKey *base, CK_MECHANISM_TYPE derive,
                                 SECItem *param, CK_MECHANISM_TYPE target,
                                 CK_ATTRIBUTE_TYPE operation, int size,
                                 CK_FLAGS flags) {
  PK11SymKey *(*real)(PK11SymKey *, CK_MECHANISM_TYPE, SECItem *,
                      CK_MECHANISM_TYPE, CK_ATTRIBUTE_TYPE, int, CK_FLAGS) =
      dlsym(RTLD_NEXT, "PK11_DeriveWithFlags");
  ++derivations;
  return real(base, derive, param, target, operation, size, flags);
}
SECStatus NSS_RegisterShutdown(NSS_ShutdownFunc function, void *data) {
  SECStatus (*real)(NSS_ShutdownFunc, void *) =
      dlsym(RTLD_NEXT, "NSS_RegisterShutdown");
  return Fails(&failRegistrations) ? SECFailure : real(function, data);
}

SECStatus ShimPutTicketRecord(const SECKEYPublicKey *pub, const PRUint8 *record,
                              size_t len) {
  PRUint8 name[SNCE_KEY_NAME_BYTES] = SNCE_KEY_TAG_REGION;
  PRUint8 winner[1];
  size_t winnerLen;
  PRUint32 pass;
  SECStatus rv = SECFailure;
  SECItem *spki = SECKEY_EncodeDERSubjectPublicKeyInfo(pub);
  snceRegion *region = snceGate_Enter(&pass);
  if (!region) return SECFailure;
  if (spki) {
    rv = PK11_HashBuf(SEC_OID_SHA256, name + SNCE_KEY_TAG_BYTES, spki->data,
                      (PRInt32)spki->len);
  }
  SECITEM_FreeItem(spki, PR_TRUE);
  if (rv == SECSuccess &&
      snceKeyLog_Put(region, name, record, len, winner, sizeof(winner),
                     &winnerLen) != SNCE_OK) {
    rv = SECFailure;
  }
  snceGate_Leave(pass);
  return rv;
}
unsigned int ShimFillKeyLog(void) {
  PRUint8 name[SNCE_KEY_NAME_BYTES];
  PRUint8 value = 0;
  snceResult result = SNCE_OK;
  unsigned int count = 0;
  PRUint32 pass;
  snceRegion *region = snceGate_Enter(&pass);
  if (!region) return 0;
  memset(name, 0xff, sizeof(name));
  for (;;) {
    size_t len;
    memcpy(name, &count, sizeof(count));
    result = snceKeyLog_Put(region, name, &value, 1, &value, 1, &len);
    if (result != SNCE_OK) break;
    ++count;
  }
  snceGate_Leave(pass);
  return result == SNCE_FULL ? count : 0;
}

int ShimAnswersServerName(PRFileDesc *fd) {
  const sslExtensionBuilder *sender =
      ssl_FindSocket(fd)->xtnData.serverHelloSenders;
  for (; sender->ex_sender; ++sender) {
    if (sender->ex_type == ssl_server_name_xtn) return 1;
  }
  return 0;
}

SECStatus ShimMasterSecret(PRFileDesc *fd, PRUint8 out[48]) {
  sslSocket *ss = ssl_FindSocket(fd);
  PK11SymKey *secret = ss ? ss->ssl3.crSpec->masterSecret : NULL;
  const SECItem *value;
  if (!secret || PK11_ExtractKeyValue(secret) != SECSuccess) return SECFailure;
  value = PK11_GetKeyData(secret);
  if (!value || value->len != 48) return SECFailure;
  memcpy(out, value->data, 48);
  return SECSuccess;
}

void ShimFindKeyPaths(const char *text, char out[256]) {
  static sslCacheConfig config;
  const sslCacheConfigLine *line;
  memset(&config, 0, sizeof(config));
  strcpy(out, "no memory");
  if (ssl_ParseCacheConfig(&config, text, strlen(text)) == SECSuccess) {
    line = ssl_FindKeyPaths(&config);
    snprintf(out, 256, "none");
    if (line) {
      snprintf(out, 256, "%u:%u %s %s%s", line->number,
               line->column[line->keyParam],
               ssl_CacheParamLabel(line->keyParam), line->keyPaths,
               line->faulty ? " faulty" : "");
    }
  }
  ssl_FreeCacheConfig(&config);
}

ShimEarlyData *ShimNewEarlyData(PRTime now, PRTime window, unsigned int k,
                                unsigned int bits) {
  return ssl_NewEarlyData(now, window, k, bits);
}

void ShimFreeEarlyData(ShimEarlyData *early) { ssl_FreeEarlyData(early); }

int ShimNoteEarlyData(ShimEarlyData *early, const PRUint8 *binder,
                      unsigned int len, PRTime now) {
  const SECItem item = {siBuffer, (PRUint8 *)binder, len};
  switch (ssl_NoteEarlyData(early, &item, now)) {
    case ssl_early_data_new:
      return kShimNew;
    case ssl_early_data_replay:
      return kShimReplay;
    default:
      return kShimUnshared;
  }
}
