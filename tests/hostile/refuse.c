/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE /* MADV_REMOVE, FALLOC_FL_PUNCH_HOLE */

#include "refuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A call is refused if |test| holds for its argument |argument| and |value|.
 * The filter reads the low half of the argument, which lies first on
 * little-endian machines, the only ones that this runs on. */
static const struct {
    const char *name;
    unsigned number, argument, test, value;
} calls[] = {
    { "memfd_create", SYS_memfd_create, 0, BPF_JGE, 0 }, /* always */
    { "MADV_REMOVE", SYS_madvise, 2, BPF_JEQ, MADV_REMOVE },
    { "FALLOC_FL_PUNCH_HOLE", SYS_fallocate, 1, BPF_JSET,
      FALLOC_FL_PUNCH_HOLE },
};

static const struct {
    const char *name;
    unsigned number;
} errors[] = {
    { "ENOSYS", ENOSYS },
    { "EPERM", EPERM },
    { "EINVAL", EINVAL },
    { "EOPNOTSUPP", EOPNOTSUPP },
};

static int
Install(unsigned number, unsigned argument, unsigned test, unsigned value,
        unsigned error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args) + 8 * argument),
        BPF_JUMP(BPF_JMP | test | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { COUNT(filter), filter };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int
Refuse_Call(const char *what)
{
    size_t call, error;

    for (call = 0; call < COUNT(calls); ++call) {
        size_t len = strlen(calls[call].name);

        if (strncmp(what, calls[call].name, len) == 0 && what[len] == ':') {
            for (error = 0; error < COUNT(errors); ++error) {
                if (strcmp(what + len + 1, errors[error].name) == 0) {
                    return Install(calls[call].number, calls[call].argument,
                                   calls[call].test, calls[call].value,
                                   errors[error].number);
                }
            }
        }
    }
    errno = EINVAL;
    return -1;
}

int
Refuse_Capabilities(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

    memset(none, 0, sizeof none);
    return (int)syscall(SYS_capset, &header, none);
}
