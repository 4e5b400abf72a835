/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncenotice.c: reports what is wrong with the configuration file, and what
 * follows. */

#include <string.h>

#include "prerror.h"
#include "prprf.h"
#include "secport.h"

#include "snceconfig.h"
#include "sncefile.h"
#include "sncegate.h"
#include "sncelog.h"

/* The size of a message, and of the path in it. A long path is cut at its
 * beginning. */
#define NOTICE_BYTES 1024
#define NOTICE_PATH_BYTES 256

/* Hashes of the messages that were given for the file's present version.
 * Guarded by the gate's lock; a child by fork begins with its parent's. */
static PRUint64 saidVersion;
static PRUint64 said[2 * SSL_CACHE_FAULTS_MAX];
static unsigned int saidCount;

/* Returns whether |text| is new for this version of the file, and notes it. The
 * caller has the gate's lock. */
static PRBool
notice_IsNew(const sslCacheConfig *config, const char *text)
{
    PRUint64 hash = ssl_HashVersion(0, text, strlen(text));
    unsigned int i;

    if (saidVersion != config->version) {
        saidVersion = config->version;
        saidCount = 0;
    }
    for (i = 0; i < saidCount; ++i) {
        if (said[i] == hash) {
            return PR_FALSE;
        }
    }
    if (saidCount == PR_ARRAY_SIZE(said)) {
        return PR_FALSE;
    }
    said[saidCount++] = hash;
    return PR_TRUE;
}

static void
notice_Path(const sslCacheConfig *config, char out[NOTICE_PATH_BYTES])
{
    size_t len = strlen(config->path);
    PRBool isLong = len >= NOTICE_PATH_BYTES;

    (void)PR_snprintf(out, NOTICE_PATH_BYTES, "%s%s", isLong ? "..." : "",
                      isLong ? config->path + len - NOTICE_PATH_BYTES + 4
                             : config->path);
}

/* Writes into |out| what follows from |fault|, beginning with "; ". */
static void
notice_Outcome(const sslCacheConfig *config, const sslCacheFault *fault,
               char *out, PRUint32 outLen)
{
    sslCacheFaultKind kind = fault->kind;
    char shown[SSL_CACHE_SHOWN_BYTES];

    if (config->strict && kind != sslCacheFault_note) {
        kind = sslCacheFault_failed;
    }
    if (kind == sslCacheFault_closed && fault->line >= config->count) {
        kind = sslCacheFault_failed; /* no memory to keep the line */
    }
    switch (kind) {
        case sslCacheFault_note:
            (void)PR_snprintf(out, outLen, "");
            break;
        case sslCacheFault_ignored:
            (void)PR_snprintf(out, outLen, "; line ignored");
            break;
        case sslCacheFault_closed:
            (void)PR_snprintf(
                out, outLen,
                "; cache \"%s\" is closed: full handshakes only, until the "
                "line "
                "is mended",
                ssl_ShowCacheValue(shown, config->lines[fault->line].name));
            break;
        case sslCacheFault_lowered:
            (void)PR_snprintf(out, outLen,
                              "; the application's values count, lowered by "
                              "what could be read of the line");
            break;
        case sslCacheFault_file:
            (void)PR_snprintf(out, outLen, "; the application's values count");
            break;
        case sslCacheFault_keys:
            (void)PR_snprintf(out, outLen,
                              "; the ticket keys stay as they are");
            break;
        case sslCacheFault_size:
            (void)PR_snprintf(out, outLen,
                              "; the application's entries and certificates "
                              "count, or the line's where they are fewer");
            break;
        case sslCacheFault_unlocked:
            (void)PR_snprintf(out, outLen, "; all caches are closed");
            break;
        case sslCacheFault_failed:
            (void)PR_snprintf(out, outLen, "; the call fails");
            break;
    }
}

static void
notice_Fault(const sslCacheConfig *config, const sslCacheFault *fault,
             char *out, PRUint32 outLen)
{
    char path[NOTICE_PATH_BYTES];
    char outcome[SSL_CACHE_TEXT_BYTES];
    char place[32] = "";

    notice_Path(config, path);
    notice_Outcome(config, fault, outcome, sizeof outcome);
    if (fault->number) {
        (void)PR_snprintf(place, sizeof place, ":%u:%u", fault->number,
                          fault->column);
    }
    (void)PR_snprintf(out, outLen, "cache file %s%s: %s%s", path, place,
                      fault->text, outcome);
}

/* Returns the fault that failed the call, or NULL. */
static const sslCacheFault *
notice_Cause(const sslCacheConfig *config)
{
    PRUint32 i;

    for (i = 0; i < config->faults && i < SSL_CACHE_FAULTS_MAX; ++i) {
        sslCacheFaultKind kind = config->fault[i].kind;

        if (kind == sslCacheFault_failed ||
            (config->strict && kind != sslCacheFault_note)) {
            return &config->fault[i];
        }
    }
    return NULL;
}

/* Returns the number of messages: one for each fault that is kept, and one that
 * counts the others. */
static PRUint32
notice_Count(const sslCacheConfig *config)
{
    return PR_MIN(config->faults, SSL_CACHE_FAULTS_MAX + 1);
}

static void
notice_Message(const sslCacheConfig *config, PRUint32 i, char out[NOTICE_BYTES])
{
    char path[NOTICE_PATH_BYTES];

    if (i < SSL_CACHE_FAULTS_MAX) {
        notice_Fault(config, &config->fault[i], out, NOTICE_BYTES);
        return;
    }
    notice_Path(config, path);
    (void)PR_snprintf(out, NOTICE_BYTES, "cache file %s: %u more messages",
                      path, config->faults - SSL_CACHE_FAULTS_MAX);
}

void
ssl_ReportCacheConfig(const sslCacheConfig *config, SECStatus rv)
{
    const sslCacheFault *cause = rv == SECSuccess ? NULL : notice_Cause(config);
    PRUint32 count = notice_Count(config);
    PRBool isNew[SSL_CACHE_FAULTS_MAX + 1];
    char text[NOTICE_BYTES];
    PRUint32 i;

    if (count) {
        (void)snceGate_Lock();
        for (i = 0; i < count; ++i) {
            notice_Message(config, i, text);
            isNew[i] = notice_IsNew(config, text);
        }
        snceGate_Unlock();
    }
    /* Without the lock, because a write to stderr may wait for its reader. */
    for (i = 0; i < count; ++i) {
        if (isNew[i]) {
            notice_Message(config, i, text);
            ssl_Log(text);
        }
    }
    if (cause) {
        notice_Fault(config, cause, text, sizeof text);
        PR_SetErrorText((PRIntn)strlen(text), text);
    }
}
