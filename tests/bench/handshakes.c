/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* handshakes.c: what does the cache cost a whole handshake?
 *
 *   handshakes SUBJECT resumed|full tls12|tls13 WORKERS COUNT [TURNS]
 *
 * WORKERS processes share a cache of 10,000 entries. Each has a server and a
 * client at the two ends of a socket pair, which take turns in one thread, so
 * that neither network nor scheduler is timed. Each does COUNT handshakes at
 * the same time as the others: RSA 2048; TLS 1.2 by session ID, TLS 1.3 by
 * ticket; a byte from the server ends each. The clients' sessions are few and
 * the newest ones, which stock's cache finds fastest.
 *
 * With TURNS they do so TURNS times, each time after a line on standard input,
 * and print an empty line after the rows of each turn. So stock and ours, both
 * running, take turns so short that a disturbance of the machine slows both.
 *
 * The program uses NSS's public API only, so that it runs with stock's
 * libssl3.so and with ours, whichever the loader finds. It checks that the
 * loaded one is SUBJECT, stock or ours.
 *
 * Rows: handshakes "per second" of all workers by wall-clock time, and the
 * processor time of one handshake in microseconds, "cpu us", client and server
 * together. The timed part is Shake, the whole function and nothing else, where
 * callgrind counts too (tests/bench/instructions). */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "cert.h"
#include "cryptohi.h"
#include "keyhi.h"
#include "nspr.h"
#include "nss.h"
#include "pk11pub.h"
#include "secasn1.h"
#include "secder.h"
#include "ssl.h"
#include "sslproto.h"
#include "sslsnce/sslsnce.h"

/* A library refuses a structure that is larger than its own. Ours ends
 * before 3.54. */
#define CHANNEL_INFO_SIZE offsetof(SSLChannelInfo, pskType)

#define ENTRIES 10000
#define WORKERS 64
#define SESSIONS 16 /* of each worker's clients, offered in turn */
#define TURNS 32    /* of client and server in one handshake; 3 are enough */
#define DER_MAX 4096
#define HOST "bench.example"

typedef struct {
  unsigned len;
  uint8_t bytes[DER_MAX];
} derItem;

/* Memory that all processes share. Each worker writes its element of |done|
 * between two meetings, and the first worker reads them after the second. */
typedef struct {
  derItem key, cert;
  pthread_barrier_t meeting;
  struct {
    uint64_t begin, end;    /* the last turn's, by bench_Ns */
    double cpuUs;           /* of all COUNT handshakes in it */
    uint64_t full, resumed; /* handshakes of all turns */
  } done[WORKERS];
} board;

typedef struct {
  const char *subject;
  bool resume;
  bool tls13;
  unsigned workers;
  uint64_t count;
  uint64_t turns;
  bool told; /* a line on standard input begins each turn */
  board *board;
} trial;

/* A worker's two ends. |server| and |client| are models, whose settings each
 * socket copies. */
typedef struct {
  const trial *run;
  PRFileDesc *server, *client;
  uint64_t full, resumed;
} worker;

static void __attribute__((noreturn)) Die(const char *what) {
  const char *name = PR_ErrorToName(PR_GetError());

  bench_Fail("%s: %s (%d)", what, name ? name : "no NSS error",
             (int)PR_GetError());
}

static void Must(const char *what, bool succeeded) {
  if (!succeeded) {
    Die(what);
  }
}

static void StartNss(void) {
  Must("NSS_NoDB_Init", NSS_NoDB_Init(NULL) == SECSuccess);
  Must("policy", NSS_SetDomesticPolicy() == SECSuccess);
}

/* ---- the server's key and certificate ------------------------------------ */

static void Keep(const SECItem *der, derItem *out) {
  if (!der || der->len > DER_MAX) {
    Die("a key or a certificate");
  }
  memcpy(out->bytes, der->data, der->len);
  out->len = der->len;
}

