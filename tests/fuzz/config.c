/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* Fuzzes sslsnce/nss/snceparse.c, which reads the file that
 * SSL_SERVER_CACHE_CONFIG names.
 *
 * Whatever errors the file has, everything that the parser returns is within
 * bounds, and each error has a place in the file and a text that can be
 * printed. A file without errors can be written out and read again with the
 * same result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "secport.h"
#include "sncekeyfile.h"
#include "snceparse.h"

static PRBool Has(const sslCacheConfigLine *line, unsigned int param) {
  return (line->given & 1u << param) != 0;
}

/* ---- what the parser returned -------------------------------------------- */

static void CheckName(const char *name) {
  size_t len = strlen(name);
  size_t i;

  EXPECT(snceServer_IsName((const PRUint8 *)name, len));
  EXPECT(name[len - 1] != '.');
  for (i = 0; i < len; ++i) {
    EXPECT(name[i] < 'A' || name[i] > 'Z');
  }
}

static int HasPaths(const sslCacheConfigLine *line, unsigned int param) {
  return line->keyPaths && line->keyParam == param;
}

static void CheckLine(const sslCacheConfigLine *line) {
  const sslServerCacheRequest *request = &line->request;
  unsigned int param;

  if (line->name) {
    CheckName(line->name);
  }
  EXPECT(line->number > 0 && line->nameColumn > 0);
  EXPECT(line->faulty || !line->name ||
         (!line->column[sslCacheParam_lock] &&
          !line->column[sslCacheParam_ticketRotation]));
  if (line->keyPaths) {
    EXPECT(!line->name && ssl_IsPathParam(line->keyParam));
    EXPECT(line->column[line->keyParam] > 0);
    EXPECT(!snceKeyFile_CheckPaths(line->keyPaths));
  }
  for (param = 0; param < SSL_CACHE_PARAMS; ++param) {
    PRUint32 value = ssl_GetCacheParam(request, (sslCacheParam)param);

    EXPECT(!Has(line, param) || line->column[param] > 0);
    EXPECT(line->faulty || Has(line, param) || HasPaths(line, param) ||
           line->column[param] == 0);
    switch (param) {
      case sslCacheParam_entries:
      case sslCacheParam_certificates:
        EXPECT(value <= SNCE_ENTRIES_MAX);
        break;
      case sslCacheParam_ssl2Timeout:
        EXPECT(value == 0 || (value >= 5 && value <= 100));
        break;
      case sslCacheParam_ssl3Timeout:
        EXPECT(value == 0 || (value >= 5 && value <= 86400));
        break;
      case sslCacheParam_clockSkew:
        EXPECT(value <= 300);
        break;
      case sslCacheParam_ticketTimeout:
      case sslCacheParam_maxResumptionAge:
        EXPECT(value == 0 || (value >= 5 && value <= 604800));
        break;
      case sslCacheParam_ticketRotation:
        EXPECT(value == 0 || (value >= 60 && value <= 604800));
        break;
      default:
        EXPECT(value <= 1);
        break;
    }
  }
  EXPECT(!request->unlisted);
}

/* If two lines name the same cache, both are faulty. */
static void CheckLines(const sslCacheConfig *config) {
  PRUint32 i, j;

  for (i = 0; i < config->count; ++i) {
    const sslCacheConfigLine *line = &config->lines[i];

    CheckLine(line);
    EXPECT(i == 0 || line->number > line[-1].number);
    EXPECT(!line->faulty || config->errors);
    for (j = 0; j < i; ++j) {
      const sslCacheConfigLine *other = &config->lines[j];

      EXPECT(strcmp(line->name ? line->name : "",
                    other->name ? other->name : "") != 0 ||
             (line->faulty && other->faulty));
    }
  }
}

/* The length in bytes of line |number| of the file, without its end. */
static size_t LineLength(const char *data, size_t size, unsigned int number) {
  const char *end = data + size;
  const char *next;

  if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
    data += 3;
  }
  for (;;) {
    next = data < end ? memchr(data, '\n', (size_t)(end - data)) : NULL;
    if (--number == 0) {
      return (size_t)((next ? next : end) - data);
    }
    EXPECT(next);
    data = next + 1;
  }
}

static void CheckFaults(const sslCacheConfig *config, const char *data,
                        size_t size) {
  PRUint32 i;

  EXPECT(config->errors <= config->faults);
  for (i = 0; i < config->faults && i < SSL_CACHE_FAULTS_MAX; ++i) {
    const sslCacheFault *fault = &config->fault[i];
    size_t len = strnlen(fault->text, sizeof fault->text);
    size_t at;

    EXPECT(len > 0 && len < sizeof fault->text - 1); /* never cut off */
    for (at = 0; at < len; ++at) {
      EXPECT(fault->text[at] >= ' ' && fault->text[at] < 0x7f);
    }
    EXPECT(fault->column > 0 &&
           fault->column <= LineLength(data, size, fault->number) + 1);
    switch (fault->kind) {
      case sslCacheFault_note:
      case sslCacheFault_ignored:
        break;
      case sslCacheFault_closed:
        EXPECT(fault->line < config->count && config->lines[fault->line].name &&
               config->lines[fault->line].faulty &&
               config->lines[fault->line].number == fault->number);
        break;
      case sslCacheFault_lowered:
        EXPECT(fault->line < config->count);
        break;
      default:
        EXPECT(0);
    }
  }
}

