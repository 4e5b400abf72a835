/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// key_file_test.cc: files with ticket keys and ticket secrets, as bytes. Which
// ones are read, what is refused and how, and that no copy of the content stays
// behind.

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "plbase64.h"
#include "secerr.h"
#include "snce/nss/sncekeyfile.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr snceKeyFileKind kKeys = snceKeyFile_keys;
constexpr snceKeyFileKind kSecrets = snceKeyFile_secrets;
constexpr uid_t kOtherUser = 65534;

std::string RandomBytes(size_t len) {
  static std::mt19937 random(48);
  std::string bytes(len, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::string Base64(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  PL_Base64Encode(bytes.data(), bytes.size(), &text[0]);
  return text;
}

class KeyFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/snce-key-test.XXXXXX";
    ASSERT_TRUE(mkdtemp(folder));
    folder_ = folder;
    descriptors_ = Descriptors();
    Wipe();
  }
  void TearDown() override {
    for (const std::string& path : paths_) {
      unlink(path.c_str());
      rmdir(path.c_str());
    }
    EXPECT_EQ(0, rmdir(folder_.c_str()));
    EXPECT_EQ(descriptors_, Descriptors());
  }

  // The path of the file |name| in this test's folder, which is removed at the
  // end.
  std::string Path(const std::string& name) {
    paths_.push_back(folder_ + "/" + name);
    return paths_.back();
  }
  // Writes a new file, and returns its path.
  std::string Write(const std::string& name, const std::string& content,
                    mode_t mode = 0600) {
    const std::string path = Path(name);
    unlink(path.c_str());
    std::ofstream(path, std::ios::binary) << content;
    EXPECT_EQ(0, chmod(path.c_str(), mode));
    contents_.push_back(content);
    return path;
  }

  // Reads into |set_|. A failure leaves no key, and tells nothing of any file;
  // and a look at the files without reading them gives the same version.
  SECStatus Read(snceKeyFileKind kind, const std::string& paths) {
    memset(&set_, 0xa5, sizeof(set_));
    const SECStatus rv = snceKeyFile_Read(kind, paths.c_str(), &set_);
    EXPECT_EQ(snceKeyFile_Version(paths.c_str()), set_.version);
    CheckSet(rv);
    return rv;
  }
  SECStatus Parse(snceKeyFileKind kind, const std::string& content,
                  const char* path = "/k") {
    contents_.push_back(content);
    const SECStatus rv = snceKeyFile_Parse(
        kind, path, reinterpret_cast<const PRUint8*>(content.data()),
        content.size(), &set_);
    CheckSet(rv);
    return rv;
  }
  void Wipe() { snceKeyFile_Wipe(&set_); }

  void ExpectRead(snceKeyFileKind kind, const std::string& paths,
                  const std::vector<std::string>& keys, unsigned encrypts) {
    ASSERT_EQ(SECSuccess, Read(kind, paths)) << set_.text;
    EXPECT_EQ(keys, Keys());
    EXPECT_EQ(encrypts, set_.encrypts);
  }
  // Expects that the file with |content| is refused, at |place|, "" or ":LINE".
  void ExpectWrong(snceKeyFileKind kind, const std::string& content,
                   const std::string& place, const std::string& what) {
    const std::string path = Write("wrong", content);
    EXPECT_EQ(SECFailure, Read(kind, path)) << what;
    EXPECT_EQ(Message(kind, path, place, what), set_.text);
    EXPECT_EQ(SEC_ERROR_BAD_DATA, set_.error);
    EXPECT_FALSE(set_.mayNotRead);
  }
  // Expects that the list |paths| is refused because of the file |path|.
  void ExpectRefused(const std::string& paths, const std::string& path,
                     const std::string& what, PRErrorCode error) {
    EXPECT_EQ(SECFailure, Read(kKeys, paths)) << what;
    EXPECT_EQ(Message(kKeys, path, "", what), set_.text);
    EXPECT_EQ(error, set_.error);
    EXPECT_FALSE(set_.mayNotRead);
  }
  static std::string Message(snceKeyFileKind kind, const std::string& path,
                             const std::string& place,
                             const std::string& what) {
    return std::string(kind == kKeys ? "ticket key file "
                                     : "ticket secret file ") +
           path + place + ": " + what;
  }

  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    for (unsigned i = 0; i < set_.count; ++i) {
      keys.emplace_back(reinterpret_cast<const char*>(set_.key[i].bytes),
                        set_.key[i].len);
    }
    return keys;
  }

  std::string folder_;
  std::vector<std::string> contents_;  // of all files
  snceKeyFileSet set_;

 private:
  void CheckSet(SECStatus rv) {
    if (rv == SECSuccess) {
      EXPECT_LT(0u, set_.count);
      EXPECT_GT(set_.count, set_.encrypts);
      EXPECT_STREQ("", set_.text);
      return;
    }
    static const snceKeyFileKey kNone[SNCE_KEY_FILE_MAX] = {};
    EXPECT_EQ(0, memcmp(kNone, set_.key, sizeof(kNone)));
    EXPECT_EQ(0u, set_.count);
    EXPECT_EQ(0u, set_.encrypts);
    EXPECT_NE(0, set_.error);
    EXPECT_GT(sizeof(set_.text) - 1, strlen(set_.text)) << "cut off";
    const std::string text = set_.text;
    for (const std::string& content : contents_) {
      for (size_t at = 0; at + 8 <= content.size(); ++at) {
        if (at && content.compare(at, 8, content, at - 1, 8) == 0) continue;
        EXPECT_EQ(std::string::npos, text.find(content.substr(at, 8)));
      }
    }
  }

  static int Descriptors() {
    int count = 0;
    DIR* all = opendir("/proc/self/fd");
    while (readdir(all)) ++count;
    closedir(all);
    return count;
  }

  std::vector<std::string> paths_;
  int descriptors_ = 0;
};

