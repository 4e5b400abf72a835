/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* server: an NSS server and its clients in one program, which executes its
 * words from left to right. It calls NSS's public API only, so that the same
 * binary runs on any libssl3.so.
 *
 *   server DATABASE WORD...
 *
 * The cache:
 *   config=N            SSL_ConfigServerSessionIDCache for N sessions; prints
 *                       "config MS", milliseconds of processor time
 *   share=N             the same by SSL_ConfigMPServerSIDCache
 *   add=N@NAME          adds the virtual server NAME, for N sessions
 *   remove=NAME, flush=NAME
 * Handshakes, for NAME or, without it, for a name that no cache has:
 *   full=N@NAME         N clients make a session each; prints "full FULL N"
 *   resume=N@NAME       they offer these sessions; prints "resume RESUMED N"
 *   gone=N@NAME         the same; prints "gone FULL N"
 *   find=N@NAME         looks for their session IDs in shared memory; prints
 *                       "find FOUND N"
 *   lost=N@NAME         the same; prints "lost NOT-FOUND N"
 * Processes:
 *   worker=fork, worker=exec
 *                       from here on a child is the server, by fork, or by exec
 *                       and SSL_InheritMPServerSIDCache
 *   fork                a child executes the remaining words; this process
 *                       waits for it
 *   threads=N           starts N threads that do not end; prints "threads
 *                       STARTED N"
 * Memory, in KiB:
 *   status=WHEN         prints "WHEN SIZE RESIDENT LOCKED SHARED"
 *   space               prints "space KIB", the address space that is left
 *   read=MIB            reads all memory as a debugger does, MIB at most;
 *                       prints "read KIB"
 * Obstacles:
 *   limit=NAME:MIB      sets RLIMIT_NAME; with +MIB to that much more than is
 *                       in use (AS only)
 *   mlockall=current, mlockall=future
 *                       locks all memory; the second also memory mapped later
 *   refuse=CALL:ERROR   a system call fails from here on (refuse.h)
 *   capabilities=none   gives up all capabilities
 *
 * It prints first "library PATH", the libssl3.so that it runs on, and at the
 * end "done". If something fails it prints "fail WHAT: WHY" instead and ends
 * with exit status 1. */

#define _GNU_SOURCE /* dladdr */

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nspr.h"
#include "nss.h"
#include "ssl.h"

#include "handshake.h"
#include "memory.h"
#include "refuse.h"
#include "sslsnce/sslsnce.h"
#include "worker.h"

#define NO_NAME "elsewhere.example"
#define MOST_SESSIONS 64
#define ALARM_SEC 120

static const char *database;
static const HandshakeServer *worker; /* NULL: this process */

/* The session IDs of the first clients of each name. */
static struct {
    char name[100];
    int number;
    unsigned char id[32];
    size_t len;
} sessions[MOST_SESSIONS];
static int sessionCount;

/* Returns NAME of "N@NAME"; for "N", a name that no cache has. */
static const char *
NameOf(const char *value)
{
    const char *at = strchr(value, '@');

    return at ? at + 1 : NO_NAME;
}

/* ---- the cache ---- */

static void
Config(const char *value, int shared)
{
    clock_t before = clock();
    int entries = atoi(value);
    SECStatus rv = shared ? SSL_ConfigMPServerSIDCache(entries, 0, 0, NULL)
                          : SSL_ConfigServerSessionIDCache(entries, 0, 0, NULL);

    if (rv != SECSuccess) {
        Fail("config");
    }
    printf("config %ld\n", (long)((clock() - before) * 1000 / CLOCKS_PER_SEC));
}

static void
DoConfig(const char *value)
{
    Config(value, 0);
}

static void
DoShare(const char *value)
{
    Config(value, 1);
}

static void
DoAdd(const char *value)
{
    SSLServerCacheParams params;

    memset(&params, 0, sizeof params);
    params.length = sizeof params;
    params.entries = (PRUint32)atoi(value);
    if (SSL_AddServerCache(NameOf(value), &params) != SECSuccess) {
        Fail("add");
    }
}

