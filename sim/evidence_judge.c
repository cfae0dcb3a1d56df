#include "sim/evidence_judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/check.h"

enum { SLACK_US = 5000000, SLACK_SHARE = 8 };

/* ---- How far each law is judged -------------------------------------------------------------- */

#define PAGE_CACHE  "a killed process leaves all that it wrote: no loss of power was tried"
#define NO_FIRMWARE "daemons manage no firmware"
#define NO_FLASH    "only the simulator sees each write to flash"

static const struct {
    enum evidence_standing standing;
    const char *why; /* "": nothing is missing */
} standings[LAW_COUNT] = {
    [LAW_TELEMETRY_ONCE] = {STANDING_FULL, ""},
    [LAW_TELEMETRY_AUTHENTIC] = {STANDING_FULL, ""},
    [LAW_TELEMETRY_DURABLE] = {STANDING_WEAK, PAGE_CACHE},
    [LAW_TELEMETRY_NONCE] = {STANDING_WEAK, PAGE_CACHE},
    [LAW_TELEMETRY_WINDOW] = {STANDING_FULL, ""},
    [LAW_DEVICE_OUTBOX] = {STANDING_FULL, ""},
    [LAW_SPEC_TELEMETRY] = {STANDING_WEAK, PAGE_CACHE},
    [LAW_SPEC_SESSION] = {STANDING_WEAK, "links are known by who opens them, not by what befell "
                                         "them"},
    [LAW_GATEWAY_CUSTODY] = {STANDING_WEAK, PAGE_CACHE},
    [LAW_RESOURCES_BOUNDS] = {STANDING_FULL, ""},
    [LAW_TIME_CADENCE] = {STANDING_WEAK, "by one clock; a process that was starved or stopped is "
                                         "late as well"},
    [LAW_UPDATE_AUTHENTIC] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_UPDATE_BOOTABLE] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_UPDATE_LAST_GOOD] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_UPDATE_TRIALS] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_UPDATE_CONFIRM] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_UPDATE_FLOOR] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_UPDATE_RESUME] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_UPDATE_PROGRESS] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_UPDATE_TRUTHFUL] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_IDENTITY_KEY] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_SPEC_UPDATE] = {STANDING_UNKNOWN, NO_FIRMWARE},
    [LAW_FLASH_DISCIPLINE] = {STANDING_UNKNOWN, NO_FLASH},
    [LAW_FLASH_TAINT] = {STANDING_UNKNOWN, NO_FLASH},
    [LAW_FLASH_BOUNDS] = {STANDING_UNKNOWN, NO_FLASH},
    [LAW_FLASH_WEAR] = {STANDING_UNKNOWN, NO_FLASH},
    [LAW_LIVENESS_DELIVERED] = {STANDING_WEAK, "that nothing went wrong since is --settled's word"},
    [LAW_LIVENESS_ACKED] = {STANDING_WEAK, "that nothing went wrong since is --settled's word"},
    [LAW_CORE_CHECK] = {STANDING_FULL, ""},
};

enum evidence_standing evidence_standing(const struct evidence_judge *judge, enum law law,
                                         const char **why)
{
    *why = standings[law].why;
    if ((law == LAW_LIVENESS_DELIVERED || law == LAW_LIVENESS_ACKED) &&
        judge->heal_us == UINT64_MAX) {
        *why = "say with --settled since when nothing was broken";
        return STANDING_UNKNOWN;
    }
    if (judge_is_void(judge->judge, law)) {
        *why = "a log or a disk that it needs is missing";
        return STANDING_UNKNOWN;
    }
    return standings[law].standing;
}

const char *evidence_standing_name(enum evidence_standing standing)
{
    static const char *const names[] = {"full", "weakened", "unknown"};
    return names[standing];
}

/* ---- Who is judged --------------------------------------------------------------------------- */

static bool same(uint32_t *value, uint32_t of_log, const char *what, char *error,
                 size_t error_bytes)
{
    if (*value != 0 && *value != of_log) {
        snprintf(error, error_bytes,
                 "logs differ in %s (%" PRIu32 ", %" PRIu32
                 "): judge nodes of one configuration together",
                 what, *value, of_log);
        return false;
    }
    *value = of_log;
    return true;
}

