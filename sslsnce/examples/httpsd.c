/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* httpsd: a small HTTPS server of several processes that share one session
 * cache. It is the example of how a server uses the cache, and `make demo` runs
 * it. It calls NSS's public API only, so that one binary runs on any libssl3.
 *
 * A server must do these four steps in this order:
 *   1. the parent makes the cache (SSL_ConfigMPServerSIDCache), and beside it
 *      one for each virtual server (SSL_AddServerCache), before it forks and
 *      before NSS_Init, which it never calls itself;
 *   2. it starts its workers, by fork, or by fork and exec (-x);
 *   3. each worker inherits the cache (SSL_InheritMPServerSIDCache), which
 *      an exec'd one finds through the environment variable SSL_INHERITANCE;
 *   4. each worker calls NSS_Init for itself: a PKCS #11 module does not
 *      survive a fork.
 *
 * libssl chooses the cache of a connection by the name that the client asks
 * for. The SNI callback only serves that name's certificate. On a libssl
 * without sslsnce the virtual servers share the one cache.
 *
 * Every process writes one line for each event to standard output, by one
 * write(2), so that the lines of several processes do not mix:
 *
 *   cache ENTRIES config_us N
 *   virtual NAME own|shared          the virtual server's cache
 *   listen PORT
 *   start WORKER PID                 by the parent
 *   ready WORKER PID                 by the worker, before its first accept
 *   hello WORKER PID TIME_US full|resumed SESSION_ID    a handshake is done
 *   done WORKER PID TIME_US TOOK_US  the connection is closed
 *   end WORKER PID exit|signal N
 */

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nspr.h"
#include "plgetopt.h"
#include "plstr.h"
#include "private/pprio.h"

#include "cert.h"
#include "keyhi.h"
#include "nss.h"
#include "pk11pub.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslproto.h"

#include "sslsnce/sslsnce.h"

/* A library refuses a structure longer than its own; so ask for that of NSS 3.53. */
#define CHANNEL_INFO_SIZE offsetof(SSLChannelInfo, pskType)

#define MAX_WORKERS 64
#define MAX_NICKNAMES 4
#define MAX_SITES 8      /* virtual servers; the caches allow for 1,024 */
#define MAX_REQUEST 4096 /* the most bytes of a request that a worker reads */
#define MAX_READS 16     /* the most reads that a worker makes for them */
#define IO_TIMEOUT_SEC 2 /* how long one read or write waits for a client */

/* A virtual server; its name is also its certificate's nickname. */
typedef struct {
    char name[256];
    PRUint32 timeoutSec;
    PRUint32 entries;
} Site;

typedef struct {
    PRNetAddr address; /* that it listens on, with the port */
    PRUint16 port;
    const char *user; /* that workers run as; NULL: as the parent does */
    int workers;
    PRBool exec;
    int restarts; /* how many workers the parent replaces, in total */
    int entries;
    PRUint32 ssl2TimeoutSec;
    PRUint32 ssl3TimeoutSec;
    const char *certDir;
    const char *nicknames[MAX_NICKNAMES];
    int nicknameCount;
    Site sites[MAX_SITES];
    int siteCount;
    PRBool tickets;
    SSLVersionRange versions;
    int execWorker;   /* the number of this worker, if it was exec'd; else -1 */
    int execListener; /* its descriptor of the listening socket */
} Options;

static void
say(const char *format, ...)
{
    char line[512];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    if (len < 0) {
        return;
    }
    if ((size_t)len > sizeof(line) - 2) {
        len = sizeof(line) - 2;
    }
    line[len] = '\n';
    if (write(STDOUT_FILENO, line, len + 1) < 0) {
        /* Ignored: the server goes on when nobody reads its output. */
    }
}

static void
complain(const char *what)
{
    PRErrorCode error = PR_GetError();
    const char *name = PR_ErrorToName(error);

    fprintf(stderr, "httpsd[%d]: %s: %s (%d)%s%s\n", (int)getpid(), what,
            name ? name : "no NSS error", (int)error, name ? ", " : "",
            name ? PR_ErrorToString(error, PR_LANGUAGE_I_DEFAULT) : "");
}

/* ---- a worker ---- */