static CERTCertificate *SelfSign(SECKEYPublicKey *pub, SECKEYPrivateKey *key) {
  CERTName *name = CERT_AsciiToName("CN=" HOST);
  CERTSubjectPublicKeyInfo *spki = SECKEY_CreateSubjectPublicKeyInfo(pub);
  CERTCertificateRequest *request =
      CERT_CreateCertificateRequest(name, spki, NULL);
  PRTime now = PR_Now(), day = 86400 * (PRTime)PR_USEC_PER_SEC;
  CERTValidity *validity = CERT_CreateValidity(now - day, now + 30 * day);
  CERTCertificate *draft = CERT_CreateCertificate(1, name, validity, request);
  SECOidTag algorithm = SEC_OID_PKCS1_SHA256_WITH_RSA_ENCRYPTION;
  SECItem signedDer = {siBuffer, NULL, 0}, *der;

  Must("a certificate",
       draft && SECOID_SetAlgorithmID(draft->arena, &draft->signature,
                                      algorithm, NULL) == SECSuccess);
  *draft->version.data = 2; /* X.509 version 3 */
  draft->version.len = 1;
  der = SEC_ASN1EncodeItem(draft->arena, NULL, draft,
                           SEC_ASN1_GET(CERT_CertificateTemplate));
  Must("a signature",
       der && SEC_DerSignData(draft->arena, &signedDer, der->data,
                              (int)der->len, key, algorithm) == SECSuccess);
  return CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &signedDer, NULL,
                                 PR_FALSE, PR_TRUE);
}

/* Makes the server's key and certificate. Runs in a process of its own, because
 * NSS must not be started before the workers are forked, and does not shut NSS
 * down. */
static void MakeIdentity(board *at) {
  PK11RSAGenParams params = {2048, 65537};
  PK11SlotInfo *slot;
  SECKEYPublicKey *pub = NULL;
  SECKEYPrivateKey *key;
  CERTCertificate *cert;

  StartNss();
  slot = PK11_GetInternalKeySlot();
  key = PK11_GenerateKeyPair(slot, CKM_RSA_PKCS_KEY_PAIR_GEN, &params, &pub,
                             PR_FALSE, PR_FALSE, NULL);
  Must("a key pair", key != NULL);
  cert = SelfSign(pub, key);
  Must("a certificate", cert != NULL);
  Keep(PK11_ExportDERPrivateKeyInfo(key, NULL), &at->key);
  Keep(&cert->derCert, &at->cert);
}

static void MakeIdentityElsewhere(board *at) {
  pid_t pid = fork();
  int status = 1;

  if (pid == 0) {
    alarm(60);
    MakeIdentity(at);
    _exit(0);
  }
  if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
    bench_Fail("no key and certificate were made");
  }
}

static void ConfigureServer(PRFileDesc *fd, board *at) {
  SECItem keyDer = {siBuffer, at->key.bytes, at->key.len};
  SECItem certDer = {siBuffer, at->cert.bytes, at->cert.len};
  PK11SlotInfo *slot = PK11_GetInternalKeySlot();
  SECKEYPrivateKey *key = NULL;
  CERTCertificate *cert;

  Must("the key", PK11_ImportDERPrivateKeyInfoAndReturnKey(
                      slot, &keyDer, NULL, NULL, PR_FALSE, PR_TRUE, KU_ALL,
                      &key, NULL) == SECSuccess);
  PK11_FreeSlot(slot);
  cert = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &certDer, NULL,
                                 PR_FALSE, PR_TRUE);
  Must("the certificate",
       cert && SSL_ConfigServerCert(fd, cert, key, NULL, 0) == SECSuccess);
  CERT_DestroyCertificate(cert);
  SECKEY_DestroyPrivateKey(key);
}

/* ---- sockets ------------------------------------------------------------- */

static SECStatus Accept(void *arg, PRFileDesc *fd, PRBool checkSig,
                        PRBool isServer) {
  (void)arg, (void)fd, (void)checkSig, (void)isServer;
  return SECSuccess;
}