// ---- files that are read ----

TEST_F(KeyFileTest, AFileOf48Or80RandomBytesIsOneKey) {
  for (size_t len : {48, 80}) {
    const std::string key = RandomBytes(len);
    ExpectRead(kKeys, Write("key", key), {key}, 0);
  }
}

TEST_F(KeyFileTest, InATextTheLastKeyButOneEncrypts) {
  std::vector<std::string> keys;
  std::string text;
  for (unsigned count = 1; count <= SNCE_KEY_FILE_MAX; ++count) {
    keys.push_back(RandomBytes(count % 2 ? 80 : 48));
    text += Base64(keys.back()) + "\n";
    ExpectRead(kKeys, Write("keys", text), keys, count > 1 ? count - 2 : 0);
  }
}

TEST_F(KeyFileTest, LinesMayEndInCrLfAndTheLastOneInNothing) {
  const std::string a = RandomBytes(80), b = RandomBytes(48);
  for (const char* end : {"\n", "\r\n"}) {
    const std::string text = Base64(a) + end + Base64(b);
    ExpectRead(kKeys, Write("keys", text), {a, b}, 0);
    ExpectRead(kKeys, Write("keys", text + end), {a, b}, 0);
    // Empty lines count as none, wherever they are.
    ExpectRead(kKeys, Write("keys", end + text + end + end), {a, b}, 0);
    ExpectRead(kKeys,
               Write("keys", Base64(a) + end + end + Base64(b) + end + end),
               {a, b}, 0);
  }
}

TEST_F(KeyFileTest, TheFirstFileHasTheKeyThatEncrypts) {
  std::vector<std::string> keys;
  for (int i = 0; i < 6; ++i) keys.push_back(RandomBytes(80));
  const std::string one = Write("one", keys[0]);
  const std::string two =
      Write("two", Base64(keys[1]) + "\n" + Base64(keys[2]) + "\n");
  const std::string three =
      Write("three", Base64(keys[3]) + "\n" + Base64(keys[4]) + "\n" +
                         Base64(keys[5]) + "\n");
  ExpectRead(kKeys, one + "," + two, {keys[0], keys[1], keys[2]}, 0);
  ExpectRead(kKeys, two + "," + one, {keys[1], keys[2], keys[0]}, 0);
  ExpectRead(kKeys, three + "," + two + "," + one,
             {keys[3], keys[4], keys[5], keys[1], keys[2], keys[0]}, 1);
}

