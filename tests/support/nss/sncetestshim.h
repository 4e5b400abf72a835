/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncetestshim.h: libssl's insides for tests in C++, which cannot include
 * sslimpl.h. Every function is called by tests only. */
#ifndef SSLSNCE_TESTS_SUPPORT_NSS_SNCETESTSHIM_H_
#define SSLSNCE_TESTS_SUPPORT_NSS_SNCETESTSHIM_H_

#include "cert.h"
#include "keyhi.h"
#include "prerror.h"
#include "prio.h"
#include "prtime.h"
#include "seccomon.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sslSessionIDStr ShimSid;

/* ShimFields is what a test sees of a sid. */
typedef struct {
  PRUint8 id[64];
  unsigned int idLen;
  PRUint8 address[16];
  PRUint16 version;
  PRTime creationTime;
  PRTime lastAccessTime;
  PRTime expirationTime;
  PRUint8 masterSecret[48];
  PRUint8 masterSecretLen;
  PRUint8 resumable;
  PRUint8 extendedMasterSecret;
  PRUint16 cipherSuite;
  unsigned long masterWrapMech;
  PRUint8 wrapKeyId[12];
  unsigned int authType, authKeyBits, keaType, keaKeyBits, keaGroup, sigScheme;
  unsigned int namedCurve; /* 0: none */
  char name[300];          /* of its origin; "": none */
  PRUint8 nameChosen;      /* by an SNI callback: it is the srvName too */
  const SECItem *certificate;
} ShimFields;

/* A sid with every field of |fields|, not cached yet. |certificate| may be
 * NULL. The caller ends with ShimFreeSid. */
ShimSid *ShimNewSid(const ShimFields *fields, CERTCertificate *certificate);
/* A sid as protocol code makes it when |fd|, a server or a client, has a new
 * session: an ID of its own, the socket's peer, the time by its clock, and as
 * expiration the lifetime that tickets have. NULL: no memory. */
ShimSid *ShimNewSessionSid(PRFileDesc *fd, PRUint16 version);
void ShimFreeSid(ShimSid *sid);
void ShimGetFields(const ShimSid *sid, ShimFields *fields);
void ShimSetTimes(ShimSid *sid, PRTime creation, PRTime lastAccess,
                  PRTime expiration);
void ShimSetIdLength(ShimSid *sid, unsigned int len);

/* The states of a sid, as in sslimpl.h. */
int ShimIsInServerCache(const ShimSid *sid);
int ShimIsInClientCache(const ShimSid *sid);
int ShimIsNeverCached(const ShimSid *sid);
int ShimIsInvalid(const ShimSid *sid);

/* The socket's two pointers. */
void ShimCache(PRFileDesc *fd, ShimSid *sid);
void ShimUncache(PRFileDesc *fd, ShimSid *sid);
int ShimHasPointers(PRFileDesc *fd);
int ShimSamePointers(PRFileDesc *a, PRFileDesc *b);

/* The lookup of a socket, for its peer; the default cache's. */
ShimSid *ShimLookup(PRFileDesc *fd, const PRUint8 *id, unsigned int len);
ShimSid *ShimLookupDefault(PRTime now, const PRUint8 address[16],
                           const PRUint8 *id, unsigned int len);
/* The client cache's lookup, for the peer and the server name of |fd|. */
ShimSid *ShimLookupClient(PRFileDesc *fd);
/* Gives |fd|, a connected client, the server name |url|, and the session that
 * it would offer under its present one with it. False if it has none. */
int ShimOfferAs(PRFileDesc *fd, const char *url);
void ShimSetPeer(PRFileDesc *fd, const PRUint8 address[16]);
/* The server name that |fd|'s client asked for. */
void ShimSetServerName(PRFileDesc *fd, const char *name);
/* The number of the cache that |fd| is bound to, 0 for none or the default. */
PRUint32 ShimBoundCache(PRFileDesc *fd);
/* As if |fd| had read a ClientHello without a server name; |sid|, as if it had
 * been made by that handshake. */
