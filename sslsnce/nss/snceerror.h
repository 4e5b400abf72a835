/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceerror.h: the one place where a core result becomes an NSS error. */
#ifndef SSLSNCE_NSS_SNCEERROR_H
#define SSLSNCE_NSS_SNCEERROR_H

#include "prerror.h"
#include "seccomon.h"

#include "sslsnce/snce.h"

SEC_BEGIN_PROTOS

/* snceError_Code returns the NSPR or NSS error for |result|, 0 for SNCE_OK. */
PRErrorCode snceError_Code(snceResult result);

/* snceError_Status sets that error, unless |result| is SNCE_OK, and returns
 * SECSuccess or SECFailure. */
SECStatus snceError_Status(snceResult result);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCEERROR_H */
