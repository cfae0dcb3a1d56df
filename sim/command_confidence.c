/* brownout confidence: what a sweep without a failure says of the bugs that it did not show. */
#include <cJSON.h>
#include <inttypes.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/confidence.h"
#include "sim/print.h"
#include "sim/record.h"

struct call {
    const char *db, *rates;
    bool json;
};

struct answer {
    struct confidence confidence;
    struct confidence_rates rates;
    struct record_saturation saturation;
    uint64_t clean, broken; /* of the classes, at the most */
};

/* ---- text ------------------------------------------------------------------------------------ */

static double least_of(const struct confidence_bug *bug)
{
    return confidence_least(bug->caught, bug->runs);
}

static double unseen_of(const struct confidence_bug *bug, uint64_t runs)
{
    return confidence_unseen(least_of(bug), runs);
}

static void print_class(const struct print *print, const struct confidence_class *class)
{
    char rate[32] = "-", text[CONFIDENCE_NAME_BYTES + 48];
    if (class->broken > 0) {
        snprintf(rate, sizeof rate, "%" PRIu64 " broke it", class->broken);
    } else if (class->clean > 0) {
        snprintf(rate, sizeof rate, "%.2g", confidence_most(class->clean));
    }
    fprintf(print->file, "%-11s %9" PRIu64 "  %-12s %7" PRIu32, class->name, class->clean, rate,
            class->bugs);
    if (class->hardest == NULL) {
        fprintf(print->file, "  none has a rate\n");
        return;
    }
    snprintf(text, sizeof text, "%s (%" PRIu64 "/%" PRIu64 ")", class->hardest->name,
             class->hardest->caught, class->hardest->runs);
    fprintf(print->file, "  %-34s %8.2g  %8.2g\n", text, unseen_of(class->hardest, class->clean),
            unseen_of(class->median, class->clean));
}