static SECStatus
addCertificate(PRFileDesc *model, const char *nickname)
{
    CERTCertificate *cert = NULL;
    SECKEYPrivateKey *key = NULL;
    SECStatus rv = SECFailure;

    cert = PK11_FindCertFromNickname(nickname, NULL);
    if (!cert) {
        complain(nickname);
        goto loser;
    }
    key = PK11_FindKeyByAnyCert(cert, NULL);
    if (!key) {
        complain(nickname);
        goto loser;
    }
    rv = SSL_ConfigServerCert(model, cert, key, NULL, 0);
    if (rv != SECSuccess) {
        complain("SSL_ConfigServerCert");
    }

loser:
    SECKEY_DestroyPrivateKey(key);
    if (cert) {
        CERT_DestroyCertificate(cert);
    }
    return rv;
}

/* Makes the socket whose settings every accepted socket copies. It has the
 * certificate |nickname|, or with NULL the certificates of the default
 * server. */
static PRFileDesc *
makeModel(const Options *options, const char *nickname)
{
    /* libssl's defaults without SHA-1, and what a certificate for RSA-PSS needs. */
    static const SSLSignatureScheme schemes[] = {
        ssl_sig_ecdsa_secp256r1_sha256, ssl_sig_ecdsa_secp384r1_sha384,
        ssl_sig_ecdsa_secp521r1_sha512, ssl_sig_rsa_pss_rsae_sha256,
        ssl_sig_rsa_pss_rsae_sha384,    ssl_sig_rsa_pss_rsae_sha512,
        ssl_sig_rsa_pss_pss_sha256,     ssl_sig_rsa_pss_pss_sha384,
        ssl_sig_rsa_pss_pss_sha512,     ssl_sig_rsa_pkcs1_sha256,
        ssl_sig_rsa_pkcs1_sha384,       ssl_sig_rsa_pkcs1_sha512
    };
    PRFileDesc *tcp = NULL;
    PRFileDesc *model = NULL;
    int i;

    tcp = PR_NewTCPSocket();
    if (!tcp) {
        complain("PR_NewTCPSocket");
        goto loser;
    }
    model = SSL_ImportFD(NULL, tcp);
    if (!model) {
        complain("SSL_ImportFD");
        goto loser;
    }
    tcp = NULL; /* |model| owns it now. */
    if (SSL_OptionSet(model, SSL_SECURITY, PR_TRUE) != SECSuccess ||
        SSL_OptionSet(model, SSL_HANDSHAKE_AS_SERVER, PR_TRUE) != SECSuccess ||
        SSL_OptionSet(model, SSL_ENABLE_SESSION_TICKETS, options->tickets) !=
            SECSuccess ||
        SSL_VersionRangeSet(model, &options->versions) != SECSuccess ||
        SSL_SignatureSchemePrefSet(model, schemes, PR_ARRAY_SIZE(schemes)) !=
            SECSuccess) {
        complain("setting up the server socket");
        goto loser;
    }
    if (nickname && addCertificate(model, nickname) != SECSuccess) {
        goto loser;
    }
    for (i = 0; !nickname && i < options->nicknameCount; ++i) {
        if (addCertificate(model, options->nicknames[i]) != SECSuccess) {
            goto loser;
        }
    }
    return model;

loser:
    if (tcp) {
        PR_Close(tcp);
    }
    if (model) {
        PR_Close(model);
    }
    return NULL;
}

/* The virtual servers of a worker, for its SNI callback. */
typedef struct {
    const Options *options;
    PRFileDesc *models[MAX_SITES];
} Sites;

/* The SNI callback: serves the certificate of the name that the client asks
 * for, or the default ones if no virtual server has this name. */
static PRInt32
chooseSite(PRFileDesc *ssl, const SECItem *names, PRUint32 count, void *arg)
{
    const Sites *sites = arg;
    PRUint32 n;
    int i;

    for (n = 0; n < count; ++n) {
        for (i = 0; i < sites->options->siteCount; ++i) {
            const char *name = sites->options->sites[i].name;

            if (strlen(name) == names[n].len &&
                PL_strncasecmp(name, (const char *)names[n].data,
                               names[n].len) == 0) {
                return SSL_ReconfigFD(sites->models[i], ssl)
                           ? (PRInt32)n
                           : SSL_SNI_SEND_ALERT;
            }
        }
    }
    return SSL_SNI_CURRENT_CONFIG_IS_USED;
}

static SECStatus
makeSites(Sites *sites, const Options *options, PRFileDesc *model)
{
    int i;

    sites->options = options;
    for (i = 0; i < options->siteCount; ++i) {
        sites->models[i] = makeModel(options, options->sites[i].name);
        if (!sites->models[i]) {
            return SECFailure;
        }
    }
    if (options->siteCount > 0 &&
        SSL_SNISocketConfigHook(model, chooseSite, sites) != SECSuccess) {
        complain("SSL_SNISocketConfigHook");
        return SECFailure;
    }
    return SECSuccess;
}