void ShimNoteOrigin(PRFileDesc *fd);
void ShimSetOrigin(ShimSid *sid, PRFileDesc *fd);
/* The session of a socket, or NULL; the socket's own. */
ShimSid *ShimSocketSid(PRFileDesc *fd);
/* Gives |sid| another ID. */
void ShimSetId(ShimSid *sid, const PRUint8 *id, unsigned int len);
/* Bytes of the ticket that |sid|, a client's, was given; 0: none. */
unsigned int ShimTicketLength(const ShimSid *sid);

/* Has a client offer the session of its socket |fd| where it goes by |url|. */
void ShimRename(PRFileDesc *fd, const char *url);
/* The server name that |fd|, a server, tells its application; "" for none. */
void ShimNegotiatedName(PRFileDesc *fd, char name[300]);

/* The ...Instance calls; all zero before it is configured. */
typedef struct {
  unsigned char opaque[32];
} ShimInstance;
SECStatus ShimConfigInstance(ShimInstance *instance, int entries, PRUint32 ssl2,
                             PRUint32 ssl3);
SECStatus ShimInheritInstance(ShimInstance *instance, const char *string);
SECStatus ShimShutdownInstance(ShimInstance *instance);
void ShimBindInstance(PRFileDesc *fd, const ShimInstance *instance);

/* A thread that is inside the region, as a lookup is while it lasts. */
int ShimEnterGate(PRUint32 *pass);
void ShimLeaveGate(PRUint32 pass);

/* Stores in the default cache what no sid is packed to: the session of |sid|
 * with |mask| in byte |at| of its state changed. Returns the core's result. */
int ShimStoreChanged(const ShimSid *sid, size_t at, PRUint8 mask);
/* The error that stands for a result of the core, a number of snce.h. */
PRErrorCode ShimErrorOf(int result);

/* A wrapping key as a handshake gets it. */
typedef struct {
  PRUint8 id[12];
  PRUint8 value[24]; /* of a triple DES key */
} ShimWrapKey;
/* The wrapping key of a server with this key pair, a new one if there is none.
 */
SECStatus ShimGetWrapKey(SECKEYPublicKey *pub, SECKEYPrivateKey *priv,
                         ShimWrapKey *out);
/* Whether a session that |key| has wrapped may resume on such a server. */
int ShimFitsWrapKey(SECKEYPublicKey *pub, SECKEYPrivateKey *priv,
                    const ShimWrapKey *key);
/* Makes the process forget the keys that it has unwrapped. */
void ShimForgetWrapKeys(void);
/* Takes and gives back the lock over them. */
void ShimTouchWrapKeys(void);
/* Fills the region's key log with records of nobody; how many. */
unsigned int ShimFillKeyLog(void);
/* Enters |record| as the ticket keys that this server key wraps. */
SECStatus ShimPutTicketRecord(const SECKEYPublicKey *pub, const PRUint8 *record,
                              size_t len);
/* Whether the ServerHello of |fd| answers the client's server_name. */
int ShimAnswersServerName(PRFileDesc *fd);

/* A monotonic clock that stands still from the first call on until
 * ShimLetClockRun, but for |sec| seconds at each call. In the whole program. */
void ShimAdvanceClock(long sec);
void ShimLetClockRun(void);

/* Fills the pipe that is the program's stderr, as another process that has it
 * may, just after the next poll that finds room in it. */
void ShimFillStderr(void);
/* Whether that has happened. */
int ShimHasFilledStderr(void);

/* Calls of NSS's that fail, as if a token were busy or memory short: the next
 * |times| (-1: all) of PK11_PubUnwrapSymKey, PK11_KeyGen, NSS_RegisterShutdown.
 */
void ShimFailUnwraps(int times);
void ShimFailKeyGens(int times);
void ShimFailRegistrations(int times);
/* How often PK11_PubUnwrapSymKey was called: operations with a private key. */
unsigned int ShimCountUnwraps(void);

/* The master secret of |fd|'s connection of TLS 1.2, in the clear; fails where
 * a token does not give it away. */
SECStatus ShimMasterSecret(PRFileDesc *fd, PRUint8 out[48]);

/* The self-encrypt keys of this process: name, AES key and HMAC key, one after
 * the other. */
SECStatus ShimTicketKeys(PRFileDesc *fd, PRUint8 out[16 + 32 + 32]);
void ShimResetTicketKeys(void);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_SUPPORT_NSS_SNCETESTSHIM_H_ */
