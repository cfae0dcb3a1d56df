/* brownout report: one HTML file that shows what a run database holds. */
#include <cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/print.h"
#include "sim/record_rows.h"
#include "sim/report_data.h"
#include "sim/report_groups.h"
#include "sim/report_page.h"
#include "sim/report_run.h"

enum { FAILURES_DEFAULT = 20, PATH_BYTES = 4096 };

struct call {
    const char *db, *output;
    uint64_t failures;
};

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    const struct option options[] = {
        {.name = "--db",
         .kind = OPTION_TEXT,
         .target = &call->db,
         .value = "FILE",
         .doc = "the run database; " RECORD_FILE " without it"},
        {.name = "-o",
         .kind = OPTION_TEXT,
         .target = &call->output,
         .value = "FILE",
         .doc = "the file to write; report.html without it"},
        {.name = "--failures",
         .kind = OPTION_COUNT,
         .target = &call->failures,
         .max = REPORT_DIAGRAMS_MAX,
         .value = "N",
         .doc = "so many failing runs with a diagram of all their events (20)"},
    };
    const struct option_verb verb = {
        .name = "report",
        .doc = "A run database as one HTML file, which opens without a network",
        .details =
            "Verdicts, laws, faults and probes, how far coverage has come, figures as plots, and\n"
            "failures in groups. Runs with a diagram are lived again from their plans: of each\n"
            "group the one of the fewest events first. One that this program lives in another way\n"
            "is drawn from the last events that the database has.\n"
            "Exit code 0: the file is written, whatever the runs came to.",
        .example = "brownout report --db runs.db -o report.html",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    const char *argument;
    *call = (struct call){.db = RECORD_FILE, .output = "report.html", .failures = FAILURES_DEFAULT};
    return command_parse(&verb, argc, argv, &argument, exit_code);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* Written beside its place and moved there when it is whole. */
struct output {
    FILE *file;
    const char *path;
    char part[PATH_BYTES];
};

static bool output_open(struct output *output, const struct call *call, char *error,
                        size_t error_bytes)
{
    struct stat there, db;
    output->path = call->output;
    const int length =
        snprintf(output->part, sizeof output->part, "%s.%ld.part", call->output, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof output->part) {
        snprintf(error, error_bytes, "-o: the path is too long");
        return false;
    }
    if (stat(call->output, &there) == 0 &&
        ((stat(call->db, &db) == 0 && there.st_dev == db.st_dev && there.st_ino == db.st_ino) ||
         !S_ISREG(there.st_mode))) {
        snprintf(error, error_bytes, "-o %s: it is the run database, or no file; name another one",
                 call->output);
        return false;
    }
    output->file = fopen(output->part, "wb");
    if (output->file == NULL) {
        snprintf(error, error_bytes, "-o %s: %s; name a place that can be written to", call->output,
                 strerror(errno));
        return false;
    }
    return true;
}

static bool output_close(struct output *output, bool good, char *error, size_t error_bytes)
{
    if (output->file == NULL) {
        return false;
    }
    const bool wrote = ferror(output->file) == 0;
    const bool whole = fclose(output->file) == 0 && wrote;
    if (good && whole && rename(output->part, output->path) == 0) {
        return true;
    }
    if (good) {
        snprintf(error, error_bytes, "%s: %s; is there room?", output->path, strerror(errno));
    }
    unlink(output->part);
    return false;
}

/* As a script that is not run: nothing in it may look like the end of one. JSON has '<' only inside
 * of texts. Deletes the object. */
static void write_json(FILE *file, const char *id, cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    CHECK(text != NULL);
    fprintf(file, "<script type=\"application/json\" id=\"%s\">", id);
    for (const char *at = text; *at != '\0';) {
        const size_t plain = strcspn(at, "<");
        fwrite(at, 1, plain, file);
        at += plain;
        if (*at == '<') {
            fputs("\\u003c", file);
            at++;
        }
    }
    fputs("</script>\n", file);
    cJSON_free(text);
    cJSON_Delete(object);
}

static size_t page_mark(void)
{
    const size_t mark_bytes = strlen(REPORT_PAGE_MARK);
    for (size_t i = 0; i + mark_bytes <= report_page_bytes; i++) {
        if (memcmp(report_page + i, REPORT_PAGE_MARK, mark_bytes) == 0) {
            return i;
        }
    }
    CHECK(false); /* report/build.mjs makes no page without it */
    return 0;
}

/* ---- what is in it --------------------------------------------------------------------------- */

static void add_head(cJSON *object, const struct call *call)
{
    char at[32] = "";
    const time_t now = time(NULL);
    struct record_build build;
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    record_build(&build);
    const char *slash = strrchr(call->db, '/');
    json_text(object, "db", slash == NULL ? call->db : slash + 1);
    json_text(object, "made_at", at);
    json_text(object, "made_by", build.commit);
}

static bool load(struct record *record, const struct report_choice *choice,
                 struct subject *subjects, char *error, size_t error_bytes)
{
    for (uint32_t i = 0; i < choice->count; i++) {
        char why[RECORD_ERROR_BYTES] = "";
        /* One whose scenario is gone, or whose plan does not read, may have its events still. */
        if (!subject_load_run(&subjects[i], record, choice->runs[i], why, sizeof why)) {
            if (subjects[i].found.plan == NULL) {
                snprintf(error, error_bytes, "%s", why);
                return false;
            }
            subjects[i].found.hash[0] = '\0';
        }
    }
    return true;
}

/* All that the database is asked for before runs are lived again. */
static bool read_database(const struct call *call, cJSON *object, struct report_choice *choice,
                          struct subject *subjects, char *error, size_t error_bytes)
{
    struct record *record = record_open(call->db, RECORD_READ, error, error_bytes);
    bool good = record != NULL && record_look_begin(record, error, error_bytes);
    if (good) {
        good = report_data(record, object, error, error_bytes) &&
               report_groups(record, call->db, (uint32_t)call->failures, object, choice, error,
                             error_bytes) &&
               load(record, choice, subjects, error, error_bytes);
        record_look_end(record);
    }
    record_close(record);
    return good;
}

static bool write_page(const struct call *call, FILE *file, char *error, size_t error_bytes)
{
    struct report_choice choice = {0};
    const size_t mark = page_mark(), behind = mark + strlen(REPORT_PAGE_MARK);
    struct subject *subjects = calloc(call->failures + 1, sizeof *subjects);
    cJSON *object = cJSON_CreateObject();
    CHECK(subjects != NULL && object != NULL);
    add_head(object, call);
    bool good = read_database(call, object, &choice, subjects, error, error_bytes);
    fwrite(report_page, 1, mark, file);
    cJSON *diagrams = cJSON_AddArrayToObject(object, "diagrams");
    CHECK(diagrams != NULL);
    for (uint32_t i = 0; i < choice.count; i++) {
        CHECK(cJSON_AddItemToArray(diagrams, cJSON_CreateNumber((double)choice.runs[i])));
    }
    write_json(file, "report-data", object);
    for (uint32_t i = 0; i < choice.count && good; i++) {
        char id[40];
        snprintf(id, sizeof id, "run-%" PRId64, choice.runs[i]);
        write_json(file, id, report_run(&subjects[i], call->db));
    }
    fwrite(report_page + behind, 1, report_page_bytes - behind, file);
    for (uint32_t i = 0; i < choice.count; i++) {
        subject_free(&subjects[i]);
    }
    free(subjects);
    return good;
}

int command_report(int argc, char **argv)
{
    struct call call;
    struct output output = {0};
    char error[RECORD_ERROR_BYTES] = "";
    int exit_code;
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (report_page_bytes == 0) {
        return command_refuse("report", "this build has no page: npm, or what it fetches, was not "
                                        "there; run scripts/setup.sh, then cmake again");
    }
    if (!output_open(&output, &call, error, sizeof error)) {
        return command_refuse("report", error);
    }
    const bool good = write_page(&call, output.file, error, sizeof error);
    if (!output_close(&output, good, error, sizeof error)) {
        return command_refuse("report", error);
    }
    printf("%s\n", call.output);
    return VERDICT_PASS;
}