static PRFileDesc *Model(const trial *run, bool server) {
  PRUint16 version =
      run->tls13 ? SSL_LIBRARY_VERSION_TLS_1_3 : SSL_LIBRARY_VERSION_TLS_1_2;
  SSLVersionRange range = {version, version};
  PRFileDesc *tcp = PR_NewTCPSocket(), *fd = SSL_ImportFD(NULL, tcp);

  Must("a model",
       tcp && fd && SSL_VersionRangeSet(fd, &range) == SECSuccess &&
           SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, run->tls13) ==
               SECSuccess &&
           SSL_OptionSet(fd, SSL_HANDSHAKE_AS_SERVER, server) == SECSuccess &&
           SSL_OptionSet(fd, SSL_HANDSHAKE_AS_CLIENT, !server) == SECSuccess &&
           SSL_AuthCertificateHook(fd, Accept, NULL) == SECSuccess);
  if (server) {
    ConfigureServer(fd, run->board);
  }
  return fd;
}

/* libssl needs a peer with an IPv4 or IPv6 address, which a socket pair has
 * not. */
static PRStatus Peer(PRFileDesc *fd, PRNetAddr *out) {
  (void)fd;
  return PR_InitializeNetAddr(PR_IpAddrLoopback, 443, out);
}

static PRFileDesc *Import(PRFileDesc *model, PRFileDesc *tcp, bool server) {
  static PRDescIdentity identity;
  static PRIOMethods methods;
  PRSocketOptionData option = {.option = PR_SockOpt_Nonblocking,
                               .value.non_blocking = PR_TRUE};
  PRFileDesc *layer, *fd;

  if (!methods.getpeername) {
    identity = PR_GetUniqueIdentity("peer");
    methods = *PR_GetDefaultIOMethods();
    methods.getpeername = Peer;
  }
  layer = PR_CreateIOLayerStub(identity, &methods);
  Must("a socket",
       layer && PR_SetSocketOption(tcp, &option) == PR_SUCCESS &&
           PR_PushIOLayer(tcp, PR_TOP_IO_LAYER, layer) == PR_SUCCESS);
  fd = SSL_ImportFD(model, tcp);
  Must("a socket", fd && SSL_ResetHandshake(fd, server) == SECSuccess);
  return fd;
}

/* ---- handshakes ---------------------------------------------------------- */

static bool Advance(const char *who, PRFileDesc *fd) {
  if (SSL_ForceHandshake(fd) == SECSuccess) {
    return true;
  }
  if (PR_GetError() != PR_WOULD_BLOCK_ERROR) {
    Die(who);
  }
  return false;
}

/* Makes one handshake, with the client that has session |n|, and sends a byte
 * from server to client; a ticket comes before that byte. Returns true if the
 * session resumed. */
static bool Once(const worker *by, uint64_t n) {
  PRFileDesc *ends[2], *server, *client;
  bool served = false, connected = false;
  SSLChannelInfo at, of;
  char peer[16], byte;

  Must("a socket pair", PR_NewTCPSocketPair(ends) == PR_SUCCESS);
  server = Import(by->server, ends[0], true);
  client = Import(by->client, ends[1], false);
  snprintf(peer, sizeof(peer), "%u", (unsigned)(n % SESSIONS));
  Must("a client", SSL_SetURL(client, HOST) == SECSuccess &&
                       SSL_SetSockPeerID(client, peer) == SECSuccess);
  for (unsigned turn = 0; !(served && connected); turn++) {
    if (turn == TURNS) {
      bench_Fail("a handshake does not come to its end");
    }
    connected = connected || Advance("the client", client);
    served = served || Advance("the server", server);
  }
  Must("a byte was not sent", PR_Send(server, "!", 1, 0, 0) == 1);
  Must("a byte did not come",
       PR_Recv(client, &byte, 1, 0, 0) == 1 && byte == '!');
  Must("a channel",
       SSL_GetChannelInfo(server, &at, CHANNEL_INFO_SIZE) == SECSuccess &&
           SSL_GetChannelInfo(client, &of, CHANNEL_INFO_SIZE) == SECSuccess);
  if (at.resumed != of.resumed || at.protocolVersion != of.protocolVersion ||
      (at.protocolVersion >= SSL_LIBRARY_VERSION_TLS_1_3) != by->run->tls13) {
    bench_Fail("client and server do not agree");
  }
  Must("closing",
       PR_Close(server) == PR_SUCCESS && PR_Close(client) == PR_SUCCESS);
  return at.resumed;
}

