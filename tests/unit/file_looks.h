/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* file_looks.h: counts how often this program asks the system for the status of
 * an open file, and replaces a descriptor just before the file grows, as an
 * application may. */
#ifndef SSLSNCE_TESTS_UNIT_FILE_LOOKS_H_
#define SSLSNCE_TESTS_UNIT_FILE_LOOKS_H_

#ifdef __cplusplus
extern "C" {
#endif

unsigned FileLooks(void);

/* When a file is about to grow for the |after|th time (counted from 0), |file|
 * takes over its descriptor number before the system call. -1 ends that. */
void SwapBeforeItGrows(int file, int after);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_UNIT_FILE_LOOKS_H_ */
