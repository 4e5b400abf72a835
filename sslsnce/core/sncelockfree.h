/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncelockfree.h: what the core needs of a processor. NSS's builds compile this
 * file alone and build NSS's own cache where that fails, so it includes
 * nothing.
 *
 * Atomics must be lock-free: a lock inside an atomic would stay taken when its
 * holder dies. ATOMIC_LLONG_LOCK_FREE does not tell: clang for i386 says
 * "sometimes", because other variables than atomics may be misaligned. */
#ifndef SNCELOCKFREE_H
#define SNCELOCKFREE_H

_Static_assert(__atomic_always_lock_free(8, 0) &&
                   __atomic_always_lock_free(4, 0),
               "sslsnce needs lock-free 64-bit atomics");

#endif /* SNCELOCKFREE_H */
