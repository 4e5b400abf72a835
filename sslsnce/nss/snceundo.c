/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceundo.h"

#include "secport.h"

struct sslCacheUndoStr {
    snceServerId id;
    PRBool added;
    snceCacheOptions was; /* if it was not added */
};

SECStatus
ssl_BeginCacheUndo(sslCacheConfig *config)
{
    if (config->strict) {
        config->undo = PORT_ZAlloc((config->count + 1) * sizeof *config->undo);
    }
    return config->strict && !config->undo ? SECFailure : SECSuccess;
}

static struct sslCacheUndoStr *
undo_New(sslCacheConfig *config, snceServerId id)
{
    struct sslCacheUndoStr *undo = &config->undo[config->undoCount++];

    PORT_Assert(config->undoCount <= config->count + 1);
    undo->id = id;
    return undo;
}

void
ssl_NoteCacheAdded(sslCacheConfig *config, snceServerId id)
{
    if (config->undo) {
        undo_New(config, id)->added = PR_TRUE;
    }
}

snceResult
ssl_NoteCacheChange(sslCacheConfig *config, snceRegion *region, snceServerId id)
{
    snceCacheOptions was;
    snceResult result;

    if (!config->undo) {
        return SNCE_OK;
    }
    result = snceCache_GetOptions(snceRegion_Cache(region, id), &was);
    if (result == SNCE_OK) {
        undo_New(config, id)->was = was;
    }
    return result;
}

void
ssl_UndoCacheChanges(sslCacheConfig *config, snceRegion *region)
{
    snceResult result = SNCE_OK;
    PRUint32 i;

    /* Remove first, to make room for the caches that are to grow again. If
     * another process is busy, wait for it once, not for each of a thousand
     * caches. */
    for (i = 0; i < config->undoCount && result != SNCE_BUSY; ++i) {
        if (config->undo[i].added) {
            result = snceServer_Remove(region, config->undo[i].id);
        }
    }
    for (i = config->undoCount; i-- > 0 && result != SNCE_BUSY;) {
        if (!config->undo[i].added) {
            result = snceCache_Configure(
                snceRegion_Cache(region, config->undo[i].id),
                &config->undo[i].was);
        }
    }
    config->undoCount = 0;
}
