#include "sim/spec_golden.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"
#include "sim/tlc.h"

enum {
    ROWS_ALL = 100000,  /* of a law, over its instances, where not all typed states are taken: */
    ROWS_OTHER = 10000, /* of each other configuration, */
    ROWS_BUG = 8000,    /* of each planted bug, */
    ROWS_FIRST = 40000, /* and the rest, but at least these, of the first configuration */
    GOLDEN_BYTES_MAX = 4 << 20,
};

/* ---- Subjects -------------------------------------------------------------------------------- */

static bool choose(struct spec_subject *subject, uint32_t index)
{
    const struct spec_folder *folder = subject->folder;
    for (uint32_t i = 0; i < folder->config_count; i++) {
        const enum spec_role role = folder->configs[i].role;
        const bool looked_at =
            role == SPEC_ROLE_CHECK || role == SPEC_ROLE_BUG || role == SPEC_ROLE_BIG;
        if (looked_at && index-- == 0) {
            subject->config = &folder->configs[i];
            subject->graph = role == SPEC_ROLE_CHECK;
            subject->steps = role == SPEC_ROLE_CHECK || role == SPEC_ROLE_BUG;
            subject->counts = role == SPEC_ROLE_BIG;
            return true;
        }
    }
    return false;
}

/* MC.cfg comes first by name: "MC" < "MC_two". */
static bool is_first(const struct spec_folder *folder, const struct spec_config *config)
{
    for (uint32_t i = 0; i < folder->config_count; i++) {
        if (folder->configs[i].role == SPEC_ROLE_CHECK) {
            return &folder->configs[i] == config;
        }
    }
    return false;
}

static uint32_t usual_rows(const struct spec_subject *subject)
{
    const struct spec_folder *folder = subject->folder;
    uint32_t others = 0;
    for (uint32_t i = 0; i < folder->config_count; i++) {
        const struct spec_config *config = &folder->configs[i];
        const bool other = config->role == SPEC_ROLE_CHECK && !is_first(folder, config);
        others += other                           ? (uint32_t)ROWS_OTHER
                  : config->role == SPEC_ROLE_BUG ? (uint32_t)ROWS_BUG
                                                  : 0;
    }
    if (!is_first(folder, subject->config)) {
        return subject->config->role == SPEC_ROLE_BUG ? ROWS_BUG : ROWS_OTHER;
    }
    return others + ROWS_FIRST >= ROWS_ALL ? ROWS_FIRST : ROWS_ALL - others;
}

static uint32_t rows_of(const struct spec_subject *subject)
{
    const uint32_t usual = usual_rows(subject), most = subject->folder->rows_max;
    return most != 0 && most < usual ? most : usual;
}

bool spec_subject_begin(struct spec_subject *subject, const struct spec_folder *folder,
                        uint32_t index, bool *more, char *error, size_t error_bytes)
{
    memset(subject, 0, sizeof *subject);
    subject->folder = folder;
    *more = choose(subject, index);
    if (!*more) {
        return true;
    }
    const struct spec_config *config = subject->config;
    const bool bug = config->role == SPEC_ROLE_BUG;
    const uint32_t limit = subject->counts ? SPEC_STATES_MAX : SPEC_CHECKED_STATES_MAX;
    if (!spec_instance_init(&subject->instance, folder->model, config, error, error_bytes) ||
        !spec_explore(&subject->reachable, &subject->instance, limit, error, error_bytes)) {
        return false;
    }
    if (!subject->reachable.whole && !bug) {
        snprintf(error, error_bytes, "%s: more than %" PRIu32 " states; use smaller constants",
                 config->path, limit);
        return false;
    }
    if (subject->steps) {
        spec_sample_draw(&subject->sample, &subject->reachable, rows_of(subject));
    }
    return true;
}

