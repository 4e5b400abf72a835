/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// roles.h: what the test program does when one of its tests executes it.
#ifndef SSLSNCE_TESTS_PROCESSES_ROLES_H_
#define SSLSNCE_TESTS_PROCESSES_ROLES_H_

namespace snce_test {

// --inherit=STRING: uses the region that STRING names; defined in
// sharing_test.cc.
int RunInherit(const char* string);

// --steady: works while strace watches; defined in system_calls_test.cc.
int RunSteady();

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_PROCESSES_ROLES_H_
