/* The list of failures that are known. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/triage.h"

enum { LINE_BYTES = 512 };

/* "3fa9c1d2-07b1aa", or its first eight digits. */
static bool is_key(const char *word, size_t length)
{
    const size_t cone = TRIAGE_KEY_BYTES - 1;
    if (length != TRIAGE_CAUSE_DIGITS && length != cone) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        const bool dash = i == TRIAGE_CAUSE_DIGITS;
        if (dash ? word[i] != '-' : strchr("0123456789abcdef", word[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* NULL: it is good, or says nothing; else what is wrong with it. */
static const char *read_line(struct triage_known *known, char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
    line += strspn(line, " \t");
    if (*line == '\0' || *line == '#') {
        return NULL;
    }
    const size_t length = strcspn(line, " \t");
    const char *reason = line + length + strspn(line + length, " \t");
    if (!is_key(line, length)) {
        return "does not begin with the key of a group, such as 3fa9c1d2-07b1aa, or its first "
               "eight "
               "digits";
    }
    if (*reason == '\0') {
        return "gives no reason; write behind the key why this failure is known";
    }
    if (known->count == TRIAGE_KNOWN_MAX) {
        return "is one too many; mend some of what is known";
    }
    known->lines = realloc(known->lines, ((size_t)known->count + 1) * sizeof *known->lines);
    CHECK(known->lines != NULL);
    struct triage_known_line *entry = &known->lines[known->count++];
    memset(entry, 0, sizeof *entry);
    memcpy(entry->key, line, length);
    snprintf(entry->reason, sizeof entry->reason, "%s", reason);
    return NULL;
}

bool triage_known_read(struct triage_known *known, const char *path, char *error,
                       size_t error_bytes)
{
    char line[LINE_BYTES];
    unsigned long number = 0;
    const char *wrong = NULL;
    memset(known, 0, sizeof *known);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s cannot be read: %s; make it, or leave out --known", path,
                 strerror(errno));
        return false;
    }
    while (wrong == NULL && fgets(line, sizeof line, file) != NULL) {
        number++;
        const bool whole = strchr(line, '\n') != NULL || strlen(line) < sizeof line - 1;
        wrong = whole ? read_line(known, line) : "is longer than 510 bytes; make it shorter";
    }
    if (wrong == NULL && ferror(file) != 0) {
        wrong = "cannot be read";
    }
    fclose(file);
    if (wrong != NULL) {
        snprintf(error, error_bytes, "%s: line %lu %s", path, number, wrong);
    }
    return wrong == NULL;
}

void triage_known_free(struct triage_known *known)
{
    free(known->lines);
    memset(known, 0, sizeof *known);
}

static bool names(const struct triage_known_line *line, const struct triage *triage,
                  const struct triage_group *group)
{
    const size_t length = strlen(line->key);
    for (uint32_t i = group->first; i < group->first + group->count; i++) {
        if (strncmp(line->key, triage->failures[i].key, length) == 0 ||
            strncmp(line->key, triage->failures[i].lived_key, length) == 0) {
            return true;
        }
    }
    return false;
}

void triage_known_apply(struct triage_known *known, struct triage *triage)
{
    for (uint32_t i = 0; i < triage->group_count; i++) {
        struct triage_group *group = &triage->groups[i];
        group->reason = NULL;
        for (uint32_t k = 0; k < known->count; k++) {
            struct triage_known_line *line = &known->lines[k];
            const bool whole = strlen(line->key) == TRIAGE_KEY_BYTES - 1;
            if (names(line, triage, group)) {
                line->used = true;
                group->reason = whole || group->reason == NULL ? line->reason : group->reason;
            }
        }
    }
}
