/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* worker.h: a server in a process of its own, which shares the cache. */
#ifndef SSLSNCE_TESTS_HOSTILE_WORKER_H
#define SSLSNCE_TESTS_HOSTILE_WORKER_H

#include "handshake.h"

/* Worker_Fork and Worker_Exec start a worker by fork alone, or by fork and exec
 * of this program with |database|, and return the way to it. One at a time: a
 * worker that was started before ends. */
const HandshakeServer *Worker_Fork(void);
const HandshakeServer *Worker_Exec(const char *database);

/* Worker_Serve is what a worker does: it accepts a connection for each byte from
 * |control| and answers whether a session was resumed, until that is closed. */
void Worker_Serve(int control) __attribute__((noreturn));

/* Worker_End waits for the worker's end. */
void Worker_End(void);

#endif /* SSLSNCE_TESTS_HOSTILE_WORKER_H */
