/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* refuse.h: imitates a kernel without a system call, or that does not permit
 * it. */
#ifndef SSLSNCE_TESTS_HOSTILE_REFUSE_H
#define SSLSNCE_TESTS_HOSTILE_REFUSE_H

/* Refuse_Call makes a system call fail in this process and in those that it
 * starts later. |what| is "CALL:ERROR". CALL is memfd_create; MADV_REMOVE,
 * which is madvise with that advice; or FALLOC_FL_PUNCH_HOLE, which is
 * fallocate with that flag. ERROR is ENOSYS, EPERM, EINVAL or EOPNOTSUPP.
 * Returns 0, or -1 with errno set. */
int Refuse_Call(const char *what);

/* Refuse_Capabilities gives up all capabilities of this process, so that
 * resource limits apply to root too. Returns 0, or -1 with errno set. */
int Refuse_Capabilities(void);

#endif /* SSLSNCE_TESTS_HOSTILE_REFUSE_H */
