/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* Fuzzes sslsnce/nss/sncekeyfile.c, which reads ticket keys and ticket secrets
 * from files.
 *
 * The first byte of an input is the kind of the files, and whether there are
 * two; then the next two bytes say how long the first one is. Whatever the
 * files have, everything that the parser returns is within bounds. The keys,
 * written out again, are the files without their empty lines, so that each key
 * was read as it is and none was left out. If the files are refused, no key is
 * left, and the message is one of a list, so that it has nothing of the
 * content. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "secport.h"
#include "sncekeyfile.h"

#define PATH "/p"

/* ---- keys that were read ------------------------------------------------- */

static int HasLength(snceKeyFileKind kind, unsigned int len) {
  if (kind == snceKeyFile_keys) {
    return len == 48 || len == 80;
  }
  return len >= 32 && len <= SNCE_KEY_FILE_BYTES;
}

static int IsSame(snceKeyFileKind kind, const snceKeyFileKey *a,
                  const snceKeyFileKey *b) {
  if (kind == snceKeyFile_keys) {
    return memcmp(a->bytes, b->bytes, 16) == 0;
  }
  return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void CheckKeys(snceKeyFileKind kind, const snceKeyFileSet *set) {
  static const snceKeyFileKey none;
  unsigned int i, j;

  EXPECT(set->count > 0 && set->count <= SNCE_KEY_FILE_MAX);
  EXPECT(set->encrypts < set->count);
  EXPECT(kind == snceKeyFile_keys || set->encrypts == 0);
  EXPECT(!set->text[0] && !set->error && !set->mayNotRead);
  for (i = 0; i < SNCE_KEY_FILE_MAX; ++i) {
    const snceKeyFileKey *key = &set->key[i];

    if (i >= set->count) {
      EXPECT(memcmp(key, &none, sizeof none) == 0);
      continue;
    }
    EXPECT(HasLength(kind, key->len));
    EXPECT(memcmp(key->bytes + key->len, none.bytes,
                  SNCE_KEY_FILE_BYTES - key->len) == 0);
    EXPECT(memcmp(key->bytes, key->bytes + 1, key->len - 1) != 0);
    for (j = 0; j < i; ++j) {
      EXPECT(!IsSame(kind, key, &set->key[j]));
    }
  }
}

/* Writes |key| in base64; returns the end. */
static char *Encode(char *out, const snceKeyFileKey *key) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  unsigned int i;

  for (i = 0; i < key->len; i += 3) {
    unsigned int left = key->len - i;
    unsigned int word = (unsigned int)key->bytes[i] << 16;

    word |= left > 1 ? (unsigned int)key->bytes[i + 1] << 8 : 0;
    word |= left > 2 ? key->bytes[i + 2] : 0;
    *out++ = digits[word >> 18];
    *out++ = digits[word >> 12 & 63];
    *out++ = left > 1 ? digits[word >> 6 & 63] : '=';
    *out++ = left > 2 ? digits[word & 63] : '=';
  }
  return out;
}

/* Expects that the keys from |first| on are those of the file. */
static void CheckFile(snceKeyFileKind kind, const snceKeyFileSet *set,
                      unsigned int first, const PRUint8 *data, size_t len) {
  static char text[1 << 16];
  char *end = text;
  const char *at = text;
  unsigned int i;
  size_t d;

  if (kind == snceKeyFile_keys && (len == 48 || len == 80)) {
    EXPECT(set->count == first + 1 && set->key[first].len == len);
    EXPECT(memcmp(set->key[first].bytes, data, len) == 0);
    return;
  }
  for (i = first; i < set->count; ++i) {
    end = Encode(end, &set->key[i]);
  }
  for (d = 0; d < len; ++d) {
    if (data[d] == '\n' ||
        (data[d] == '\r' && d + 1 < len && data[d + 1] == '\n')) {
      continue;
    }
    EXPECT(at < end && *at == (char)data[d]);
    ++at;
  }
  EXPECT(at == end);
}

/* ---- files that were refused --------------------------------------------- */

