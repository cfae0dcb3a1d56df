/* brownout session: MQTT 5 sessions under faults, judged. */
#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/hash.h"
#include "sim/print.h"
#include "sim/mqtt_mutants.h"
#include "sim/mqtt_world.h"

#define FAULTS_ALL ((1u << SESSION_FAULT_COUNT) - 1u)

struct call {
    const char *faults, *mutants, *source, *build;
    uint64_t seed, runs;
    bool json, verbose, all;
    uint32_t fault_bits;
};

/* What all runs came to. */
struct tally {
    uint64_t runs, events, published, told;
    uint64_t counts[MQTT_LAW_COUNT], struck[SESSION_FAULT_COUNT];
    uint64_t seed; /* of the last one */
    struct mqtt_world_result last;
};

static bool parse_faults(struct call *call, char *error, size_t error_bytes)
{
    const char *at = call->faults;
    call->fault_bits = 0;
    if (at == NULL || strcmp(at, "all") == 0) {
        call->fault_bits = FAULTS_ALL;
        return true;
    }
    while (*at != '\0' && strcmp(call->faults, "none") != 0) {
        const size_t length = strcspn(at, ",");
        uint32_t fault = 0;
        while (fault < SESSION_FAULT_COUNT &&
               (strlen(mqtt_world_fault_name((enum mqtt_world_fault)fault)) != length ||
                strncmp(mqtt_world_fault_name((enum mqtt_world_fault)fault), at, length) != 0)) {
            fault++;
        }
        if (fault == SESSION_FAULT_COUNT) {
            snprintf(error, error_bytes,
                     "--faults: no class %.*s; they are all, none, or any of cut, half_open, "
                     "stall, chunk, broker_crash, broker_power, restart, forget, leave, spoil, "
                     "rude, with commas between",
                     (int)length, at);
            return false;
        }
        call->fault_bits |= 1u << fault;
        at += length + (at[length] == ',');
    }
    return true;
}

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    const struct option options[] = {
        {.name = "--seed",
         .kind = OPTION_COUNT,
         .target = &call->seed,
         .max = COMMAND_SEED_MAX,
         .value = "N",
         .doc = "of the first run; 1 where it is left out"},
        {.name = "--runs",
         .kind = OPTION_COUNT,
         .target = &call->runs,
         .min = 1,
         .max = 1000000,
         .value = "N",
         .doc = "so many seeds, one after the other, until a law breaks; 1 where it is left out"},
        {.name = "--faults",
         .kind = OPTION_TEXT,
         .target = &call->faults,
         .value = "LIST",
         .doc = "all, none, or classes with commas between (see below)"},
        {.name = "--mutants",
         .kind = OPTION_TEXT,
         .target = &call->mutants,
         .value = "NAMES",
         .doc = "all, or planted bugs of sim/mutants/session with commas between: each must be "
                "caught within --runs seeds (200 where it is left out) by the law that it names"},
        {.name = "--source",
         .kind = OPTION_TEXT,
         .target = &call->source,
         .value = "FOLDER",
         .doc = "of the tree that is patched; the one that was built where it is left out"},
        {.name = "--build",
         .kind = OPTION_TEXT,
         .target = &call->build,
         .value = "FOLDER",
         .doc = "of the build; build where it is left out"},
        {.name = "--packets",
         .kind = OPTION_FLAG,
         .target = &call->verbose,
         .doc = "each packet, at both ends, as a line on standard error"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of text"},
    };
    const struct option_verb verb = {
        .name = "session",
        .doc = "MQTT 5 sessions: the real broker and real clients under faults, judged by M1 to "
               "M20.",
        .details =
            "Fault classes: cut, half_open, stall (links), chunk (bytes cut anywhere),\n"
            "broker_crash, broker_power (at any operation of its disk), restart, forget (a\n"
            "client, with and without its session), leave (with and without DISCONNECT), spoil\n"
            "(a bit: DUP, Session Present), rude (a client breaks the protocol), busy (the\n"
            "broker's host: what comes meanwhile is taken at once, with one commit).\n"
            "The same seed and classes: the same run, with the same hash. docs/session.md says\n"
            "what each law is.\n",
        .example = "brownout session --seed 7 --runs 20",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    const char *argument = NULL;
    memset(call, 0, sizeof *call);
    call->seed = 1;
    return command_parse(&verb, argc, argv, &argument, exit_code);
}

static void run_all(const struct call *call, struct tally *tally)
{
    for (uint64_t run = 0; run < call->runs; run++) {
        struct mqtt_world_result *result = &tally->last;
        const struct mqtt_world_request request = {
            .seed = call->seed + run, .faults = call->fault_bits, .verbose = call->verbose};
        mqtt_world_run(&request, result);
        tally->runs++;
        tally->seed = request.seed;
        tally->events += result->events;
        tally->published += result->published;
        tally->told += result->told;
        for (uint32_t law = 0; law < MQTT_LAW_COUNT; law++) {
            tally->counts[law] += result->counts[law];
        }
        for (uint32_t fault = 0; fault < SESSION_FAULT_COUNT; fault++) {
            tally->struck[fault] += result->struck[fault];
        }
        if (result->broken) {
            return;
        }
    }
}

static void print_json(const struct call *call, const struct tally *tally)
{
    const struct mqtt_world_result *last = &tally->last;
    char text[HASH_TEXT_BYTES];
    cJSON *object = cJSON_CreateObject();
    hash_print(last->digest, text);
    cJSON_AddStringToObject(object, "verdict", last->broken ? "fail" : "pass");
    cJSON_AddNumberToObject(object, "runs", (double)tally->runs);
    cJSON_AddNumberToObject(object, "seed", (double)tally->seed);
    cJSON_AddStringToObject(object, "faults", call->faults == NULL ? "all" : call->faults);
    cJSON_AddStringToObject(object, "hash", text);
    cJSON_AddNumberToObject(object, "published", (double)tally->published);
    cJSON_AddNumberToObject(object, "told", (double)tally->told);
    if (last->broken) {
        cJSON_AddStringToObject(object, "law", mqtt_law_name(last->law));
        cJSON_AddStringToObject(object, "what", last->what);
        cJSON_AddNumberToObject(object, "about", last->about);
        cJSON_AddNumberToObject(object, "client", last->client);
        cJSON_AddNumberToObject(object, "time_us", (double)last->broken_us);
    }
    cJSON *laws = cJSON_AddObjectToObject(object, "laws");
    for (uint32_t law = 0; law < MQTT_LAW_COUNT; law++) {
        cJSON_AddNumberToObject(laws, mqtt_law_name((enum mqtt_law)law),
                                (double)tally->counts[law]);
    }
    cJSON *faults = cJSON_AddObjectToObject(object, "struck");
    for (uint32_t fault = 0; fault < SESSION_FAULT_COUNT; fault++) {
        cJSON_AddNumberToObject(faults, mqtt_world_fault_name((enum mqtt_world_fault)fault),
                                (double)tally->struck[fault]);
    }
    char *printed = cJSON_Print(object);
    puts(printed);
    cJSON_free(printed);
    cJSON_Delete(object);
}

static void print_text(const struct call *call, const struct tally *tally)
{
    const struct mqtt_world_result *last = &tally->last;
    struct print print;
    char text[HASH_TEXT_BYTES];
    print_begin(&print, stdout);
    hash_print(last->digest, text);
    for (uint32_t law = 0; law < MQTT_LAW_COUNT; law++) {
        const bool broken = last->broken && last->law == law;
        printf("  %-20s %10" PRIu64 " %s  %s\n", mqtt_law_name((enum mqtt_law)law),
               tally->counts[law],
               broken                    ? "BROKEN "
               : tally->counts[law] == 0 ? "unasked"
                                         : "held   ",
               mqtt_law_statement((enum mqtt_law)law));
    }
    printf("\n  faults:");
    for (uint32_t fault = 0; fault < SESSION_FAULT_COUNT; fault++) {
        printf(" %s %" PRIu64, mqtt_world_fault_name((enum mqtt_world_fault)fault),
               tally->struck[fault]);
    }
    printf("\n  %" PRIu64 " runs, %" PRIu64 " events, %" PRIu64 " messages published, %" PRIu64
           " told\n",
           tally->runs, tally->events, tally->published, tally->told);
    if (last->broken) {
        printf("\n  %s at %.6f s: %s (number %" PRIu32 ", client %" PRIu32 ")\n",
               mqtt_law_name(last->law), (double)last->broken_us / 1e6, last->what, last->about,
               last->client);
    }
    printf("\n");
    print_verdict(&print, last->broken ? VERDICT_FAIL : VERDICT_PASS);
    printf("  hash of the last run %s\n  again: brownout session --seed %" PRIu64 "%s%s\n", text,
           tally->seed, call->faults == NULL ? "" : " --faults ",
           call->faults == NULL ? "" : call->faults);
}

int command_session(int argc, char **argv)
{
    struct call call;
    int exit_code = VERDICT_PASS;
    char error[512];
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (!parse_faults(&call, error, sizeof error)) {
        return command_refuse("session", error);
    }
    if (call.mutants != NULL) {
        const struct mqtt_mutants_request request = {.names = call.mutants,
                                                     .source = call.source,
                                                     .build =
                                                         call.build == NULL ? "build" : call.build,
                                                     .seed = call.seed,
                                                     .runs = call.runs == 0 ? 200 : call.runs,
                                                     .json = call.json};
        return mqtt_mutants(&request);
    }
    call.runs = call.runs == 0 ? 1 : call.runs;
    struct tally *tally = calloc(1, sizeof *tally);
    CHECK(tally != NULL);
    run_all(&call, tally);
    if (call.json) {
        print_json(&call, tally);
    } else {
        print_text(&call, tally);
    }
    exit_code = tally->last.broken ? VERDICT_FAIL : VERDICT_PASS;
    free(tally);
    return exit_code;
}