TEST_F(KeyFileTest, TheFirstSecretOfTheFirstFileEncrypts) {
  const std::string a = RandomBytes(32), b = RandomBytes(1024),
                    c = RandomBytes(48);
  const std::string new_one = Write("new", Base64(a) + "\n");
  const std::string old =
      Write("old", Base64(b) + "\r\n\r\n" + Base64(c) + "\r\n");
  ExpectRead(kSecrets, new_one, {a}, 0);
  ExpectRead(kSecrets, old, {b, c}, 0);
  ExpectRead(kSecrets, new_one + "," + old, {a, b, c}, 0);
  ExpectRead(kSecrets, old + "," + new_one, {b, c, a}, 0);
}

TEST_F(KeyFileTest, ASecretMayHaveAnyLengthAndBeginAsAnotherOne) {
  const std::string all = RandomBytes(SNCE_KEY_FILE_BYTES);
  for (const std::vector<size_t>& lengths :
       {std::vector<size_t>{32, 33, 34, 35, 48, 64, 1023, 1024},
        std::vector<size_t>{1024, 1023, 64, 48, 35, 34, 33, 32}}) {
    std::string text;
    std::vector<std::string> secrets;
    for (size_t len : lengths) {
      secrets.push_back(all.substr(0, len));
      text += Base64(secrets.back()) + "\n";
    }
    ExpectRead(kSecrets, Write("secrets", text), secrets, 0);
  }
}

TEST_F(KeyFileTest, ManyFilesMayHaveManyKeysInAll) {
  std::string paths;
  std::vector<std::string> keys;
  for (int file = 0; file < SNCE_KEY_FILE_FILES_MAX; ++file) {
    keys.push_back(RandomBytes(80));
    keys.push_back(RandomBytes(48));
    paths += (file ? "," : "") + Write("keys" + std::to_string(file),
                                       Base64(keys[2 * file]) + "\n" +
                                           Base64(keys[2 * file + 1]) + "\n");
  }
  ExpectRead(kKeys, paths, keys, 0);
}

TEST_F(KeyFileTest, APathMayHaveBlanks) {
  const std::string key = RandomBytes(80);
  const std::string path = Write("ticket key", key);
  ExpectRead(kKeys, path, {key}, 0);
}

TEST_F(KeyFileTest, ItHasTheTimeOfTheOldestFile) {
  const std::string paths = Write("a", RandomBytes(80)) + "," +
                            Write("b", RandomBytes(80)) + "," +
                            Write("c", RandomBytes(80));
  const struct timespec kTimes[2] = {{7, 0}, {1700000000, 123456789}};
  ASSERT_EQ(0, utimensat(AT_FDCWD, Path("b").c_str(), kTimes, 0));
  ASSERT_EQ(SECSuccess, Read(kKeys, paths)) << set_.text;
  EXPECT_EQ(1700000000123456, set_.oldest);
}

// ---- content that is refused ----

TEST_F(KeyFileTest, AKeyOfAnotherLengthIsRefused) {
  const std::string good = Base64(RandomBytes(80)) + "\n";
  for (size_t len : {1, 32, 47, 49, 79, 81, 1025}) {
    ExpectWrong(
        kKeys, good + "\n" + Base64(RandomBytes(len)) + "\n", ":3",
        "a key has 48 or 80 bytes; this one has " + std::to_string(len));
  }
}

TEST_F(KeyFileTest, ASecretTooShortOrTooLongIsRefused) {
  const std::string good = Base64(RandomBytes(48)) + "\r\n";
  for (size_t len : {1, 16, 31}) {
    ExpectWrong(kSecrets, good + Base64(RandomBytes(len)), ":2",
                "a secret has at least 32 bytes, all of them on one line; this "
                "one has " +
                    std::to_string(len));
  }
  ExpectWrong(kSecrets, Base64(RandomBytes(1025)) + "\n" + good, ":1",
              "a secret has at most 1024 bytes; this one has 1025");
}

