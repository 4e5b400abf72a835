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

/* NSPR and the texts of errors are there. Written with the lock held. */
static _Atomic PRBool started;

/* Whether this thread is forking and has the lock. */
static __thread PRBool forking;

static PRBool
start_IsDone(void)
{
    /* Acquire: pairs with the release store in start_SetDone, which comes after
     * what it tells of. */
    return atomic_load_explicit(&started, memory_order_acquire);
}

static void
start_SetDone(void)
{
    /* Release: pairs with the acquire load in start_IsDone. */
    atomic_store_explicit(&started, PR_TRUE, memory_order_release);
}

/* Waits before a fork. If a child were forked while another thread of its
 * parent initializes NSPR, or is in PR_CallOnce, its NSPR would stay half
 * initialized for ever. The wait has a limit, because NSPR calls the dynamic
 * linker, whose lock the forking thread may have. */
static void
start_BeforeFork(void)
{
    struct timespec until;

    if (start_IsDone() || clock_gettime(CLOCK_REALTIME, &until) != 0) {
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

    if (!start_IsDone() && !forking) {
        /* The thread that was initializing does not exist in this child. The
         * child goes on without the texts of errors. */
        lock = fresh;
        start_SetDone();
    }
    start_AfterFork();
}

/* Registered when the library is loaded: at the first call, a fork could come
 * between taking the lock and registering the handler that frees it in the
 * child. */
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

    if (start_IsDone()) {
        return SECSuccess;
    }
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&lock);
    if (!start_IsDone()) {
        PR_Init(PR_USER_THREAD, PR_PRIORITY_NORMAL, 0);
        rv = ssl_InitializePRErrorTable();
        if (rv == SECSuccess) {
            start_SetDone();
        }
    }
    pthread_mutex_unlock(&lock);
    (void)pthread_setcancelstate(cancel, NULL);
    return rv;
}

SECStatus
ssl_WatchNssShutdown(NSS_ShutdownFunc atShutdown, _Atomic PRBool *watching)
{
    /* Relaxed: nothing else depends on it, and NSS registers no callback twice. */
    if (atomic_load_explicit(watching, memory_order_relaxed)) {
        return SECSuccess;
    }
    /* SEC_ERROR_LIBRARY_FAILURE: another thread has registered it already. */
    if (NSS_RegisterShutdown(atShutdown, NULL) != SECSuccess &&
        PORT_GetError() != SEC_ERROR_LIBRARY_FAILURE) {
        return SECFailure;
    }
    atomic_store_explicit(watching, PR_TRUE, memory_order_relaxed);
    return SECSuccess;
}
