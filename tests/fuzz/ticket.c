/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* Fuzzes what a server does with the ticket that a client offers: the key is
 * found by its name, the ticket is opened, and its content is read.
 *
 * The first byte of an input says in which way it is a ticket, the second one
 * which cache it is for, and where the ticket keys are from; the rest is:
 *   raw      the ticket itself, which is of no key. Nothing resumes
 *   content  the content of a ticket, which is encrypted as a server does. So
 *            the parser gets what no client can make. It may be a session. The
 *            identity of the region stands in place of the bytes REGION_0
 *   damaged  two bytes say which byte of a real ticket is changed, and how; the
 *            others replace its beginning. If the ticket is another one by
 * then, nothing resumes In no case does the process learn a key by a ticket. */
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "nss.h"
#include "prio.h"
#include "secitem.h"
#include "secport.h"
#include "sncegate.h"
#include "snceknown.h"
#include "ssl.h"
#include "ssl3ext.h"
#include "ssl3exthandle.h"
#include "sslexp.h"
#include "sslimpl.h"
#include "sslproto.h"
#include "sslsnce/sslsnce.h"

#define TICKET_MAX 2048
#define NAMED "a.example"

/* The same in every run, so that a finding comes again. */
static const PRTime clock_ = 1700000000 * (PRTime)PR_USEC_PER_SEC;
static const unsigned char secret[48] =
    "a secret that all machines have, 48 bytes long";
static PRFileDesc *sockets[2]; /* of the default cache, and of NAMED */
static unsigned char real[2][TICKET_MAX]; /* a ticket of each */
static unsigned int realLen[2];

static PRTime Now(void *arg) { return clock_; }

static unsigned int KnownKeys(void) {
  unsigned int count;

  snceKnown_Lock();
  count = snceKnown_Count();
  snceKnown_Unlock();
  return count;
}

static PRFileDesc *Socket(const char *cache) {
  PRFileDesc *fd = SSL_ImportFD(NULL, PR_NewTCPSocket());

  EXPECT(fd);
  EXPECT(SSL_OptionSet(fd, SSL_SECURITY, PR_TRUE) == SECSuccess);
  EXPECT(SSL_OptionSet(fd, SSL_HANDSHAKE_AS_SERVER, PR_TRUE) == SECSuccess);
  EXPECT(SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, PR_TRUE) == SECSuccess);
  EXPECT(SSL_ResetHandshake(fd, PR_TRUE) == SECSuccess);
  EXPECT(SSL_SetTimeFunc(fd, Now, NULL) == SECSuccess);
  EXPECT(SSL_BindServerCache(fd, cache) == SECSuccess);
  ssl_NoteServerOrigin(ssl_FindSocket(fd));
  return fd;
}

/* Writes the identity of the region in place of REGION_0, wherever that is. */
static void PutRegion(unsigned char *content, unsigned int len) {
  static const char mark[] = "REGION_0";
  PRUint64 identity;
  PRUint32 pass;
  unsigned int i, j;

  snceRegion *region = snceGate_Enter(&pass);
  EXPECT(region);
  identity = snceRegion_Identity(region);
  snceGate_Leave(pass);
  for (i = 0; i + 8 <= len; ++i) {
    const int isMark = memcmp(content + i, mark, 8) == 0;
    for (j = 0; isMark && j < 8; ++j) {
      content[i + j] = (unsigned char)(identity >> 8 * (7 - j));
    }
  }
}

/* Encrypts |content| as the server of |ss| does. */
static void Protect(sslSocket *ss, const unsigned char *content,
                    unsigned int len, unsigned char out[TICKET_MAX],
                    unsigned int *outLen) {
  EXPECT(ssl_ProtectTicket(ss, content, len, out, outLen, TICKET_MAX) ==
         SECSuccess);
}

static void SetKeys(int fromSecret) {
  const SECItem item = {siBuffer, (unsigned char *)secret, sizeof secret};

  EXPECT(SSL_SetServerTicketKeys(
             fromSecret ? ssl_ticket_key_secret : ssl_ticket_key_random,
             fromSecret ? &item : NULL, fromSecret) == SECSuccess);
}

/* Puts keys of a source into force, if others are. */
static void UseKeys(int fromSecret) {
  static int used = -1;
  unsigned int i;

  if (used == fromSecret) {
    return;
  }
  SetKeys(fromSecret);
  used = fromSecret;
  for (i = 0; i < 2; ++i) {
    Protect(ssl_FindSocket(sockets[i]), secret, sizeof secret, real[i],
            &realLen[i]);
  }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  EXPECT(NSS_NoDB_Init(NULL) == SECSuccess);
  EXPECT(SSL_ConfigServerSessionIDCache(100, 0, 0, NULL) == SECSuccess);
  EXPECT(SSL_AddServerCache(NAMED, NULL) == SECSuccess);
  sockets[0] = Socket(NULL);
  sockets[1] = Socket(NAMED);
  return 0;
}

/* Offers the ticket. Returns whether it is a session. */
static int Offer(sslSocket *ss, unsigned char *data, unsigned int len) {
  /* A buffer of its own, whose end is watched. */
  SECItem ticket = {siBuffer, memcpy(malloc(len), data, len), len};
  const unsigned int before = KnownKeys();
  SECItem token = {siBuffer, NULL, 0};
  SECStatus rv;
  int isSession;

  rv = ssl3_ProcessSessionTicketCommon(ss, &ticket, &token);
  isSession = ss->sec.ci.sid != NULL;
  EXPECT(!isSession || rv == SECSuccess);
  EXPECT(KnownKeys() == before);
  if (isSession) {
    /* These follow what the ticket says. */
    EXPECT(ss->sec.ci.sid->fromTicket == PR_TRUE);
    EXPECT(ss->sec.ci.sid->isOfOtherRegion == PR_TRUE ||
           ss->sec.ci.sid->isOfOtherRegion == PR_FALSE);
    ssl_FreeSID(ss->sec.ci.sid);
    ss->sec.ci.sid = NULL;
  }
  ss->statelessResume = PR_FALSE;
  SECITEM_FreeItem(&token, PR_FALSE);
  free(ticket.data);
  return isSession;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  unsigned char content[TICKET_MAX / 2];
  unsigned char ticket[TICKET_MAX];
  unsigned int len = 0;
  unsigned int which;
  sslSocket *ss;

  if (size < 4 || size > TICKET_MAX / 2) {
    return 0;
  }
  which = data[1] & 1;
  ss = ssl_FindSocket(sockets[which]);
  /* An alert of TLS 1.3 needs a handshake that is going on. */
  ss->version = SSL_LIBRARY_VERSION_TLS_1_2;
  UseKeys(data[1] >> 1 & 1);
  switch (data[0] % 3) {
    case 0:
      len = (unsigned int)size - 2;
      memcpy(ticket, data + 2, len);
      EXPECT(!Offer(ss, ticket, len));
      break;
    case 1:
      memcpy(content, data + 2, size - 2);
      PutRegion(content, (unsigned int)size - 2);
      Protect(ss, content, (unsigned int)size - 2, ticket, &len);
      (void)Offer(ss, ticket, len);
      break;
    default:
      len = realLen[which];
      memcpy(ticket, real[which], len);
      ticket[data[2] % len] ^= data[3];
      memcpy(ticket, data + 4, PR_MIN(size - 4, len));
      if (memcmp(ticket, real[which], len) != 0) {
        EXPECT(!Offer(ss, ticket, len));
      }
  }
  return 0;
}