TEST_F(KeyFileTest, WhatIsNoBase64IsRefused) {
  for (snceKeyFileKind kind : {kKeys, kSecrets}) {
    const std::string key = Base64(RandomBytes(80));  // ends in one =
    const std::string good = Base64(RandomBytes(48));
    const std::string kWrong[] = {
        key.substr(0, key.size() - 1),         // no padding
        key + "=",                             // too much of it
        key.substr(0, key.size() - 2) + "==",  // not as many digits
        key.substr(0, 40) + "====",            // more than two
        good + "====",                         //
        good.substr(0, 60) + "A===",           //
        good.substr(0, 20) + "=" + good.substr(21),
        " " + good.substr(1),
        good + " ",
        good + "\t",
        good + "\r\r",
        good.substr(0, 63) + "-",  // base64url
        good.substr(0, 63) + "_",
        good.substr(0, 63) + "\xff",
        good.substr(0, 63) + std::string(1, '\0'),
        "====",
        "=",
        "# a comment",
        "-----BEGIN PRIVATE KEY-----",
        // Bits behind the last byte.
        Base64(std::string(79, 'x') + '\0').substr(0, 106) + "B=",
        Base64(RandomBytes(33)).substr(0, 44) + "AB==",
        Base64(RandomBytes(33)).substr(0, 44) + "Ag=x",
    };
    for (const std::string& wrong : kWrong) {
      ExpectWrong(kind, good + "\n\r\n" + wrong + "\n", ":3", "not base64");
    }
    // Only a line that ends may end in CR LF.
    ExpectWrong(kind, good + "\r", ":1", "not base64");
    ExpectWrong(kind, "\xef\xbb\xbf" + good, ":1", "not base64");
  }
}

// Base64 of every value of a byte, and with every length of padding.
TEST_F(KeyFileTest, Base64IsReadAsItWasWritten) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (size_t len = 32; len <= 256; ++len) {
    Wipe();
    const std::string secret = all.substr(256 - len);
    ASSERT_EQ(SECSuccess, Parse(kSecrets, Base64(secret)));
    EXPECT_EQ(std::vector<std::string>{secret}, Keys());
  }
  // No other last character than the right one is accepted.
  const std::string text = Base64(all.substr(0, 80));
  int read = 0;
  for (int c = 0; c < 256; ++c) {
    std::string other = text;
    other[106] = static_cast<char>(c);
    Wipe();
    read += Parse(kKeys, other) == SECSuccess;
  }
  EXPECT_EQ(16, read);
}

TEST_F(KeyFileTest, AKeyWithoutRandomBytesIsRefused) {
  const std::string what = "all bytes are equal; use random bytes";
  for (char byte : {'\0', '\xff', 'x'}) {
    for (size_t len : {48, 80}) {
      const std::string key(len, byte);
      ExpectWrong(kKeys, Base64(RandomBytes(48)) + "\n" + Base64(key) + "\n",
                  ":2", what);
      ExpectWrong(kKeys, key, "",
                  byte == 'x' ? "48 or 80 bytes of text are no key; use random "
                                "bytes"
                              : what);
    }
    for (size_t len : {32, 1024}) {
      ExpectWrong(kSecrets, Base64(std::string(len, byte)), ":1", what);
    }
  }
  // One that differs is enough.
  const std::string key = std::string(79, '\0') + '\1';
  ExpectRead(kKeys, Write("key", key), {key}, 0);
}

// A text of such a length is the wrong file, or one from which the end of the
// line was cut.
TEST_F(KeyFileTest, ATextOf48Or80BytesIsNoKey) {
  const std::string what =
      "48 or 80 bytes of text are no key; use random bytes";
  ExpectWrong(kKeys, Base64(RandomBytes(60)), "", what);
  ExpectWrong(kKeys, Base64(RandomBytes(36)), "", what);
  ExpectWrong(kKeys,
              "# Names of hosts\r\n\tshop.example  www.shop.example\n" +
                  std::string(30, '~'),
              "", what);
  const std::string key = Base64(RandomBytes(60)).substr(0, 79) + '\x80';
  ExpectRead(kKeys, Write("key", key), {key}, 0);
}

TEST_F(KeyFileTest, TheNameOfAKeyIsThereOnce) {
  const std::string what =
      "the key has the name (the first 16 bytes) of an earlier one";
  const std::string key = RandomBytes(80), other = RandomBytes(48);
  const std::string twin = key.substr(0, 16) + RandomBytes(32);
  const std::string like = key.substr(0, 15) + RandomBytes(33);
  ExpectWrong(kKeys,
              Base64(key) + "\n" + Base64(other) + "\n" + Base64(twin) + "\n",
              ":3", what);
  ExpectRead(kKeys, Write("keys", Base64(key) + "\n" + Base64(like)),
             {key, like}, 0);
  // In another file too, and in the same file named twice.
  const std::string first = Write("first", Base64(other) + "\n" + Base64(key));
  const std::string second = Write("second", twin);
  ExpectRefused(first + "," + second, second, what, SEC_ERROR_BAD_DATA);
  EXPECT_EQ(SECFailure, Read(kKeys, first + "," + first));
  EXPECT_EQ(Message(kKeys, first, ":1", what), set_.text);
}

