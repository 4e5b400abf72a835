/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncetestshim.h: libssl's internals for tests in C++, which cannot include
 * sslimpl.h. Only tests call these functions. */
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

/* ShimFields holds the fields of a sid that tests look at. */
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
  char name[300];          /* the name in its origin; "": none */
  PRUint8 nameChosen;      /* by an SNI callback: |name| is the srvName too */
  const SECItem *certificate;
} ShimFields;

/* Returns a sid with every field of |fields|, not cached yet. |certificate| may
 * be NULL. The caller ends with ShimFreeSid. */
ShimSid *ShimNewSid(const ShimFields *fields, CERTCertificate *certificate);
/* Returns a sid as protocol code makes it for a new session of |fd|, a server
 * or a client: a new ID, the socket's peer, the time by its clock, and the
 * lifetime of tickets as its expiration. NULL: no memory. */
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

/* Call the socket's two function pointers, cache and uncache; whether it has
 * them; whether two sockets have the same. */
void ShimCache(PRFileDesc *fd, ShimSid *sid);
void ShimUncache(PRFileDesc *fd, ShimSid *sid);
int ShimHasPointers(PRFileDesc *fd);
int ShimSamePointers(PRFileDesc *a, PRFileDesc *b);

/* Lookups for the peer of |fd|, and in the default cache. */
ShimSid *ShimLookup(PRFileDesc *fd, const PRUint8 *id, unsigned int len);
ShimSid *ShimLookupDefault(PRTime now, const PRUint8 address[16],
                           const PRUint8 *id, unsigned int len);
/* The client cache's lookup, for the peer and the server name of |fd|. */
ShimSid *ShimLookupClient(PRFileDesc *fd);
/* Gives |fd|, a connected client, the server name |url|, and renames the
 * session that it would offer under its present name to |url| too. 0 if it has
 * none. */
int ShimOfferAs(PRFileDesc *fd, const char *url);
void ShimSetPeer(PRFileDesc *fd, const PRUint8 address[16]);
/* The server name that |fd|'s client asked for. */
void ShimSetServerName(PRFileDesc *fd, const char *name);
/* The number of the cache that |fd| is bound to, 0 for none or the default. */
PRUint32 ShimBoundCache(PRFileDesc *fd);
/* ShimNoteOrigin acts as if |fd| had read a ClientHello without a server name;
 * ShimSetOrigin as if that handshake had made |sid|. */
void ShimNoteOrigin(PRFileDesc *fd);
void ShimSetOrigin(ShimSid *sid, PRFileDesc *fd);
/* The session of a socket, which the socket owns, or NULL. */
ShimSid *ShimSocketSid(PRFileDesc *fd);
/* Gives |sid| another ID. */
void ShimSetId(ShimSid *sid, const PRUint8 *id, unsigned int len);
/* The length of the ticket that |sid|, a client's, was given; 0: no ticket. */
unsigned int ShimTicketLength(const ShimSid *sid);
/* ShimTicketHint returns the lifetime of a client's ticket, in seconds. */
PRUint32 ShimTicketHint(const ShimSid *sid);
/* The name of the key under which a client's ticket is encrypted; 0: no ticket.
 */
int ShimTicketName(const ShimSid *sid, PRUint8 out[16]);

/* Changes the server name of the session of |fd|, a client's socket, so that
 * the client offers it to the server |url|. */
void ShimRename(PRFileDesc *fd, const char *url);
/* The server name that |fd|, a server, reports to its application; "" for
 * none. */
void ShimNegotiatedName(PRFileDesc *fd, char name[300]);

/* The ...Instance calls. An instance is all zeros before it is configured. */
typedef struct {
  unsigned char opaque[32];
} ShimInstance;
SECStatus ShimConfigInstance(ShimInstance *instance, int entries, PRUint32 ssl2,
                             PRUint32 ssl3);
SECStatus ShimInheritInstance(ShimInstance *instance, const char *string);
SECStatus ShimShutdownInstance(ShimInstance *instance);
void ShimBindInstance(PRFileDesc *fd, const ShimInstance *instance);

/* Makes this thread count as inside the region, as a lookup does while it
 * runs. */
int ShimEnterGate(PRUint32 *pass);
void ShimLeaveGate(PRUint32 pass);

/* Stores an entry in the default cache that no sid is packed to: the session of
 * |sid| with byte |at| of its state XORed with |mask|. Returns the core's
 * result. */
int ShimStoreChanged(const ShimSid *sid, size_t at, PRUint8 mask);
/* The NSS error for a result of the core, given as its number in snce.h. */
PRErrorCode ShimErrorOf(int result);

