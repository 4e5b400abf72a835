/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceorigin.c: the cache and the server name of a ClientHello, a session, a
 * ticket. */

#include "snceorigin.h"

#include "secitem.h"
#include "secport.h"
#include "ssl3ext.h"
#include "sslencode.h"
#include "sslexp.h"

#include "sncegate.h"
#include "snceint.h"
#include "sncelifetime.h"

/* The cache number of a ClientHello that belongs to no cache: its name is
 * longer than any host's, or its extension is malformed, or the cache is closed
 * or was removed. Then the server stores and finds no session, issues no ticket
 * and accepts none. */
#define ORIGIN_NOWHERE 0xffffffffu

/* Returns eight bytes in lower case. The uppermost bit of each byte tells: in
 * |atLeastA|, whether the byte is 'A' or more; in |aboveZ|, whether it is more
 * than 'Z'. */
static PRUint64
origin_FoldWord(PRUint64 word)
{
    const PRUint64 ones = 0x0101010101010101ull;
    PRUint64 low = word & 0x7f * ones;
    PRUint64 atLeastA = low + (0x80 - 'A') * ones;
    PRUint64 aboveZ = low + (0x7f - 'Z') * ones;

    return word | ((atLeastA & ~aboveZ & ~word & 0x80 * ones) >> 2);
}

unsigned int
ssl_FoldServerName(const sslServerOrigin *origin,
                   PRUint8 out[sizeof origin->name])
{
    unsigned int len = origin->nameLen;
    PRUint64 word;
    unsigned int i;

    if (len > 1 && origin->name[len - 1] == '.') {
        --len;
    }
    for (i = 0; i + sizeof word <= len; i += sizeof word) {
        PORT_Memcpy(&word, origin->name + i, sizeof word);
        word = origin_FoldWord(word);
        PORT_Memcpy(out + i, &word, sizeof word);
    }
    if (i < len && len > sizeof word) {
        /* Fold the last eight bytes; those that were folded already do not
         * change. */
        i = len - sizeof word;
        PORT_Memcpy(&word, origin->name + i, sizeof word);
        word = origin_FoldWord(word);
        PORT_Memcpy(out + i, &word, sizeof word);
        return len;
    }
    for (; i < len; ++i) {
        PRUint8 c = origin->name[i];

        out[i] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    }
    return len;
}

static PRBool
origin_SameName(const sslServerOrigin *a, const sslServerOrigin *b)
{
    PRUint8 foldedA[sizeof a->name];
    PRUint8 foldedB[sizeof b->name];
    unsigned int len;

    if (a->nameLen == b->nameLen &&
        PORT_Memcmp(a->name, b->name, a->nameLen) == 0) {
        return PR_TRUE; /* the usual case */
    }
    len = ssl_FoldServerName(a, foldedA);
    return len == ssl_FoldServerName(b, foldedB) &&
           PORT_Memcmp(foldedA, foldedB, len) == 0;
}

/* Finds the first host_name of a ServerNameList (RFC 6066 section 3); where
 * libssl reads the list, it refuses a second one. Fails if |extension| is no
 * such list. */
static SECStatus
origin_FindHostName(const SECItem *extension, sslReadBuffer *name)
{
    sslReader reader = SSL_READER(extension->data, extension->len);
    sslReadBuffer list;

    name->len = 0;
    if (sslRead_ReadVariable(&reader, 2, &list) != SECSuccess ||
        SSL_READER_REMAINING(&reader) != 0) {
        return SECFailure;
    }
    reader = (sslReader)SSL_READER(list.buf, list.len);
    while (SSL_READER_REMAINING(&reader) != 0) {
        sslReadBuffer entry;
        PRUint64 type;

        if (sslRead_ReadNumber(&reader, 1, &type) != SECSuccess ||
            sslRead_ReadVariable(&reader, 2, &entry) != SECSuccess) {
            return SECFailure;
        }
        if (type == sni_nametype_hostname && name->len == 0) {
            *name = entry;
        }
    }
    return SECSuccess;
}

/* Sets the cache of |origin|: the one that the socket is bound to, or that has the
 * name of |origin|, or the default cache; or nowhere if that cache is not open.
 * Without this check, the id of a removed cache would still fit the tickets
 * that were made there. */