TEST_F(KeyFileTest, ASecretIsThereOnce) {
  const std::string a = Base64(RandomBytes(48)), b = Base64(RandomBytes(48));
  ExpectWrong(kSecrets, a + "\n" + b + "\n" + b, ":3",
              "the secret is there already");
  const std::string first = Write("first", a), second = Write("second", a);
  EXPECT_EQ(SECFailure, Read(kSecrets, first + "," + second));
  EXPECT_EQ(Message(kSecrets, second, ":1", "the secret is there already"),
            set_.text);
}

TEST_F(KeyFileTest, MoreThan16KeysAreRefused) {
  std::string text;
  for (int i = 0; i < SNCE_KEY_FILE_MAX; ++i) {
    text += Base64(RandomBytes(80)) + "\n";
  }
  const std::string what = "more than 16 in all files";
  const std::string one_more = Base64(RandomBytes(80)) + "\n";
  ExpectWrong(kKeys, text + one_more, ":17", what);
  ExpectWrong(kSecrets, text + one_more, ":17", what);
  const std::string many = Write("many", text);
  const std::string key = Write("key", RandomBytes(80));
  ExpectRefused(many + "," + key, key, what, SEC_ERROR_BAD_DATA);
}

TEST_F(KeyFileTest, AnEmptyFileIsRefused) {
  for (snceKeyFileKind kind : {kKeys, kSecrets}) {
    for (const char* text : {"", "\n", "\r\n\n\r\n"}) {
      ExpectWrong(kind, text, "", "it is empty");
    }
    // Also behind a file that has keys.
    const std::string good = Write("good", Base64(RandomBytes(80)));
    const std::string empty = Write("empty", "\n");
    EXPECT_EQ(SECFailure, Read(kind, good + "," + empty));
    EXPECT_EQ(Message(kind, empty, "", "it is empty"), set_.text);
  }
}

TEST_F(KeyFileTest, AFileOfMoreThan64KiBIsRefused) {
  for (snceKeyFileKind kind : {kKeys, kSecrets}) {
    const std::string key = RandomBytes(80);
    const std::string text =
        std::string(65536 - Base64(key).size(), '\n') + Base64(key);
    ExpectRead(kind, Write("large", text), {key}, 0);
    ExpectWrong(kind, "\n" + text, "", "larger than 64 KiB");
    ExpectWrong(kind, RandomBytes(1 << 20), "", "larger than 64 KiB");
  }
}

TEST_F(KeyFileTest, AMessageFitsWhateverThePathIs) {
  Wipe();
  std::string path(1, '/');
  for (int i = 0; i < 60; ++i) path += "folder" + std::to_string(i) + "/";
  path += "key\n\x1b[31m\xc3\xa9";
  EXPECT_EQ(SECFailure,
            Parse(kSecrets, std::string(65000, '\n') + "QUJD", path.c_str()));
  const std::string text = set_.text;
  EXPECT_EQ(0u, text.find("ticket secret file ...")) << text;
  EXPECT_NE(std::string::npos,
            text.find("/folder59/key??[31m??:65001: a secret has at least 32 "
                      "bytes, all of them on one line; this one has 3"))
      << text;
}

TEST_F(KeyFileTest, AFaultLeavesNoKeyOfTheFilesBeforeIt) {
  Wipe();
  ASSERT_EQ(SECSuccess, Parse(kKeys, RandomBytes(80)));
  ASSERT_EQ(SECSuccess, Parse(kKeys, Base64(RandomBytes(48))));
  EXPECT_EQ(2u, set_.count);
  // CheckSet looks at all keys.
  EXPECT_EQ(SECFailure, Parse(kKeys, Base64(RandomBytes(80)) + "\nno"));
}

// ---- files that are refused ----

