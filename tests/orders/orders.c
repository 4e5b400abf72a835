/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* orders: ends a program's use of libssl in a given order. It loads the
 * library by dlopen, as a plug-in of a server does, configures the cache,
 * serves a connection and its resumption, and then executes the letters of
 * ORDER:
 *
 *   S  SSL_ShutdownServerSessionIDCache
 *   C  configures the cache again
 *   N  NSS_Shutdown
 *   K  closes the sockets
 *   D  dlclose
 *   F  forks a child that does the rest; this process only waits for it
 *   T  starts a thread that calls into the cache until the end
 *
 * orders LIBRARY DATABASE single|shared ORDER
 *
 * After D, a letter that needs the library loads it again. The last line is
 *
 *   end DESCRIPTORS MAPPINGS        how many of the cache's are left after the
 *                                   last shutdown and the unloading
 */

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cert.h"
#include "keyhi.h"
#include "nspr.h"
#include "nss.h"
#include "pk11pub.h"
#include "private/pprio.h"
#include "secerr.h"
#include "ssl.h"
#include "sslproto.h"

#include "sslsnce/sslsnce.h"

/* A library refuses a structure longer than its own; so ask for that of NSS 3.53. */
#define CHANNEL_INFO_SIZE offsetof(SSLChannelInfo, pskType)

#define HANDSHAKE_STEPS 200

static const char *library;
static const char *database;
static PRBool shared;
static void *handle;

static PRFileDesc *listener;
static PRUint16 port;
static PRFileDesc *client, *server; /* of the last connection */
static PRBool nssIsUp;

/* Returns a call of libssl by name: this program is not linked with it. */
#define CALL(name) ((__typeof__(name) *)Symbol(#name))

static void
Fail(const char *what)
{
    const char *loader = dlerror();

    printf("fail %s: NSS error %d, loader %s\n", what, (int)PR_GetError(),
           loader ? loader : "-");
    fflush(stdout);
    _exit(1);
}

static void
Load(void)
{
    if (!handle) {
        handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        if (!handle) {
            Fail("dlopen");
        }
    }
}

static void *
Symbol(const char *name)
{
    void *found;

    Load();
    found = dlsym(handle, name);
    if (!found) {
        Fail(name);
    }
    return found;
}

static void
Configure(void)
{
    SECStatus rv =
        shared ? CALL(SSL_ConfigMPServerSIDCache)(100, 100, 1000, NULL)
               : CALL(SSL_ConfigServerSessionIDCache)(100, 100, 1000, NULL);

    if (rv != SECSuccess) {
        Fail("configure");
    }
}

static SECStatus
AcceptAny(void *arg, PRFileDesc *fd, PRBool checkSig, PRBool isServer)
{
    return SECSuccess;
}

static PRFileDesc *
Import(PRFileDesc *tcp, PRBool asServer)
{
    static const SSLVersionRange tls12 = { SSL_LIBRARY_VERSION_TLS_1_2,
                                           SSL_LIBRARY_VERSION_TLS_1_2 };
    PRSocketOptionData option;
    PRFileDesc *fd = CALL(SSL_ImportFD)(NULL, tcp);

    if (!fd) {
        Fail("import");
    }
    option.option = PR_SockOpt_Nonblocking;
    option.value.non_blocking = PR_TRUE;
    if (PR_SetSocketOption(fd, &option) != PR_SUCCESS ||
        CALL(SSL_OptionSet)(fd, SSL_ENABLE_SESSION_TICKETS, PR_FALSE) ||
        CALL(SSL_OptionSet)(fd, SSL_HANDSHAKE_AS_SERVER, asServer) ||
        CALL(SSL_OptionSet)(fd, SSL_HANDSHAKE_AS_CLIENT, !asServer) ||
        CALL(SSL_OptionSet)(fd, SSL_NO_CACHE, PR_FALSE) ||
        CALL(SSL_VersionRangeSet)(fd, &tls12) != SECSuccess ||
        CALL(SSL_ResetHandshake)(fd, asServer) != SECSuccess) {
        Fail("socket");
    }
    return fd;
}

static void
CloseSockets(void)
{
    if (client) {
        PR_Close(client);
        PR_Close(server);
        client = server = NULL;
    }
}

/* Makes one connection, which stays open. Returns whether it was resumed. */
static PRBool
Serve(void)
{
    CERTCertificate *cert = PK11_FindCertFromNickname("server", NULL);
    SECKEYPrivateKey *key = cert ? PK11_FindKeyByAnyCert(cert, NULL) : NULL;
    PRFileDesc *tcp = PR_NewTCPSocket();
    PRNetAddr address;
    SSLChannelInfo info;
    int ends = 0, steps;

    CloseSockets();
    PR_InitializeNetAddr(PR_IpAddrLoopback, port, &address);
    if (!key ||
        PR_Connect(tcp, &address, PR_SecondsToInterval(5)) != PR_SUCCESS) {
        Fail("connect");
    }
    client = Import(tcp, PR_FALSE);
    tcp = PR_Accept(listener, NULL, PR_SecondsToInterval(5));
    if (!tcp) {
        Fail("accept");
    }
    server = Import(tcp, PR_TRUE);
    if (CALL(SSL_ConfigServerCert)(server, cert, key, NULL, 0) != SECSuccess ||
        CALL(SSL_SetURL)(client, "a.example") != SECSuccess ||
        CALL(SSL_AuthCertificateHook)(client, AcceptAny, NULL) != SECSuccess) {
        Fail("certificate");
    }
    SECKEY_DestroyPrivateKey(key);
    CERT_DestroyCertificate(cert);
    for (steps = 0; ends != 3 && steps < HANDSHAKE_STEPS; ++steps) {
        if (CALL(SSL_ForceHandshake)(client) == SECSuccess) {
            ends |= 1;
        } else if (PR_GetError() != PR_WOULD_BLOCK_ERROR) {
            Fail("client's handshake");
        }
        if (CALL(SSL_ForceHandshake)(server) == SECSuccess) {
            ends |= 2;
        } else if (PR_GetError() != PR_WOULD_BLOCK_ERROR) {
            Fail("server's handshake");
        }
        if (ends != 3) {
            PR_Sleep(PR_MillisecondsToInterval(1));
        }
    }
    if (ends != 3 || CALL(SSL_GetChannelInfo)(
                         server, &info, CHANNEL_INFO_SIZE) != SECSuccess) {
        Fail("handshake");
    }
    return info.resumed;
}

