/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* server: virtual servers in one process, for `make interop`. It calls NSS's
 * public API only, so that one binary runs on any libssl3. On a libssl3 without
 * sslsnce the virtual servers have no caches of their own.
 *
 * It has nine ports. The first four have no SNI callback. The next four have a
 * callback that serves another certificate for each name. In each group of four
 * libssl chooses the cache of the first port by the client's name, and each of
 * the other three is bound to one virtual server. The ninth port is like the
 * fifth, but its callback also requires a client certificate, and accepts any;
 * the other ports request none. All ports speak TLS 1.0 to 1.3 with and without
 * tickets.
 *
 * Standard output, before the first connection:
 *
 *   caches own|one                    one: this libssl has no virtual servers
 *   port PORT plain|callback|require NAME|-   bound to NAME
 *   ready
 *
 * The page says what the server knows of the connection:
 *
 *   page full|resumed VERSION NAME    NAME: the name that the SNI callback
 *                                     chose, for this connection or when the
 *                                     session was made; else the name that the
 *                                     callback was given; else -
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nspr.h"
#include "plstr.h"

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

#define THREADS_PER_PORT 3
#define MAX_REQUEST 1024
#define IO_TIMEOUT_SEC 3

/* The virtual servers; 0 is the default cache and the default certificate. */
enum { DEFAULT, A, B, WILD, SITES };

static const char *const cacheNames[SITES] = { NULL, "a.example", "b.example",
                                               "*.wild.example" };
static const char *const nicknames[SITES] = { "default", "a", "b", "wild" };

typedef enum { PLAIN, CALLBACK, REQUIRE } Kind;

static const char *const kindNames[] = { "plain", "callback", "require" };

typedef struct {
    Kind kind;
    PRFileDesc *listener;
    PRFileDesc *models[SITES]; /* one for each certificate, by site */
} Port;

static Port ports[2 * SITES + 1];

/* The name that the SNI callback was given in this thread's handshake. */
static __thread char nameSeen[256];

static void
fail(const char *what)
{
    const char *name = PR_ErrorToName(PR_GetError());

    fprintf(stderr, "server: %s: %s (%d)\n", what, name ? name : "?",
            (int)PR_GetError());
    exit(1);
}

static int
siteOf(const char *name)
{
    const char *dot = strchr(name, '.');

    if (PL_strcasecmp(name, cacheNames[A]) == 0) {
        return A;
    }
    if (PL_strcasecmp(name, cacheNames[B]) == 0) {
        return B;
    }
    return dot && PL_strcasecmp(dot, cacheNames[WILD] + 1) == 0 ? WILD
                                                                : DEFAULT;
}

static SECStatus
acceptAnyCertificate(void *arg, PRFileDesc *fd, PRBool checkSig,
                     PRBool isServer)
{
    (void)arg, (void)fd, (void)checkSig, (void)isServer;
    return SECSuccess;
}

/* The SNI callback: serves the certificate of the name that the client asks
 * for, as servers of virtual hosts do. */
static PRInt32
chooseSite(PRFileDesc *fd, const SECItem *names, PRUint32 count, void *arg)
{
    Port *port = arg;
    int site;

    if (count != 1 || names[0].len >= sizeof(nameSeen)) {
        return SSL_SNI_SEND_ALERT;
    }
    memcpy(nameSeen, names[0].data, names[0].len);
    nameSeen[names[0].len] = '\0';
    site = siteOf(nameSeen);
    if (site != DEFAULT && !SSL_ReconfigFD(port->models[site], fd)) {
        return SSL_SNI_SEND_ALERT;
    }
    if (port->kind == REQUIRE &&
        (SSL_OptionSet(fd, SSL_REQUEST_CERTIFICATE, PR_TRUE) != SECSuccess ||
         SSL_OptionSet(fd, SSL_REQUIRE_CERTIFICATE, SSL_REQUIRE_ALWAYS) !=
             SECSuccess)) {
        return SSL_SNI_SEND_ALERT;
    }
    return site == DEFAULT ? SSL_SNI_CURRENT_CONFIG_IS_USED : 0;
}

static PRFileDesc *
makeModel(Port *port, int site)
{
    SSLVersionRange versions = { SSL_LIBRARY_VERSION_TLS_1_0,
                                 SSL_LIBRARY_VERSION_TLS_1_3 };
    CERTCertificate *cert = PK11_FindCertFromNickname(nicknames[site], NULL);
    SECKEYPrivateKey *key = cert ? PK11_FindKeyByAnyCert(cert, NULL) : NULL;
    PRFileDesc *tcp = PR_NewTCPSocket();
    PRFileDesc *model = tcp ? SSL_ImportFD(NULL, tcp) : NULL;

    if (!key || !model) {
        fail(nicknames[site]);
    }
    if (SSL_OptionSet(model, SSL_SECURITY, PR_TRUE) != SECSuccess ||
        SSL_OptionSet(model, SSL_HANDSHAKE_AS_SERVER, PR_TRUE) != SECSuccess ||
        SSL_OptionSet(model, SSL_ENABLE_SESSION_TICKETS, PR_TRUE) !=
            SECSuccess ||
        SSL_VersionRangeSet(model, &versions) != SECSuccess ||
        SSL_AuthCertificateHook(model, acceptAnyCertificate, NULL) !=
            SECSuccess ||
        SSL_ConfigServerCert(model, cert, key, NULL, 0) != SECSuccess) {
        fail("setting up a server socket");
    }
    if (port->kind != PLAIN &&
        SSL_SNISocketConfigHook(model, chooseSite, port) != SECSuccess) {
        fail("SSL_SNISocketConfigHook");
    }
    SECKEY_DestroyPrivateKey(key);
    CERT_DestroyCertificate(cert);
    return model;
}

