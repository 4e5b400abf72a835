/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE
#include "file_looks.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_uint looks;

unsigned FileLooks(void) { return looks; }

/* These stand in front of the C library's, for the whole program. */
int fstat64(int fd, struct stat64 *status) {
  looks++;
  return fstatat64(fd, "", status, AT_EMPTY_PATH);
}

static atomic_int other = -1, growths;

void SwapBeforeItGrows(int file, int after) {
  growths = after;
  other = file;
}

static int Swap(int fd) {
  return other >= 0 && growths-- == 0 && dup2(other, fd) < 0 ? -1 : 0;
}

int ftruncate64(int fd, off64_t bytes) {
  int (*next)(int, off64_t);

  *(void **)&next = dlsym(RTLD_NEXT, "ftruncate64");
  return Swap(fd) ? -1 : next(fd, bytes);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t bytes) {
  int (*next)(int, int, off64_t, off64_t);

  *(void **)&next = dlsym(RTLD_NEXT, "fallocate64");
  return Swap(fd) ? -1 : next(fd, mode, offset, bytes);
}
