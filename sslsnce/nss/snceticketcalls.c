/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceticketcalls.c: the calls for ticket keys, through the experimental API.
 * sslsnce/sslsnce.h says what they promise. */

#include "prerror.h"
#include "prprf.h"
#include "secerr.h"
#include "secport.h"
#include "ssl.h"
#include "sslexp.h"
#include "sslimpl.h"

#include "sslsnce/sslsnce.h"

#include "sncefleet.h"
#include "sncerotate.h"
#include "sncestart.h"

SECStatus
SSLExp_RotateServerTicketKeys(void)
{
    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    return snceRotate_Now();
}

SECStatus
SSLExp_ReloadServerTicketKeys(void)
{
    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    return snceFleet_Reload();
}

/* Sets the error's text, which |set| has. */
static SECStatus
ticketCalls_Fail(const snceKeyFileSet *set)
{
    PORT_SetError(set->error);
    PR_SetErrorText((PRIntn)strlen(set->text), set->text);
    return SECFailure;
}

SECStatus
SSLExp_SetServerTicketKeys(PRUint32 source, const SECItem *keys, PRUintn count)
{
    snceKeyFileKind kind = source == ssl_ticket_key_secret ? snceKeyFile_secrets
                                                           : snceKeyFile_keys;
    SECStatus rv = SECSuccess;
    snceKeyFileSet *set;

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    if (source > ssl_ticket_key_secret || (count > 0 && !keys) ||
        (source == ssl_ticket_key_random) != (count == 0)) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    set = PORT_ZNew(snceKeyFileSet);
    if (!set) {
        return SECFailure;
    }
    for (PRUintn i = 0; rv == SECSuccess && i < count; i++) {
        rv = snceKeyFile_Add(kind, keys[i].data, keys[i].len, set);
    }
    rv = rv == SECSuccess ? snceFleet_Set(kind, set) : ticketCalls_Fail(set);
    snceKeyFile_Wipe(set);
    PORT_Free(set);
    return rv;
}

static void
ticketCalls_Describe(const snceRotateInfo *info, SSLServerTicketKey *out)
{
    static const char digits[] = "0123456789abcdef";

    PORT_Memset(out, 0, sizeof *out);
    out->length = sizeof *out;
    out->source = info->isPeriod ? (PRUint32)ssl_ticket_key_period
                                 : snceSource_Kind(info->times.source);
    out->encrypts = info->encrypts;
    out->shared = info->isShared;
    for (unsigned i = 0; i < sizeof info->name; i++) {
        out->name[2 * i] = digits[info->name[i] >> 4];
        out->name[2 * i + 1] = digits[info->name[i] & 15];
    }
    out->created = info->times.created.usec;
    out->encryptFrom = info->times.encryptFrom.usec;
    out->encryptUntil = info->times.encryptUntil.usec;
    out->decryptUntil = info->times.decryptUntil.usec;
    out->ticketsMade = info->times.uses[SNCE_USE_MADE];
    out->ticketsAccepted = info->times.uses[SNCE_USE_ACCEPTED];
}

SECStatus
SSLExp_ListServerTicketKeys(SSLServerTicketKeyVisitor visit, void *arg)
{
    PR_STATIC_ASSERT((int)ssl_ticket_key_file == (int)snceSource_key &&
                     (int)ssl_ticket_key_secret == (int)snceSource_secret);
    snceRotateInfo *infos = NULL;
    SSLServerTicketKey key;
    SECStatus rv = SECSuccess;
    unsigned count = 0;

    if (ssl_StartServerCache() != SECSuccess) {
        return SECFailure;
    }
    if (!visit) {
        PORT_SetError(SEC_ERROR_INVALID_ARGS);
        return SECFailure;
    }
    if (snceRotate_List(&infos, &count) != SECSuccess) {
        return SECFailure;
    }
    for (unsigned i = 0; rv == SECSuccess && i < count; i++) {
        if (snceSource_Kind(infos[i].times.source) != snceSource_ended) {
            ticketCalls_Describe(&infos[i], &key);
            rv = visit(arg, &key);
        }
    }
    PORT_Free(infos);
    return rv;
}
