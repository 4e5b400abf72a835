/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* LMDB in the fastest way that is safe for several processes: in memory, never
 * synchronized, writing straight into the map. A process keeps one read
 * transaction and renews it for each lookup. It copies the record, which may
 * change as soon as the transaction is reset. */

#include <lmdb.h>
#include <stdio.h>

#include "peers.h"

static const char *directory;
static uint64_t room;
static MDB_env *environment;
static MDB_txn *reading;
static MDB_dbi records;

static void Must(const char *what, int error) {
  if (error) {
    bench_Fail("lmdb: %s: %s", what, mdb_strerror(error));
  }
}

static void Start(const char *in, uint64_t entries) {
  directory = in;
  room = entries;
}

/* An environment does not survive a fork, so each process opens its own. */
static void Join(void) {
  MDB_txn *txn;

  Must("env_create", mdb_env_create(&environment));
  /* A leaf of 4 KiB holds 9 to 18 records, and LMDB reuses freed pages late. */
  Must("env_set_mapsize",
       mdb_env_set_mapsize(environment,
                           (room * 1024 + (64 << 20)) & ~(size_t)4095));
  Must("env_open",
       mdb_env_open(environment, directory,
                    MDB_NOSYNC | MDB_WRITEMAP | MDB_NOTLS | MDB_NORDAHEAD,
                    0600));
  Must("txn_begin", mdb_txn_begin(environment, NULL, 0, &txn));
  Must("dbi_open", mdb_dbi_open(txn, NULL, 0, &records));
  Must("txn_commit", mdb_txn_commit(txn));
  Must("txn_begin", mdb_txn_begin(environment, NULL, MDB_RDONLY, &reading));
  mdb_txn_reset(reading);
}

static void Leave(void) {
  mdb_txn_abort(reading);
  mdb_env_close(environment);
  environment = NULL;
}

static void Put(const snceSession *session) {
  MDB_val key = {SNCE_ID_MAX, (void *)(uintptr_t)session->id}, value;
  peerRecord record;
  MDB_txn *txn;

  peer_Record(session, &record);
  value.mv_size = sizeof(record);
  value.mv_data = &record;
  Must("txn_begin", mdb_txn_begin(environment, NULL, 0, &txn));
  Must("put", mdb_put(txn, records, &key, &value, 0));
  Must("txn_commit", mdb_txn_commit(txn));
}

static const uint8_t *Get(const uint8_t id[SNCE_ID_MAX]) {
  static peerRecord record;
  MDB_val key = {SNCE_ID_MAX, (void *)(uintptr_t)id}, value;
  int error;

  Must("txn_renew", mdb_txn_renew(reading));
  error = mdb_get(reading, records, &key, &value);
  if (!error && value.mv_size == sizeof(record)) {
    memcpy(&record, value.mv_data, sizeof(record));
  }
  mdb_txn_reset(reading);
  if (error == MDB_NOTFOUND) {
    return NULL;
  }
  Must("get", error);
  return peer_IsLive(&record) ? record.state : NULL;
}

static bool Remove(const uint8_t id[SNCE_ID_MAX]) {
  MDB_val key = {SNCE_ID_MAX, (void *)(uintptr_t)id};
  MDB_txn *txn;
  int error;

  Must("txn_begin", mdb_txn_begin(environment, NULL, 0, &txn));
  error = mdb_del(txn, records, &key, NULL);
  if (error == MDB_NOTFOUND) {
    mdb_txn_abort(txn);
    return false;
  }
  Must("del", error);
  Must("txn_commit", mdb_txn_commit(txn));
  return true;
}

static void Sums(peerSums *out) {
  MDB_stat stat;

  Must("txn_renew", mdb_txn_renew(reading));
  Must("stat", mdb_stat(reading, records, &stat));
  mdb_txn_reset(reading);
  out->there = stat.ms_entries;
  out->hits = out->puts = PEER_UNKNOWN;
  out->lost = 0;
}

static void Stop(void) {}

const peerSubject peer_Lmdb = {"lmdb", Start,  Join, Leave, Put,
                               Get,    Remove, Sums, Stop};