/* Writes the figures of the cache |name|, or with NULL of the default one, as a
 * page. The call is looked up at run time: on a libssl3 without sslsnce it
 * fails, and the page is the name of the error. */
static void
figuresPage(const char *name, char *page, size_t len)
{
    SSLServerCacheFigures f;

    memset(&f, 0, sizeof(f));
    if (SSL_GetServerCacheFigures(name, &f, sizeof(f)) != SECSuccess) {
        snprintf(page, len, "%s\n", PR_ErrorToName(PR_GetError()));
        return;
    }
    snprintf(
        page, len,
        "sessions       %llu live, room for %llu\n"
        "stored         %llu, over expired ones %llu, over live ones %llu\n"
        "found          %llu\n"
        "not found      %llu unknown, %llu expired, %llu of another "
        "address, %llu of another name\n"
        "lost races     %llu\n"
        "taken back     %llu from processes that died\n"
        "failed a check %llu\n"
        "memory         %llu KiB, in a region of %llu MiB\n",
        (unsigned long long)f.live, (unsigned long long)f.slots,
        (unsigned long long)f.inserts, (unsigned long long)f.replacedExpired,
        (unsigned long long)f.replacedLive, (unsigned long long)f.hits,
        (unsigned long long)f.missesUnknown,
        (unsigned long long)f.missesExpired,
        (unsigned long long)f.missesAddress, (unsigned long long)f.missesName,
        (unsigned long long)f.dropped, (unsigned long long)f.reclaimed,
        (unsigned long long)f.corrupt,
        (unsigned long long)f.residentBytes >> 10,
        (unsigned long long)f.regionBytes >> 20);
}

/* Makes a new ticket key for all workers. A server that strangers can reach lets only
 * its administrator do this. */
static void
rotatePage(char *page, size_t len)
{
    snprintf(page, len, "%s\n",
             SSL_RotateServerTicketKeys() == SECSuccess
                 ? "rotated"
                 : PR_ErrorToName(PR_GetError()));
}

/* Completes the handshake on |ssl|, reads one request and answers it. A client
 * that is slow, silent or violates TLS costs this worker a bounded time. */
static void
answer(PRFileDesc *ssl, int worker)
{
    PRIntervalTime wait = PR_SecondsToInterval(IO_TIMEOUT_SEC);
    SSLChannelInfo info;
    char session[2 * sizeof(info.sessionID) + 1] = "-";
    char request[MAX_REQUEST + 1];
    char body[1000];
    char reply[1200];
    char name[256];
    int have = 0;
    int reads;
    PRUint32 i;

    if (SSL_ResetHandshake(ssl, PR_TRUE) != SECSuccess ||
        SSL_ForceHandshakeWithTimeout(ssl, wait) != SECSuccess ||
        SSL_GetChannelInfo(ssl, &info, CHANNEL_INFO_SIZE) != SECSuccess) {
        return; /* usually the client's fault: nothing to report */
    }
    for (i = 0; i < info.sessionIDLength; ++i) {
        snprintf(session + 2 * i, 3, "%02x", info.sessionID[i]);
    }
    say("hello %d %d %lld %s %s", worker, (int)getpid(), (long long)PR_Now(),
        info.resumed ? "resumed" : "full", session);

    for (reads = 0; reads < MAX_READS && have < MAX_REQUEST; ++reads) {
        PRInt32 got = PR_Recv(ssl, request + have, MAX_REQUEST - have, 0, wait);
        if (got <= 0) {
            return;
        }
        have += got;
        request[have] = '\0';
        if (strstr(request, "\r\n\r\n") || strstr(request, "\n\n")) {
            break;
        }
    }
    if (sscanf(request, "GET /figures/%255s HTTP", name) == 1) {
        figuresPage(name, body, sizeof(body));
    } else if (strncmp(request, "GET /figures ", 13) == 0) {
        figuresPage(NULL, body, sizeof(body));
    } else if (strncmp(request, "GET /rotate ", 12) == 0) {
        rotatePage(body, sizeof(body));
    } else {
        snprintf(body, sizeof(body), "worker=%d pid=%d resumed=%s version=%x\n",
                 worker, (int)getpid(), info.resumed ? "yes" : "no",
                 info.protocolVersion);
    }
    snprintf(reply, sizeof(reply),
             "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n"
             "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
             strncmp(request, "GET /", 5) ? "404 Not Found" : "200 OK",
             (int)strlen(body), body);
    PR_Send(ssl, reply, strlen(reply), 0, wait);
}

