/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncefleet.h: the ticket keys of a fleet, from files that all its machines have.
 *
 * The process that configures the caches reads the files, and so do its children by exec.
 * A child by fork has what its parent read. From the first handshake of one of them on,
 * every process with a common server key has the keys, whether it may read the files or
 * not (sncerotate.h). When the files change, one of the processes that may read them
 * reads them again. */
#ifndef SSLSNCE_NSS_SNCEFLEET_H
#define SSLSNCE_NSS_SNCEFLEET_H

#include "prtypes.h"
#include "seccomon.h"
#include "sslimpl.h"

#include "sncekeyfile.h"

SEC_BEGIN_PROTOS

/* snceFleet_Configure takes the keys of the files |paths| (sncekeyfile.h); NULL: keys
 * are made at random. Before NSS is initialized, or logged in, it only reads them; the
 * keys are made in the first handshake after that.
 *
 * Fails, with an NSS error, if the files are not as they must be: |text| says how. Then
 * the keys that are in force stay so, and the files are looked at again. */
SECStatus snceFleet_Configure(snceKeyFileKind kind, const char *paths,
                              char text[SNCE_KEY_FILE_TEXT_BYTES]);

/* snceFleet_Log logs |text|, which says what is wrong with a file, and what follows. */
void snceFleet_Log(const char *text);

/* snceFleet_Set takes the keys of |*set|, which stays the caller's to wipe; with a count
 * of 0, keys are made at random. The files that were configured count no more. */
SECStatus snceFleet_Set(snceKeyFileKind kind, const snceKeyFileSet *set);

/* snceFleet_Look looks whether the files have changed, at most once a second, and in
 * one process of the region. Each handshake calls it before it asks for a ticket key.
 * It logs what is wrong with a file that has changed, once. */
void snceFleet_Look(const sslSocket *ss);

/* snceFleet_Reset is called after all keys of the process were forgotten: the files are
 * read again. */
void snceFleet_Reset(void);

/* snceFleet_Reload reads the files again, whether they have changed or not. Fails, with
 * an NSS error and its text, as snceFleet_Configure does, and with
 * PR_INVALID_STATE_ERROR if no file is configured. */
SECStatus snceFleet_Reload(void);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEFLEET_H */