static PRFileDesc *
listenAnywhere(PRUint16 *number)
{
    PRFileDesc *listener = PR_NewTCPSocket();
    PRNetAddr address;

    PR_InitializeNetAddr(PR_IpAddrLoopback, 0, &address);
    if (!listener || PR_Bind(listener, &address) != PR_SUCCESS ||
        PR_Listen(listener, 64) != PR_SUCCESS ||
        PR_GetSockName(listener, &address) != PR_SUCCESS) {
        fail("listening");
    }
    *number = PR_ntohs(address.inet.port);
    return listener;
}

/* Completes the handshake on |ssl|, reads a request and sends the page. */
static void
answer(PRFileDesc *ssl)
{
    PRIntervalTime wait = PR_SecondsToInterval(IO_TIMEOUT_SEC);
    SSLChannelInfo info;
    char request[MAX_REQUEST + 1] = "";
    char reply[512];
    int have = 0;
    PRInt32 got;
    SECItem *chosen;

    nameSeen[0] = '\0';
    if (SSL_ResetHandshake(ssl, PR_TRUE) != SECSuccess ||
        SSL_ForceHandshakeWithTimeout(ssl, wait) != SECSuccess ||
        SSL_GetChannelInfo(ssl, &info, CHANNEL_INFO_SIZE) != SECSuccess) {
        return; /* the client reports the failure */
    }
    while (!strstr(request, "\n\n") && !strstr(request, "\r\n\r\n")) {
        if (have == MAX_REQUEST ||
            (got = PR_Recv(ssl, request + have, MAX_REQUEST - have, 0, wait)) <=
                0) {
            return;
        }
        have += got;
        request[have] = '\0';
    }
    chosen = SSL_GetNegotiatedHostInfo(ssl);
    if (chosen) {
        snprintf(nameSeen, sizeof(nameSeen), "%.*s", (int)chosen->len,
                 (char *)chosen->data);
        SECITEM_FreeItem(chosen, PR_TRUE);
    }
    snprintf(reply, sizeof(reply),
             "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
             "page %s %04x %s\n",
             info.resumed ? "resumed" : "full", info.protocolVersion,
             nameSeen[0] ? nameSeen : "-");
    PR_Send(ssl, reply, strlen(reply), 0, wait);
}

static void
serve(void *arg)
{
    Port *port = arg;
    PRSocketOptionData noDelay;

    noDelay.option = PR_SockOpt_NoDelay;
    noDelay.value.no_delay = PR_TRUE;
    for (;;) {
        PRFileDesc *tcp =
            PR_Accept(port->listener, NULL, PR_INTERVAL_NO_TIMEOUT);
        PRFileDesc *ssl;

        if (!tcp) {
            fail("PR_Accept");
        }
        PR_SetSocketOption(tcp, &noDelay);
        ssl = SSL_ImportFD(port->models[DEFAULT], tcp);
        if (!ssl) {
            fail("SSL_ImportFD");
        }
        answer(ssl);
        PR_Close(ssl);
    }
}

/* Adds the caches of the virtual servers. Returns PR_FALSE if this libssl has
 * no virtual servers. */
static PRBool
addCaches(void)
{
    SSLServerCacheParams params;
    int site;

    memset(&params, 0, sizeof(params));
    params.length = sizeof(params);
    params.entries = 2000;
    for (site = A; site < SITES; ++site) {
        if (SSL_AddServerCache(cacheNames[site], &params) != SECSuccess) {
            if (PR_GetError() == SSL_ERROR_UNSUPPORTED_EXPERIMENTAL_API) {
                return PR_FALSE;
            }
            fail("SSL_AddServerCache");
        }
    }
    return PR_TRUE;
}

static void
openPort(Port *port, int bound, PRBool ownCaches)
{
    PRUint16 number;
    int site;

    for (site = DEFAULT; site < SITES; ++site) {
        port->models[site] = makeModel(port, site);
        if (bound && ownCaches &&
            SSL_BindServerCache(port->models[site], cacheNames[bound]) !=
                SECSuccess) {
            fail("SSL_BindServerCache");
        }
    }
    port->listener = listenAnywhere(&number);
    printf("port %d %s %s\n", number, kindNames[port->kind],
           bound ? cacheNames[bound] : "-");
    for (site = 0; site < THREADS_PER_PORT; ++site) {
        if (!PR_CreateThread(PR_USER_THREAD, serve, port, PR_PRIORITY_NORMAL,
                             PR_GLOBAL_THREAD, PR_UNJOINABLE_THREAD, 0)) {
            fail("PR_CreateThread");
        }
    }
}

int
main(int argc, char **argv)
{
    PRBool ownCaches;
    int i;

    if (argc != 2) {
        fputs("usage: server DATABASE\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (SSL_ConfigServerSessionIDCache(20000, 0, 0, NULL) != SECSuccess) {
        fail("SSL_ConfigServerSessionIDCache");
    }
    ownCaches = addCaches();
    printf("caches %s\n", ownCaches ? "own" : "one");
    if (NSS_Init(argv[1]) != SECSuccess) {
        fail("NSS_Init");
    }
    NSS_SetDomesticPolicy();
    for (i = 0; i <= 2 * SITES; ++i) {
        ports[i].kind = (Kind)(i / SITES);
        openPort(&ports[i], i % SITES, ownCaches);
    }
    puts("ready");
    for (;;) {
        PR_Sleep(PR_SecondsToInterval(3600)); /* until a signal comes */
    }
}
