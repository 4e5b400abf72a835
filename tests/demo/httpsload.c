/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* httpsload: the NSS client of `make demo`. It makes sessions with httpsd and
 * keeps them. Then it waits, or puts the server under load, which may be a
 * flood of new sessions under another server name. At the end it offers every
 * session that it kept and counts how many resume. All of it is TLS 1.2 by
 * session ID. Every connection fetches one page, because the page comes only
 * after the session is stored.
 *
 * Standard output, a line each: "made N", then "loading", "flooding" or
 * "waiting", then "returning", and the sums:
 *
 *   load handshakes=N failed=N         of a load or a flood
 *   kept K resumed=N full=N unanswered=N other_worker=N
 *
 * |other_worker| counts the resumed sessions that were answered by another
 * worker than the one that made them.
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nspr.h"
#include "plgetopt.h"

#include "nss.h"
#include "ssl.h"
#include "sslproto.h"

/* A library refuses a structure longer than its own; so ask for that of NSS 3.53. */
#define CHANNEL_INFO_SIZE offsetof(SSLChannelInfo, pskType)

#define MAX_THREADS 64
#define MAX_KEPT 1000
#define IO_TIMEOUT_MS 1000
#define MAX_TRIES 8           /* to make a session while workers are killed */
#define SETTLE_MS 300         /* for the reader of "load" to stop its kills */
#define RESUMES_PER_SESSION 4 /* of a load thread, before it makes a new one */

typedef enum { VISIT_FULL, VISIT_RESUMED, VISIT_UNANSWERED } Outcome;

typedef struct {
    Outcome outcome;
    int worker;
} Visit;

typedef struct {
    PRBool made;
    Visit first;
    Visit again;
} Kept;

static PRUint16 port = 8443;
static int keptCount = 20;
static int threadCount = 8;
static int loadSec = 0;
static int gapMs = 0;
static const char *name = "localhost";
static int floodCount = 0;
static const char *floodName = "localhost";

static Kept kept[MAX_KEPT];
static PRInt32 nextIndex; /* atomic */
static PRInt32 endIndex;
static PRTime loadEnd;
static PRInt32 loadDone;   /* atomic */
static PRInt32 loadFailed; /* atomic */

static SECStatus
acceptAnyCertificate(void *arg, PRFileDesc *fd, PRBool checkSig,
                     PRBool isServer)
{
    (void)arg, (void)fd, (void)checkSig, (void)isServer;
    return SECSuccess; /* the demo does not test certificates */
}

static PRFileDesc *
connectTo(const char *url, const char *peerID)
{
    PRIntervalTime wait = PR_MillisecondsToInterval(IO_TIMEOUT_MS);
    SSLVersionRange tls12 = { SSL_LIBRARY_VERSION_TLS_1_2,
                              SSL_LIBRARY_VERSION_TLS_1_2 };
    PRFileDesc *tcp = NULL;
    PRFileDesc *ssl = NULL;
    PRSocketOptionData noDelay;
    PRNetAddr address;

    PR_InitializeNetAddr(PR_IpAddrLoopback, port, &address);
    noDelay.option = PR_SockOpt_NoDelay;
    noDelay.value.no_delay = PR_TRUE;
    tcp = PR_NewTCPSocket();
    if (!tcp || PR_SetSocketOption(tcp, &noDelay) != PR_SUCCESS ||
        PR_Connect(tcp, &address, wait) != PR_SUCCESS) {
        goto loser;
    }
    ssl = SSL_ImportFD(NULL, tcp);
    if (!ssl) {
        goto loser;
    }
    tcp = NULL; /* |ssl| owns it now. */
    if (SSL_OptionSet(ssl, SSL_SECURITY, PR_TRUE) != SECSuccess ||
        SSL_OptionSet(ssl, SSL_ENABLE_SESSION_TICKETS, PR_FALSE) !=
            SECSuccess ||
        SSL_VersionRangeSet(ssl, &tls12) != SECSuccess ||
        SSL_CipherPrefSet(ssl, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                          PR_FALSE) != SECSuccess ||
        SSL_AuthCertificateHook(ssl, acceptAnyCertificate, NULL) !=
            SECSuccess ||
        SSL_SetURL(ssl, url) != SECSuccess ||
        SSL_SetSockPeerID(ssl, peerID) != SECSuccess ||
        SSL_ResetHandshake(ssl, PR_FALSE) != SECSuccess) {
        goto loser;
    }
    return ssl;

loser:
    if (tcp) {
        PR_Close(tcp);
    }
    if (ssl) {
        PR_Close(ssl);
    }
    return NULL;
}

