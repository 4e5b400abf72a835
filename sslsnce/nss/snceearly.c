/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceearly.c: early data (0-RTT) is accepted once, whichever process gets it.
 *
 * NSS's anti-replay context has a filter of its own process. Where this process has
 * a region, the filter lies there (snceReplay_Note), and all processes share it, and
 * in each of them all contexts with the same window, k and bits. Without a region
 * NSS's own filter decides.
 *
 * As in NSS, a context rejects all early data for one window from its creation:
 * it may have been accepted before, by a server that was restarted since. The same
 * holds when the filter moves: from NSS's own to a region's, to another region's, or
 * back. */

#include <stdatomic.h>

#include "secport.h"
#include "sslimpl.h"

#include "sncegate.h"
#include "snceint.h"

/* Handshakes of any thread read and write the last two, without a lock. */
struct sslEarlyDataStr {
    snceReplayOptions options;
    /* Identity of the region whose filter decides; 0: NSS's own does. */
    _Atomic PRUint64 place;
    /* Nothing is accepted until then. Written before |place|. */
    _Atomic PRTime notBefore;
};

static PRUint64
early_PlaceOf(snceRegion *region)
{
    return region ? snceRegion_Identity(region) : 0;
}

/* From now on, the filter of |region| decides, or that of NSS if it is NULL. */
static void
early_MoveTo(sslEarlyData *early, snceRegion *region, PRTime now)
{
    PRTime window = early->options.windowUsec;
    PRTime end = now > PR_INT64_MAX - window ? PR_INT64_MAX : now + window;

    if (region) {
        /* If this fails, so will noting early data, which is then rejected. */
        (void)snceReplay_Open(region, &early->options, ssl_TimeForCache(now));
    }
    atomic_store_explicit(&early->notBefore, end, memory_order_relaxed);
    /* Release: pairs with the acquire load in early_IsFirstWindow. */
    atomic_store_explicit(&early->place, early_PlaceOf(region),
                          memory_order_release);
}

static PRBool
early_IsFirstWindow(sslEarlyData *early, snceRegion *region, PRTime now)
{
    /* Acquire: pairs with the release store in early_MoveTo. */
    if (atomic_load_explicit(&early->place, memory_order_acquire) !=
        early_PlaceOf(region)) {
        /* Two threads that do this at once write nearly the same. */
        early_MoveTo(early, region, now);
    }
    return now < atomic_load_explicit(&early->notBefore, memory_order_relaxed);
}

sslEarlyData *
ssl_NewEarlyData(PRTime now, PRTime window, unsigned int k, unsigned int bits)
{
    sslEarlyData *early = PORT_ZNew(sslEarlyData);
    snceRegion *region;
    PRUint32 pass;

    if (!early) {
        return NULL;
    }
    early->options.windowUsec = window;
    early->options.hashes = k;
    early->options.bits = bits;
    region = snceGate_Enter(&pass);
    early_MoveTo(early, region, now);
    if (region) {
        snceGate_Leave(pass);
    }
    return early;
}

void
ssl_FreeEarlyData(sslEarlyData *early)
{
    PORT_Free(early);
}

sslEarlyDataAnswer
ssl_NoteEarlyData(sslEarlyData *early, const SECItem *binder, PRTime now)
{
    sslEarlyDataAnswer answer = ssl_early_data_replay;
    PRUint32 pass;
    snceRegion *region = snceGate_Enter(&pass);

    if (!early_IsFirstWindow(early, region, now)) {
        if (!region) {
            answer = ssl_early_data_unshared;
        } else if (snceReplay_Note(region, &early->options, binder->data,
                                   binder->len,
                                   ssl_TimeForCache(now)) == SNCE_OK) {
            answer = ssl_early_data_new;
        }
    }
    if (region) {
        snceGate_Leave(pass);
    }
    return answer;
}
