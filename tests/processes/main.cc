/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include <cstring>

#include "gtest/gtest.h"
#include "roles.h"

int main(int argc, char** argv) {
  if (argc == 2 && strncmp(argv[1], "--inherit=", 10) == 0)
    return snce_test::RunInherit(argv[1] + 10);
  if (argc == 2 && strcmp(argv[1], "--steady") == 0)
    return snce_test::RunSteady();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
