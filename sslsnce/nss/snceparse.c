/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceparse.c: reads the configuration file, a line at a time, a parameter at a
 * time.
 *
 * A message quotes labels, and the values of known labels; of anything else it
 * gives only the place. So if the path names the wrong file, a private key for
 * example, nothing of it gets into a log. */

#include "snceparse.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "prprf.h"
#include "secport.h"

#include "sncekeyfile.h"

/* Room for a value and its NUL, and for a byte by which a value that is too
 * long for a list of paths, or for a name with a dot at its end, is
 * recognized. */
#define VALUE_BYTES (SNCE_KEY_FILE_PATHS_MAX + 2)
PR_STATIC_ASSERT(VALUE_BYTES >= SNCE_NAME_MAX + 3);

/* The line being read. */
typedef struct {
    sslCacheConfig *config;
    const char *start;
    const char *at;
    const char *end;
    PRUint32 firstFault;
    PRBool named;      /* the line has a name, or tries to give one */
    PRBool unreadable; /* that name cannot be read, or there are two */
    sslCacheConfigLine line;
} parseLine;

/* ---- faults -------------------------------------------------------------- */

static sslCacheFault *
parse_NewFault(sslCacheConfig *config, unsigned int number, unsigned int column,
               sslCacheFaultKind kind)
{
    sslCacheFault *fault;

    config->errors += kind != sslCacheFault_note;
    if (config->faults++ < SSL_CACHE_FAULTS_MAX) {
        fault = &config->fault[config->faults - 1];
    } else if (kind >= sslCacheFault_file) {
        fault = &config->fault[SSL_CACHE_FAULTS_MAX - 1];
    } else {
        return NULL;
    }
    fault->kind = kind;
    fault->number = number;
    fault->column = column;
    return fault;
}

void
ssl_AddCacheFault(sslCacheConfig *config, sslCacheFaultKind kind,
                  unsigned int number, unsigned int column, const char *format,
                  ...)
{
    sslCacheFault *fault = parse_NewFault(config, number, column, kind);
    va_list args;

    if (fault) {
        va_start(args, format);
        (void)PR_vsnprintf(fault->text, sizeof fault->text, format, args);
        va_end(args);
    }
}

static unsigned int
parse_Column(const parseLine *p, const char *at)
{
    return (unsigned int)(at - p->start) + 1;
}

/* Notes a fault of the line. What follows from it is known only at the line's
 * end, when the name is known. */
static void __attribute__((format(printf, 3, 4)))
parse_Fault(parseLine *p, const char *at, const char *format, ...)
{
    sslCacheFault *fault = parse_NewFault(
        p->config, p->line.number, parse_Column(p, at), sslCacheFault_ignored);
    va_list args;

    p->line.faulty = PR_TRUE;
    if (fault) {
        va_start(args, format);
        (void)PR_vsnprintf(fault->text, sizeof fault->text, format, args);
        va_end(args);
    }
}

/* ---- parameters ---------------------------------------------------------- */

/* Sets a parameter of the line. A value that cannot be read counts as the
 * strictest one, if there is such; of two values, the smaller or stricter
 * counts. */
static void
parse_SetParam(parseLine *p, const char *at, sslCacheParam param,
               const char *value)
{
    char text[SSL_CACHE_TEXT_BYTES];
    PRBool again = p->line.column[param] != 0;
    PRUint32 read = 0;
    sslCacheValue result = sslCacheValue_wrong;

    if (again) {
        parse_Fault(p, at, "a second value for \"%s\"",
                    ssl_CacheParamLabel(param));
    }
    p->line.column[param] = parse_Column(p, at);
    if (value) {
        result = ssl_ReadCacheValue(param, value, &read, text);
    }
    if (result == sslCacheValue_clamped) {
        ssl_AddCacheFault(p->config, sslCacheFault_note, p->line.number,
                          parse_Column(p, at), "%s", text);
    } else if (result == sslCacheValue_wrong) {
        if (value) {
            parse_Fault(p, at, "%s", text);
        }
        read = ssl_StrictestOf(param);
        if (!read) {
            return;
        }
    }
    if (p->line.given & 1u << param) {
        ssl_LowerCacheParam(&p->line.request, param, read);
    } else {
        ssl_SetCacheParam(&p->line.request, param, read);
    }
    p->line.given |= 1u << param;
}

/* Sets a parameter whose value is paths. Values that contradict each other set
 * none. */
