/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceerror.h"

#include "secerr.h"
#include "secport.h"
#include "sslerr.h"

PRErrorCode
snceError_Code(snceResult result)
{
    /* No default: if the core gets a new result, the compiler asks for its
     * error here. */
    switch (result) {
        case SNCE_OK:
            return 0;
        case SNCE_MISS:
            return SSL_ERROR_SESSION_NOT_FOUND;
        case SNCE_GONE:
        case SNCE_CLOSED:
            return SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED;
        case SNCE_INVALID:
        case SNCE_BAD_STRING:
            return SEC_ERROR_INVALID_ARGS;
        case SNCE_TOO_LARGE:
            return SEC_ERROR_INPUT_LEN;
        case SNCE_FULL:
        case SNCE_LOCK_LIMIT:
            return PR_INSUFFICIENT_RESOURCES_ERROR;
        case SNCE_NO_MEMORY:
            return SEC_ERROR_NO_MEMORY;
        case SNCE_NO_DESCRIPTOR:
            return PR_PROC_DESC_TABLE_FULL_ERROR;
        case SNCE_LIMIT: /* NSPR's error for EFBIG */
            return PR_FILE_TOO_BIG_ERROR;
        case SNCE_UNSUPPORTED:
            return PR_OPERATION_NOT_SUPPORTED_ERROR;
        case SNCE_BAD_DESCRIPTOR:
            return PR_BAD_DESCRIPTOR_ERROR;
        case SNCE_FOREIGN:
            return SEC_ERROR_BAD_DATA;
        case SNCE_CORRUPT:
            return SEC_ERROR_BAD_DATABASE;
        case SNCE_READ_ONLY:
            return SEC_ERROR_READ_ONLY;
        case SNCE_BUSY:
        case SNCE_DROPPED:
            return SEC_ERROR_BUSY;
        case SNCE_EXISTS: /* the calls of ssl.h never fail with it */
            break;
    }
    return SEC_ERROR_LIBRARY_FAILURE;
}

SECStatus
snceError_Status(snceResult result)
{
    if (result == SNCE_OK) {
        return SECSuccess;
    }
    PORT_SetError(snceError_Code(result));
    return SECFailure;
}