/* A wrapping key as a handshake gets it. */
typedef struct {
  PRUint8 id[12];
  PRUint8 value[24]; /* of a triple DES key */
} ShimWrapKey;
/* Gets the wrapping key of a server with this key pair, or makes a new one if
 * there is none. */
SECStatus ShimGetWrapKey(SECKEYPublicKey *pub, SECKEYPrivateKey *priv,
                         ShimWrapKey *out);
/* Whether a session wrapped under |key| may resume on a server with this key
 * pair. */
int ShimFitsWrapKey(SECKEYPublicKey *pub, SECKEYPrivateKey *priv,
                    const ShimWrapKey *key);
/* Makes the process forget the wrapping keys that it has unwrapped. */
void ShimForgetWrapKeys(void);
/* Takes and releases the lock on the key cache. */
void ShimTouchWrapKeys(void);
/* Fills the region's key log with records under names that no server key has.
 * Returns how many. */
unsigned int ShimFillKeyLog(void);
/* Stores |record| in the key log as the ticket keys wrapped under this server
 * key. */
SECStatus ShimPutTicketRecord(const SECKEYPublicKey *pub, const PRUint8 *record,
                              size_t len);
/* Whether the ServerHello of |fd| answers the client's server_name. */
int ShimAnswersServerName(PRFileDesc *fd);

/* From the first call of ShimAdvanceClock until ShimLetClockRun, the monotonic
 * clock of the whole program stands still, except that each call advances it by
 * |sec| seconds. */
void ShimAdvanceClock(long sec);
void ShimLetClockRun(void);

/* Fills the pipe that is the program's stderr just after the next poll that
 * finds room in it, as another process that shares the pipe may. */
void ShimFillStderr(void);
/* Whether that has happened. */
int ShimHasFilledStderr(void);

/* Make the next |times| calls (-1: all) of PK11_PubUnwrapSymKey, PK11_KeyGen,
 * PK11_WrapSymKey or
 * NSS_RegisterShutdown fail, as if a token were busy or memory short. */
void ShimFailUnwraps(int times);
void ShimFailKeyGens(int times);
void ShimFailWraps(int times);
void ShimFailRegistrations(int times);
/* Makes all calls of PK11_WrapSymKey fail but the next |good|. */
void ShimFailWrapsAfter(int good);
/* How often PK11_PubUnwrapSymKey was called: the number of operations with a
 * private key. */
unsigned int ShimCountUnwraps(void);

/* The master secret of |fd|'s TLS 1.2 connection, in the clear. Fails if the
 * token does not export it. */
SECStatus ShimMasterSecret(PRFileDesc *fd, PRUint8 out[48]);

/* The self-encrypt keys of this process, concatenated: name, AES key, HMAC
 * key. */
SECStatus ShimTicketKeys(PRFileDesc *fd, PRUint8 out[16 + 32 + 32]);
/* Forgets the ticket keys and the server keys that were offered. */
void ShimResetTicketKeys(void);
/* Whether the server |fd| decrypts what was encrypted under the key |name|. */
PRBool ShimDecryptsTickets(PRFileDesc *fd, const PRUint8 name[16]);
/* How many ticket keys the region has. */
unsigned int ShimCountTicketKeys(void);
/* The wrapped keys and secrets of files that the region has, one after the
 * other, at most |max| bytes. Returns how many bytes. */
unsigned int ShimWrappedFileKeys(PRUint8 *out, unsigned int max);
/* Encrypts |len| bytes as a ticket of the server |fd|. Returns its length, 0 if
 * it cannot. */
unsigned int ShimProtectTicket(PRFileDesc *fd, const PRUint8 *in,
                               unsigned int len, PRUint8 *out,
                               unsigned int max);
/* Opens a ticket that the server |fd| was sent. SEC_ERROR_NOT_A_RECIPIENT
 * stands for a full handshake; any other error ends the handshake in TLS 1.2.
 */
SECStatus ShimUnprotectTicket(PRFileDesc *fd, const PRUint8 *in,
                              unsigned int len, PRUint8 *out,
                              unsigned int *outLen, unsigned int max);
/* Copies the ticket of a client's session; its length, 0 for none.
 * ShimSetTicket gives the session another one. */
unsigned int ShimGetTicket(const ShimSid *sid, PRUint8 *out, unsigned int max);
SECStatus ShimSetTicket(ShimSid *sid, const PRUint8 *ticket, unsigned int len);
/* Reads the ticket key files again, changed or not. */
SECStatus ShimReloadKeyFiles(void);
/* How many ticket keys this process knows, and how many keys it has derived
 * from others so far. */
unsigned int ShimKnownTicketKeys(void);
unsigned int ShimCountDerivations(void);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_SUPPORT_NSS_SNCETESTSHIM_H_ */