void spec_subject_end(struct spec_subject *subject)
{
    spec_graph_free(&subject->reachable);
    spec_sample_free(&subject->sample);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static void add_line(struct spec_lines *lines, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_line(struct spec_lines *lines, const char *format, ...)
{
    va_list arguments;
    CHECK(lines->count < SPEC_LINES_OF_LAW_MAX);
    va_start(arguments, format);
    const int length = vsnprintf(lines->list[lines->count++], SPEC_LINE_BYTES, format, arguments);
    va_end(arguments);
    CHECK(length > 0 && length < SPEC_LINE_BYTES);
}

static void print_digest(const struct spec_digest *digest, char text[HASH_TEXT_BYTES])
{
    hash_print(digest->sum, text);
}

void spec_line_graph(struct spec_lines *lines, const struct spec_subject *subject, uint64_t states,
                     uint64_t edges, uint64_t depth, const struct spec_digest *digest)
{
    char text[HASH_TEXT_BYTES];
    print_digest(digest, text);
    add_line(lines, "%s graph %s states %" PRIu64 " edges %" PRIu64 " depth %" PRIu64 " digest %s",
             subject->folder->model->name, subject->config->name, states, edges, depth, text);
}

void spec_line_sample(struct spec_lines *lines, const struct spec_subject *subject,
                      const struct spec_sample_result *result)
{
    const char *law = subject->folder->model->name;
    char text[HASH_TEXT_BYTES];
    print_digest(&result->step_digest, text);
    add_line(lines, "%s steps %s rows %" PRIu32 " steps %" PRIu64 " digest %s", law,
             subject->config->name, subject->sample.count, result->steps, text);
    print_digest(&result->claim_digest, text);
    add_line(lines, "%s claims %s rows %" PRIu32 " digest %s", law, subject->config->name,
             subject->sample.count, text);
}

void spec_line_counts(struct spec_lines *lines, const struct spec_subject *subject, uint64_t states,
                      uint64_t depth)
{
    add_line(lines, "%s counts %s states %" PRIu64 " depth %" PRIu64, subject->folder->model->name,
             subject->config->name, states, depth);
}

static bool add_file(struct spec_lines *lines, const struct spec_folder *folder, const char *path,
                     char *error, size_t error_bytes)
{
    char hash[SHA256_TEXT_BYTES];
    if (!sha256_file(path, hash, error, error_bytes)) {
        return false;
    }
    add_line(lines, "%s file %s %s", folder->model->name, strrchr(path, '/') + 1, hash);
    return true;
}

bool spec_lines_of_files(struct spec_lines *lines, const struct spec_folder *folder, char *error,
                         size_t error_bytes)
{
    bool good = add_file(lines, folder, folder->module, error, error_bytes);
    for (uint32_t i = 0; good && i < folder->config_count; i++) {
        good = add_file(lines, folder, folder->configs[i].path, error, error_bytes);
    }
    return good;
}

void spec_lines_of_model(struct spec_lines *lines, const struct spec_subject *subject)
{
    const struct spec_graph *graph = &subject->reachable;
    if (subject->graph) {
        spec_line_graph(lines, subject, graph->states.count, graph->edges, graph->depth,
                        &graph->digest);
    }
    if (subject->counts) {
        spec_line_counts(lines, subject, graph->states.count, graph->depth);
    }
    if (subject->steps) {
        struct spec_sample_result result;
        spec_sample_judge(&subject->sample, &result);
        spec_line_sample(lines, subject, &result);
    }
}

/* ---- The file -------------------------------------------------------------------------------- */

#define FILE_NAME "specs/GOLDEN"

char *spec_golden_read(const char *source, char *error, size_t error_bytes)
{
    char path[SPEC_PATH_BYTES];
    size_t size_bytes;
    snprintf(path, sizeof path, "%s/" FILE_NAME, source);
    return spec_read_file(path, GOLDEN_BYTES_MAX, &size_bytes, error, error_bytes);
}

/* Law, kind and name: three words and the blank behind them. */
static size_t head_length(const char *line)
{
    size_t length = 0;
    for (uint32_t word = 0; word < 3; word++) {
        length += strcspn(line + length, " \n");
        length += line[length] == ' ' ? 1 : 0;
    }
    return length;
}

static const char *find_line(const char *golden, const char *head, size_t head_bytes)
{
    for (const char *at = golden; *at != '\0';) {
        if (strncmp(at, head, head_bytes) == 0) {
            return at;
        }
        at += strcspn(at, "\n");
        at += *at == '\n' ? 1 : 0;
    }
    return NULL;
}

bool spec_golden_has(const char *golden, const char *line, char *error, size_t error_bytes)
{
    const size_t head = head_length(line), length = strlen(line);
    const char *there = find_line(golden, line, head);
    const bool file = strstr(line, " file ") != NULL && strstr(line, " file ") < line + head;
    if (there != NULL && strcspn(there, "\n") == length && strncmp(there, line, length) == 0) {
        return true;
    }
    if (there == NULL) {
        snprintf(error, error_bytes,
                 FILE_NAME " says nothing of '%.*s'; brownout spec conform --update asks TLC",
                 (int)head - 1, line);
    } else if (file) {
        snprintf(error, error_bytes,
                 "%.*s has changed since TLC saw it; if the model still equals it, brownout spec "
                 "conform --update says so",
                 (int)head - 1, line);
    } else {
        snprintf(error, error_bytes,
                 "the model is not what TLC saw:\n  model   %s\n  " FILE_NAME "  %.*s\n"
                 "brownout spec conform says where spec and model differ",
                 line, (int)strcspn(there, "\n"), there);
    }
    return false;
}

bool spec_golden_is_covered(const char *golden, const struct spec_folder *folder,
                            const struct spec_lines *lines, char *error, size_t error_bytes)
{
    const size_t law = strlen(folder->model->name);
    for (const char *at = golden; *at != '\0';) {
        bool known = strncmp(at, folder->model->name, law) != 0 || at[law] != ' ';
        for (uint32_t i = 0; i < lines->count && !known; i++) {
            known = strncmp(at, lines->list[i], head_length(at)) == 0;
        }
        if (!known) {
            snprintf(error, error_bytes,
                     FILE_NAME " speaks of '%.*s', which is gone; brownout spec conform --update",
                     (int)head_length(at) - 1, at);
            return false;
        }
        at += strcspn(at, "\n");
        at += *at == '\n' ? 1 : 0;
    }
    return true;
}

bool spec_golden_write(const char *source, const char *law, const struct spec_lines *lines,
                       char *error, size_t error_bytes)
{
    char path[SPEC_PATH_BYTES];
    char *golden = spec_golden_read(source, error, error_bytes);
    snprintf(path, sizeof path, "%s/" FILE_NAME, source);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        free(golden);
        return false;
    }
    bool written = false;
    const size_t law_bytes = strlen(law);
    for (const char *at = golden == NULL ? "" : golden; *at != '\0' || !written;) {
        const size_t length = strcspn(at, "\n");
        const bool ours = strncmp(at, law, law_bytes) == 0 && at[law_bytes] == ' ';
        if (!written && (*at == '\0' || ours || strcmp(at, law) > 0)) {
            for (uint32_t i = 0; i < lines->count; i++) {
                fprintf(file, "%s\n", lines->list[i]);
            }
            written = true;
        }
        if (!ours && length > 0) {
            fprintf(file, "%.*s\n", (int)length, at);
        }
        at += length + (at[length] == '\n' ? 1 : 0);
    }
    free(golden);
    if (fclose(file) != 0) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}
