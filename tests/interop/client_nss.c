/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* client_nss: client_gnutls.c for NSS. Input and output are the same, with one
 * more RESULT. The argument is a database, in which the client's certificate is
 * called "client".
 *
 *   cannot/REASON    NSS's public API has no way to do this
 *
 * To offer a ticket under another name, the client takes it from one connection
 * as a resumption token, gives the token to another connection, and sets the
 * name after it. NSS's client cache finds a session ID by the server's address,
 * port and name. A layer under libssl reports the same address for every port,
 * but NSS never offers a session ID under another name than its own.
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nspr.h"

#include "cert.h"
#include "keyhi.h"
#include "nss.h"
#include "pk11pub.h"
#include "ssl.h"
#include "sslexp.h"
#include "sslproto.h"

/* A library refuses a structure longer than its own; so ask for that of NSS 3.53. */
#define CHANNEL_INFO_SIZE offsetof(SSLChannelInfo, pskType)

#define MAX_VISITS 32
#define MAX_TOKEN 4096
#define IO_TIMEOUT_SEC 3
#define NO_NAME "127.0.0.1" /* NSS sends no server name for an address */

typedef struct {
    const char *word;
    PRUint16 version;
    PRBool tickets;
} Way;

static const Way ways[] = {
    { "id10", SSL_LIBRARY_VERSION_TLS_1_0, PR_FALSE },
    { "id12", SSL_LIBRARY_VERSION_TLS_1_2, PR_FALSE },
    { "ticket12", SSL_LIBRARY_VERSION_TLS_1_2, PR_TRUE },
    { "ticket13", SSL_LIBRARY_VERSION_TLS_1_3, PR_TRUE },
};

typedef struct {
    const char *name; /* the name that it was made under */
    char peerID[32];  /* part of the lookup key in NSS's client cache */
    PRUint8 token[MAX_TOKEN];
    unsigned int tokenLen;
    PRBool certificated; /* made with a client certificate */
} Session;

static CERTCertificate *certificate;
static SECKEYPrivateKey *key;

static PRDescIdentity layerIdentity;
static PRIOMethods layerMethods;

static void
fail(const char *what)
{
    fprintf(stderr, "client_nss: %s: %s\n", what,
            PR_ErrorToName(PR_GetError()));
    exit(1);
}

static void
print(const char *outcome, const char *what)
{
    printf(" %s/%s", outcome, what);
}

static SECStatus
acceptAnyCertificate(void *arg, PRFileDesc *fd, PRBool checkSig,
                     PRBool isServer)
{
    (void)arg, (void)fd, (void)checkSig, (void)isServer;
    return SECSuccess;
}

static SECStatus
giveCertificate(void *arg, PRFileDesc *fd, CERTDistNames *names,
                CERTCertificate **ownCert, SECKEYPrivateKey **ownKey)
{
    (void)arg, (void)fd, (void)names;
    *ownCert = CERT_DupCertificate(certificate);
    *ownKey = SECKEY_CopyPrivateKey(key);
    return *ownKey ? SECSuccess : SECFailure;
}

static PRStatus
oneAddressForAll(PRFileDesc *fd, PRNetAddr *address)
{
    (void)fd;
    return PR_InitializeNetAddr(PR_IpAddrLoopback, 443, address);
}

static SECStatus
keepToken(PRFileDesc *fd, const PRUint8 *token, unsigned int len, void *arg)
{
    Session *session = arg;

    (void)fd;
    if (!session || len > sizeof(session->token)) {
        return SECFailure;
    }
    memcpy(session->token, token, len);
    session->tokenLen = len;
    return SECSuccess;
}

static PRFileDesc *
connectTo(int port)
{
    PRIntervalTime wait = PR_SecondsToInterval(IO_TIMEOUT_SEC);
    PRFileDesc *tcp = PR_NewTCPSocket();
    PRFileDesc *layer;
    PRSocketOptionData noDelay;
    PRNetAddr address;

    noDelay.option = PR_SockOpt_NoDelay;
    noDelay.value.no_delay = PR_TRUE;
    PR_InitializeNetAddr(PR_IpAddrLoopback, (PRUint16)port, &address);
    if (!tcp || PR_SetSocketOption(tcp, &noDelay) != PR_SUCCESS ||
        PR_Connect(tcp, &address, wait) != PR_SUCCESS) {
        fail("connecting");
    }
    layer = PR_CreateIOLayerStub(layerIdentity, &layerMethods);
    if (!layer || PR_PushIOLayer(tcp, PR_TOP_IO_LAYER, layer) != PR_SUCCESS) {
        fail("PR_PushIOLayer");
    }
    return tcp;
}