static void
origin_Choose(const sslSocket *ss, sslServerOrigin *origin)
{
    static const sslServerCacheId nowhere = { ORIGIN_NOWHERE, 0, 0 };
    sslServerCacheId chosen = { 0, 0, 0 };
    snceCacheOptions options;
    snceRegion *region;
    PRUint32 pass;

    if (ss->sec.boundToCache) {
        chosen = ss->sec.boundCache;
    }
    region = snceGate_Enter(&pass);
    if (!region) {
        origin->cache = chosen.number ? nowhere : chosen;
        return;
    }
    if (!ss->sec.boundToCache && origin->nameLen) {
        /* The core folds the name. */
        chosen = ssl_IdOfServerCache(
            snceServer_Choose(region, origin->name, origin->nameLen));
    }
    if (snceCache_GetOptions(ssl_ServerCache(region, chosen), &options) ==
            SNCE_OK &&
        !options.closed) {
        origin->cache = chosen;
        origin->ticketEpoch = options.ticketEpoch;
        origin->flushes = options.flushes;
    } else {
        origin->cache = nowhere;
    }
    snceGate_Leave(pass);
}

void
ssl_NoteServerOrigin(sslSocket *ss)
{
    const TLSExtension *extension = ssl3_FindExtension(ss, ssl_server_name_xtn);
    sslServerOrigin *origin = &ss->sec.origin;
    sslReadBuffer name = { 0 };

    /* After a HelloRetryRequest, the callback for the first ClientHello may
     * have disabled tickets: then the value noted for the first ClientHello
     * counts. */
    ss->sec.hadTickets = ss->opt.enableSessionTickets ||
                         (ss->ssl3.hs.helloRetry && ss->sec.hadTickets);

    /* Nobody reads the bytes behind the name, so they need not be cleared. */
    origin->cache.generation = 0;
    origin->cache.region = 0;
    origin->ticketEpoch = origin->flushes = 0;
    origin->nameLen = 0;
    /* libssl without an SNI callback accepts a malformed extension: check it
     * here. */
    if ((extension &&
         origin_FindHostName(&extension->data, &name) != SECSuccess) ||
        name.len > sizeof origin->name) {
        origin->cache.number = ORIGIN_NOWHERE;
        return;
    }
    if (name.len) {
        /* Not PORT_Memcpy: where GCC knows the bound of a copy it emits "rep
         * movsq", which for a few bytes is slower than a call. */
        PORT_Memmove(origin->name, name.buf, name.len);
        origin->nameLen = (PRUint8)name.len;
    }
    origin_Choose(ss, origin);
}

PRBool
ssl_IsOfServerOrigin(const sslSocket *ss, const sslSessionID *sid)
{
    const sslServerOrigin *now = &ss->sec.origin;

    return now->cache.number != ORIGIN_NOWHERE &&
           now->cache.number == sid->origin.cache.number &&
           now->cache.generation == sid->origin.cache.generation &&
           now->cache.region == sid->origin.cache.region &&
           origin_SameName(now, &sid->origin);
}

PRBool
ssl_TakesTickets(const sslSocket *ss)
{
    sslServerCacheId cache = ss->sec.origin.cache;
    snceRegion *region;
    PRUint32 pass;
    PRBool open;

    if (cache.number == ORIGIN_NOWHERE) {
        return PR_FALSE;
    }
    region = snceGate_Enter(&pass);
    if (!region) {
        return cache.number == 0; /* these tickets need no region */
    }
    /* The cache may have been removed since the ClientHello came. */
    open = snceCache_IsOpen(ssl_ServerCache(region, cache));
    snceGate_Leave(pass);
    return open;
}

SECStatus
ssl_RestoreServerName(const sslSocket *ss, sslSessionID *sid)
{
    const sslServerOrigin *origin = &sid->origin;
    SECItem name = { siBuffer, NULL, 0 };

    if (ss && ssl_IsOfServerOrigin(ss, sid)) {
        origin = &ss->sec.origin;
    }
    name.data = (unsigned char *)origin->name;
    name.len = origin->nameLen;
    return SECITEM_CopyItem(NULL, &sid->u.ssl3.srvName, &name);
}

PRTime
ssl_BeginOfSession(const sslSessionID *sid, PRTime now)
{
    PRTime began = sid->fullHandshake ? sid->fullHandshake : sid->creationTime;

    return began ? PR_MIN(began, now) : now;
}

/* Writes the origin of |sid| into a ticket, which is encrypted under this server's
 * own key: when the session began, the region, how often the cache had been flushed
 * there by then, the cache, whether the name is also the srvName, and the name. */
