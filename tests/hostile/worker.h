/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* worker.h: a server in a process of its own, which shares the cache. */
#ifndef SSLSNCE_TESTS_HOSTILE_WORKER_H
#define SSLSNCE_TESTS_HOSTILE_WORKER_H

#include "handshake.h"

/* Worker_Fork and Worker_Exec start a worker by fork alone, or by fork and exec
 * of this program with |database|, and return how to reach it. There is one
 * worker at a time: they first end the one that was started before. */
const HandshakeServer *Worker_Fork(void);
const HandshakeServer *Worker_Exec(const char *database);

/* Worker_Serve is the loop of a worker. For each byte that it reads from
 * |control| it accepts a connection and writes back a byte, 1 if a session was
 * resumed, else 0. It ends the process when |control| is closed. */
void Worker_Serve(int control) __attribute__((noreturn));

/* Worker_End closes the worker's control socket and waits until the worker has
 * ended. Does nothing if there is none. */
void Worker_End(void);

#endif /* SSLSNCE_TESTS_HOSTILE_WORKER_H */