/* Fetches the page and prints the RESULT. */
static void
fetch(PRFileDesc *ssl)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    PRIntervalTime wait = PR_SecondsToInterval(IO_TIMEOUT_SEC);
    SSLChannelInfo info;
    CERTCertificate *cert;
    char *subject;
    char reply[1024];
    char kind[16], version[16], name[300], result[700];
    const char *page;
    int have = 0;
    PRInt32 got;

    got = PR_Send(ssl, request, sizeof(request) - 1, 0, wait);
    while (got > 0 && have < (int)sizeof(reply) - 1) {
        got = PR_Recv(ssl, reply + have, sizeof(reply) - 1 - have, 0, wait);
        if (got > 0) {
            have += got;
        }
    }
    reply[have] = '\0';
    page = strstr(reply, "page ");
    if (!page ||
        sscanf(page, "page %15s %15s %299s", kind, version, name) != 3) {
        print("failed", got < 0 ? PR_ErrorToName(PR_GetError()) : "no_page");
        return;
    }
    cert = SSL_PeerCertificate(ssl);
    subject = cert ? CERT_GetCommonName(&cert->subject) : NULL;
    if (SSL_GetChannelInfo(ssl, &info, CHANNEL_INFO_SIZE) != SECSuccess) {
        fail("SSL_GetChannelInfo");
    }
    snprintf(result, sizeof(result), "%s/%s/%s", version, name,
             subject ? subject : "-");
    print((strcmp(kind, "resumed") == 0) == info.resumed ? kind : "disagree",
          result);
    if (subject) {
        PORT_Free(subject);
    }
    if (cert) {
        CERT_DestroyCertificate(cert);
    }
}

/* Makes one connection under |name|. With |offer| it offers |*session|, else it
 * makes that session. */
static void
visit(const Way *way, const char *port, const char *name, Session *session,
      PRBool offer)
{
    SSLVersionRange versions = { way->version, way->version };
    PRFileDesc *tcp = connectTo(atoi(port));
    PRFileDesc *ssl = SSL_ImportFD(NULL, tcp);

    if (!ssl || SSL_OptionSet(ssl, SSL_SECURITY, PR_TRUE) != SECSuccess ||
        SSL_OptionSet(ssl, SSL_ENABLE_SESSION_TICKETS, way->tickets) !=
            SECSuccess ||
        SSL_VersionRangeSet(ssl, &versions) != SECSuccess ||
        SSL_AuthCertificateHook(ssl, acceptAnyCertificate, NULL) !=
            SECSuccess ||
        SSL_ResetHandshake(ssl, PR_FALSE) != SECSuccess ||
        SSL_SetSockPeerID(ssl, session->peerID) != SECSuccess) {
        fail("setting up a socket");
    }
    if (strchr(port, '+')) {
        if (SSL_GetClientAuthDataHook(ssl, giveCertificate, NULL) !=
            SECSuccess) {
            fail("SSL_GetClientAuthDataHook");
        }
        session->certificated |= !offer;
    }
    if (way->tickets &&
        SSL_SetResumptionTokenCallback(ssl, keepToken,
                                       offer ? NULL : session) != SECSuccess) {
        fail("SSL_SetResumptionTokenCallback");
    }
    if (way->tickets && offer &&
        (SSL_SetURL(ssl, session->name) != SECSuccess ||
         SSL_SetResumptionToken(ssl, session->token, session->tokenLen) !=
             SECSuccess)) {
        fail("SSL_SetResumptionToken");
    }
    if (SSL_SetURL(ssl, name) != SECSuccess) {
        fail("SSL_SetURL");
    }
    if (SSL_ForceHandshakeWithTimeout(
            ssl, PR_SecondsToInterval(IO_TIMEOUT_SEC)) == SECSuccess) {
        fetch(ssl);
    } else {
        print("failed", PR_ErrorToName(PR_GetError()));
    }
    PR_Close(ssl);
}

static const char *
urlOf(const char *name)
{
    return strcmp(name, "-") ? name : NO_NAME;
}

static void
runLine(char *line)
{
    static int lines;
    const char *word = strtok(line, " \n");
    Session session = { 0 };
    const Way *way = NULL;
    const char *port;
    const char *name;
    size_t i;

    for (i = 0; word && i < sizeof(ways) / sizeof(ways[0]); ++i) {
        if (strcmp(word, ways[i].word) == 0) {
            way = &ways[i];
        }
    }
    snprintf(session.peerID, sizeof(session.peerID), "session-%d", ++lines);
    for (i = 0; way && i < MAX_VISITS; ++i) {
        port = strtok(NULL, " \n");
        name = strtok(NULL, " \n");
        if (!port || !name) {
            break;
        }
        if (i == 0) {
            session.name = urlOf(name);
            visit(way, port, urlOf(name), &session, PR_FALSE);
        } else if (way->tickets && session.certificated) {
            print("cannot", "no_token_of_a_session_with_a_certificate");
        } else if (way->tickets && !session.tokenLen) {
            print("failed", "no_session");
        } else if (!way->tickets && strcmp(urlOf(name), session.name)) {
            print("cannot", "the_name_is_in_the_client_cache's_key");
        } else {
            visit(way, port, urlOf(name), &session, PR_TRUE);
        }
    }
    putchar('\n');
}

int
main(int argc, char **argv)
{
    char line[2048];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 2) {
        fputs("usage: client_nss DATABASE\n", stderr);
        return 2;
    }
    if (NSS_Init(argv[1]) != SECSuccess) {
        fail("NSS_Init");
    }
    NSS_SetDomesticPolicy();
    certificate = PK11_FindCertFromNickname("client", NULL);
    key = certificate ? PK11_FindKeyByAnyCert(certificate, NULL) : NULL;
    if (!key) {
        fail("the certificate");
    }
    layerIdentity = PR_GetUniqueIdentity("one address");
    layerMethods = *PR_GetDefaultIOMethods();
    layerMethods.getpeername = oneAddressForAll;
    while (fgets(line, sizeof(line), stdin)) {
        runLine(line);
    }
    SECKEY_DestroyPrivateKey(key);
    CERT_DestroyCertificate(certificate);
    SSL_ClearSessionCache();
    return NSS_Shutdown() == SECSuccess ? 0 : 1;
}
