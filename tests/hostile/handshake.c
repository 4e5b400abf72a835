/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "handshake.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cert.h"
#include "keyhi.h"
#include "nspr.h"
#include "pk11pub.h"
#include "private/pprio.h"
#include "ssl.h"
#include "sslproto.h"

/* A library refuses a structure longer than its own; so ask for that of NSS 3.53. */
#define CHANNEL_INFO_SIZE offsetof(SSLChannelInfo, pskType)

#define PATIENCE_SEC 20

static PRFileDesc *listener;
static PRFileDesc *model; /* of the server's sockets; has the certificate */
static SSLChannelInfo lastInfo;

void
Fail(const char *what)
{
    int systemError = errno;
    PRErrorCode error = PR_GetError();
    char text[600];

    if (strncmp(what, "system: ", 8) == 0) {
        printf("fail %s: %s\n", what + 8, strerror(systemError));
    } else if (PR_GetErrorTextLength() > 0 &&
               PR_GetErrorTextLength() < (PRInt32)sizeof text) {
        PR_GetErrorText(text);
        printf("fail %s: %s\n", what, text);
    } else {
        printf("fail %s: %s\n", what, PR_ErrorToName(error));
    }
    fflush(stdout);
    _exit(1);
}

void
Handshake_Listen(void)
{
    PRNetAddr address;

    PR_InitializeNetAddr(PR_IpAddrLoopback, 0, &address);
    listener = PR_NewTCPSocket();
    if (!listener || PR_Bind(listener, &address) != PR_SUCCESS ||
        PR_Listen(listener, 5) != PR_SUCCESS ||
        PR_SetFDInheritable(listener, PR_TRUE) != PR_SUCCESS) {
        Fail("listen");
    }
}

void
Handshake_Adopt(int fd)
{
    listener = PR_ImportTCPSocket(fd);
    if (!listener) {
        Fail("listen");
    }
}

int
Handshake_ListenerFd(void)
{
    return PR_FileDesc2NativeHandle(listener);
}

static void
SetOption(PRFileDesc *tcp, PRSockOption option)
{
    PRSocketOptionData data;

    memset(&data, 0, sizeof data);
    data.option = option;
    switch (option) {
        case PR_SockOpt_Nonblocking:
            data.value.non_blocking = PR_TRUE;
            break;
        case PR_SockOpt_NoDelay:
            data.value.no_delay = PR_TRUE;
            break;
        default: /* linger for 0 s, so that no port stays in TIME_WAIT */
            data.value.linger.polarity = PR_TRUE;
            break;
    }
    if (PR_SetSocketOption(tcp, &data) != PR_SUCCESS) {
        Fail("socket option");
    }
}

static SECStatus
AcceptAny(void *arg, PRFileDesc *fd, PRBool checkSig, PRBool isServer)
{
    return SECSuccess;
}

/* Enables only the suite whose handshake takes the least processor time. */
static void
ChooseQuick(PRFileDesc *fd)
{
    PRUint16 i;

    for (i = 0; i < SSL_NumImplementedCiphers; ++i) {
        PRUint16 suite = SSL_ImplementedCiphers[i];

        if (SSL_CipherPrefSet(fd, suite,
                              suite == TLS_RSA_WITH_AES_128_GCM_SHA256) !=
            SECSuccess) {
            Fail("cipher suite");
        }
    }
}

static PRFileDesc *
Import(PRFileDesc *from, PRFileDesc *tcp, PRBool asServer)
{
    static const SSLVersionRange tls12 = { SSL_LIBRARY_VERSION_TLS_1_2,
                                           SSL_LIBRARY_VERSION_TLS_1_2 };
    PRFileDesc *fd;

    SetOption(tcp, PR_SockOpt_NoDelay);
    fd = SSL_ImportFD(from, tcp);
    if (!fd || SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, PR_FALSE) ||
        SSL_OptionSet(fd, SSL_HANDSHAKE_AS_SERVER, asServer) ||
        SSL_OptionSet(fd, SSL_HANDSHAKE_AS_CLIENT, !asServer) ||
        SSL_VersionRangeSet(fd, &tls12) != SECSuccess ||
        SSL_ResetHandshake(fd, asServer) != SECSuccess) {
        Fail("socket");
    }
    ChooseQuick(fd);
    return fd;
}

