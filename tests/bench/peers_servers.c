/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* memcached and Redis. The program starts each as a server of its own, on a
 * socket in its directory. Each process has one connection and waits for each
 * answer. */

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <libmemcached/memcached.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "peers.h"

#define TIMEOUT_SECONDS 60
#define LIFE_SECONDS 86400 /* lifetime of a record, the same as a session's */

static char socketPath[sizeof(((struct sockaddr_un *)0)->sun_path)];
static pid_t server;

/* ---- the server's process ------------------------------------------------ */

static void Pause(void) {
  struct timespec time = {0, 10000000};

  nanosleep(&time, NULL);
}

/* Ends the server by SIGTERM, and after ten seconds by force. */
static void Stop(void) {
  if (server <= 0) {
    return;
  }
  kill(server, SIGTERM);
  for (int i = 0; i < 1000; i++) {
    if (waitpid(server, NULL, WNOHANG) != 0) {
      server = 0;
      return;
    }
    Pause();
  }
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  server = 0;
}

static bool Answers(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool answers;

  memcpy(address.sun_path, socketPath, sizeof(address.sun_path));
  answers = fd >= 0 && connect(fd, (const struct sockaddr *)&address,
                               sizeof(address)) == 0;
  if (fd >= 0) {
    close(fd);
  }
  return answers;
}

/* Starts |argv| and waits until it listens. The server dies with this
 * process. */
