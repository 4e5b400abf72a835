/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncegate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* A thread keeps the line that it got first, whatever CPU it runs on. The first
 * threads have a line each, which no other thread writes: leaving is then a
 * plain store instead of a locked instruction, which saves a lookup 5 ns. The
 * others share 64 lines, so that two threads on one line rarely run at the same
 * time. A closer looks at all lines in next to no time. */
#define GATE_OWN_LINES 64
#define GATE_LINES (GATE_OWN_LINES + 64)
#define GATE_LINE_BYTES 64

#define GATE_WAIT_NSEC 1000000000L /* the longest that a closer waits */
#define GATE_NAP_NSEC 100000L      /* its pause between two looks */

/* How many visits the threads of this line are in. They write it; a closer
 * reads it. A thread that dies inside leaves it raised; a child after fork
 * starts at zero. */
typedef struct {
    _Alignas(GATE_LINE_BYTES) _Atomic PRInt32 inside;
} gateLine;

static gateLine lines[GATE_LINES];

/* The region, NULL for none. Written with the lock held, read by all
 * threads. */
static _Atomic(snceRegion *) current;

/* This thread's line + 1; 0 before its first visit. */
static __thread PRUint32 myLine;
static _Atomic PRUint32 nextLine;   /* the first of the own lines that no thread
                                     * has */
static _Atomic PRUint32 nextShared; /* counts the threads that get no line of
                                     * their own */

/* A pthread lock, because Config is allowed before NSPR is initialized. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The cancellation state that the thread with the lock had before. That thread
 * makes system calls that wait; if it were cancelled there, the lock would stay
 * taken for ever. Written with the lock held. */
static int lockCancel;

/* Runs in a new child, which has one thread. The other threads that were inside
 * are its parent's. The thread that forked was not inside, because nothing that
 * is called inside forks. The lock may be taken too, by a thread that the child
 * does not have. That thread had published its region or not yet; the child can
 * go on in both cases.
 *
 * No handler takes the lock before the fork instead: the core's own handlers
 * take a lock for which a thread with this lock may be waiting. */
static void
gate_InChild(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    unsigned int i;

    for (i = 0; i < GATE_LINES; ++i) {
        /* relaxed: no other thread */
        atomic_store_explicit(&lines[i].inside, 0, memory_order_relaxed);
    }
    lock = fresh;
}

/* Registered when the library is loaded. At the first call it could be too
 * late: a fork runs the handlers that were registered when it began, and it may
 * have begun before that call. */
__attribute__((constructor)) static void
gate_WatchForks(void)
{
    /* If there is no memory for the handler, a child counts threads that it
     * does not have; its Shutdown then waits a second and leaves the region
     * mapped. */
    (void)pthread_atfork(NULL, NULL, gate_InChild);
}

/* Returns the line + 1 of a new thread. */
static PRUint32
gate_NewLine(void)
{
    /* relaxed: only the number counts, and the exchange gives each once */
    PRUint32 n = atomic_load_explicit(&nextLine, memory_order_relaxed);

    do {
        if (n >= GATE_OWN_LINES) {
            /* A thread that ends does not give its line back. */
            return 1 + GATE_OWN_LINES +
                   atomic_fetch_add_explicit(&nextShared, 1,
                                             memory_order_relaxed) %
                       (GATE_LINES - GATE_OWN_LINES);
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &nextLine, &n, n + 1, memory_order_relaxed, memory_order_relaxed));
    return 1 + n;
}

/* How many visits the thread that owns |line| is in. relaxed: no other thread
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

    /* seq_cst, the store or fetch_add and the load: pairs with the store and
     * the loads in snceGate_Close. This thread counts itself in, then reads the
     * region; the closer takes the region away, then reads the count. At least
     * one of them sees what the other wrote first: either this thread finds no
     * region, or the closer finds this thread. The load is also the acquire to
     * the release in snceGate_Open. */
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

snceRegion *
snceGate_EnterRegion(PRUint64 identity, PRUint32 *pass)
{
    snceRegion *region = snceGate_Enter(pass);

    if (region && snceRegion_Identity(region) != identity) {
        snceGate_Leave(*pass);
        region = NULL;
    }
    return region;
}

PRUint64
snceGate_Identity(void)
{
    PRUint64 identity = 0;
    PRUint32 pass;
    snceRegion *region = snceGate_Enter(&pass);

    if (region) {
        identity = snceRegion_Identity(region);
        snceGate_Leave(pass);
    }
    return identity;
}

void
snceGate_Leave(PRUint32 pass)
{
    /* release: pairs with the loads in snceGate_Close, so that what was done
     * inside is done before the closer unmaps. */
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
    pthread_mutex_lock(&lock);
    lockCancel = cancel;
    /* relaxed: written only with the lock held, which this thread has */
    return atomic_load_explicit(&current, memory_order_relaxed);
}

void
snceGate_Unlock(void)
{
    int cancel = lockCancel;

    pthread_mutex_unlock(&lock);
    (void)pthread_setcancelstate(cancel, NULL);
}

void
snceGate_Open(snceRegion *region)
{
    /* release: pairs with the load in snceGate_Enter; a thread that gets the
     * pointer also sees what it points to. */
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

    /* seq_cst, the store and the loads: pairs with the store or fetch_add and
     * the load in snceGate_Enter. The loads also pair with the releases in
     * snceGate_Leave. */
    atomic_store_explicit(&current, NULL, memory_order_seq_cst);

    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    for (i = 0; i < GATE_LINES; ++i) {
        /* It is enough to see each line at zero once: a thread that counts
         * itself in later finds no region. */
        while (atomic_load_explicit(&lines[i].inside, memory_order_seq_cst)) {
            if (gate_Expired(&start)) {
                return PR_FALSE;
            }
            (void)nanosleep(&nap, NULL);
        }
    }
    return PR_TRUE;
}
