/* Triage as one JSON object for programs. */
#include <cJSON.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/print.h"
#include "sim/triage.h"

static struct cJSON *object_in(struct cJSON *object, const char *name)
{
    struct cJSON *child = cJSON_AddObjectToObject(object, name);
    CHECK(child != NULL);
    return child;
}

static struct cJSON *array_in(struct cJSON *object, const char *name)
{
    struct cJSON *child = cJSON_AddArrayToObject(object, name);
    CHECK(child != NULL);
    return child;
}

static void add_seed(struct cJSON *object, const char *name, const struct triage_print *print,
                     uint32_t index)
{
    char line[COMMAND_LINE_BYTES];
    const struct triage_failure *failure = &print->triage->failures[index];
    struct cJSON *seed = object_in(object, name);
    command_replay_line(line, sizeof line, failure->run, print->db);
    json_number(seed, "run_id", (uint64_t)failure->run);
    json_text(seed, "scenario", print->triage->arms[failure->arm].scenario);
    json_number(seed, "seed", failure->seed);
    json_number(seed, "faults_fired", failure->faults);
    json_number(seed, "events", failure->events);
    json_text(seed, "replay", line);
}

static void add_cone(struct cJSON *object, const char *cone)
{
    if (strcmp(cone, "?") == 0) {
        CHECK(cJSON_AddNullToObject(object, "cone") != NULL);
        return;
    }
    struct cJSON *list = array_in(object, "cone");
    while (*cone != '\0' && strcmp(cone, "-") != 0) {
        char name[64];
        const size_t length = strcspn(cone, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, cone);
        CHECK(cJSON_AddItemToArray(list, cJSON_CreateString(name)));
        cone += length + (cone[length] == ',' ? 1 : 0);
    }
}

static const char *or_null(const char *text)
{
    return strcmp(text, "-") == 0 ? NULL : text;
}

static void add_group(struct cJSON *list, const struct triage_print *print,
                      const struct triage_group *group)
{
    const struct triage *triage = print->triage;
    const struct triage_subject *subject = triage->failures[group->first].subject;
    char sure[400];
    struct cJSON *object = cJSON_CreateObject();
    CHECK(object != NULL);
    triage_confidence(triage, group, sure, sizeof sure);
    json_text(object, "key", group->key);
    char cause[TRIAGE_CAUSE_DIGITS + 1];
    snprintf(cause, sizeof cause, "%.*s", TRIAGE_CAUSE_DIGITS, group->key);
    json_text(object, "cause", cause);
    json_text(object, "state", triage_state_name(group->state));
    json_text(object, "known", group->reason);
    json_text(object, "law", subject->law);
    json_text(object, "what", subject->what);
    json_text(object, "evidence", or_null(subject->evidence));
    json_text(object, "role", or_null(subject->role));
    add_cone(object, subject->cone);
    json_number(object, "failures", group->failures);
    json_number(object, "failures_now", group->failures_now);
    json_number(object, "runs", group->runs);
    json_number(object, "runs_now", group->runs_now);
    json_text(object, "first_revision", triage->revisions[group->first_revision].name);
    json_text(object, "last_revision", triage->revisions[group->last_revision].name);
    json_number(object, "clean_runs", group->clean);
    CHECK(cJSON_AddNumberToObject(object, "chance", group->chance) != NULL);
    json_text(object, "confidence", sure);
    add_seed(object, "fewest_faults", print, group->fewest);
    add_seed(object, "fastest", print, group->fastest);
    CHECK(cJSON_AddItemToArray(list, object));
}

void triage_print_json(const struct triage_print *print, FILE *file)
{
    const struct triage *triage = print->triage;
    struct cJSON *object = cJSON_CreateObject();
    CHECK(object != NULL);
    json_text(object, "db", print->db);
    json_number(object, "runs", triage->runs);
    json_number(object, "runs_now", triage->runs_now);
    json_number(object, "failures", triage->failure_count);
    json_number(object, "complaints", triage->cause_count);
    json_number(object, "unknown_groups_now", triage_new_count(triage));
    struct cJSON *revisions = array_in(object, "revisions");
    for (uint32_t i = 0; i < triage->revision_count; i++) {
        struct cJSON *revision = cJSON_CreateObject();
        CHECK(revision != NULL);
        json_text(revision, "name", triage->revisions[i].name);
        json_text(revision, "first_at", triage->revisions[i].first_at);
        CHECK(cJSON_AddItemToArray(revisions, revision));
    }
    struct cJSON *groups = array_in(object, "groups");
    for (uint32_t i = 0; i < triage->group_count; i++) {
        add_group(groups, print, &triage->groups[i]);
    }
    struct cJSON *unused = array_in(object, "known_unused");
    for (uint32_t i = 0; print->known != NULL && i < print->known->count; i++) {
        if (!print->known->lines[i].used) {
            CHECK(cJSON_AddItemToArray(unused, cJSON_CreateString(print->known->lines[i].key)));
        }
    }
    json_print(file, object);
}
