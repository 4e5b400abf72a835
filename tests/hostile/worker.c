/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "worker.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t worker;
static int control = -1;

void
Worker_Serve(int fd)
{
    char byte;

    while (read(fd, &byte, 1) == 1) {
        byte = Handshake_Accept() ? 1 : 0;
        if (write(fd, &byte, 1) != 1) {
            _exit(1);
        }
    }
    _exit(0);
}

static void
Begin(void)
{
    if (write(control, "", 1) != 1) {
        Fail("system: asking the worker");
    }
}

static PRBool
End(void)
{
    char byte;

    if (read(control, &byte, 1) != 1) {
        Worker_End();
        Fail("handshake: the worker ended");
    }
    return byte;
}

static const HandshakeServer way = { Begin, End };

void
Worker_End(void)
{
    if (control >= 0) {
        close(control);
        control = -1;
        (void)waitpid(worker, NULL, 0);
    }
}

/* Forks a worker. Returns the worker's end of a new socket pair in the child,
 * and -1 in the parent. */
static int
Start(void)
{
    int pair[2];

    Worker_End();
    fflush(stdout);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        Fail("system: socketpair");
    }
    worker = fork();
    if (worker < 0) {
        Fail("system: fork");
    }
    if (worker == 0) {
        close(pair[0]);
        return pair[1];
    }
    close(pair[1]);
    control = pair[0];
    return -1;
}

const HandshakeServer *
Worker_Fork(void)
{
    int fd = Start();

    if (fd >= 0) {
        Worker_Serve(fd);
    }
    return &way;
}

const HandshakeServer *
Worker_Exec(const char *database)
{
    char serve[60];
    int fd = Start();

    if (fd >= 0) {
        snprintf(serve, sizeof serve, "serve=%d:%d", Handshake_ListenerFd(),
                 fd);
        execl("/proc/self/exe", "server", database, serve, (char *)NULL);
        Fail("system: exec");
    }
    return &way;
}
