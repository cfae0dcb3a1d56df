#include "core/posix/key_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_DIGITS = 2 * KEY_BYTES, DECIMAL = 10 };

/* A file that is read line by line. */
struct lines {
    const char *path;
    FILE *file;
    unsigned number;
    char text[KEY_LINE_BYTES_MAX];
};

static int digit_of(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

bool key_parse(const char *text, uint8_t key[KEY_BYTES])
{
    if (strlen(text) != KEY_DIGITS) {
        return false;
    }
    for (int i = 0; i < KEY_BYTES; i++) {
        const int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool begin(struct lines *lines, const char *path, bool is_private, char *error,
                  size_t error_bytes)
{
    struct stat stat;
    *lines = (struct lines){.path = path, .file = fopen(path, "re")};
    if (lines->file == NULL || fstat(fileno(lines->file), &stat) != 0) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        if (lines->file != NULL) {
            (void)fclose(lines->file);
        }
        return false;
    }
    if (is_private && (stat.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        snprintf(error, error_bytes, "%s holds secrets, and others may read it: chmod 600 %s", path,
                 path);
        (void)fclose(lines->file);
        return false;
    }
    return true;
}

enum line_outcome { LINE_READ, LINE_END, LINE_WRONG };

/* The next line that says anything, without its line feed. */
static enum line_outcome next_line(struct lines *lines, char *error, size_t error_bytes)
{
    while (fgets(lines->text, sizeof lines->text, lines->file) != NULL) {
        lines->number++;
        const size_t size = strcspn(lines->text, "\n");
        if (lines->text[size] != '\n' && !feof(lines->file)) {
            snprintf(error, error_bytes, "%s:%u: the line is longer than %d bytes, or holds a NUL",
                     lines->path, lines->number, KEY_LINE_BYTES_MAX - 2);
            return LINE_WRONG;
        }
        lines->text[size] = '\0';
        if (lines->text[0] != '\0' && lines->text[0] != '#') {
            return LINE_READ;
        }
    }
    return LINE_END;
}

static bool take_key(const struct lines *lines, const char *name, uint8_t *key, bool *there)
{
    char key_text[KEY_LINE_BYTES_MAX], value[KEY_LINE_BYTES_MAX], rest;
    if (sscanf(lines->text, " %255[a-z_] = %255s %c", key_text, value, &rest) != 2 ||
        strcmp(key_text, name) != 0 || *there) {
        return false;
    }
    *there = true;
    return key_parse(value, key);
}

bool key_file_read(const char *path, uint8_t seed[KEY_BYTES], uint8_t *secret, char *error,
                   size_t error_bytes)
{
    struct lines lines;
    bool has_seed = false, has_secret = false;
    if (!begin(&lines, path, true, error, error_bytes)) {
        return false;
    }
    enum line_outcome outcome;
    while ((outcome = next_line(&lines, error, error_bytes)) == LINE_READ) {
        if (!take_key(&lines, "seed", seed, &has_seed) &&
            (secret == NULL || !take_key(&lines, "secret", secret, &has_secret))) {
            snprintf(error, error_bytes, "%s:%u: write `%s = ` and %d hexadecimal digits, once",
                     path, lines.number, secret == NULL ? "seed" : "seed` or `secret", KEY_DIGITS);
            outcome = LINE_WRONG;
            break;
        }
    }
    (void)fclose(lines.file);
    if (outcome == LINE_END && (!has_seed || (secret != NULL && !has_secret))) {
        snprintf(error, error_bytes, "%s: there is no line `%s = ...`", path,
                 has_seed ? "secret" : "seed");
        return false;
    }
    return outcome == LINE_END;
}

static bool parse_entry(const char *text, bool secrets, struct registry_entry *entry)
{
    char key[KEY_LINE_BYTES_MAX], secret[KEY_LINE_BYTES_MAX], rest;
    unsigned long long id;
    memset(entry, 0, sizeof *entry);
    const int fields = sscanf(text, "%10llu %255s %255s %c", &id, key, secret, &rest);
    if (fields != (secrets ? 3 : 2) || id == 0 || id > UINT32_MAX || text[0] == '-') {
        return false;
    }
    entry->id = (uint32_t)id;
    return key_parse(key, entry->public_key) && (!secrets || key_parse(secret, entry->secret));
}

static bool add(struct registry_entry *entries, uint32_t *count, uint32_t count_max,
                const struct lines *lines, bool secrets, char *error, size_t error_bytes)
{
    if (*count == count_max) {
        snprintf(error, error_bytes, "%s:%u: more than %u entries", lines->path, lines->number,
                 (unsigned)count_max);
        return false;
    }
    struct registry_entry *entry = &entries[*count];
    if (!parse_entry(lines->text, secrets, entry)) {
        snprintf(error, error_bytes, "%s:%u: write a number and %s of %d hexadecimal digits",
                 lines->path, lines->number, secrets ? "public key and secret" : "a public key",
                 KEY_DIGITS);
        return false;
    }
    if (*count > 0 && entries[*count - 1].id >= entry->id) {
        snprintf(error, error_bytes,
                 "%s:%u: number %u does not follow %u: sort the lines by number, each once",
                 lines->path, lines->number, (unsigned)entry->id, (unsigned)entries[*count - 1].id);
        return false;
    }
    (*count)++;
    return true;
}

bool registry_file_read(const char *path, bool secrets, uint32_t count_max,
                        struct registry_entry **entries, uint32_t *count, char *error,
                        size_t error_bytes)
{
    struct lines lines;
    *count = 0;
    *entries = NULL;
    if (!begin(&lines, path, secrets, error, error_bytes)) {
        return false;
    }
    *entries = calloc(count_max, sizeof **entries);
    enum line_outcome outcome = *entries != NULL ? LINE_READ : LINE_WRONG;
    if (*entries == NULL) {
        snprintf(error, error_bytes, "%s: no memory", path);
    }
    while (outcome == LINE_READ && (outcome = next_line(&lines, error, error_bytes)) == LINE_READ) {
        if (!add(*entries, count, count_max, &lines, secrets, error, error_bytes)) {
            outcome = LINE_WRONG;
        }
    }
    (void)fclose(lines.file);
    if (outcome == LINE_END && *count == 0) {
        snprintf(error, error_bytes, "%s: nobody is in it", path);
        outcome = LINE_WRONG;
    }
    if (outcome != LINE_END) {
        free(*entries);
        *entries = NULL;
    }
    return outcome == LINE_END;
}
