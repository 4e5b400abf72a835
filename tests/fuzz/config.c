/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* The file that SSL_SERVER_CACHE_CONFIG names, read by sslsnce/nss/snceconfig.c
 * itself; the input is what NSPR reads from it.
 *
 * A file is refused, with a place and a reason, and nothing is left of it; or
 * it is taken, and then what it says is within bounds and can be written down
 * and read again as the same. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prerror.h"
#include "prio.h"
#include "secerr.h"
#include "secport.h"
#include "snceconfig.h"
#include "snceerror.h"

#define PATH "caches"

#define EXPECT(condition)                                    \
  do {                                                       \
    if (!(condition)) {                                      \
      printf("not so, line %d: %s\n", __LINE__, #condition); \
      abort();                                               \
    }                                                        \
  } while (0)

/* ---- in the place of NSPR and stdio (-Wl,--wrap) ------------------------- */

static const PRUint8 *fileData;
static size_t fileSize, fileAt;
static char said[2048]; /* on stderr */

PRFileDesc *__wrap_PR_Open(const char *name, PRIntn flags, PRIntn mode) {
  EXPECT(strcmp(name, PATH) == 0);
  fileAt = 0;
  return (PRFileDesc *)said;
}

PRStatus __wrap_PR_GetOpenFileInfo64(PRFileDesc *fd, PRFileInfo64 *info) {
  memset(info, 0, sizeof *info);
  info->type = PR_FILE_FILE;
  info->size = (PROffset64)fileSize;
  return PR_SUCCESS;
}

/* In pieces, as a file may come. */
PRInt32 __wrap_PR_Read(PRFileDesc *fd, void *buf, PRInt32 amount) {
  size_t len = fileSize - fileAt;

  EXPECT(amount >= 0);
  len = len < (size_t)amount ? len : (size_t)amount;
  len = len < 1000 ? len : 1000;
  if (len > 0) {
    memcpy(buf, fileData + fileAt, len);
  }
  fileAt += len;
  return (PRInt32)len;
}

PRStatus __wrap_PR_Close(PRFileDesc *fd) { return PR_SUCCESS; }

int __wrap_fprintf(FILE *stream, const char *format, ...) {
  va_list arguments;
  int len;

  va_start(arguments, format);
  len = stream == stderr ? vsnprintf(said, sizeof said, format, arguments)
                         : vfprintf(stream, format, arguments);
  va_end(arguments);
  return len;
}

/* What snceconfig.c calls to make caches; no file gets that far here. */
snceCacheOptions ssl_ServerCacheOptions(const sslServerCacheWish *wish) {
  abort();
}

PRErrorCode snceError_Code(snceResult result) { abort(); }

const char *__asan_default_options(void) {
  return "quarantine_size_mb=4:malloc_context_size=3";
}

/* ---- the target ---------------------------------------------------------- */

static SECStatus Read(const PRUint8 *data, size_t size,
                      sslCacheConfig *config) {
  fileData = data;
  fileSize = size;
  said[0] = '\0';
  return ssl_ReadCacheConfig(PATH, config);
}

static int WriteNumber(char *out, const sslCacheConfigLine *line,
                       sslCacheConfigField field, const char *label,
                       PRUint32 number) {
  return line->given & field ? sprintf(out, " %s=%u", label, number) : 0;
}

/* Writes down what was read. */
static size_t Write(char *out, const sslCacheConfig *config) {
  char *at = out;
  PRUint32 i;

  for (i = 0; i < config->count; ++i) {
    const sslCacheConfigLine *line = &config->lines[i];
    const sslServerCacheWish *wish = &line->wish;

    at += sprintf(at, "name=%s", line->name ? line->name : "*");
    at +=
        WriteNumber(at, line, sslCacheConfig_entries, "entries", wish->entries);
    at += WriteNumber(at, line, sslCacheConfig_certificates, "certificates",
                      wish->certificates);
    at += WriteNumber(at, line, sslCacheConfig_ssl2Timeout, "ssl2Timeout",
                      wish->ssl2Timeout);
    at += WriteNumber(at, line, sslCacheConfig_ssl3Timeout, "ssl3Timeout",
                      wish->ssl3Timeout);
    if (line->given & sslCacheConfig_matchClientAddress) {
      at += sprintf(at, " matchClientAddress=%s",
                    wish->anyAddress ? "no" : "yes");
    }
    at += sprintf(at, "\n");
  }
  return (size_t)(at - out);
}

static void ExpectSame(const sslCacheConfig *one, const sslCacheConfig *other) {
  PRUint32 i;

  EXPECT(one->count == other->count);
  for (i = 0; i < one->count; ++i) {
    const sslCacheConfigLine *a = &one->lines[i];
    const sslCacheConfigLine *b = &other->lines[i];

    EXPECT(!a->name == !b->name);
    EXPECT(!a->name || strcmp(a->name, b->name) == 0);
    EXPECT(a->given == b->given);
    EXPECT(memcmp(&a->wish, &b->wish, sizeof a->wish) == 0);
    EXPECT(b->number == i + 1);
  }
}

static void CheckLines(const sslCacheConfig *config) {
  PRUint32 i, j;

  for (i = 0; i < config->count; ++i) {
    const sslCacheConfigLine *line = &config->lines[i];

    EXPECT(line->number > 0 && (i == 0 || line->number > line[-1].number));
    EXPECT(line->wish.entries <= SNCE_ENTRIES_MAX);
    EXPECT(line->wish.certificates <= SNCE_ENTRIES_MAX);
    EXPECT(line->wish.ssl2Timeout <= SNCE_ENTRIES_MAX);
    EXPECT(line->wish.ssl3Timeout <= SNCE_ENTRIES_MAX);
    EXPECT(!line->wish.unlisted);
    EXPECT(!line->name ||
           snceServer_IsName((const PRUint8 *)line->name, strlen(line->name)));
    for (j = 0; j < i; ++j) {
      const char *other = config->lines[j].name;

      EXPECT(line->name || other);
      EXPECT(!line->name || !other || PORT_Strcasecmp(line->name, other) != 0);
    }
  }
}

int LLVMFuzzerTestOneInput(const PRUint8 *data, size_t size) {
  sslServerCacheWish wish = {1, 2, 3, 4, PR_FALSE, PR_TRUE};
  sslCacheConfig config, again;
  static char text[1 << 20];
  char told[PATH_MAX];
  PRInt32 len;

  PR_SetError(0, 0);
  if (Read(data, size, &config) != SECSuccess) {
    static const char prefix[] = "SSL_SERVER_CACHE_CONFIG: " PATH ":";

    EXPECT(config.count == 0 && !config.lines);
    EXPECT(PR_GetError() == SEC_ERROR_INVALID_ARGS);
    /* Both say the same, the one with the end of the line. */
    EXPECT(strncmp(said, prefix, sizeof prefix - 1) == 0);
    EXPECT(PR_GetErrorTextLength() < (PRInt32)sizeof told);
    len = PR_GetErrorText(told);
    EXPECT(len + 1 == (PRInt32)strlen(said) &&
           memcmp(told, said, (size_t)len) == 0);
    return 0;
  }
  EXPECT(said[0] == '\0');
  CheckLines(&config);
  ssl_OverrideByConfig(&config, &wish);
  EXPECT(wish.unlisted);
  len = (PRInt32)Write(text, &config);
  EXPECT(Read((const PRUint8 *)text, (size_t)len, &again) == SECSuccess);
  ExpectSame(&config, &again);
  ssl_FreeCacheConfig(&again);
  ssl_FreeCacheConfig(&config);
  EXPECT(config.count == 0 && !config.lines);
  return 0;
}