static bool admit(struct evidence_judge *judge, const struct evidence_header *header, char *error,
                  size_t error_bytes)
{
    struct judge_config *config = &judge->config;
    switch (header->role) {
    case EVIDENCE_OF_CLOUD:
        judge->roles[header->node] = MODEL_CLOUD;
        judge->cloud_count++;
        config->cloud_window = header->window;
        return true;
    case EVIDENCE_OF_GATEWAY:
        judge->roles[header->node] = MODEL_GATEWAY;
        judge->gateway_count++;
        config->queue_max = header->queue > config->queue_max ? header->queue : config->queue_max;
        return true;
    case EVIDENCE_OF_DEVICE:
        judge->roles[header->node] = MODEL_DEVICE;
        judge->device_count++;
        if (config->sample_every_us != 0 && config->sample_every_us != header->sample_us) {
            snprintf(error, error_bytes,
                     "logs differ in sample_us: judge devices of one period "
                     "together");
            return false;
        }
        config->sample_every_us = header->sample_us;
        return same(&config->outbox_max, header->outbox, "outbox", error, error_bytes) &&
               same(&config->reserve, header->reserve, "reserve", error, error_bytes);
    }
    return false;
}

/* Where a role's log is missing, what it would have said cannot be held against the others. */
static void leave_out(struct evidence_judge *judge)
{
    static const enum law of_all[] = {
        LAW_TELEMETRY_ONCE, LAW_TELEMETRY_AUTHENTIC, LAW_TELEMETRY_DURABLE, LAW_TELEMETRY_WINDOW,
        LAW_SPEC_TELEMETRY, LAW_SPEC_SESSION,        LAW_LIVENESS_ACKED,    LAW_LIVENESS_DELIVERED};
    for (size_t i = 0; i < sizeof of_all / sizeof of_all[0]; i++) {
        if (judge->cloud_count == 0 || judge->device_count == 0) {
            judge_void(judge->judge, of_all[i], UINT32_MAX);
        }
    }
    if (judge->gateway_count == 0) {
        judge_void(judge->judge, LAW_SPEC_SESSION, UINT32_MAX);
        judge_void(judge->judge, LAW_GATEWAY_CUSTODY, UINT32_MAX);
    }
}

bool evidence_judge_init(struct evidence_judge *judge, const struct evidence_merge *merge,
                         uint64_t heal_us, char *error, size_t error_bytes)
{
    const struct evidence_header *header;
    uint32_t highest = 0;
    *judge = (struct evidence_judge){.heal_us = heal_us};
    for (uint32_t i = 0; (header = merge_header(merge, i)) != NULL; i++) {
        highest = header->node > highest ? header->node : highest;
    }
    judge->config.node_count = highest + 1;
    judge->roles = calloc(judge->config.node_count, sizeof *judge->roles);
    CHECK(judge->roles != NULL);
    for (uint32_t i = 0; i <= highest; i++) {
        judge->roles[i] = MODEL_OTHER;
    }
    judge->config.roles = judge->roles;
    for (uint32_t i = 0; (header = merge_header(merge, i)) != NULL; i++) {
        if (!admit(judge, header, error, error_bytes)) {
            evidence_judge_free(judge);
            return false;
        }
    }
    if (judge->cloud_count > 1) {
        snprintf(error, error_bytes, "logs of %" PRIu32 " clouds: judge one fleet at a time",
                 judge->cloud_count);
        evidence_judge_free(judge);
        return false;
    }
    judge->config.sample_slack_us = judge->config.sample_every_us / SLACK_SHARE + SLACK_US;
    judge->judge = calloc(1, judge_size_bytes(&judge->config));
    CHECK(judge->judge != NULL);
    judge_init(judge->judge, &judge->config);
    leave_out(judge);
    return true;
}

void evidence_judge_free(struct evidence_judge *judge)
{
    free(judge->judge);
    free(judge->roles);
    judge->judge = NULL;
    judge->roles = NULL;
}