static SECStatus
parse_SetPaths(parseLine *p, const char *at, sslCacheParam param,
               const char *value)
{
    sslCacheParam other = param == sslCacheParam_ticketKeyFile
                              ? sslCacheParam_ticketSecretFile
                              : sslCacheParam_ticketKeyFile;
    PRBool isOnly = !p->line.column[param] && !p->line.column[other];
    char text[SSL_CACHE_TEXT_BYTES];

    if (p->line.column[param]) {
        parse_Fault(p, at, "a second value for \"%s\"",
                    ssl_CacheParamLabel(param));
    }
    if (p->line.column[other]) {
        parse_Fault(p, at, "%s and %s exclude each other",
                    ssl_CacheParamLabel(other), ssl_CacheParamLabel(param));
    }
    p->line.column[param] = parse_Column(p, at);
    PORT_Free(p->line.keyPaths);
    p->line.keyPaths = NULL;
    if (!value) {
        return SECSuccess;
    }
    if (ssl_CheckCachePaths(param, value, text) != sslCacheValue_read) {
        parse_Fault(p, at, "%s", text);
        return SECSuccess;
    }
    if (isOnly) {
        p->line.keyParam = param;
        p->line.keyPaths = PORT_Strdup(value);
    }
    return isOnly && !p->line.keyPaths ? SECFailure : SECSuccess;
}

static SECStatus
parse_SetName(parseLine *p, const char *at, const char *value)
{
    char shown[SSL_CACHE_SHOWN_BYTES];
    char *c;

    if (p->named) {
        parse_Fault(p, at, "a second name");
        p->unreadable = PR_TRUE;
        return SECSuccess;
    }
    p->named = PR_TRUE;
    p->line.nameColumn = parse_Column(p, at);
    if (strcmp(value, "*") == 0) {
        return SECSuccess;
    }
    if (!snceServer_IsName((const PRUint8 *)value, strlen(value))) {
        parse_Fault(p, at, "\"%s\" is no host name, expected one, or *",
                    ssl_ShowCacheValue(shown, value));
        p->unreadable = PR_TRUE;
        return SECSuccess;
    }
    p->line.name = PORT_Strdup(value);
    if (!p->line.name) {
        return SECFailure;
    }
    for (c = p->line.name; *c; ++c) {
        if (*c >= 'A' && *c <= 'Z') {
            *c |= 0x20;
        } else if (*c == '.' && !c[1]) {
            *c = '\0';
            break;
        }
    }
    return SECSuccess;
}

/* Sets the parameter |label|, or the name. |value| is NULL if no value could be
 * read, and the fault is noted already. */
static SECStatus
parse_Set(parseLine *p, const char *labelAt, const char *label, const char *at,
          const char *value)
{
    const char *suggestion;
    sslCacheParam param;

    if (ssl_FindCacheParam(label, &param)) {
        if (ssl_IsPathParam(param)) {
            return parse_SetPaths(p, at, param, value);
        }
        parse_SetParam(p, at, param, value);
        return SECSuccess;
    }
    if (PORT_Strcasecmp(label, "name") == 0) {
        if (value) {
            return parse_SetName(p, at, value);
        }
        p->named = p->unreadable = PR_TRUE;
        return SECSuccess;
    }
    suggestion = ssl_SuggestCacheParam(label);
    if (suggestion) {
        parse_Fault(p, labelAt,
                    "unknown parameter \"%s\" (did you mean \"%s\"?)", label,
                    suggestion);
    } else {
        parse_Fault(p, labelAt, "unknown parameter \"%s\"", label);
    }
    return SECSuccess;
}

/* ---- the text of a line -------------------------------------------------- */