/* Serves one connection after another until a signal ends the process. */
static int
runWorker(const Options *options, PRFileDesc *listener, int worker)
{
    PRFileDesc *model = NULL;
    Sites sites = { 0 };
    PRSocketOptionData noDelay;
    int i;

    noDelay.option = PR_SockOpt_NoDelay;
    noDelay.value.no_delay = PR_TRUE;
    if (SSL_InheritMPServerSIDCache(NULL) != SECSuccess) {
        complain("SSL_InheritMPServerSIDCache");
        goto loser;
    }
    if (NSS_Init(options->certDir) != SECSuccess) {
        complain("NSS_Init");
        goto loser;
    }
    NSS_SetDomesticPolicy();
    model = makeModel(options, NULL);
    if (!model || makeSites(&sites, options, model) != SECSuccess) {
        goto loser;
    }
    say("ready %d %d", worker, (int)getpid());

    for (;;) {
        PRFileDesc *tcp;
        PRFileDesc *ssl;
        PRTime begin;

        tcp = PR_Accept(listener, NULL, PR_INTERVAL_NO_TIMEOUT);
        if (!tcp) {
            complain("PR_Accept");
            break;
        }
        begin = PR_Now();
        /* Without it, the last flight of a handshake waits 40 ms for an
         * acknowledgement. */
        PR_SetSocketOption(tcp, &noDelay);
        ssl = SSL_ImportFD(model, tcp);
        if (!ssl) {
            complain("SSL_ImportFD");
            PR_Close(tcp);
            continue;
        }
        answer(ssl, worker);
        PR_Close(ssl);
        say("done %d %d %lld %lld", worker, (int)getpid(), (long long)PR_Now(),
            (long long)(PR_Now() - begin));
    }

loser:
    if (model) {
        PR_Close(model);
    }
    for (i = 0; i < options->siteCount; ++i) {
        if (sites.models[i]) {
            PR_Close(sites.models[i]);
        }
    }
    return 1;
}

/* ---- the parent ---- */

static PRFileDesc *
listenOn(const Options *options)
{
    PRFileDesc *listener = NULL;
    PRSocketOptionData reuse;
    PRNetAddr address = options->address;

    listener = PR_NewTCPSocket();
    if (!listener) {
        complain("PR_NewTCPSocket");
        return NULL;
    }
    reuse.option = PR_SockOpt_Reuseaddr;
    reuse.value.reuse_addr = PR_TRUE;
    address.inet.port = PR_htons(options->port);
    if (PR_SetSocketOption(listener, &reuse) != PR_SUCCESS ||
        PR_Bind(listener, &address) != PR_SUCCESS ||
        PR_Listen(listener, 128) != PR_SUCCESS) {
        complain("listening");
        PR_Close(listener);
        return NULL;
    }
    return listener;
}

/* Gives up root for the rights of |user|, for ever. */
static SECStatus
becomeUser(const char *user)
{
    const struct passwd *entry = getpwnam(user);

    if (!entry) {
        fprintf(stderr, "httpsd: there is no user %s\n", user);
        return SECFailure;
    }
    if (initgroups(user, entry->pw_gid) || setgid(entry->pw_gid) ||
        setuid(entry->pw_uid)) {
        perror("httpsd: becoming another user");
        return SECFailure;
    }
    return SECSuccess;
}

/* Becomes worker |worker| by exec, with the same command line and -W. The
 * listening socket keeps its descriptor; the library passes on the cache's. */
static void
execWorker(PRFileDesc *listener, char **argv, int worker)
{
    char self[64];
    char **args;
    int count = 0;

    while (argv[count]) {
        ++count;
    }
    args = calloc(count + 3, sizeof(*args));
    if (!args) {
        return;
    }
    memcpy(args, argv, count * sizeof(*args));
    snprintf(self, sizeof(self), "%d:%d", worker,
             (int)PR_FileDesc2NativeHandle(listener));
    args[count] = "-W";
    args[count + 1] = self;
    if (PR_SetFDInheritable(listener, PR_TRUE) == PR_SUCCESS) {
        execv("/proc/self/exe", args);
    }
    perror("httpsd: exec");
    free(args);
}