static const char *const kTexts[] = {
    "a key has # or # bytes; this one has #",
    "a secret has at least # bytes, all of them on one line; this one has #",
    "a secret has at most # bytes; this one has #",
    "more than # in all files",
    "all bytes are equal; use random bytes",
    "the key has the name (the first # bytes) of an earlier one",
    "the secret is there already",
    "not base#",
    "# or # bytes of text are no key; use random bytes",
    "it is empty",
};

/* Expects a message of the list, with a number of at most 5 digits where the
 * list has a '#'. */
static void CheckText(snceKeyFileKind kind, const char *text) {
  const char *begin = kind == snceKeyFile_keys ? "ticket key file " PATH
                                               : "ticket secret file " PATH;
  char shape[SNCE_KEY_FILE_TEXT_BYTES];
  size_t len = strnlen(text, SNCE_KEY_FILE_TEXT_BYTES);
  char *out = shape;
  size_t i;

  EXPECT(len < SNCE_KEY_FILE_TEXT_BYTES - 1); /* never cut off */
  EXPECT(strncmp(text, begin, strlen(begin)) == 0);
  text += strlen(begin);
  if (*text == ':' && text[1] >= '1' && text[1] <= '9') {
    len = strspn(text + 1, "0123456789");
    EXPECT(len <= 5);
    text += 1 + len;
  }
  EXPECT(text[0] == ':' && text[1] == ' ');
  for (text += 2; *text;) {
    len = strspn(text, "0123456789");
    EXPECT(len <= 5);
    *out++ = len ? '#' : *text;
    text += len ? len : 1;
  }
  *out = '\0';
  for (i = 0; i < PR_ARRAY_SIZE(kTexts); ++i) {
    if (strcmp(shape, kTexts[i]) == 0) {
      return;
    }
  }
  fprintf(stderr, "the message \"%s\"\n", shape);
  EXPECT(0);
}

static void CheckRefused(snceKeyFileKind kind, const snceKeyFileSet *set) {
  const PRUint8 *bytes = (const PRUint8 *)set->key;
  size_t i;

  EXPECT(set->count == 0 && set->encrypts == 0 && set->error);
  for (i = 0; i < sizeof set->key; ++i) {
    EXPECT(bytes[i] == 0);
  }
  CheckText(kind, set->text);
}

/* -------------------------------------------------------------------------- */

/* Parses a copy that ends where its memory ends. Returns whether it succeeded.
 */
static int Parse(snceKeyFileKind kind, const PRUint8 *data, size_t len,
                 snceKeyFileSet *set) {
  unsigned int first = set->count;
  PRUint8 *copy = malloc(len ? len : 1);
  SECStatus rv;

  EXPECT(copy);
  memcpy(copy, data, len);
  rv = snceKeyFile_Parse(kind, PATH, copy, len, set);
  free(copy);
  if (rv != SECSuccess) {
    CheckRefused(kind, set);
    return 0;
  }
  CheckKeys(kind, set);
  CheckFile(kind, set, first, data, len);
  if (first == 0) {
    EXPECT(set->encrypts ==
           (kind == snceKeyFile_keys && set->count > 1 ? set->count - 2 : 0));
  }
  return 1;
}

int LLVMFuzzerTestOneInput(const PRUint8 *data, size_t size) {
  static snceKeyFileSet set;
  snceKeyFileKind kind;
  unsigned int encrypts;
  size_t len;

  if (size < 3) {
    return 0;
  }
  kind = data[0] & 1 ? snceKeyFile_secrets : snceKeyFile_keys;
  if (data[0] & 2) {
    len = data[1] | (size_t)data[2] << 8;
    data += 3;
    size -= 3;
    len = len < size ? len : size;
  } else {
    data += 1;
    size -= 1;
    len = size;
  }
  memset(&set, 0, sizeof set);
  if (Parse(kind, data, len, &set) && len < size) {
    encrypts = set.encrypts;
    if (Parse(kind, data + len, size - len, &set)) {
      EXPECT(set.encrypts == encrypts);
    }
  }
  snceKeyFile_Wipe(&set);
  return 0;
}