static PRBool
parse_IsBlank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static PRBool
parse_IsLabel(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static void
parse_SkipBlanks(parseLine *p)
{
    while (p->at < p->end && parse_IsBlank(*p->at)) {
        ++p->at;
    }
}

static void
parse_SkipWord(parseLine *p)
{
    while (p->at < p->end && !parse_IsBlank(*p->at)) {
        ++p->at;
    }
}

/* Whether nothing is left of the line, or only a comment. */
static PRBool
parse_AtEnd(const parseLine *p)
{
    return p->at >= p->end || *p->at == '#';
}

/* Reads a value: up to the next blank, or if it begins with a quotation mark or
 * a bracket, up to the closing one. A backslash takes the next byte as it is. A
 * value that does not fit |value| is cut: it is too long for any parameter. A
 * NUL becomes a byte that no valid value has. Returns PR_FALSE if the closing
 * mark is missing. */
static PRBool
parse_Value(parseLine *p, char value[VALUE_BYTES])
{
    static const char quotes[] = "''\"\"<>{}[]()";
    char close = '\0';
    size_t len = 0;
    unsigned int i;

    for (i = 0; i + 1 < sizeof quotes; i += 2) {
        if (*p->at == quotes[i]) {
            close = quotes[i + 1];
            ++p->at;
            break;
        }
    }
    for (; p->at < p->end; ++p->at) {
        if (close ? *p->at == close : parse_IsBlank(*p->at)) {
            break;
        }
        if (*p->at == '\\' && p->at + 1 < p->end) {
            ++p->at;
        }
        if (len < VALUE_BYTES - 1) {
            value[len++] = *p->at ? *p->at : '\x7f';
        }
    }
    value[len] = '\0';
    if (!close) {
        return PR_TRUE;
    }
    if (p->at >= p->end) {
        return PR_FALSE;
    }
    ++p->at;
    return PR_TRUE;
}

/* Whether the word at |p->at| is the label of another parameter, with or
 * without blanks before its '=': "entries= name=x" has no value for entries. */
static PRBool
parse_IsNextLabel(const parseLine *p)
{
    const char *at = p->at;

    while (at < p->end && parse_IsLabel(*at)) {
        ++at;
    }
    while (at < p->end && parse_IsBlank(*at)) {
        ++at;
    }
    return at > p->at && at < p->end && *at == '=';
}

/* Reads "label=value"; blanks may surround the '='. */
static SECStatus
parse_Param(parseLine *p)
{
    const char *labelAt = p->at;
    const char *valueAt;
    char value[VALUE_BYTES];
    char label[SSL_CACHE_LABEL_MAX + 1];
    size_t len;

    while (p->at < p->end && parse_IsLabel(*p->at)) {
        ++p->at;
    }
    len = (size_t)(p->at - labelAt);
    parse_SkipBlanks(p);
    if (len == 0 || len > SSL_CACHE_LABEL_MAX || p->at >= p->end ||
        *p->at != '=') {
        parse_Fault(p, labelAt, "expected parameter=value");
        p->at = labelAt;
        parse_SkipWord(p);
        return SECSuccess;
    }
    PORT_Memcpy(label, labelAt, len);
    label[len] = '\0';
    valueAt = ++p->at;
    parse_SkipBlanks(p);
    if (parse_AtEnd(p) || (p->at > valueAt && parse_IsNextLabel(p))) {
        parse_Fault(p, valueAt, "no value for \"%s\"", label);
        return parse_Set(p, labelAt, label, valueAt, NULL);
    }
    valueAt = p->at;
    if (!parse_Value(p, value)) {
        parse_Fault(p, valueAt, "a quotation that does not end");
        return parse_Set(p, labelAt, label, valueAt, NULL);
    }
    if (p->at < p->end && !parse_IsBlank(*p->at)) {
        parse_Fault(p, p->at, "expected a blank behind a quotation");
        parse_SkipWord(p);
        return parse_Set(p, labelAt, label, valueAt, NULL);
    }
    if (!*value) {
        parse_Fault(p, valueAt, "no value for \"%s\"", label);
        return parse_Set(p, labelAt, label, valueAt, NULL);
    }
    return parse_Set(p, labelAt, label, valueAt, value);
}

/* ---- the lines ----------------------------------------------------------- */

static SECStatus
parse_Keep(sslCacheConfig *config, const sslCacheConfigLine *line)
{
    if (config->count == config->room) {
        PRUint32 room = config->room ? 2 * config->room : 16;
        sslCacheConfigLine *lines =
            PORT_Realloc(config->lines, room * sizeof *lines);

        if (!lines) {
            return SECFailure;
        }
        config->lines = lines;
        config->room = room;
    }
    config->lines[config->count++] = *line;
    return SECSuccess;
}

static void
parse_FreeLine(sslCacheConfigLine *line)
{
    PORT_Free(line->name);
    PORT_Free(line->keyPaths);
}

/* Ends a line that was read: enters what follows from its faults, and keeps it
 * if it names a cache. */
static SECStatus
parse_EndLine(parseLine *p)
{
    sslCacheConfig *config = p->config;
    PRBool isNamed = p->named && !p->unreadable;
    sslCacheFaultKind kind = !isNamed       ? sslCacheFault_ignored
                             : p->line.name ? sslCacheFault_closed
                                            : sslCacheFault_lowered;
    PRUint32 i;

    for (i = p->firstFault; i < config->faults && i < SSL_CACHE_FAULTS_MAX;
         ++i) {
        if (config->fault[i].kind != sslCacheFault_note) {
            config->fault[i].kind = kind;
            config->fault[i].line = config->count;
        }
    }
    if (isNamed && parse_Keep(config, &p->line) == SECSuccess) {
        return SECSuccess;
    }
    parse_FreeLine(&p->line);
    return isNamed ? SECFailure : SECSuccess;
}

static SECStatus
parse_Line(sslCacheConfig *config, unsigned int number, const char *start,
           const char *end)
{
    parseLine p;
    const char *first;
    unsigned int param;

    PORT_Memset(&p, 0, sizeof p);
    p.config = config;
    p.start = p.at = start;
    p.end = end;
    p.firstFault = config->faults;
    p.line.number = number;
    parse_SkipBlanks(&p);
    if (parse_AtEnd(&p)) {
        return SECSuccess;
    }
    first = p.at;
    while (!parse_AtEnd(&p)) {
        if (parse_Param(&p) != SECSuccess) {
            parse_FreeLine(&p.line);
            return SECFailure;
        }
        parse_SkipBlanks(&p);
    }
    if (!p.named) {
        parse_Fault(&p, first, "no name, expected name=HOST or name=*");
    }
    for (param = 0; p.line.name && param < SSL_CACHE_PARAMS; ++param) {
        if (p.line.column[param] && ssl_IsRegionParam((sslCacheParam)param)) {
            parse_Fault(&p, p.start + p.line.column[param] - 1,
                        "%s is for name=*, and then for all caches",
                        ssl_CacheParamLabel((sslCacheParam)param));
        }
    }
    if (p.line.name) {
        PORT_Free(p.line.keyPaths);
        p.line.keyPaths = NULL;
    }
    return parse_EndLine(&p);
}

/* ---- the file ------------------------------------------------------------ */

/* Compares by name, with the default cache first, then by line number. */
static int
parse_CompareLines(const void *a, const void *b)
{
    const sslCacheConfigLine *x = *(sslCacheConfigLine *const *)a;
    const sslCacheConfigLine *y = *(sslCacheConfigLine *const *)b;
    int order = strcmp(x->name ? x->name : "", y->name ? y->name : "");

    return order ? order : x->number < y->number ? -1 : 1;
}

/* Finds caches with more than one line. The lines contradict each other, so all
 * of them are wrong. */
static SECStatus
parse_FindSeconds(sslCacheConfig *config)
{
    sslCacheConfigLine **sorted;
    PRUint32 i;

    if (config->count < 2) {
        return SECSuccess;
    }
    sorted = PORT_Alloc(config->count * sizeof *sorted);
    if (!sorted) {
        return SECFailure;
    }
    for (i = 0; i < config->count; ++i) {
        sorted[i] = &config->lines[i];
    }
    qsort(sorted, config->count, sizeof *sorted, parse_CompareLines);
    for (i = 1; i < config->count; ++i) {
        sslCacheConfigLine *line = sorted[i];
        sslCacheConfigLine *before = sorted[i - 1];
        sslCacheFault *fault;
        char shown[SSL_CACHE_SHOWN_BYTES];

        if (!line->name != !before->name ||
            (line->name && strcmp(line->name, before->name) != 0)) {
            continue;
        }
        line->faulty = before->faulty = PR_TRUE;
        fault = parse_NewFault(config, line->number, line->nameColumn,
                               line->name ? sslCacheFault_closed
                                          : sslCacheFault_lowered);
        if (fault) {
            fault->line = (PRUint32)(line - config->lines);
            (void)PR_snprintf(
                fault->text, sizeof fault->text,
                "a second line for \"%s\", after line %u",
                ssl_ShowCacheValue(shown, line->name ? line->name : "*"),
                before->number);
        }
    }
    PORT_Free(sorted);
    return SECSuccess;
}

SECStatus
ssl_ParseCacheConfig(sslCacheConfig *config, const char *data, size_t len)
{
    static const char mark[] = { '\xef', '\xbb', '\xbf' };
    const char *end = data + len;
    unsigned int number = 0;

    if (len >= sizeof mark && memcmp(data, mark, sizeof mark) == 0) {
        data += sizeof mark;
    }
    while (data < end) {
        const char *next = memchr(data, '\n', (size_t)(end - data));

        next = next ? next : end;
        if (parse_Line(config, ++number, data, next) != SECSuccess) {
            return SECFailure;
        }
        data = next < end ? next + 1 : end;
    }
    return parse_FindSeconds(config);
}

const sslCacheConfigLine *
ssl_FindKeyPaths(const sslCacheConfig *config)
{
    const sslCacheConfigLine *found = NULL;
    PRUint32 i;

    for (i = 0; i < config->count; ++i) {
        if (config->lines[i].keyPaths) {
            if (found) {
                return NULL;
            }
            found = &config->lines[i];
        }
    }
    return found;
}

void
ssl_LowerCacheRequest(sslServerCacheRequest *request,
                      const sslCacheConfigLine *line)
{
    unsigned int i;

    for (i = 0; i < SSL_CACHE_PARAMS; ++i) {
        if (line->given & 1u << i) {
            ssl_LowerCacheParam(
                request, (sslCacheParam)i,
                ssl_GetCacheParam(&line->request, (sslCacheParam)i));
        }
    }
}

void
ssl_FreeCacheConfig(sslCacheConfig *config)
{
    PRUint32 i;

    for (i = 0; i < config->count; ++i) {
        parse_FreeLine(&config->lines[i]);
    }
    PORT_Free(config->lines);
    PORT_Free(config->undo);
    config->lines = NULL;
    config->undo = NULL;
    config->count = config->room = config->undoCount = 0;
}