static void
DoRemove(const char *value)
{
    if (SSL_RemoveServerCache(value) != SECSuccess) {
        Fail("remove");
    }
}

static void
DoFlush(const char *value)
{
    if (SSL_FlushServerCache(value) != SECSuccess) {
        Fail("flush");
    }
}

/* ---- handshakes ---- */

static void
Remember(const char *name, int number)
{
    size_t len;
    const unsigned char *id = Handshake_SessionId(&len);

    if (sessionCount < MOST_SESSIONS && len <= sizeof sessions[0].id) {
        snprintf(sessions[sessionCount].name, sizeof sessions[0].name, "%s",
                 name);
        sessions[sessionCount].number = number;
        memcpy(sessions[sessionCount].id, id, len);
        sessions[sessionCount++].len = len;
    }
}

/* Makes the connections of |value|, "N@NAME", one for each client. Stores N in
 * |*count| and returns how many of them were resumed. */
static int
Connect(const char *value, int remember, int *count)
{
    const char *name = NameOf(value);
    int resumed = 0, i;

    *count = atoi(value);
    for (i = 0; i < *count; ++i) {
        resumed += Handshake_Connect(worker, name, i);
        if (remember) {
            Remember(name, i);
        }
    }
    return resumed;
}

static void
DoFull(const char *value)
{
    int count, resumed = Connect(value, 1, &count);

    printf("full %d %d\n", count - resumed, count);
}

static void
DoResume(const char *value)
{
    int count, resumed = Connect(value, 0, &count);

    printf("resume %d %d\n", resumed, count);
}

static void
DoGone(const char *value)
{
    int count, resumed = Connect(value, 0, &count);

    printf("gone %d %d\n", count - resumed, count);
}

static int
Find(const char *value, int *count)
{
    const char *name = NameOf(value);
    int found = 0, i;

    *count = atoi(value);
    for (i = 0; i < sessionCount; ++i) {
        if (strcmp(sessions[i].name, name) == 0 &&
            sessions[i].number < *count) {
            found += Memory_SharedHas(sessions[i].id, sessions[i].len);
        }
    }
    return found;
}

static void
DoFind(const char *value)
{
    int count, found = Find(value, &count);

    printf("find %d %d\n", found, count);
}

static void
DoLost(const char *value)
{
    int count, found = Find(value, &count);

    printf("lost %d %d\n", count - found, count);
}

/* ---- processes ---- */

static void
DoWorker(const char *value)
{
    worker = strcmp(value, "exec") == 0 ? Worker_Exec(database) : Worker_Fork();
}

static void
DoFork(const char *value)
{
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid != 0) {
        if (pid < 0 || waitpid(pid, &status, 0) != pid) {
            Fail("system: fork");
        }
        if (!WIFEXITED(status)) {
            printf("fail fork: the child was killed by signal %d\n",
                   WTERMSIG(status));
            fflush(stdout);
        }
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
}

static void *
Stay(void *arg)
{
    pause();
    return NULL;
}

static void
DoThreads(const char *value)
{
    int count = atoi(value), started = 0;
    pthread_t thread;

    while (started < count && pthread_create(&thread, NULL, Stay, NULL) == 0) {
        ++started;
    }
    printf("threads %d %d\n", started, count);
}

/* ---- memory ---- */

static void
DoStatus(const char *value)
{
    MemoryStatus status = Memory_Status();

    printf("%s %lu %lu %lu %lu\n", value, status.size, status.resident,
           status.locked, status.shared);
}

static void
DoSpace(const char *value)
{
    printf("space %lu\n", Memory_Space());
}

static void
DoRead(const char *value)
{
    printf("read %lu\n", Memory_ReadAll((unsigned long)atol(value)));
}

/* ---- obstacles ---- */