static void Launch(char *const *argv) {
  server = fork();
  if (server < 0) {
    bench_Fail("no process for %s: %s", argv[0], strerror(errno));
  }
  if (server == 0) {
    int null = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(null, 0);
    dup2(null, 1);
    execvp(argv[0], argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
  }
  for (int i = 0; i < 1000; i++) {
    if (waitpid(server, NULL, WNOHANG) != 0) {
      server = 0;
      bench_Fail("%s ended as soon as it began", argv[0]);
    }
    if (Answers()) {
      return;
    }
    Pause();
  }
  bench_Fail("%s does not listen after ten seconds", argv[0]);
}

static void PlaceSocket(const char *directory) {
  if (snprintf(socketPath, sizeof(socketPath), "%s/%s", directory,
               PEER_SOCKET) >= (int)sizeof(socketPath)) {
    bench_Fail("%s is too long for a socket's name", directory);
  }
}

/* ---- memcached ----------------------------------------------------------- */

static memcached_st *client;

static void MustMemcached(const char *what, memcached_return_t result) {
  if (result != MEMCACHED_SUCCESS) {
    bench_Fail("memcached: %s: %s", what, memcached_strerror(client, result));
  }
}

static void StartMemcached(const char *directory, uint64_t entries) {
  const struct passwd *user = getpwuid(geteuid());
  char megabytes[32];
  char *argv[] = {"memcached",
                  "-s",
                  socketPath,
                  "-m",
                  megabytes,
                  "-u",
                  user ? user->pw_name : "nobody",
                  NULL};

  PlaceSocket(directory);
  /* An item takes 56 bytes, key and value, in chunks of up to 25 % more. If the
   * server evicts, this size is wrong, and the sums show it. */
  snprintf(megabytes, sizeof(megabytes), "%llu",
           (unsigned long long)(entries * 512 / 1000000 + 64));
  Launch(argv);
}

static void JoinMemcached(void) {
  client = memcached_create(NULL);
  if (!client) {
    bench_Fail("memcached: no memory");
  }
  MustMemcached("socket", memcached_server_add_unix_socket(client, socketPath));
  /* An ID may have any byte; the text protocol allows printable ones only. */
  MustMemcached("protocol", memcached_behavior_set(
                                client, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1));
  MustMemcached("timeout",
                memcached_behavior_set(client, MEMCACHED_BEHAVIOR_POLL_TIMEOUT,
                                       TIMEOUT_SECONDS * 1000));
}

static void LeaveMemcached(void) { memcached_free(client); }

static void PutMemcached(const snceSession *session) {
  peerRecord record;

  peer_Record(session, &record);
  MustMemcached("set", memcached_set(client, (const char *)session->id,
                                     SNCE_ID_MAX, (const char *)&record,
                                     sizeof(record), LIFE_SECONDS, 0));
}

static const uint8_t *GetMemcached(const uint8_t id[SNCE_ID_MAX]) {
  static peerRecord record;
  memcached_return_t result;
  size_t length;
  uint32_t flags;
  char *value = memcached_get(client, (const char *)id, SNCE_ID_MAX, &length,
                              &flags, &result);

  if (result == MEMCACHED_NOTFOUND) {
    return NULL;
  }
  MustMemcached("get", result);
  if (length != sizeof(record)) {
    bench_Fail("memcached: a record of %zu bytes", length);
  }
  memcpy(&record, value, sizeof(record));
  free(value);
  return peer_IsLive(&record) ? record.state : NULL;
}

static bool RemoveMemcached(const uint8_t id[SNCE_ID_MAX]) {
  memcached_return_t result =
      memcached_delete(client, (const char *)id, SNCE_ID_MAX, 0);

  if (result == MEMCACHED_NOTFOUND) {
    return false;
  }
  MustMemcached("delete", result);
  return true;
}

static void SumsMemcached(peerSums *out) {
  memcached_return_t result;
  memcached_stat_st *stat = memcached_stat(client, NULL, &result);

  MustMemcached("stats", result);
  out->there = stat->curr_items;
  out->hits = stat->get_hits;
  out->puts = stat->cmd_set;
  out->lost = stat->evictions;
  memcached_stat_free(client, stat);
}

const peerSubject peer_Memcached = {
    "memcached",     StartMemcached, JoinMemcached,
    LeaveMemcached,  PutMemcached,   GetMemcached,
    RemoveMemcached, SumsMemcached,  Stop};

/* ---- Redis --------------------------------------------------------------- */

static redisContext *redis;

static void StartRedis(const char *directory, uint64_t entries) {
  char inDirectory[] = "--dir", *place = strdup(directory);
  char *argv[] = {"redis-server", "--port",    "0",         "--unixsocket",
                  socketPath,     "--save",    "",          "--appendonly",
                  "no",           "--logfile", "/dev/null", inDirectory,
                  place,          NULL};

  (void)entries; /* Redis has no limit by default */
  PlaceSocket(directory);
  Launch(argv);
  free(place);
}

static void JoinRedis(void) {
  struct timeval patience = {TIMEOUT_SECONDS, 0};

  redis = redisConnectUnixWithTimeout(socketPath, patience);
  if (!redis || redis->err || redisSetTimeout(redis, patience) != REDIS_OK) {
    bench_Fail("redis: %s", redis ? redis->errstr : "no memory");
  }
}

static void LeaveRedis(void) { redisFree(redis); }

/* Sends a command and returns its answer, which must be of |type| or nil. */
static redisReply *Ask(int type, int argc, const char **argv,
                       const size_t *lengths) {
  redisReply *reply = redisCommandArgv(redis, argc, argv, lengths);

  if (!reply) {
    bench_Fail("redis: %s: %s", argv[0], redis->errstr);
  }
  if (reply->type != type && reply->type != REDIS_REPLY_NIL) {
    bench_Fail("redis: %s: %s", argv[0],
               reply->type == REDIS_REPLY_ERROR ? reply->str : "odd answer");
  }
  return reply;
}

static void PutRedis(const snceSession *session) {
  peerRecord record;
  const char *argv[] = {"SET", (const char *)session->id, (const char *)&record,
                        "EX", "86400"};
  const size_t lengths[] = {3, SNCE_ID_MAX, sizeof(record), 2, 5};

  peer_Record(session, &record);
  freeReplyObject(Ask(REDIS_REPLY_STATUS, 5, argv, lengths));
}

static const uint8_t *GetRedis(const uint8_t id[SNCE_ID_MAX]) {
  static peerRecord record;
  const char *argv[] = {"GET", (const char *)id};
  const size_t lengths[] = {3, SNCE_ID_MAX};
  redisReply *reply = Ask(REDIS_REPLY_STRING, 2, argv, lengths);
  bool found = reply->type == REDIS_REPLY_STRING;

  if (found) {
    if (reply->len != sizeof(record)) {
      bench_Fail("redis: a record of %zu bytes", (size_t)reply->len);
    }
    memcpy(&record, reply->str, sizeof(record));
  }
  freeReplyObject(reply);
  return found && peer_IsLive(&record) ? record.state : NULL;
}

static bool RemoveRedis(const uint8_t id[SNCE_ID_MAX]) {
  const char *argv[] = {"DEL", (const char *)id};
  const size_t lengths[] = {3, SNCE_ID_MAX};
  redisReply *reply = Ask(REDIS_REPLY_INTEGER, 2, argv, lengths);
  bool removed = reply->integer == 1;

  freeReplyObject(reply);
  return removed;
}

/* Returns the number after |name| in the answer to INFO. */
static uint64_t Figure(const char *info, const char *name) {
  const char *at = strstr(info, name);

  if (!at) {
    bench_Fail("redis: no figure \"%s\"", name);
  }
  return strtoull(at + strlen(name), NULL, 10);
}

static void SumsRedis(peerSums *out) {
  const char *size[] = {"DBSIZE"}, *info[] = {"INFO", "all"};
  redisReply *reply = Ask(REDIS_REPLY_INTEGER, 1, size, NULL);

  out->there = (uint64_t)reply->integer;
  freeReplyObject(reply);
  reply = Ask(REDIS_REPLY_STRING, 2, info, NULL);
  out->hits = Figure(reply->str, "\nkeyspace_hits:");
  out->puts = Figure(reply->str, "\ncmdstat_set:calls=");
  out->lost = Figure(reply->str, "\nevicted_keys:") +
              Figure(reply->str, "\nexpired_keys:");
  freeReplyObject(reply);
}

const peerSubject peer_Redis = {"redis",     StartRedis, JoinRedis,
                                LeaveRedis,  PutRedis,   GetRedis,
                                RemoveRedis, SumsRedis,  Stop};