static void print_answer(const struct print *print, const struct call *call,
                         const struct answer *answer)
{
    uint32_t unfound = 0;
    fprintf(print->file,
            "What the runs of %s say of bugs that they did not show, with 95 %% confidence\n\n"
            "%-11s %9s  %-12s %7s  %-34s %8s  %8s\n",
            call->db, "class", "clean", "rate below", "planted", "hardest (caught/runs)", "unseen",
            "median");
    for (uint32_t i = 0; i < answer->confidence.count; i++) {
        print_class(print, &answer->confidence.classes[i]);
        unfound += answer->confidence.classes[i].unfound;
    }
    fprintf(print->file,
            "\nclean       different runs of scenarios that passed, and put a law of the class to "
            "the test\n"
            "rate below  a bug of the class shows in a smaller share of such runs, or they would "
            "have shown it\n"
            "unseen      the chance that a bug as hard to find as the hardest planted one of the "
            "class (or as the\n"
            "            median one) shows in none of them; its rate is the least that its own "
            "runs allow\n\n");
    fprintf(print->file,
            "This holds if runs are drawn independently, from what the next ones are drawn from; "
            "if bugs are as hard\nto find as the planted ones; and if these runs find them as "
            "often as %s did (%s, commit %s).\n",
            answer->rates.way, answer->rates.scenario, answer->rates.commit);
    if (unfound > 0) {
        fprintf(print->file,
                "%" PRIu32 " planted bugs were never caught: of one as hard as these no number of "
                "runs says anything.\n",
                unfound);
    }
    if (answer->saturation.runs > 0) {
        fprintf(print->file,
                "Saturation: about %.3g of what the next run shows will be new to these runs; what "
                "they have not\nreached they say nothing of.\n",
                answer->saturation.fresh_chance);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_bug(cJSON *object, const char *name, const struct confidence_bug *bug,
                    uint64_t clean)
{
    cJSON *one = cJSON_AddObjectToObject(object, name);
    CHECK(one != NULL);
    json_text(one, "name", bug->name);
    json_number(one, "runs", bug->runs);
    json_number(one, "caught", bug->caught);
    cJSON_AddNumberToObject(one, "rate_least", least_of(bug));
    cJSON_AddNumberToObject(one, "unseen", unseen_of(bug, clean));
}

static void print_json(const struct call *call, const struct answer *answer)
{
    cJSON *object = cJSON_CreateObject(), *list = cJSON_CreateArray();
    json_text(object, "db", call->db);
    cJSON_AddNumberToObject(object, "confidence", 0.95);
    for (uint32_t i = 0; i < answer->confidence.count; i++) {
        const struct confidence_class *class = &answer->confidence.classes[i];
        cJSON *one = cJSON_CreateObject();
        json_text(one, "class", class->name);
        json_number(one, "clean", class->clean);
        json_number(one, "broken", class->broken);
        if (class->broken == 0 && class->clean > 0) {
            cJSON_AddNumberToObject(one, "rate_below", confidence_most(class->clean));
        }
        json_number(one, "planted", class->bugs);
        json_number(one, "never_caught", class->unfound);
        if (class->hardest != NULL) {
            add_bug(one, "hardest", class->hardest, class->clean);
            add_bug(one, "median", class->median, class->clean);
        }
        cJSON_AddItemToArray(list, one);
    }
    cJSON_AddItemToObject(object, "classes", list);
    cJSON_AddNumberToObject(object, "fresh_chance", answer->saturation.fresh_chance);
    cJSON *rates = cJSON_AddObjectToObject(object, "rates");
    json_text(rates, "made_by", answer->rates.made_by);
    json_text(rates, "commit", answer->rates.commit);
    json_text(rates, "scenario", answer->rates.scenario);
    json_text(rates, "way", answer->rates.way);
    json_print(stdout, object);
}

/* ---- what is asked --------------------------------------------------------------------------- */

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    const char *argument = NULL;
    const struct option options[] = {
        {.name = "--db",
         .kind = OPTION_TEXT,
         .target = &call->db,
         .value = "FILE",
         .doc = "the run database; " RECORD_FILE " without it"},
        {.name = "--rates",
         .kind = OPTION_TEXT,
         .target = &call->rates,
         .value = "FILE",
         .doc = "how often planted bugs were caught; " CONFIDENCE_RATES " without it"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of text"},
    };
    const struct option_verb verb = {
        .name = "confidence",
        .doc = "What runs without a failure say of the bugs that they did not show, by class",
        .details =
            "A class is the area of the laws that a bug breaks. Rates of planted bugs come from\n"
            "brownout mutants --explore swarm --searches 5 --rates FILE; lives (brownout cuts) "
            "and\n"
            "determinism (brownout selfcheck) have none: there nothing is drawn.\n"
            "Exit code 1: a law was broken; its class has no bound.\n",
        .example = "brownout confidence --db night.db",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    memset(call, 0, sizeof *call);
    call->db = RECORD_FILE;
    call->rates = CONFIDENCE_RATES;
    if (!command_parse(&verb, argc, argv, &argument, exit_code)) {
        return false;
    }
    if (argument != NULL) {
        char error[300];
        snprintf(error, sizeof error, "'%.200s' is no option; name the run database with --db",
                 argument);
        *exit_code = command_refuse("confidence", error);
        return false;
    }
    return true;
}

static void count_class(void *ctx, const char *name, uint64_t clean, uint64_t broken)
{
    struct answer *answer = ctx;
    confidence_count(&answer->confidence, name, clean, broken);
    answer->clean = clean > answer->clean ? clean : answer->clean;
    answer->broken = broken > answer->broken ? broken : answer->broken;
}

static bool read_all(const struct call *call, struct answer *answer, char *error,
                     size_t error_bytes)
{
    memset(answer, 0, sizeof *answer);
    if (!confidence_rates_read(&answer->rates, call->rates, error, error_bytes)) {
        return false;
    }
    struct record *record = record_open(call->db, RECORD_READ, error, error_bytes);
    const bool good = record != NULL &&
                      record_classes(record, count_class, answer, error, error_bytes) &&
                      record_saturation(record, &answer->saturation, error, error_bytes);
    record_close(record);
    if (good && answer->clean == 0 && answer->broken == 0) {
        snprintf(error, error_bytes, "%.300s has no run of a scenario; brownout sweep makes some",
                 call->db);
        return false;
    }
    confidence_join(&answer->confidence, &answer->rates);
    return good;
}

int command_confidence(int argc, char **argv)
{
    static struct call call;
    static struct answer answer;
    char error[RECORD_ERROR_BYTES];
    struct print print;
    int exit_code;
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (!read_all(&call, &answer, error, sizeof error)) {
        return command_refuse("confidence", error);
    }
    if (call.json) {
        print_json(&call, &answer);
    } else {
        print_begin(&print, stdout);
        print_answer(&print, &call, &answer);
    }
    return answer.broken > 0 ? VERDICT_FAIL : VERDICT_PASS;
}