static pid_t
startWorker(const Options *options, PRFileDesc *listener, char **argv,
            int worker)
{
    sigset_t none;
    pid_t pid = fork();

    if (pid < 0) {
        perror("httpsd: fork");
        return -1;
    }
    if (pid > 0) {
        say("start %d %d", worker, (int)pid);
        return pid;
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (options->user && becomeUser(options->user) != SECSuccess) {
        _exit(1);
    }
    if (options->exec) {
        execWorker(listener, argv, worker);
        _exit(1);
    }
    _exit(runWorker(options, listener, worker));
}

/* Removes |pid| from |pids|. Returns the number of that worker, or -1. */
static int
reap(pid_t *pids, int workers, pid_t pid, int status)
{
    int i;

    for (i = 0; i < workers; ++i) {
        if (pids[i] == pid) {
            pids[i] = -1;
            say("end %d %d %s %d", i, (int)pid,
                WIFSIGNALED(status) ? "signal" : "exit",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            return i;
        }
    }
    return -1;
}

/* Keeps the workers running until SIGTERM or SIGINT, or until none is left. */
static int
runParent(const Options *options, PRFileDesc *listener, char **argv,
          const sigset_t *signals)
{
    pid_t pids[MAX_WORKERS];
    int restarts = options->restarts;
    int alive = 0;
    int signal = 0;
    int status;
    pid_t pid;
    int i;

    for (i = 0; i < options->workers; ++i) {
        pids[i] = startWorker(options, listener, argv, i);
        alive += pids[i] > 0;
    }
    while (alive > 0) {
        if (sigwait(signals, &signal) != 0 || signal != SIGCHLD) {
            break;
        }
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            i = reap(pids, options->workers, pid, status);
            if (i < 0) {
                continue;
            }
            --alive;
            if (restarts > 0) {
                --restarts;
                pids[i] = startWorker(options, listener, argv, i);
                alive += pids[i] > 0;
            }
        }
    }
    /* SIGKILL, because a worker may be stuck. The kernel frees all that it
     * holds. */
    for (i = 0; i < options->workers; ++i) {
        if (pids[i] > 0) {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], &status, 0);
        }
    }
    return alive > 0 ? 0 : 1;
}

/* Gives every virtual server a cache of its own, if libssl supports that. */
static SECStatus
addCaches(const Options *options)
{
    SSLServerCacheParams params;
    int i;

    for (i = 0; i < options->siteCount; ++i) {
        const Site *site = &options->sites[i];

        memset(&params, 0, sizeof(params));
        params.length = sizeof(params);
        params.entries = site->entries;
        params.ssl2TimeoutSec = site->timeoutSec;
        params.ssl3TimeoutSec = site->timeoutSec;
        if (SSL_AddServerCache(site->name, &params) == SECSuccess) {
            say("virtual %s own", site->name);
        } else if (PR_GetError() == SSL_ERROR_UNSUPPORTED_EXPERIMENTAL_API) {
            say("virtual %s shared", site->name);
        } else {
            complain("SSL_AddServerCache");
            return SECFailure;
        }
    }
    return SECSuccess;
}

static int
runServer(const Options *options, char **argv)
{
    PRFileDesc *listener = NULL;
    PRTime begin;
    sigset_t signals;
    int rv = 1;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    begin = PR_Now();
    if (SSL_ConfigMPServerSIDCache(options->entries, options->ssl2TimeoutSec,
                                   options->ssl3TimeoutSec,
                                   NULL) != SECSuccess) {
        complain("SSL_ConfigMPServerSIDCache");
        goto loser;
    }
    say("cache %d config_us %d", options->entries, (int)(PR_Now() - begin));
    if (addCaches(options) != SECSuccess) {
        goto loser;
    }
    listener = listenOn(options);
    if (!listener) {
        goto loser;
    }
    say("listen %d", options->port);
    rv = runParent(options, listener, argv, &signals);

loser:
    if (listener) {
        PR_Close(listener);
    }
    SSL_ShutdownServerSessionIDCache();
    return rv;
}

/* ---- the command line ---- */