/* ---- Hearing --------------------------------------------------------------------------------- */

static void observe(struct evidence_judge *judge, const struct observation *observation,
                    const struct merge_place *place)
{
    if (!judge->violated && !judge_observe(judge->judge, observation, &judge->violation)) {
        judge->violated = true;
        judge->place = *place;
    }
}

static void count(struct evidence_judge *judge, const struct observation *observation)
{
    switch (observation->kind) {
    case EVIDENCE_SIGN:
        judge->signed_count++;
        break;
    case EVIDENCE_RELEASE:
        judge->acked++;
        break;
    case EVIDENCE_ACCEPT:
        judge->accepted++;
        break;
    case TRUTH_READING:
        judge->image_rows++;
        break;
    case TRUTH_IMAGE_END:
        if (judge->roles[observation->node] == MODEL_CLOUD) {
            judge->last_rows = judge->image_rows;
            judge->image_rows = 0;
        }
        break;
    default:
        break;
    }
}

static void heal(struct evidence_judge *judge, uint64_t time_us, const struct merge_place *place)
{
    if (!judge->healed && time_us >= judge->heal_us) {
        const struct observation healed = {.time_us = judge->heal_us, .kind = TRUTH_HEAL};
        judge->healed = true;
        observe(judge, &healed, place);
    }
}

/* Is it about a device whose log is not here? What it did is not known. */
static bool is_about_stranger(const struct evidence_judge *judge, uint32_t device)
{
    return device != 0 &&
           (device >= judge->config.node_count || judge->roles[device] == MODEL_OTHER);
}

/* A disk that cannot be read proves nothing, and what was promised on it is void; so is what a node
 * does whose log has ended. */
static void leave(struct evidence_judge *judge, uint32_t node)
{
    static const enum law laws[] = {
        LAW_TELEMETRY_ONCE,    LAW_TELEMETRY_AUTHENTIC, LAW_TELEMETRY_DURABLE, LAW_TELEMETRY_WINDOW,
        LAW_TELEMETRY_NONCE,   LAW_DEVICE_OUTBOX,       LAW_SPEC_TELEMETRY,    LAW_SPEC_SESSION,
        LAW_GATEWAY_CUSTODY,   LAW_RESOURCES_BOUNDS,    LAW_TIME_CADENCE,      LAW_LIVENESS_ACKED,
        LAW_LIVENESS_DELIVERED};
    for (size_t i = 0; i < sizeof laws / sizeof laws[0]; i++) {
        judge_void(judge->judge, laws[i], node);
    }
}

void evidence_judge_hear(void *ctx, const struct observation *observation,
                         const struct merge_place *place)
{
    struct evidence_judge *judge = ctx;
    if (judge->violated) {
        return;
    }
    judge->last_us = observation->time_us > judge->last_us ? observation->time_us : judge->last_us;
    if (observation->kind == MERGE_CHECK) {
        const struct judge_finding finding = {"a CHECK failed (line)", 0, observation->value};
        judge->violated =
            judge_found(judge->judge, LAW_CORE_CHECK, observation, &finding, &judge->violation);
        judge->place = *place;
        return;
    }
    if (observation->kind == MERGE_UNREADABLE || observation->kind == MERGE_FULL) {
        leave(judge, observation->node);
        return;
    }
    if (is_about_stranger(judge, observation->device)) {
        judge->passed_over++;
        return;
    }
    heal(judge, observation->time_us, place);
    count(judge, observation);
    observe(judge, observation, place);
}

void evidence_judge_end(struct evidence_judge *judge, const struct merge_counts *counts)
{
    const struct merge_place nowhere = {"the end of the logs", 0};
    const struct observation end = {
        .time_us = judge->last_us, .event = counts->steps, .kind = TRUTH_END};
    judge_exercise(judge->judge, LAW_CORE_CHECK, counts->steps);
    heal(judge, judge->heal_us <= judge->last_us ? judge->last_us : 0, &nowhere);
    observe(judge, &end, &nowhere);
}
