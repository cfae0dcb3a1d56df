#include "sim/twin_witness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/twin.h"

enum { PATH_BYTES = 512 };

static bool write_plan(const struct plan *plan, char path[PATH_BYTES], char *error,
                       size_t error_bytes)
{
    const char *folder = getenv("TMPDIR");
    const int length = snprintf(path, PATH_BYTES, "%s/brownout-twin-XXXXXX",
                                folder != NULL && folder[0] != '\0' ? folder : "/tmp");
    const int descriptor = length < PATH_BYTES ? mkstemp(path) : -1;
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (file == NULL) {
        snprintf(error, error_bytes, "no temporary file %s: %s", path, strerror(errno));
        return false;
    }
    const bool good = plan_write(plan, file);
    if (fclose(file) != 0 || !good) {
        snprintf(error, error_bytes, "%s is not whole: is the disk full?", path);
        (void)unlink(path);
        return false;
    }
    return true;
}

void twin_witness(const char *program, const struct run_request *request, struct witness *witness)
{
    struct run_result *result = &witness->result;
    struct twin_answer answers[2];
    struct twin_task task;
    char path[PATH_BYTES], error[PATH_BYTES + 128];
    CHECK(request->plan != NULL);
    memset(witness, 0, sizeof *witness);
    result->verdict = VERDICT_UNKNOWN;
    plan_init(&result->plan, request->plan->seed);
    if (!write_plan(request->plan, path, error, sizeof error)) {
        snprintf(result->message, sizeof result->message, "%.500s", error);
        return;
    }
    twin_task_init(&task);
    task.program = program;
    task.plan = path;
    task.until_event = request->until_event;
    bool good = twin_run(&task, &answers[0], error, sizeof error);
    task.other_memory = true;
    good = good && twin_run(&task, &answers[1], error, sizeof error);
    (void)unlink(path);
    if (!good) {
        snprintf(result->message, sizeof result->message, "%.500s", error);
        return;
    }
    const bool same =
        answers[0].events == answers[1].events && strcmp(answers[0].hash, answers[1].hash) == 0;
    result->events = answers[0].events > answers[1].events ? answers[0].events : answers[1].events;
    result->verdict = same ? VERDICT_PASS : VERDICT_NONDETERMINISTIC;
    if (!same) {
        snprintf(result->message, sizeof result->message, "one plan, two hashes: %s and %s",
                 answers[0].hash, answers[1].hash);
    }
}