/* Fetches the page of |url|. Offers the session that NSS's client cache has
 * under |peerID|, or makes one that stays there; |last| removes it
 * afterwards. */
static Visit
visit(const char *url, const char *peerID, PRBool last)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    PRIntervalTime wait = PR_MillisecondsToInterval(IO_TIMEOUT_MS);
    Visit result = { VISIT_UNANSWERED, -1 };
    SSLChannelInfo info;
    PRFileDesc *ssl;
    char reply[2048];
    const char *worker;
    int have = 0;
    PRInt32 got;

    ssl = connectTo(url, peerID);
    if (!ssl) {
        return result;
    }
    if (SSL_ForceHandshakeWithTimeout(ssl, wait) == SECSuccess &&
        SSL_GetChannelInfo(ssl, &info, CHANNEL_INFO_SIZE) == SECSuccess &&
        PR_Send(ssl, request, sizeof(request) - 1, 0, wait) > 0) {
        while (have < (int)sizeof(reply) - 1 &&
               (got = PR_Recv(ssl, reply + have, sizeof(reply) - 1 - have, 0,
                              wait)) > 0) {
            have += got;
        }
        reply[have] = '\0';
        worker = strstr(reply, "worker=");
        if (worker) {
            result.outcome = info.resumed ? VISIT_RESUMED : VISIT_FULL;
            result.worker = atoi(worker + strlen("worker="));
        }
    }
    if (last) {
        SSL_InvalidateSession(ssl);
    }
    PR_Close(ssl);
    return result;
}

static void
keep(int index)
{
    char peerID[32];
    int tries;

    snprintf(peerID, sizeof(peerID), "kept-%d", index);
    for (tries = 0; tries < MAX_TRIES && !kept[index].made; ++tries) {
        kept[index].first = visit(name, peerID, PR_FALSE);
        /* The outcome may be "resumed": an earlier try made the session, and
         * its worker was killed before it sent the page. */
        kept[index].made = kept[index].first.outcome != VISIT_UNANSWERED;
    }
}

static void
makeThread(void *arg)
{
    PRInt32 index;

    (void)arg;
    while ((index = PR_ATOMIC_INCREMENT(&nextIndex) - 1) < endIndex) {
        keep(index);
    }
}

static void
returnThread(void *arg)
{
    PRInt32 index;
    char peerID[32];

    (void)arg;
    while ((index = PR_ATOMIC_INCREMENT(&nextIndex) - 1) < endIndex) {
        if (kept[index].made) {
            snprintf(peerID, sizeof(peerID), "kept-%d", index);
            kept[index].again = visit(name, peerID, PR_TRUE);
        }
    }
}

/* Makes full handshakes, each of which stores a session, and resumes each of
 * these sessions a few times, until the load ends. */
static void
loadThread(void *arg)
{
    char peerID[32];
    int turn;

    snprintf(peerID, sizeof(peerID), "load-%d", (int)(PRPtrdiff)arg);
    for (turn = 0; PR_Now() < loadEnd; ++turn) {
        if (visit(name, peerID,
                  turn % (1 + RESUMES_PER_SESSION) == RESUMES_PER_SESSION)
                .outcome == VISIT_UNANSWERED) {
            PR_ATOMIC_INCREMENT(&loadFailed);
        } else {
            PR_ATOMIC_INCREMENT(&loadDone);
        }
    }
}

/* Makes full handshakes until all threads together have made as many as the
 * flood is to have. */
static void
floodThread(void *arg)
{
    char peerID[32];

    snprintf(peerID, sizeof(peerID), "flood-%d", (int)(PRPtrdiff)arg);
    while (PR_ATOMIC_INCREMENT(&nextIndex) <= endIndex) {
        if (visit(floodName, peerID, PR_TRUE).outcome == VISIT_FULL) {
            PR_ATOMIC_INCREMENT(&loadDone);
        } else {
            PR_ATOMIC_INCREMENT(&loadFailed);
        }
    }
}

/* Makes the second half of the kept sessions, spread over the time of the
 * load. */
static void
keepUnderLoadThread(void *arg)
{
    PRTime begin = PR_Now();
    int from = keptCount / 2;
    int i;

    (void)arg;
    for (i = from; i < keptCount; ++i) {
        PRTime due =
            begin + (loadEnd - begin) * (i - from) / (keptCount - from);
        while (PR_Now() < due) {
            PR_Sleep(PR_MillisecondsToInterval(10));
        }
        if (due < loadEnd) {
            keep(i);
        }
    }
}

