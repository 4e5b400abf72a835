/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncestart.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "prinit.h"
#include "secerr.h"
#include "secport.h"
#include "ssl.h"
#include "sslimpl.h"

#define FORK_WAIT_SEC 1

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Written with the lock. */
static _Atomic PRBool started;

/* Whether this thread, which forks, has the lock. */
static __thread PRBool forking;

/* A child that is forked while another thread of its parent initializes NSPR, or
 * is in PR_CallOnce, has NSPR for ever half initialized. So a fork waits. Not for
 * ever: NSPR calls the dynamic linker, whose lock the forking thread may have. */
static void
start_BeforeFork(void)
{
    struct timespec until;

    if (started || clock_gettime(CLOCK_REALTIME, &until) != 0) {
        return;
    }
    until.tv_sec += FORK_WAIT_SEC;
    forking = pthread_mutex_timedlock(&lock, &until) == 0;
}

static void
start_AfterFork(void)
{
    if (forking) {
        forking = PR_FALSE;
        pthread_mutex_unlock(&lock);
    }
}

static void
start_InChild(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

    if (!started && !forking) {
        /* The thread that was at it is not here. This child goes without the
         * texts of errors. */
        lock = fresh;
        started = PR_TRUE;
    }
    start_AfterFork();
}

/* When the library is loaded: at the first call, a fork could come between taking
 * the lock and registering what frees it in the child. */
__attribute__((constructor)) static void
start_WatchForks(void)
{
    (void)pthread_atfork(start_BeforeFork, start_AfterFork, start_InChild);
}

SECStatus
ssl_StartServerCache(void)
{
    SECStatus rv = SECSuccess;
    int cancel;

    if (started) {
        return SECSuccess;
    }
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&lock);
    if (!started) {
        PR_Init(PR_USER_THREAD, PR_PRIORITY_NORMAL, 0);
        rv = ssl_InitializePRErrorTable();
        started = rv == SECSuccess;
    }
    pthread_mutex_unlock(&lock);
    (void)pthread_setcancelstate(cancel, NULL);
    return rv;
}

SECStatus
ssl_WatchNssShutdown(NSS_ShutdownFunc atShutdown, _Atomic PRBool *watching)
{
    if (*watching) {
        return SECSuccess;
    }
    /* SEC_ERROR_LIBRARY_FAILURE: another thread was first. */
    if (NSS_RegisterShutdown(atShutdown, NULL) != SECSuccess &&
        PORT_GetError() != SEC_ERROR_LIBRARY_FAILURE) {
        return SECFailure;
    }
    *watching = PR_TRUE;
    return SECSuccess;
}