TEST_F(KeyFileTest, AFileThatEveryUserMayReadOrWriteIsRefused) {
  const std::string key = RandomBytes(80);
  const std::string read = "every user may read it (chmod o-r)";
  const std::string write = "every user may write it (chmod o-w)";
  const std::string path = Write("key", key);
  for (mode_t mode : {0604, 0644, 0404}) {
    ASSERT_EQ(0, chmod(path.c_str(), mode));
    ExpectRefused(path, path, read, SEC_ERROR_INVALID_ARGS);
  }
  for (mode_t mode : {0602, 0606, 0666}) {
    ASSERT_EQ(0, chmod(path.c_str(), mode));
    ExpectRefused(path, path, write, SEC_ERROR_INVALID_ARGS);
  }
  for (mode_t mode : {0400, 0600, 0440, 0660, 0770, 0771}) {
    ASSERT_EQ(0, chmod(path.c_str(), mode));
    ExpectRead(kKeys, path, {key}, 0);
  }
}

TEST_F(KeyFileTest, ASymbolicLinkOfAnotherUserIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root gives links away";
  const std::string key = RandomBytes(80);
  const std::string path = Write("key", key), link = Path("link");
  ASSERT_EQ(0, symlink("key", link.c_str()));
  ExpectRead(kKeys, link, {key}, 0);
  ASSERT_EQ(0, lchown(link.c_str(), kOtherUser, kOtherUser));
  ExpectRefused(link, link, "a symbolic link of another user",
                SEC_ERROR_INVALID_ARGS);
  // That user may have it; and everybody may have one of root.
  ASSERT_EQ(0, chown(path.c_str(), kOtherUser, kOtherUser));
  ASSERT_EQ(0, chmod(folder_.c_str(), 0755));
  EXPECT_EQ(0, InFork([&] {
              STAGE_CHECK(setuid(kOtherUser) == 0);
              STAGE_CHECK(Read(kKeys, link) == SECSuccess);
              return 0;
            }));
  ASSERT_EQ(0, lchown(link.c_str(), 0, 0));
  EXPECT_EQ(0, InFork([&] {
              STAGE_CHECK(setuid(kOtherUser) == 0);
              STAGE_CHECK(Read(kKeys, link) == SECSuccess);
              return 0;
            }));
}

TEST_F(KeyFileTest, WhatIsNoRegularFileIsRefused) {
  const std::string pipe = Path("pipe"), link = Path("link");
  ASSERT_EQ(0, mkfifo(pipe.c_str(), 0600));
  ASSERT_EQ(0, symlink("pipe", link.c_str()));
  alarm(20);  // ends the test if it waits for a writer
  for (const std::string& path :
       {pipe, link, folder_, std::string("/dev/null")}) {
    ExpectRefused(path, path, "not a regular file", SEC_ERROR_INVALID_ARGS);
  }
  alarm(0);
}

TEST_F(KeyFileTest, AFileThatIsNotThereIsRefused) {
  const std::string good = Write("good", RandomBytes(80));
  const std::string missing = Path("missing"), loop = Path("loop");
  ExpectRefused(missing, missing, "no such file", PR_FILE_NOT_FOUND_ERROR);
  ExpectRefused(good + "," + missing, missing, "no such file",
                PR_FILE_NOT_FOUND_ERROR);
  ExpectRefused(good + "/x", good + "/x", "no such file",
                PR_FILE_NOT_FOUND_ERROR);
  ASSERT_EQ(0, symlink("missing", loop.c_str()));
  ExpectRefused(loop, loop, "no such file", PR_FILE_NOT_FOUND_ERROR);
  unlink(loop.c_str());
  ASSERT_EQ(0, symlink("loop", loop.c_str()));
  ExpectRefused(loop, loop, "too many symbolic links", PR_LOOP_ERROR);
}

