/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelog.h: writes messages of the server cache to the operator. */
#ifndef SSLSNCE_NSS_SNCELOG_H
#define SSLSNCE_NSS_SNCELOG_H

#include "seccomon.h"

SEC_BEGIN_PROTOS

/* ssl_Log writes |text|, one line without its end, to stderr and to syslog
 * (facility daemon, severity error). A line of more than 1,000 bytes is cut,
 * and a byte that is not printable ASCII is written as '?'.
 *
 * Any thread may call it at any time, in a forked child too: it takes no lock
 * and allocates nothing. It does not wait for a reader, with one exception:
 * another process that has the same pipe for stderr fills it between this
 * call's look for room and its write. So callers hold no lock that other
 * threads wait for. If there is no room on stderr, or no syslog daemon, the
 * message is lost there. The call keeps errno and NSPR's error, the process
 * gets no SIGPIPE from it, and the thread is not cancelled in it. */
void ssl_Log(const char *text);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCELOG_H */
