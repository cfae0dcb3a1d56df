/* Goal: core/mqtt/COVERAGE.md says of each normative statement of MQTT 5 what is true.
 * Method: its rows against the numbers in the comments of core, both ways. It runs in the root of
 * the tree. */
#include <dirent.h>
#include <stdbool.h>
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

enum { STATEMENTS = 251, ID_BYTES = 24, LINE_BYTES = 4096, FILE_BYTES_MAX = 1 << 20 };

enum status { IMPLEMENTED, NOT_APPLICABLE, MISSING };

struct row {
    char id[ID_BYTES];
    unsigned numbers[4];
    enum status status;
    char where[LINE_BYTES];
};

static struct row rows[STATEMENTS + 1];
static unsigned row_count, totals[3], said_totals[3];

static char *file_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s is missing\n", path);
        exit(1);
    }
    char *text = calloc(1, FILE_BYTES_MAX);
    EXPECT(text != NULL);
    EXPECT(fread(text, 1, FILE_BYTES_MAX - 1, file) > 0);
    EXPECT(feof(file) != 0);
    EXPECT(fclose(file) == 0);
    return text;
}

/* The statement that begins here: bytes of "MQTT-a.b.c-d" or "MQTT-a.b-d"; 0: there is none. */
static unsigned statement_at(const char *text, char id[ID_BYTES], unsigned numbers[4])
{
    int end = 0;
    memset(numbers, 0, 4 * sizeof numbers[0]);
    if (sscanf(text, "MQTT-%u.%u.%u-%u%n", &numbers[0], &numbers[1], &numbers[2], &numbers[3],
               &end) != 4) {
        numbers[2] = 0;
        end = 0;
        if (sscanf(text, "MQTT-%u.%u-%u%n", &numbers[0], &numbers[1], &numbers[3], &end) != 3) {
            return 0;
        }
    }
    EXPECT(end > 0 && end < ID_BYTES);
    snprintf(id, ID_BYTES, "%.*s", end, text);
    return (unsigned)end;
}

/* A column of a row of the table, without the spaces around it. */
static void column(const char *line, unsigned wanted, char out[LINE_BYTES])
{
    for (; wanted > 0; wanted--) {
        line = strchr(line, '|');
        EXPECT(line != NULL);
        line++;
    }
    const char *end = strchr(line, '|');
    EXPECT(end != NULL && end - line >= 3);
    snprintf(out, LINE_BYTES, "%.*s", (int)(end - line - 2), line + 1);
}

static void row_read(const char *line)
{
    char id[LINE_BYTES], status[LINE_BYTES];
    EXPECT(row_count < STATEMENTS);
    struct row *row = &rows[row_count++];
    column(line, 1, id);
    EXPECT_EQUAL(statement_at(id, row->id, row->numbers), strlen(id));
    column(line, 4, status);
    column(line, 5, row->where);
    EXPECT(row->where[0] != '\0');
    static const char *const names[] = {"implemented", "not applicable", "missing"};
    unsigned kind = 0;
    while (strcmp(status, names[kind]) != 0) {
        kind++;
        EXPECT(kind < 3);
    }
    row->status = (enum status)kind;
    totals[kind]++;
}

static void the_list_is_read(void)
{
    char *text = file_text("core/mqtt/COVERAGE.md");
    const char *said = strstr(text, "holds. ");
    EXPECT(said != NULL);
    EXPECT_EQUAL(sscanf(said, "holds. %u implemented, %u not applicable, %u missing",
                        &said_totals[0], &said_totals[1], &said_totals[2]),
                 3);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, "| MQTT-", 7) == 0) {
            EXPECT(strlen(line) < LINE_BYTES);
            row_read(line);
        }
    }
    free(text);
}

static void every_statement_is_there_once_and_counted(void)
{
    EXPECT_EQUAL(row_count, STATEMENTS);
    for (unsigned kind = 0; kind < 3; kind++) {
        EXPECT_EQUAL(totals[kind], said_totals[kind]);
    }
    for (unsigned index = 1; index < row_count; index++) {
        int order = 0;
        for (unsigned part = 0; part < 4 && order == 0; part++) {
            order = (rows[index - 1].numbers[part] > rows[index].numbers[part]) -
                    (rows[index - 1].numbers[part] < rows[index].numbers[part]);
        }
        EXPECT(order < 0);
    }
}

static bool cites(const char *text, const char *wanted)
{
    for (const char *at = strstr(text, "MQTT-"); at != NULL; at = strstr(at + 1, "MQTT-")) {
        char id[ID_BYTES];
        unsigned numbers[4];
        if (statement_at(at, id, numbers) > 0 && strcmp(id, wanted) == 0) {
            return true;
        }
    }
    return false;
}

static void what_is_implemented_is_cited_where_it_says(void)
{
    for (unsigned index = 0; index < row_count; index++) {
        unsigned files = 0;
        for (const char *at = strchr(rows[index].where, '`');
             rows[index].status == IMPLEMENTED && at != NULL; at = strchr(at + 1, '`')) {
            char path[LINE_BYTES + 8];
            const char *end = strchr(at + 1, '`');
            EXPECT(end != NULL);
            snprintf(path, sizeof path, "core/%.*s", (int)(end - at - 1), at + 1);
            char *text = file_text(path);
            if (!cites(text, rows[index].id)) {
                fprintf(stderr, "%s does not cite %s\n", path, rows[index].id);
                exit(1);
            }
            free(text);
            files++;
            at = end;
        }
        EXPECT((files > 0) == (rows[index].status == IMPLEMENTED));
    }
}

static unsigned citations;

static void check_file(const char *path)
{
    char *text = file_text(path);
    for (const char *at = strstr(text, "MQTT-"); at != NULL; at = strstr(at + 1, "MQTT-")) {
        char id[ID_BYTES];
        unsigned numbers[4], index = 0;
        if (statement_at(at, id, numbers) == 0) {
            continue;
        }
        while (index < row_count && strcmp(rows[index].id, id) != 0) {
            index++;
        }
        if (index == row_count || rows[index].status != IMPLEMENTED) {
            fprintf(stderr, "%s cites %s, which COVERAGE.md does not list as implemented\n", path,
                    id);
            exit(1);
        }
        citations++;
    }
    free(text);
}

static void what_is_cited_is_listed_as_implemented(void)
{
    static const char *const folders[] = {"core", "core/mqtt", "core/server", "core/test"};
    for (unsigned index = 0; index < sizeof folders / sizeof folders[0]; index++) {
        DIR *folder = opendir(folders[index]);
        EXPECT(folder != NULL);
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            const size_t length = strlen(entry->d_name);
            if (length > 2 && entry->d_name[length - 2] == '.' &&
                strchr("ch", entry->d_name[length - 1]) != NULL) {
                char path[LINE_BYTES];
                snprintf(path, sizeof path, "%s/%s", folders[index], entry->d_name);
                check_file(path);
            }
        }
        EXPECT(closedir(folder) == 0);
    }
    EXPECT(citations > STATEMENTS);
}

int main(void)
{
    RUN(the_list_is_read);
    RUN(every_statement_is_there_once_and_counted);
    RUN(what_is_implemented_is_cited_where_it_says);
    RUN(what_is_cited_is_listed_as_implemented);
    return 0;
}
