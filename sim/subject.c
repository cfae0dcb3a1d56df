#include "sim/subject.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/check.h"

/* What stands behind the end of a plan file, if it was written after a run. */
static void read_lived(FILE *file, struct record_found *found)
{
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "# lived: verdict %23s hash %32s program %32s", found->verdict,
                   found->hash, found->program) >= 2) {
            return;
        }
    }
}

bool subject_load_file(struct subject *subject, const char *path, char *error, size_t error_bytes)
{
    char reason[400];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s; name a plan file, or the number of a run", path,
                 strerror(errno));
        return false;
    }
    subject->has_plan = plan_read(&subject->plan, file, reason, sizeof reason);
    if (subject->has_plan) {
        read_lived(file, &subject->found);
    } else {
        snprintf(error, error_bytes, "%s: %s", path, reason);
    }
    fclose(file);
    return subject->has_plan;
}

/* The scenario must be the one that ran. */
static bool check_scenario(const struct record_found *found, char *error, size_t error_bytes)
{
    char now[HASH_TEXT_BYTES];
    record_file_hash(found->scenario, now);
    if (now[0] == '\0') {
        snprintf(error, error_bytes,
                 "run %" PRId64 " kept no plan, and its scenario %s is not here; call from the "
                 "folder where it was recorded",
                 found->id, found->scenario);
        return false;
    }
    if (strcmp(now, found->scenario_hash) != 0) {
        snprintf(error, error_bytes,
                 "run %" PRId64 " kept no plan, and its scenario %s has changed since; bring back "
                 "the file of that day (commit %s)",
                 found->id, found->scenario, found->commit);
        return false;
    }
    return true;
}

bool subject_load_run(struct subject *subject, struct record *record, int64_t run_id, char *error,
                      size_t error_bytes)
{
    subject->run_id = run_id;
    if (!record_find(record, run_id, &subject->found, error, error_bytes)) {
        return false;
    }
    /* What a Lua function judged needs Lua to be seen again. */
    if (subject->found.plan != NULL && !subject->found.live_expectation) {
        subject->has_plan = plan_read_text(&subject->plan, subject->found.plan, error, error_bytes);
        return subject->has_plan;
    }
    return command_settings_read(&subject->settings, subject->found.settings) &&
           check_scenario(&subject->found, error, error_bytes);
}

void subject_free(struct subject *subject)
{
    plan_free(&subject->plan);
    record_found_free(&subject->found);
}

void subject_request(const struct subject *subject, struct run_request *request,
                     struct command_settings *settings)
{
    run_request_init(request);
    if (subject->has_plan) {
        request->plan = &subject->plan;
    } else {
        request->scenario = subject->found.scenario;
        request->seed = subject->found.seed;
        command_settings(settings, &subject->settings, request);
    }
}

enum subject_match subject_compare(const struct subject *subject, const struct run_result *result,
                                   char *note, size_t note_bytes)
{
    struct record_build build;
    char hash[HASH_TEXT_BYTES];
    const struct record_found *then = &subject->found;
    record_build(&build);
    hash_print(result->digest, hash);
    if (then->hash[0] == '\0') {
        snprintf(note, note_bytes, "there is no hash to compare with");
    } else if (strcmp(then->hash, hash) == 0) {
        snprintf(note, note_bytes, "the same hash as when it was lived");
    } else if (build.program[0] != '\0' && strcmp(then->program, build.program) == 0) {
        snprintf(note, note_bytes, "brownout selfcheck names the first event that differs");
        return SUBJECT_DIFFERS;
    } else {
        snprintf(note, note_bytes,
                 "another hash (%s then): it was lived by another program%s%s; this one is %s",
                 then->hash, then->commit[0] == '\0' ? "" : ", commit ", then->commit,
                 build.commit);
        return SUBJECT_OTHER;
    }
    return SUBJECT_SAME;
}