/* Makes |count| handshakes. With |resume| they use the clients' sessions. */
static void __attribute__((noinline, noclone))
Shake(worker *by, bool resume, uint64_t count) {
  for (uint64_t n = 0; n < count; n++) {
    if (!resume) {
      SSL_ClearSessionCache(); /* the clients' cache */
    }
    if (Once(by, n)) {
      by->resumed++;
    } else {
      by->full++;
    }
  }
}

static double CpuUs(void) {
  struct rusage used;

  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* Waits for the other workers. If one of them hangs, bench_Processes ends the
 * program. */
static void Meet(const trial *run) {
  int rv = pthread_barrier_wait(&run->board->meeting);

  if (rv != 0 && rv != PTHREAD_BARRIER_SERIAL_THREAD) {
    bench_Fail("workers do not meet: %s", strerror(rv));
  }
}

static void AwaitTurn(void) {
  int c;

  while ((c = getchar()) != '\n') {
    if (c == EOF) {
      bench_Fail("nobody says when the next turn begins");
    }
  }
}

/* Prints the rows of a turn, after all workers have ended it. */
static void ReportTurn(const trial *run) {
  benchRow row = {.question = "handshakes",
                  .work = run->resume ? "resumed" : "full",
                  .mode = run->tls13 ? "tls13" : "tls12",
                  .processes = run->workers,
                  .entries = ENTRIES,
                  .subject = run->subject};
  double total = (double)run->workers * (double)run->count, cpuUs = 0;
  uint64_t begin = UINT64_MAX, end = 0;

  for (unsigned i = 0; i < run->workers; i++) {
    begin =
        run->board->done[i].begin < begin ? run->board->done[i].begin : begin;
    end = run->board->done[i].end > end ? run->board->done[i].end : end;
    cpuUs += run->board->done[i].cpuUs;
  }
  bench_Row(&row, "per second", total * 1e9 / (double)(end - begin));
  bench_Row(&row, "cpu us", cpuUs / total);
  if (run->told) {
    puts("");
    fflush(stdout);
  }
}

/* Does a turn of worker |index|. The first worker reads the input and prints
 * the rows for all. */
static void Turn(worker *by, unsigned index) {
  const trial *run = by->run;

  if (index == 0 && run->told) {
    AwaitTurn();
  }
  Meet(run);
  run->board->done[index].begin = bench_Ns();
  run->board->done[index].cpuUs = -CpuUs();
  Shake(by, run->resume, run->count);
  run->board->done[index].cpuUs += CpuUs();
  run->board->done[index].end = bench_Ns();
  Meet(run);
  if (index == 0) {
    ReportTurn(run);
  }
}

static double Work(void *context, unsigned index) {
  const trial *run = context;
  worker by = {.run = run};

  Must("SSL_InheritMPServerSIDCache",
       SSL_InheritMPServerSIDCache(NULL) == SECSuccess);
  StartNss();
  by.server = Model(run, true);
  by.client = Model(run, false);

  /* Make the sessions; then resume each once, to warm up. */
  for (uint64_t n = 0; n < SESSIONS; n++) {
    by.full += !Once(&by, n);
  }
  for (uint64_t n = 0; n < SESSIONS; n++) {
    by.resumed += Once(&by, n);
  }
  if (by.full != SESSIONS || by.resumed != SESSIONS) {
    bench_Fail("of %d sessions %llu are new and %llu resume", SESSIONS,
               (unsigned long long)by.full, (unsigned long long)by.resumed);
  }
  for (uint64_t turn = 0; turn < run->turns; turn++) {
    Turn(&by, index);
  }
  run->board->done[index].full = by.full;
  run->board->done[index].resumed = by.resumed;
  return 0;
}

/* ---- sums ---------------------------------------------------------------- */

/* Fails if the loaded libssl3 is not SUBJECT: only ours has the call for
 * figures. */
static void CheckSubject(const trial *run) {
  bool ours = SSL_GetExperimentalAPI("SSL_GetServerCacheFigures") != NULL;

  if (strcmp(run->subject, ours ? "ours" : "stock") != 0) {
    bench_Fail("SUBJECT is %s, but the libssl3.so that was loaded is %s",
               run->subject, ours ? "ours" : "another one");
  }
}

static void CheckSums(const trial *run) {
  uint64_t full = 0, resumed = 0, each = SESSIONS;
  uint64_t shaken = run->count * run->turns;
  SSLServerCacheFigures f;

  for (unsigned i = 0; i < run->workers; i++) {
    full += run->board->done[i].full;
    resumed += run->board->done[i].resumed;
  }
  if (full != run->workers * (each + (run->resume ? 0 : shaken)) ||
      resumed != run->workers * (each + (run->resume ? shaken : 0))) {
    bench_Fail("%llu handshakes were full and %llu resumed, not as they must",
               (unsigned long long)full, (unsigned long long)resumed);
  }
  if (strcmp(run->subject, "ours") != 0) {
    return; /* stock has no call for figures */
  }
  Must("figures", SSL_GetServerCacheFigures(NULL, &f, sizeof(f)) == SECSuccess);
  /* In TLS 1.3 the cache has the ticket keys, not the sessions. */
  if (f.hits != (run->tls13 ? 0 : resumed) ||
      f.inserts != (run->tls13 ? 0 : full) || f.dropped != 0 ||
      f.inserts != f.live + f.replacedLive + f.removals) {
    bench_Fail("the cache's figures do not add up");
  }
}

/* Returns false if |text| is |no|, true if it is |yes|; fails if it is
 * neither. */
static bool Choice(const char *text, const char *no, const char *yes) {
  if (strcmp(text, no) != 0 && strcmp(text, yes) != 0) {
    bench_Fail("\"%s\" is neither %s nor %s", text, no, yes);
  }
  return strcmp(text, yes) == 0;
}

int main(int argc, char **argv) {
  pthread_barrierattr_t shared;
  double nothing[WORKERS];
  trial run;

  if (argc != 6 && argc != 7) {
    bench_Fail(
        "usage: handshakes SUBJECT resumed|full tls12|tls13 WORKERS "
        "COUNT [TURNS]");
  }
  (void)Choice(argv[1], "stock", "ours");
  run.subject = argv[1];
  run.resume = Choice(argv[2], "full", "resumed");
  run.tls13 = Choice(argv[3], "tls12", "tls13");
  run.workers = (unsigned)bench_Number("WORKERS", argv[4], WORKERS);
  run.count = bench_Number("COUNT", argv[5], 100000000);
  run.told = argc == 7;
  run.turns = run.told ? bench_Number("TURNS", argv[6], 100000) : 1;
  run.board = mmap(NULL, sizeof(*run.board), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (run.board == MAP_FAILED) {
    bench_Fail("no memory");
  }
  if (pthread_barrierattr_init(&shared) != 0 ||
      pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) != 0 ||
      pthread_barrier_init(&run.board->meeting, &shared, run.workers) != 0) {
    bench_Fail("no barrier");
  }
  CheckSubject(&run);
  MakeIdentityElsewhere(run.board);
  Must("SSL_ConfigMPServerSIDCache",
       SSL_ConfigMPServerSIDCache(ENTRIES, 100, 86400, NULL) == SECSuccess);
  bench_Processes(run.workers, Work, &run, nothing);
  CheckSums(&run);
  return 0;
}