static void
startThreads(PRThread **threads, int count, void (*body)(void *))
{
    int i;

    for (i = 0; i < count; ++i) {
        threads[i] = PR_CreateThread(PR_USER_THREAD, body, (void *)(PRPtrdiff)i,
                                     PR_PRIORITY_NORMAL, PR_GLOBAL_THREAD,
                                     PR_JOINABLE_THREAD, 0);
    }
}

static void
joinThreads(PRThread **threads, int count)
{
    int i;

    for (i = 0; i < count; ++i) {
        if (threads[i]) {
            PR_JoinThread(threads[i]);
        }
    }
}

static void
forEachIndex(int end, void (*body)(void *))
{
    PRThread *threads[MAX_THREADS];

    nextIndex = 0;
    endIndex = end;
    startThreads(threads, threadCount, body);
    joinThreads(threads, threadCount);
}

static void
underLoad(void)
{
    PRThread *threads[MAX_THREADS + 1];

    loadEnd = PR_Now() + (PRTime)loadSec * PR_USEC_PER_SEC;
    startThreads(threads, threadCount, loadThread);
    startThreads(threads + threadCount, 1, keepUnderLoadThread);
    joinThreads(threads, threadCount + 1);
    printf("load handshakes=%d failed=%d\n", loadDone, loadFailed);
    PR_Sleep(PR_MillisecondsToInterval(SETTLE_MS));
}

static void
flood(void)
{
    forEachIndex(floodCount, floodThread);
    printf("load handshakes=%d failed=%d\n", loadDone, loadFailed);
}

static void
report(void)
{
    int sums[3] = { 0, 0, 0 };
    int other = 0;
    int made = 0;
    int i;

    for (i = 0; i < keptCount; ++i) {
        if (kept[i].made) {
            ++made;
            ++sums[kept[i].again.outcome];
            other += kept[i].again.outcome == VISIT_RESUMED &&
                     kept[i].again.worker != kept[i].first.worker;
        }
    }
    printf("kept %d resumed=%d full=%d unanswered=%d other_worker=%d\n", made,
           sums[VISIT_RESUMED], sums[VISIT_FULL], sums[VISIT_UNANSWERED],
           other);
}

static PRBool
parseOptions(int argc, char **argv)
{
    PLOptState *state = PL_CreateOptState(argc, argv, "p:n:j:l:g:s:f:F:");
    PRBool good = PR_TRUE;
    PLOptStatus status;

    while (good && (status = PL_GetNextOpt(state)) == PL_OPT_OK) {
        int number = state->value ? atoi(state->value) : 0;

        switch (state->option) {
            case 'p':
                port = (PRUint16)number;
                break;
            case 'n':
                keptCount = number;
                break;
            case 'j':
                threadCount = number;
                break;
            case 'l':
                loadSec = number;
                break;
            case 'g':
                gapMs = number;
                break;
            case 's':
                name = strdup(state->value);
                break;
            case 'f':
                floodCount = number;
                break;
            case 'F':
                floodName = strdup(state->value);
                break;
            default:
                good = PR_FALSE;
        }
    }
    good = good && status == PL_OPT_EOL;
    PL_DestroyOptState(state);
    return good && keptCount > 0 && keptCount <= MAX_KEPT && threadCount > 0 &&
           threadCount <= MAX_THREADS;
}

int
main(int argc, char **argv)
{
    if (!parseOptions(argc, argv)) {
        fputs(
            "usage: httpsload [-p PORT] [-n SESSIONS] [-j THREADS] [-s NAME]\n"
            "                 [-l LOAD_SECONDS | -g GAP_MILLISECONDS |\n"
            "                  -f NEW_SESSIONS [-F NAME]]\n",
            stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (NSS_NoDB_Init(NULL) != SECSuccess) {
        fprintf(stderr, "httpsload: NSS_NoDB_Init: %s\n",
                PR_ErrorToName(PR_GetError()));
        return 1;
    }
    NSS_SetDomesticPolicy();

    forEachIndex(loadSec > 0 ? keptCount / 2 : keptCount, makeThread);
    printf("made %d\n", loadSec > 0 ? keptCount / 2 : keptCount);
    if (loadSec > 0) {
        printf("loading\n");
        underLoad();
    } else if (floodCount > 0) {
        printf("flooding\n");
        flood();
    } else {
        printf("waiting\n");
        PR_Sleep(PR_MillisecondsToInterval(gapMs));
    }
    printf("returning\n");
    forEachIndex(keptCount, returnThread);
    report();
    SSL_ClearSessionCache();
    return NSS_Shutdown() == SECSuccess ? 0 : 1;
}
