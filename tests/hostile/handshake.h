/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* handshake.h: TLS 1.2 handshakes by session ID over loopback. The client's end
 * is always in this process; the server's end is here too, or in a worker. */
#ifndef SSLSNCE_TESTS_HOSTILE_HANDSHAKE_H
#define SSLSNCE_TESTS_HOSTILE_HANDSHAKE_H

#include <stddef.h>

#include "prtypes.h"

/* Fail prints "fail |what|: " and NSPR's error. If |what| begins with "system:
 * ", it prints "fail ", the rest of |what|, and errno's text instead. It ends
 * the process with status 1. */
void Fail(const char *what) __attribute__((noreturn));

/* Handshake_Listen opens the port that all connections go to. A process that
 * starts another one by exec passes on Handshake_ListenerFd, the descriptor of
 * this port; the new process gives it to Handshake_Adopt as |fd|. */
void Handshake_Listen(void);
void Handshake_Adopt(int fd);
int Handshake_ListenerFd(void);

/* Handshake_Accept accepts one connection as a server, completes its handshake
 * and closes it. Returns PR_TRUE if a session was resumed. */
PRBool Handshake_Accept(void);

/* HandshakeServer is a server in another process: |begin| makes that process
 * accept one connection, |end| returns what Handshake_Accept returned there. */
typedef struct {
    void (*begin)(void);
    PRBool (*end)(void);
} HandshakeServer;

/* Handshake_Connect makes one connection under the server name |name|, with the
 * session of client |number|, if that client has one. With |server| NULL this
 * process is the server too. Returns PR_TRUE if the session was resumed. */
PRBool Handshake_Connect(const HandshakeServer *server, const char *name,
                         int number);

/* Handshake_SessionId returns the session ID of the last Handshake_Connect, of
 * |*len| bytes, at most 32. It stays valid until the next Handshake_Connect. */
const unsigned char *Handshake_SessionId(size_t *len);

#endif /* SSLSNCE_TESTS_HOSTILE_HANDSHAKE_H */