static void
DoLimit(const char *value)
{
    static const struct {
        const char *name;
        int resource;
    } limits[] = {
        { "AS:", RLIMIT_AS },
        { "FSIZE:", RLIMIT_FSIZE },
        { "MEMLOCK:", RLIMIT_MEMLOCK },
    };
    size_t i;

    for (i = 0; i < sizeof limits / sizeof limits[0]; ++i) {
        size_t len = strlen(limits[i].name);

        if (strncmp(value, limits[i].name, len) == 0) {
            rlim_t bytes = (rlim_t)atol(value + len) << 20;
            struct rlimit limit;

            if (value[len] == '+') {
                bytes += (rlim_t)Memory_Status().size * 1024;
            }
            limit.rlim_cur = limit.rlim_max = bytes;
            if (setrlimit(limits[i].resource, &limit) != 0) {
                Fail("system: setrlimit");
            }
        }
    }
}

static void
DoMlockall(const char *value)
{
    int flags =
        strcmp(value, "future") == 0 ? MCL_CURRENT | MCL_FUTURE : MCL_CURRENT;

    if (mlockall(flags) != 0) {
        Fail("system: mlockall");
    }
}

static void
DoRefuse(const char *value)
{
    if (Refuse_Call(value) != 0) {
        Fail("system: seccomp");
    }
}

static void
DoCapabilities(const char *value)
{
    if (Refuse_Capabilities() != 0) {
        Fail("system: capset");
    }
}

/* The word that Worker_Exec passes to the new program; it does not return. */
static void
DoServe(const char *value)
{
    int listener, control;

    if (sscanf(value, "%d:%d", &listener, &control) != 2) {
        exit(2);
    }
    if (SSL_InheritMPServerSIDCache(NULL) != SECSuccess) {
        Fail("inherit");
    }
    Handshake_Adopt(listener);
    Worker_Serve(control);
}

static const struct {
    const char *name;
    void (*act)(const char *value);
} words[] = {
    { "config", DoConfig },   { "share", DoShare },
    { "add", DoAdd },         { "remove", DoRemove },
    { "flush", DoFlush },     { "full", DoFull },
    { "resume", DoResume },   { "gone", DoGone },
    { "find", DoFind },       { "lost", DoLost },
    { "worker", DoWorker },   { "fork", DoFork },
    { "threads", DoThreads }, { "status", DoStatus },
    { "space", DoSpace },     { "read", DoRead },
    { "limit", DoLimit },     { "mlockall", DoMlockall },
    { "refuse", DoRefuse },   { "capabilities", DoCapabilities },
    { "serve", DoServe },
};

static void
Do(const char *word)
{
    size_t len = strcspn(word, "="), i;

    for (i = 0; i < sizeof words / sizeof words[0]; ++i) {
        if (strlen(words[i].name) == len &&
            strncmp(word, words[i].name, len) == 0) {
            words[i].act(word[len] ? word + len + 1 : "");
            return;
        }
    }
    fprintf(stderr, "server: unknown word: %s\n", word);
    exit(2);
}

static void
PrintLibrary(void)
{
    void *call = dlsym(RTLD_DEFAULT, "SSL_ImportFD");
    char path[PATH_MAX];
    Dl_info info;

    if (call && dladdr(call, &info) && realpath(info.dli_fname, path)) {
        printf("library %s\n", path);
    }
}

int
main(int argc, char **argv)
{
    int i;

    if (argc < 3) {
        fprintf(stderr, "usage: server DATABASE WORD...\n");
        return 2;
    }
    alarm(ALARM_SEC);
    setvbuf(stdout, NULL, _IOLBF, 0);
    database = argv[1];
    if (NSS_Init(database) != SECSuccess) {
        Fail("init");
    }
    NSS_SetDomesticPolicy();
    if (strncmp(argv[2], "serve=", 6) != 0) {
        PrintLibrary();
        Handshake_Listen();
    }
    for (i = 2; i < argc; ++i) {
        Do(argv[i]);
    }
    Worker_End();
    printf("done\n");
    fflush(stdout);
    _exit(0);
}