TEST_F(KeyFileTest, AFileThatThisUserMayNotReadIsToldApart) {
  const std::string path = Write("key", RandomBytes(80));
  const std::string good = Write("good", RandomBytes(80));
  ASSERT_EQ(0, chmod(folder_.c_str(), 0755));
  for (mode_t folder_mode : {0755, 0700}) {
    EXPECT_EQ(0, InFork([&] {
                STAGE_CHECK(chmod(folder_.c_str(), folder_mode) == 0);
                STAGE_CHECK(chmod(path.c_str(), 0) == 0);
                STAGE_CHECK(geteuid() != 0 || setuid(kOtherUser) == 0);
                STAGE_CHECK(Read(kKeys, path) == SECFailure);
                STAGE_CHECK(Message(kKeys, path, "",
                                    "this user may not read it") == set_.text);
                STAGE_CHECK(set_.mayNotRead);
                STAGE_CHECK(set_.error == PR_NO_ACCESS_RIGHTS_ERROR);
                STAGE_CHECK(!HasFailure());
                return 0;
              }));
  }
}

TEST_F(KeyFileTest, WithoutADescriptorItSaysSo) {
  const std::string path = Write("key", RandomBytes(80));
  EXPECT_EQ(0, InFork([&] {
              while (open("/dev/null", O_RDONLY) >= 0) {
              }
              STAGE_CHECK(Read(kKeys, path) == SECFailure);
              STAGE_CHECK(Message(kKeys, path, "", "no file descriptor left") ==
                          set_.text);
              STAGE_CHECK(set_.error == PR_PROC_DESC_TABLE_FULL_ERROR);
              STAGE_CHECK(!set_.mayNotRead && !HasFailure());
              return 0;
            }));
}

TEST_F(KeyFileTest, AListOfPathsHasAForm) {
  const std::string path = Write("key", RandomBytes(80));
  const std::string form =
      "expected paths that begin with /, separated by commas";
  for (const std::string& wrong :
       {std::string(), std::string("key"), std::string("./key"), path + ",",
        "," + path, path + ",," + path, path + ", " + path, path + ",key"}) {
    ExpectRefused(wrong, wrong, form, SEC_ERROR_INVALID_ARGS);
  }
  ExpectRefused("/a\nb", "/a?b", "expected no control characters",
                SEC_ERROR_INVALID_ARGS);
  ExpectRefused("/a\x7f", "/a?", "expected no control characters",
                SEC_ERROR_INVALID_ARGS);
  std::string nine = "/1,/2,/3,/4,/5,/6,/7,/8";
  ExpectRefused(nine, "/1", "no such file", PR_FILE_NOT_FOUND_ERROR);
  nine += ",/9";
  ExpectRefused(nine, nine, "expected at most 8 paths", SEC_ERROR_INVALID_ARGS);
  EXPECT_EQ(nullptr,
            snceKeyFile_CheckPaths(
                ("/" + std::string(SNCE_KEY_FILE_PATHS_MAX - 1, 'x')).c_str()));
  EXPECT_STREQ("at most 4095 bytes",
               snceKeyFile_CheckPaths(
                   ("/" + std::string(SNCE_KEY_FILE_PATHS_MAX, 'x')).c_str()));
}

// ---- versions ----

// Read compares its version with snceKeyFile_Version.
TEST_F(KeyFileTest, TheVersionChangesWithEachFile) {
  const std::string one = Write("one", RandomBytes(80));
  const std::string two = Write("two", RandomBytes(80));
  const std::string paths = one + "," + two;
  std::vector<PRUint64> seen;
  const auto expect_new = [&](const char* what) {
    (void)Read(kKeys, paths);
    for (PRUint64 version : seen) EXPECT_NE(version, set_.version) << what;
    EXPECT_EQ(set_.version, snceKeyFile_Version(paths.c_str()));
    seen.push_back(set_.version);
  };
  const auto set_time = [&](time_t seconds) {
    const struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    EXPECT_EQ(0, utimensat(AT_FDCWD, two.c_str(), times, 0));
  };
  expect_new("at first");
  set_time(1000);
  expect_new("another time");
  set_time(2000);
  expect_new("one more");
  Write("new", RandomBytes(80));
  ASSERT_EQ(0, rename((folder_ + "/new").c_str(), two.c_str()));
  expect_new("another inode");
  ASSERT_EQ(0, truncate(two.c_str(), 48));
  expect_new("another size");
  ASSERT_EQ(0, truncate(two.c_str(), 47));
  expect_new("a wrong size");
  unlink(two.c_str());
  expect_new("no file");
  ASSERT_EQ(0, symlink("two", two.c_str()));
  expect_new("another reason");
  unlink(one.c_str());
  expect_new("no first file either");
  EXPECT_NE(snceKeyFile_Version("/missing"), snceKeyFile_Version("/none"));
  EXPECT_NE(snceKeyFile_Version("/missing"), snceKeyFile_Version("missing"));
}