/* No value of a faulty line lets a cache hold more, or makes it less strict. */
static void CheckLowering(const sslCacheConfig *config) {
  PRUint32 i;

  for (i = 0; i < config->count; ++i) {
    sslServerCacheRequest request = {0};
    unsigned int param;

    request.entries = 500;
    request.certificates = 400;
    request.ssl2Timeout = 50;
    request.ssl3Timeout = 600;
    request.clockSkewSec = 20;
    request.ticketTimeout = 5000;
    request.maxResumptionAge = 200000;
    request.ticketRotation = 7000;
    request.anyAddress = PR_TRUE;
    ssl_LowerCacheRequest(&request, &config->lines[i]);
    EXPECT(request.entries <= 500 && request.entries);
    EXPECT(request.certificates <= 400 ||
           !config->lines[i].request.certificates);
    EXPECT(request.ssl2Timeout <= 50 && request.ssl2Timeout);
    EXPECT(request.ssl3Timeout <= 600 && request.ssl3Timeout);
    EXPECT(request.clockSkewSec <= 20 && request.clockSkewSec);
    EXPECT(request.ticketTimeout <= 5000 && request.ticketTimeout);
    EXPECT(request.maxResumptionAge <= 200000 && request.maxResumptionAge);
    EXPECT(request.ticketRotation <= 7000 && request.ticketRotation);
    for (param = sslCacheParam_matchClientAddress; param < SSL_CACHE_PARAMS;
         ++param) {
      EXPECT(!Has(&config->lines[i], param) ||
             ssl_GetCacheParam(&request, (sslCacheParam)param) >=
                 ssl_GetCacheParam(&config->lines[i].request,
                                   (sslCacheParam)param));
    }
  }
}

/* If one line has paths, the file has those; if several have, none. */
static void CheckKeyPaths(const sslCacheConfig *config) {
  const sslCacheConfigLine *found = ssl_FindKeyPaths(config);
  PRUint32 lines = 0;
  PRUint32 i;

  for (i = 0; i < config->count; ++i) {
    lines += config->lines[i].keyPaths != NULL;
  }
  EXPECT(found ? lines == 1 && found->keyPaths : lines != 1);
}

/* ---- written out and read again ------------------------------------------ */

static size_t Write(char *out, const sslCacheConfig *config) {
  char *at = out;
  const char *c;
  unsigned int param;
  PRUint32 i;

  for (i = 0; i < config->count; ++i) {
    const sslCacheConfigLine *line = &config->lines[i];

    at += sprintf(at, "name=%s", line->name ? line->name : "*");
    for (param = 0; param < SSL_CACHE_PARAMS; ++param) {
      if (Has(line, param)) {
        at += sprintf(at, " %s=%u", ssl_CacheParamLabel((sslCacheParam)param),
                      ssl_GetCacheParam(&line->request, (sslCacheParam)param));
      }
    }
    if (line->keyPaths) {
      at += sprintf(at, " %s=\"", ssl_CacheParamLabel(line->keyParam));
      for (c = line->keyPaths; *c; ++c) {
        at += sprintf(at, "\\%c", *c);
      }
      *at++ = '"';
    }
    *at++ = '\n';
  }
  return (size_t)(at - out);
}

static void ExpectSame(const sslCacheConfig *one, const sslCacheConfig *other) {
  PRUint32 i;

  EXPECT(one->count == other->count && other->faults == 0);
  for (i = 0; i < one->count; ++i) {
    const sslCacheConfigLine *a = &one->lines[i];
    const sslCacheConfigLine *b = &other->lines[i];

    EXPECT(!a->name == !b->name);
    EXPECT(!a->name || strcmp(a->name, b->name) == 0);
    EXPECT(a->given == b->given);
    EXPECT(!a->keyPaths == !b->keyPaths);
    EXPECT(!a->keyPaths || (a->keyParam == b->keyParam &&
                            strcmp(a->keyPaths, b->keyPaths) == 0));
    EXPECT(memcmp(&a->request, &b->request, sizeof a->request) == 0);
    EXPECT(b->number == i + 1);
  }
}

int LLVMFuzzerTestOneInput(const PRUint8 *data, size_t size) {
  static char text[1 << 20];
  sslCacheConfig config, again;
  size_t len;

  memset(&config, 0, sizeof config);
  EXPECT(ssl_ParseCacheConfig(&config, (const char *)data, size) == SECSuccess);
  CheckLines(&config);
  CheckFaults(&config, (const char *)data, size);
  CheckLowering(&config);
  CheckKeyPaths(&config);
  if (!config.errors) {
    memset(&again, 0, sizeof again);
    len = Write(text, &config);
    EXPECT(ssl_ParseCacheConfig(&again, text, len) == SECSuccess);
    ExpectSame(&config, &again);
    ssl_FreeCacheConfig(&again);
  }
  ssl_FreeCacheConfig(&config);
  EXPECT(config.count == 0 && !config.lines);
  return 0;
}
