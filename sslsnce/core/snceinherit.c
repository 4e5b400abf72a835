/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* The inheritance string, by which a child process that runs another program
 * finds a region.
 *
 * Its form is "snce2:FD:SIGNATURE:ID0:ID1". FD is decimal, the others are 16
 * hexadecimal digits each. Because of the fixed widths each region has exactly
 * one spelling. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "snceattach.h"
#include "sncefork.h"

#define STRING_FORM "snce2:%d:%016" PRIx64 ":%016" PRIx64 ":%016" PRIx64

static int
FormString(char *buf, size_t bufLen, int fd, uint64_t signature,
           const uint64_t id[2])
{
    return snprintf(buf, bufLen, STRING_FORM, fd, signature, id[0], id[1]);
}

snceResult
snceRegion_Export(const snceRegion *region, char *buf, size_t bufLen)
{
    const snceHeader *header = snceRegion_Header(region);
    int flags, len;

    if (!snceRegion_CheckDescriptor(region)) {
        return SNCE_BAD_DESCRIPTOR;
    }
    flags = fcntl(region->fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC)) {
        return SNCE_BAD_DESCRIPTOR;
    }
    len = FormString(buf, bufLen, region->fd, header->signature, header->id);
    if (len <= 0 || (size_t)len >= bufLen) {
        return SNCE_TOO_LARGE;
    }
    snceFork_NoteShared(region);
    return SNCE_OK;
}

/* The parts of an inheritance string. */
typedef struct {
    int fd;
    uint64_t signature;
    uint64_t id[2];
} regionName;

/* Parses a string that FormString wrote. It formats the result again and
 * refuses the string if that differs, which rules out signs, spaces and
 * overflows. */
static bool
ParseString(const char *string, regionName *out)
{
    char again[SNCE_STRING_MAX];
    int len;

    if (!string || strnlen(string, SNCE_STRING_MAX) == SNCE_STRING_MAX ||
        sscanf(string, "snce2:%9d:%16" SCNx64 ":%16" SCNx64 ":%16" SCNx64,
               &out->fd, &out->signature, &out->id[0], &out->id[1]) != 4 ||
        out->fd < 0) {
        return false;
    }
    len = FormString(again, sizeof(again), out->fd, out->signature, out->id);
    return len > 0 && strcmp(again, string) == 0;
}

static bool
HasName(const snceRegion *region, const regionName *name)
{
    const snceHeader *header = snceRegion_Header(region);

    return header->id[0] == name->id[0] && header->id[1] == name->id[1];
}

snceResult
snceRegion_IsNamed(const snceRegion *region, const char *string)
{
    regionName name;

    if (!ParseString(string, &name)) {
        return SNCE_BAD_STRING;
    }
    return name.signature == snceLayout_Signature() && HasName(region, &name) &&
                   snceRegion_IsFile(region, name.fd)
               ? SNCE_OK
               : SNCE_MISS;
}

uint64_t
snceRegion_StringBytes(const char *string)
{
    struct stat status;
    regionName name;

    return ParseString(string, &name) &&
                   snceRegion_CheckFile(name.fd) == SNCE_OK &&
                   fstat(name.fd, &status) == 0
               ? (uint64_t)status.st_size
               : 0;
}

snceResult
snceRegion_Inherit(snceRegion **out, const char *string)
{
    snceRegion *region;
    snceResult result;
    regionName name;

    if (!ParseString(string, &name)) {
        return SNCE_BAD_STRING;
    }
    if (name.signature != snceLayout_Signature()) {
        return SNCE_FOREIGN;
    }
    result = snceRegion_Attach(&region, name.fd, SNCE_ACCESS_ADMIN);
    if (result != SNCE_OK) {
        return result;
    }
    if (!HasName(region, &name)) {
        snceAttach_Decline(region);
        return SNCE_FOREIGN;
    }
    *out = region;
    return SNCE_OK;
}

snceResult
snceRegion_CheckString(const char *string)
{
    snceRegion *region;
    snceResult result = snceRegion_Inherit(&region, string);

    if (result == SNCE_OK) {
        snceAttach_Decline(region);
    }
    return result;
}