// ---- what stays behind ----

// A memory of this process that may be written, and no part of a file.
struct Range {
  const char* begin;
  const char* end;
};
std::vector<Range> WritableMemory() {
  std::vector<Range> ranges;
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    void *begin, *end;
    char mode[5];
    if (sscanf(line.c_str(), "%p-%p %4s", &begin, &end, mode) == 3 &&
        mode[0] == 'r' && mode[1] == 'w' && mode[3] == 'p') {
      ranges.push_back({static_cast<char*>(begin), static_cast<char*>(end)});
    }
  }
  return ranges;
}

// The first bytes of a file, at most 80, mapped and not copied.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY);
    struct stat info;
    EXPECT_EQ(0, fstat(fd, &info)) << path;
    len_ = std::min<size_t>(info.st_size, 80);
    data_ = mmap(nullptr, len_, PROT_READ, MAP_PRIVATE, fd, 0);
    EXPECT_NE(MAP_FAILED, data_);
    close(fd);
  }
  ~MappedFile() { munmap(data_, len_); }

  size_t pieces() const { return len_ / 8; }
  // Returns how many of its pieces of eight bytes are in writable memory.
  size_t PiecesInMemory() const {
    size_t found = 0;
    for (size_t i = 0; i < pieces(); ++i) {
      for (const Range& range : WritableMemory()) {
        if (memmem(range.begin, range.end - range.begin,
                   static_cast<const char*>(data_) + 8 * i, 8)) {
          ++found;
          break;
        }
      }
    }
    return found;
  }

 private:
  void* data_;
  size_t len_;
};

// This process gets the content by the call only. Afterwards it maps the files,
// to look for their bytes in all other memory.
TEST_F(KeyFileTest, NoCopyOfAKeyStaysBehind) {
  const struct {
    const char* what;
    const char* command;  // makes the file k of the key d
    size_t len;           // of the key
    snceKeyFileKind kind;
    SECStatus rv;
  } kCases[] = {
      {"bytes", "cp d k", 80, kKeys, SECSuccess},
      {"text", "base64 -w 0 d >k", 80, kKeys, SECSuccess},
      {"secret", "base64 -w 0 d >k", 1000, kSecrets, SECSuccess},
      {"wrong line", "{ base64 -w 0 d; echo; echo no; } >k", 80, kKeys,
       SECFailure},
      {"twice", "{ base64 -w 0 d; echo; base64 -w 0 d; } >k", 80, kSecrets,
       SECFailure},
      {"wrong size", "cp d k", 81, kKeys, SECFailure},
      {"short secret", "base64 -w 0 d >k", 30, kSecrets, SECFailure},
      {"too large", "cp d k", 70000, kKeys, SECFailure},
      {"too large by far", "cp d k", 1000000, kKeys, SECFailure},
  };
  const std::string key_path = Path("d"), path = Path("k");
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    ASSERT_EQ(
        0, system(("umask 077; cd " + folder_ + " && head -c " +
                   std::to_string(c.len) + " /dev/urandom >d && " + c.command)
                      .c_str()));
    ASSERT_EQ(c.rv, snceKeyFile_Read(c.kind, path.c_str(), &set_)) << set_.text;
    const MappedFile key(key_path), file(path);
    EXPECT_EQ(c.rv == SECSuccess ? key.pieces() : 0, key.PiecesInMemory());
    if (c.len != 80 || c.command != std::string("cp d k")) {
      EXPECT_EQ(0u, file.PiecesInMemory());
    }
    snceKeyFile_Wipe(&set_);
    EXPECT_EQ(0u, key.PiecesInMemory());
    EXPECT_EQ(0u, file.PiecesInMemory());
  }
}

TEST_F(KeyFileTest, WipeOverwritesTheWholeSet) {
  memset(&set_, 0xa5, sizeof(set_));
  snceKeyFile_Wipe(&set_);
  const char* bytes = reinterpret_cast<const char*>(&set_);
  EXPECT_EQ(std::string(sizeof(set_), '\0'), std::string(bytes, sizeof(set_)));
}

}  // namespace
}  // namespace nss_test