static PRFileDesc *
Model(void)
{
    CERTCertificate *cert;
    SECKEYPrivateKey *key;

    if (!model) {
        cert = PK11_FindCertFromNickname("server", NULL);
        key = cert ? PK11_FindKeyByAnyCert(cert, NULL) : NULL;
        model = key ? Import(NULL, PR_NewTCPSocket(), PR_TRUE) : NULL;
        if (!model ||
            SSL_ConfigServerCert(model, cert, key, NULL, 0) != SECSuccess) {
            Fail("certificate");
        }
        SECKEY_DestroyPrivateKey(key);
        CERT_DestroyCertificate(cert);
    }
    return model;
}

static PRFileDesc *
Accept(void)
{
    PRFileDesc *tcp =
        PR_Accept(listener, NULL, PR_SecondsToInterval(PATIENCE_SEC));

    if (!tcp) {
        Fail("accept");
    }
    return Import(Model(), tcp, PR_TRUE);
}

static PRFileDesc *
Connect(const char *name, int number)
{
    char peer[300];
    PRNetAddr address;
    PRFileDesc *tcp = PR_NewTCPSocket();
    PRFileDesc *fd;

    if (PR_GetSockName(listener, &address) != PR_SUCCESS ||
        PR_Connect(tcp, &address, PR_SecondsToInterval(PATIENCE_SEC)) !=
            PR_SUCCESS) {
        Fail("connect");
    }
    SetOption(tcp, PR_SockOpt_Linger);
    fd = Import(NULL, tcp, PR_FALSE);
    /* Each client has a session of its own in NSS's client cache. */
    snprintf(peer, sizeof peer, "%s %d", name, number);
    if (SSL_SetURL(fd, name) != SECSuccess ||
        SSL_SetSockPeerID(fd, peer) != SECSuccess ||
        SSL_AuthCertificateHook(fd, AcceptAny, NULL) != SECSuccess) {
        Fail("client");
    }
    return fd;
}

/* Advances one end of a handshake as far as it goes without waiting: |end| is 1
 * for the client, 2 for the server. Sets that bit of |*ended| at its end. */
static void
Step(PRFileDesc *fd, int end, int *ended)
{
    if (!(*ended & end)) {
        if (SSL_ForceHandshake(fd) == SECSuccess) {
            *ended |= end;
        } else if (PR_GetError() != PR_WOULD_BLOCK_ERROR) {
            Fail(end == 1 ? "client's handshake" : "server's handshake");
        }
    }
}

static void
Meet(PRFileDesc *client, PRFileDesc *server)
{
    PRIntervalTime began = PR_IntervalNow();
    int ended = 0;

    SetOption(client, PR_SockOpt_Nonblocking);
    SetOption(server, PR_SockOpt_Nonblocking);
    while (ended != 3) {
        Step(client, 1, &ended);
        Step(server, 2, &ended);
        if ((PRIntervalTime)(PR_IntervalNow() - began) >
            PR_SecondsToInterval(PATIENCE_SEC)) {
            Fail("handshake: it does not end");
        }
        sched_yield();
    }
}

static void
MeetRemote(PRFileDesc *fd)
{
    if (SSL_ForceHandshakeWithTimeout(fd, PR_SecondsToInterval(PATIENCE_SEC)) !=
        SECSuccess) {
        Fail("handshake");
    }
}

static PRBool
Resumed(PRFileDesc *fd, SSLChannelInfo *info)
{
    if (SSL_GetChannelInfo(fd, info, CHANNEL_INFO_SIZE) != SECSuccess) {
        Fail("channel info");
    }
    return info->resumed;
}

PRBool
Handshake_Accept(void)
{
    PRFileDesc *server = Accept();
    SSLChannelInfo info;
    PRBool resumed;

    MeetRemote(server);
    resumed = Resumed(server, &info);
    PR_Close(server);
    return resumed;
}

PRBool
Handshake_Connect(const HandshakeServer *remote, const char *name, int number)
{
    PRFileDesc *client, *server;
    PRBool resumed;

    if (remote) {
        remote->begin();
        client = Connect(name, number);
        MeetRemote(client);
        resumed = remote->end();
    } else {
        client = Connect(name, number);
        server = Accept();
        Meet(client, server);
        resumed = Resumed(server, &lastInfo);
        PR_Close(server);
    }
    if (Resumed(client, &lastInfo) != resumed) {
        Fail("handshake: the ends disagree");
    }
    PR_Close(client);
    return resumed;
}

const unsigned char *
Handshake_SessionId(size_t *len)
{
    *len = lastInfo.sessionIDLength;
    return lastInfo.sessionID;
}
