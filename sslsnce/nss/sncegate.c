/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncegate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* A thread keeps the line that it got first, whatever CPU it runs on. The first
 * threads have one each, which nobody else writes: leaving is then a plain store
 * instead of a locked instruction, 5 ns of a lookup. The others share 64 lines,
 * enough that threads which share one rarely run at the same time. Looking all of
 * them over takes a closer no time. */
#define GATE_OWN_LINES 64
#define GATE_LINES (GATE_OWN_LINES + 64)
#define GATE_LINE_BYTES 64

#define GATE_WAIT_NSEC 1000000000L /* of a closer, altogether */
#define GATE_NAP_NSEC 100000L      /* between two looks */

/* Written by the threads that have this line, read by a closer. */
typedef struct {
    _Alignas(GATE_LINE_BYTES) _Atomic PRInt32 inside;
} gateLine;

static gateLine lines[GATE_LINES];

/* Written with the turn, read by all. */
static _Atomic(snceRegion *) current;

/* Line + 1 of this thread; 0 before its first visit. */
static __thread PRUint32 myLine;
static _Atomic PRUint32 nextLine; /* the first that no thread has, of the own */
static _Atomic PRUint32 nextShared; /* counted up by threads that get none */

/* A pthread lock, because Config is allowed before NSPR is initialized. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* The cancellation state that the thread with the turn had before. It makes system
 * calls that wait; cancelled there, it would keep the turn for ever. Written with
 * the turn. */
static int turnCancel;

/* In a new child, which has one thread. The others that were inside are its
 * parent's; the one that forked was not, because nothing that a visitor calls
 * forks. So may be the turn: whoever had it is not here to give it back. He had
 * published his region or not, and either is a cache to go on with.
 *
 * No handler before the fork takes the turn instead: the core's own handlers
 * take a lock that a thread with the turn may be waiting for. */
static void
gate_InChild(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    unsigned int i;

    for (i = 0; i < GATE_LINES; ++i) {
        /* relaxed: no other thread */
        atomic_store_explicit(&lines[i].inside, 0, memory_order_relaxed);
    }
    turn = fresh;
}

/* When the library is loaded: a fork runs the handlers that were registered when it
 * began, so at the first call a handler may be too late for a fork that began
 * before it. */
__attribute__((constructor)) static void
gate_WatchForks(void)
{
    /* Without memory for the handler, a child counts threads that it does not
     * have; its Shutdown then waits its second and leaves the region mapped. */
    (void)pthread_atfork(NULL, NULL, gate_InChild);
}

/* Returns the line + 1 of a new thread. */
static PRUint32
gate_NewLine(void)
{
    /* relaxed: any number will do, once */
    PRUint32 n = atomic_load_explicit(&nextLine, memory_order_relaxed);

    do {
        if (n >= GATE_OWN_LINES) {
            /* Lines are not given back: a thread's number is lost with it. */
            return 1 + GATE_OWN_LINES +
                   atomic_fetch_add_explicit(&nextShared, 1,
                                             memory_order_relaxed) %
                       (GATE_LINES - GATE_OWN_LINES);
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &nextLine, &n, n + 1, memory_order_relaxed, memory_order_relaxed));
    return 1 + n;
}

/* How often the thread whose own line that is is inside. Relaxed: nobody else
 * writes it. */
static PRInt32
gate_Inside(PRUint32 line)
{
    return atomic_load_explicit(&lines[line].inside, memory_order_relaxed);
}

snceRegion *
snceGate_Enter(PRUint32 *pass)
{
    PRUint32 line = myLine;
    snceRegion *region;

    if (!line) {
        line = gate_NewLine();
        myLine = line;
    }
    --line;

    /* seq_cst, both: pairs with the store and the loads in snceGate_Close. Of
     * "count in, read the region" here and "take the region away, read the
     * count" there, at least one sees the other's first half: either we find
     * no region, or the closer finds us. The load is also the acquire to the
     * release in snceGate_Open. */
    if (line < GATE_OWN_LINES) {
        atomic_store_explicit(&lines[line].inside, gate_Inside(line) + 1,
                              memory_order_seq_cst);
    } else {
        atomic_fetch_add_explicit(&lines[line].inside, 1, memory_order_seq_cst);
    }
    region = atomic_load_explicit(&current, memory_order_seq_cst);
    if (!region) {
        snceGate_Leave(line);
        return NULL;
    }
    *pass = line;
    return region;
}

void
snceGate_Leave(PRUint32 pass)
{
    /* release: what was done inside is done before the closer, which loads
     * this in snceGate_Close, unmaps. */
    if (pass < GATE_OWN_LINES) {
        atomic_store_explicit(&lines[pass].inside, gate_Inside(pass) - 1,
                              memory_order_release);
    } else {
        /* A pass is a line that snceGate_Enter chose, so it is below GATE_LINES. */
        /* cppcheck-suppress arrayIndexOutOfBoundsCond */
        atomic_fetch_sub_explicit(&lines[pass].inside, 1, memory_order_release);
    }
}

snceRegion *
snceGate_Lock(void)
{
    int cancel;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&turn);
    turnCancel = cancel;
    /* relaxed: written with the turn only, which we have */
    return atomic_load_explicit(&current, memory_order_relaxed);
}

void
snceGate_Unlock(void)
{
    int cancel = turnCancel;

    pthread_mutex_unlock(&turn);
    (void)pthread_setcancelstate(cancel, NULL);
}

void
snceGate_Open(snceRegion *region)
{
    /* release: pairs with the load in snceGate_Enter; who gets the pointer
     * gets what it points to. */
    atomic_store_explicit(&current, region, memory_order_release);
}

static PRBool
gate_Expired(const struct timespec *start)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return PR_TRUE;
    }
    return (now.tv_sec - start->tv_sec) * 1000000000L +
               (now.tv_nsec - start->tv_nsec) >=
           GATE_WAIT_NSEC;
}

PRBool
snceGate_Close(void)
{
    const struct timespec nap = { 0, GATE_NAP_NSEC };
    struct timespec start = { 0, 0 };
    unsigned int i;

    /* seq_cst, the store and the loads: pairs with snceGate_Enter. */
    atomic_store_explicit(&current, NULL, memory_order_seq_cst);

    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    for (i = 0; i < GATE_LINES; ++i) {
        /* One look at zero is enough for a line: whoever counts himself in on
         * it later finds no region. */
        while (atomic_load_explicit(&lines[i].inside, memory_order_seq_cst)) {
            if (gate_Expired(&start)) {
                return PR_FALSE;
            }
            (void)nanosleep(&nap, NULL);
        }
    }
    return PR_TRUE;
}
