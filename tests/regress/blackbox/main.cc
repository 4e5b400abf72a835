/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// main.cc: judges the libssl3.so that the dynamic linker finds.

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>

#include "endpoint.h"
#include "gtest/gtest.h"
#include "site.h"

namespace {

constexpr char kServe[] = "--serve=";

std::string LibraryPath() {
  Dl_info info;
  char path[PATH_MAX];
  if (!dladdr(reinterpret_cast<void*>(&SSL_ImportFD), &info) ||
      !realpath(info.dli_fname, path)) {
    return "?";
  }
  return path;
}

// Records in the results which library was judged.
class Judged : public ::testing::Environment {
 public:
  void SetUp() override {
    const std::string path = LibraryPath();
    printf("NSS %s, %s\n", NSSSSL_GetVersion(), path.c_str());
    ::testing::Test::RecordProperty("nss_version", NSSSSL_GetVersion());
    ::testing::Test::RecordProperty("library", path);
    ASSERT_TRUE(regress::MakeIdentity())
        << "this NSS makes no certificate for the servers";
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && strncmp(argv[1], kServe, strlen(kServe)) == 0) {
    return regress::ServeAfterExec(argv[1] + strlen(kServe));
  }
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::AddGlobalTestEnvironment(new Judged);
  return RUN_ALL_TESTS();
}