SECStatus
ssl_AppendServerOrigin(sslBuffer *buf, const sslSocket *ss,
                       const sslSessionID *sid, const SECItem *srvName)
{
    const sslServerOrigin *origin = &sid->origin;
    unsigned int start;
    SECStatus rv;

    rv = sslBuffer_Skip(buf, 2, &start);
    if (rv != SECSuccess) {
        return SECFailure;
    }
    rv = sslBuffer_AppendNumber(
        buf, (PRUint64)ssl_BeginOfSession(sid, ssl_Time(ss)), 8);
    if (rv != SECSuccess) {
        return SECFailure;
    }
    rv = sslBuffer_AppendNumber(buf, snceGate_Identity(), 8);
    if (rv != SECSuccess) {
        return SECFailure;
    }
    rv = sslBuffer_AppendNumber(buf, origin->flushes, 4);
    if (rv != SECSuccess) {
        return SECFailure;
    }
    rv = sslBuffer_AppendNumber(buf, origin->cache.number, 4);
    if (rv != SECSuccess) {
        return SECFailure;
    }
    rv = sslBuffer_AppendNumber(buf, origin->cache.generation, 4);
    if (rv != SECSuccess) {
        return SECFailure;
    }
    rv = sslBuffer_AppendNumber(buf, origin->cache.region, 8);
    if (rv != SECSuccess) {
        return SECFailure;
    }
    rv = sslBuffer_AppendNumber(buf, srvName->len != 0, 1);
    if (rv != SECSuccess) {
        return SECFailure;
    }
    rv = sslBuffer_Append(buf, origin->name, origin->nameLen);
    if (rv != SECSuccess) {
        return SECFailure;
    }
    return sslBuffer_InsertLength(buf, start, 2);
}

snceTicketEvent
snceOrigin_Judge(const sslSocket *ss, PRTime issued, const SECItem *origin,
                 PRBool hasClientCert)
{
    sslReader reader = SSL_READER(origin->data, origin->len);
    PRUint64 began;
    PRUint64 region;
    PRUint64 flushes;

    if (sslRead_ReadNumber(&reader, 8, &began) != SECSuccess ||
        sslRead_ReadNumber(&reader, 8, &region) != SECSuccess ||
        sslRead_ReadNumber(&reader, 4, &flushes) != SECSuccess) {
        return SNCE_TICKET_DAMAGED;
    }
    if (region != snceGate_Identity()) {
        return snceLifetime_JudgeForeign(ss, (PRTime)began, issued,
                                         hasClientCert);
    }
    return flushes == ss->sec.origin.flushes
               ? snceLifetime_Judge(ss, (PRTime)began, issued)
               : SNCE_TICKET_FLUSHED;
}

SECStatus
ssl_ReadServerOrigin(const sslSocket *ss, sslSessionID *sid,
                     const SECItem *item)
{
    sslReader reader = SSL_READER(item->data, item->len);
    sslServerOrigin *origin = &sid->origin;
    sslReadBuffer name;
    PRUint64 began;
    PRUint64 maker;
    PRUint64 flushes;
    PRUint64 number;
    PRUint64 generation;
    PRUint64 region;
    PRUint64 chosen;

    PORT_Memset(origin, 0, sizeof *origin);
    if (sslRead_ReadNumber(&reader, 8, &began) != SECSuccess ||
        sslRead_ReadNumber(&reader, 8, &maker) != SECSuccess ||
        sslRead_ReadNumber(&reader, 4, &flushes) != SECSuccess ||
        sslRead_ReadNumber(&reader, 4, &number) != SECSuccess ||
        sslRead_ReadNumber(&reader, 4, &generation) != SECSuccess ||
        sslRead_ReadNumber(&reader, 8, &region) != SECSuccess ||
        sslRead_ReadNumber(&reader, 1, &chosen) != SECSuccess ||
        SSL_READER_REMAINING(&reader) > sizeof origin->name ||
        sslRead_Read(&reader, SSL_READER_REMAINING(&reader), &name) !=
            SECSuccess) {
        return SECFailure;
    }
    sid->fullHandshake = (PRTime)began;
    sid->expirationTime =
        snceLifetime_End(ss, sid->fullHandshake, sid->creationTime);
    origin->flushes = (PRUint32)flushes;
    origin->cache.number = (PRUint32)number;
    origin->cache.generation = (PRUint32)generation;
    origin->cache.region = region;
    sid->isOfOtherRegion = maker != snceGate_Identity();
    if (sid->isOfOtherRegion) {
        /* The key that opened the ticket is bound to the name of the cache. Its
         * number and the flushes are those of the other region. */
        origin->cache = ss->sec.origin.cache;
        origin->flushes = ss->sec.origin.flushes;
    }
    if (name.len) {
        PORT_Memcpy(origin->name, name.buf, name.len);
        origin->nameLen = (PRUint8)name.len;
    }
    return chosen ? ssl_RestoreServerName(ss, sid) : SECSuccess;
}