static void
usage(void)
{
    fputs(
        "usage: httpsd -d DIR -n NICKNAME [-n NICKNAME ...] [options]\n"
        "  -d DIR       certificate database (sql:DIR)\n"
        "  -n NICKNAME  certificate to serve, up to 4 of different kinds\n"
        "  -a ADDRESS   IPv4 address to listen on (127.0.0.1)\n"
        "  -p PORT      port there (8443)\n"
        "  -w N         worker processes (4)\n"
        "  -u USER      user that the workers run as, if root starts httpsd;\n"
        "               the user must be able to read DIR\n"
        "  -x           start workers by fork and exec (by fork alone)\n"
        "  -r N         replace at most N dead workers (0)\n"
        "  -e N         entries of the session cache, 0 for NSS's default\n"
        "  -2 SECONDS   ssl2 timeout, 0 for NSS's default\n"
        "  -3 SECONDS   ssl3 timeout, 0 for NSS's default\n"
        "  -v NAME:SECONDS:ENTRIES\n"
        "               virtual server, up to 8: its name and its\n"
        "               certificate's nickname, its cache's timeouts and size\n"
        "  -t           offer session tickets\n"
        "  -V MIN:MAX   TLS versions, of 1.2 and 1.3 (1.2:1.3)\n",
        stderr);
}

static PRBool
parseVersion(const char *text, PRUint16 *version)
{
    if (!strncmp(text, "1.2", 3)) {
        *version = SSL_LIBRARY_VERSION_TLS_1_2;
        return PR_TRUE;
    }
    if (!strncmp(text, "1.3", 3)) {
        *version = SSL_LIBRARY_VERSION_TLS_1_3;
        return PR_TRUE;
    }
    return PR_FALSE;
}

static PRBool
parseSite(const char *text, Site *site)
{
    return sscanf(text, "%255[^:]:%u:%u", site->name, &site->timeoutSec,
                  &site->entries) == 3;
}

static PRBool
parseOptions(Options *options, int argc, char **argv)
{
    PLOptState *state =
        PL_CreateOptState(argc, argv, "d:n:a:p:w:u:xr:e:2:3:v:tV:W:");
    PRBool good = PR_TRUE;
    PLOptStatus status;

    while (good && (status = PL_GetNextOpt(state)) == PL_OPT_OK) {
        /* It points into |argv|. */
        const char *value = state->value ? state->value : "";
        int number = atoi(value);

        switch (state->option) {
            case 'd':
                options->certDir = value;
                break;
            case 'n':
                good = options->nicknameCount < MAX_NICKNAMES;
                if (good) {
                    options->nicknames[options->nicknameCount++] = value;
                }
                break;
            case 'a':
                good = PR_StringToNetAddr(value, &options->address) ==
                           PR_SUCCESS &&
                       options->address.raw.family == PR_AF_INET;
                break;
            case 'u':
                options->user = value;
                break;
            case 'p':
                options->port = (PRUint16)number;
                break;
            case 'w':
                options->workers = number;
                break;
            case 'x':
                options->exec = PR_TRUE;
                break;
            case 'r':
                options->restarts = number;
                break;
            case 'e':
                options->entries = number;
                break;
            case '2':
                options->ssl2TimeoutSec = (PRUint32)number;
                break;
            case '3':
                options->ssl3TimeoutSec = (PRUint32)number;
                break;
            case 'v':
                good = options->siteCount < MAX_SITES &&
                       parseSite(value, &options->sites[options->siteCount++]);
                break;
            case 't':
                options->tickets = PR_TRUE;
                break;
            case 'V':
                good = strlen(value) == 7 &&
                       parseVersion(value, &options->versions.min) &&
                       parseVersion(value + 4, &options->versions.max);
                break;
            case 'W':
                good = sscanf(value, "%d:%d", &options->execWorker,
                              &options->execListener) == 2;
                break;
            default:
                good = PR_FALSE;
        }
    }
    good = good && status == PL_OPT_EOL;
    PL_DestroyOptState(state);
    return good && options->certDir && options->nicknameCount > 0 &&
           options->workers > 0 && options->workers <= MAX_WORKERS;
}

int
main(int argc, char **argv)
{
    Options options = { 0 };
    PRFileDesc *listener;

    PR_InitializeNetAddr(PR_IpAddrLoopback, 0, &options.address);
    options.port = 8443;
    options.workers = 4;
    options.versions.min = SSL_LIBRARY_VERSION_TLS_1_2;
    options.versions.max = SSL_LIBRARY_VERSION_TLS_1_3;
    options.execWorker = -1;
    if (!parseOptions(&options, argc, argv)) {
        usage();
        return 2;
    }
    if (options.execWorker < 0) {
        return runServer(&options, argv);
    }
    listener = PR_ImportTCPSocket(options.execListener);
    if (!listener) {
        complain("PR_ImportTCPSocket");
        return 1;
    }
    return runWorker(&options, listener, options.execWorker);
}
