/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE /* program_invocation_short_name */

#include "sncelog.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOG_SOCKET "/dev/log"

/* RFC 3164 section 4.1.1: facility daemon (3) * 8 + severity error (3). */
#define LOG_PRIORITY "<27>"

/* RFC 3164 section 4.1: a message has at most 1,024 bytes, with priority and
 * tag. */
#define LOG_TEXT_BYTES 1000
#define LOG_TAG_BYTES 32

/* Appends as much of |text| as fits below |max|. Writes |blank| for a blank,
 * and '?' for a byte that could end the line or do harm in a terminal. Returns
 * the new length. */
static size_t
log_Append(char *line, size_t len, size_t max, const char *text, char blank)
{
    for (; *text && len < max; ++text) {
        char c = *text > ' ' && *text < 0x7f ? *text : '?';

        line[len++] = *text == ' ' ? blank : c;
    }
    return len;
}

/* Writes to stderr without stdio, whose lock another thread may have had when
 * this process was forked. */
static void
log_ToStderr(const char *line, size_t len)
{
    struct pollfd ready = { STDERR_FILENO, POLLOUT, 0 };
    const struct timespec atOnce = { 0, 0 };
    sigset_t pipes;
    sigset_t pending;
    sigset_t mask;

    /* A pipe that is ready takes a whole line. */
    if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)) {
        return;
    }
    /* If nobody reads the pipe any more, this thread gets SIGPIPE: it blocks
     * the signal, and takes it away. A SIGPIPE that was pending before
     * stays. */
    (void)sigemptyset(&pipes);
    (void)sigaddset(&pipes, SIGPIPE);
    (void)sigemptyset(&pending);
    (void)sigpending(&pending);
    if (pthread_sigmask(SIG_BLOCK, &pipes, &mask) != 0) {
        return;
    }
    if (write(STDERR_FILENO, line, len) < 0 && errno == EPIPE &&
        !sigismember(&pending, SIGPIPE)) {
        (void)sigtimedwait(&pipes, NULL, &atOnce);
    }
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* Uses a socket of its own: that of openlog, with its options and name, belongs
 * to the application. The message has no time: the daemon adds it (RFC 3164
 * section 4.3.2). To format one here would take the C library's lock of time
 * zones, which may be taken in a forked child. */
static void
log_ToSyslog(const char *line, size_t len)
{
    static const struct sockaddr_un address = { AF_UNIX, LOG_SOCKET };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return;
    }
    (void)sendto(fd, line, len, MSG_NOSIGNAL, (const struct sockaddr *)&address,
                 sizeof address);
    (void)close(fd);
}

void
ssl_Log(const char *text)
{
    char line[sizeof LOG_PRIORITY + LOG_TAG_BYTES + 16 + LOG_TEXT_BYTES];
    int saved = errno;
    int cancel;
    size_t begin;
    size_t len;

    /* A cancelled thread would leave the socket open, or SIGPIPE blocked. */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    len = log_Append(line, 0, sizeof line, LOG_PRIORITY, ' ');
    len = log_Append(line, len, len + LOG_TAG_BYTES,
                     program_invocation_short_name, '_');
    len += (size_t)snprintf(line + len, 16, "[%d]: ", (int)getpid());
    begin = len;
    len = log_Append(line, len, sizeof line - 1, text, ' ');
    log_ToSyslog(line, len);
    line[len++] = '\n';
    log_ToStderr(line + begin, len - begin);
    (void)pthread_setcancelstate(cancel, NULL);
    errno = saved;
}
