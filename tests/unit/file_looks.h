/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* file_looks.h: how often this program has asked the system for the status of
 * an open file. */
#ifndef SSLSNCE_TESTS_UNIT_FILE_LOOKS_H_
#define SSLSNCE_TESTS_UNIT_FILE_LOOKS_H_

#ifdef __cplusplus
extern "C" {
#endif

unsigned FileLooks(void);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_UNIT_FILE_LOOKS_H_ */