/* Makes a connection and another one that must resume its session. */
static void
ServeTwice(void)
{
    CALL(SSL_ClearSessionCache)();
    (void)Serve();
    if (!Serve()) {
        Fail("the second connection was not resumed");
    }
}

/* Calls into the cache again and again, as the threads of a server do. Stock
 * has no call for figures; there the thread makes another call. */
static void *
LookOn(void *arg)
{
    typedef SECStatus (*figuresCall)(const char *, SSLServerCacheFigures *,
                                     PRUint32);
    figuresCall figures =
        (figuresCall)CALL(SSL_GetExperimentalAPI)("SSL_GetServerCacheFigures");

    for (;;) {
        SSLServerCacheFigures out;

        if (figures) {
            (void)figures(NULL, &out, sizeof out);
        } else {
            (void)CALL(SSL_GetMaxServerCacheLocks)();
        }
    }
    return NULL;
}

static void
StartThread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, LookOn, NULL) != 0) {
        Fail("thread");
    }
    pthread_detach(thread);
}

static int
CountDescriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = 0;

    while (dir && (entry = readdir(dir))) {
        char path[300], target[300];
        ssize_t len;

        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        len = readlink(path, target, sizeof target - 1);
        if (len > 0) {
            target[len] = '\0';
            /* Our region, or stock's files in /tmp and the pipes of its
             * locks. */
            count += strstr(target, "memfd:sslsnce") ||
                     strstr(target, ".sslsvr") ||
                     strncmp(target, "pipe:", 5) == 0;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

static int
CountMappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[1000];
    int count = 0;

    while (maps && fgets(line, sizeof line, maps)) {
        count += strstr(line, "memfd:sslsnce") || strstr(line, ".sslsvr");
    }
    if (maps) {
        fclose(maps);
    }
    return count;
}

static int
Do(const char *order)
{
    for (; *order; ++order) {
        int status;
        pid_t pid;

        switch (*order) {
            case 'S':
                if (CALL(SSL_ShutdownServerSessionIDCache)() != SECSuccess) {
                    Fail("shutdown");
                }
                break;
            case 'C':
                Configure();
                if (nssIsUp) {
                    ServeTwice();
                }
                break;
            case 'N':
                /* It fails if something is still in use, but shuts down then
                 * too. */
                (void)NSS_Shutdown();
                nssIsUp = PR_FALSE;
                break;
            case 'K':
                CloseSockets();
                break;
            case 'D':
                if (handle && dlclose(handle) != 0) {
                    Fail("dlclose");
                }
                handle = NULL;
                break;
            case 'T':
                StartThread();
                break;
            case 'F':
                fflush(stdout);
                pid = fork();
                if (pid == 0) {
                    break; /* the child goes on */
                }
                if (pid < 0 || waitpid(pid, &status, 0) != pid) {
                    Fail("fork");
                }
                return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
            default:
                Fail("letter");
        }
    }
    return 0;
}

int
main(int argc, char **argv)
{
    PRNetAddr address;
    int rv, before;

    if (argc != 5) {
        fprintf(stderr, "usage: orders LIBRARY DATABASE single|shared ORDER\n");
        return 2;
    }
    alarm(30);
    library = argv[1];
    database = argv[2];
    shared = strcmp(argv[3], "shared") == 0;
    before = CountDescriptors();

    Load();
    Configure();
    if (NSS_Init(database) != SECSuccess) {
        Fail("init");
    }
    nssIsUp = PR_TRUE;
    CALL(NSS_SetDomesticPolicy)();
    PR_InitializeNetAddr(PR_IpAddrLoopback, 0, &address);
    listener = PR_NewTCPSocket();
    if (!listener || PR_Bind(listener, &address) != PR_SUCCESS ||
        PR_Listen(listener, 5) != PR_SUCCESS ||
        PR_GetSockName(listener, &address) != PR_SUCCESS) {
        Fail("listen");
    }
    port = PR_ntohs(address.inet.port);
    ServeTwice();

    rv = Do(argv[4]);
    if (rv == 0) {
        CloseSockets();
        if (CALL(SSL_ShutdownServerSessionIDCache)() != SECSuccess) {
            Fail("last shutdown");
        }
        if (!strchr(argv[4], 'T')) {
            dlclose(handle);
        }
        printf("end %d %d\n", CountDescriptors() - before, CountMappings());
    }
    return rv; /* not by _exit, so that the exit handlers run */
}
