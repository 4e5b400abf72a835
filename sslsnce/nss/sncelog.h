/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelog.h: what the server cache tells the operator, in one place. */
#ifndef SSLSNCE_NSS_SNCELOG_H
#define SSLSNCE_NSS_SNCELOG_H

#include "seccomon.h"

SEC_BEGIN_PROTOS

/* ssl_Log writes |text|, one line without its end, to stderr and to syslog
 * (facility daemon, severity error). What is longer than 1,000 bytes is cut, and
 * a byte that is no printable ASCII is written as '?'.
 *
 * Any thread, any time, in a forked child too: it takes no lock, allocates
 * nothing, and does not wait for a reader, unless another process fills a pipe that
 * both have for stderr in the moment between the look for room and the write. So
 * callers hold no lock that other threads wait for. A message that finds no room, or
 * no syslog daemon, is lost there. It keeps errno and NSPR's error, the process gets
 * no SIGPIPE from it, and the thread is not cancelled in it. */
void ssl_Log(const char *text);

SEC_END_PROTOS

#endif /* SSLSNCE_NSS_SNCELOG_H */
