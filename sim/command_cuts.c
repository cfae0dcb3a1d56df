/* brownout cuts: every power cut of a device's life. */
#include <cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/certificate.h"
#include "sim/command.h"
#include "sim/explore.h"
#include "sim/life_pin.h"
#include "sim/print.h"
#include "sim/status.h"

enum {
    IMAGES_DEFAULT = 4000000,
    IMAGES_MAX = 64000000,
    DUMP_BYTES_MAX = 64 << 20,
    ERROR_BYTES = 768
};

struct call {
    const char *path; /* the life */
    const char *part, *replay, *dump, *certificate, *verify, *explain, *output;
    uint64_t depth, images;
    bool no_torn, no_demonic, json;
    struct certificate about;
    uint8_t *field; /* dump from the field */
    uint32_t field_bytes;
    struct status status;
    struct life life;
    struct part flash;
};

/* ---- Text ------------------------------------------------------------------------------------ */

static const char *verdict_word(enum explore_verdict verdict)
{
    static const char *const words[] = {
        [EXPLORE_CLOSED] = "closed",
        [EXPLORE_BOUNDED] = "bounded",
        [EXPLORE_VIOLATED] = "violated",
        [EXPLORE_VACUOUS] = "vacuous",
    };
    return words[verdict];
}

static int exit_code_of(enum explore_verdict verdict)
{
    static const int codes[] = {
        [EXPLORE_CLOSED] = VERDICT_PASS,
        [EXPLORE_BOUNDED] = VERDICT_UNKNOWN,
        [EXPLORE_VIOLATED] = VERDICT_FAIL,
        [EXPLORE_VACUOUS] = VERDICT_FAIL,
    };
    return codes[verdict];
}

static void print_what(const struct call *call, const struct explore *explore)
{
    const struct flash_geometry *geometry = &explore_profile(explore)->geometry;
    printf("%s\n%s on %s: %" PRIu32 " sectors of %" PRIu32 " bytes, %" PRIu32
           " to a program unit; images of %" PRIu32 " bytes\n\n",
           call->life.question, call->path, call->flash.name, geometry->sector_count,
           geometry->sector_bytes, geometry->program_bytes, call->life.image_bytes);
}

static void print_exposure(const struct explore_result *result)
{
    uint32_t shares[EXPLORE_OPERATION_COUNT];
    if (!certificate_shares(result, shares)) {
        return;
    }
    printf("exposure: of the time in which the uncut life is busy with its flash");
    for (unsigned i = 0; i < EXPLORE_OPERATION_COUNT; i++) {
        if (shares[i] > 0) {
            printf(", %" PRIu32 ".%" PRIu32 " %% %s", shares[i] / 10000, shares[i] / 1000 % 10,
                   certificate_operation((enum explore_operation)i));
        }
    }
    puts("; all of it was cut");
}

static void print_counts(const struct explore_result *result, uint64_t wall_us)
{
    const struct explore_counts *counts = &result->counts;
    const uint64_t boots = counts->cuts + counts->mounts + counts->works;
    printf("%" PRIu64 " crash images: %" PRIu64 " that boot loaders find, with %" PRIu64
           " that applications find\n",
           result->image_count, result->base_count, result->frame_count);
    printf("%" PRIu64 " parts of boots from them executed, and %" PRIu64
           " more for other answers of uncertain bits; %" PRIu64 " images generated%s\n",
           boots, counts->branches, counts->generated,
           result->masked ? "; a slot that is being filled counts as anything" : "");
    printf("deepest: %" PRIu64 " cuts nested; longest recovery %" PRIu64 ".%03" PRIu64
           " s; at most %" PRIu32 " erases of a sector at once; trials burned in %" PRIu64
           " states\n",
           counts->depth, counts->recovery_us / 1000000, counts->recovery_us / 1000 % 1000,
           counts->erases, counts->trials_burned);
    printf("%" PRIu64 " pairs of images of one key compared: they behave alike\n", counts->pairs);
    print_exposure(result);
    const uint64_t rate = wall_us == 0 ? 0 : boots * 1000000 / wall_us;
    printf("%" PRIu64 ".%02" PRIu64 " s, %" PRIu64 " boots/s\n", wall_us / 1000000,
           wall_us / 10000 % 100, rate);
}

static void print_result_laws(const struct explore_result *result)
{
    printf("laws%30s\n", "exercised");
    for (unsigned law = 0; law < LAW_COUNT; law++) {
        if (result->counts.exercised[law] > 0) {
            printf("  %-20s %11" PRIu64 "  held\n", law_name((enum law)law),
                   result->counts.exercised[law]);
        }
    }
}

static void replay_line(const struct call *call, const char *id, char *line, size_t line_bytes)
{
    snprintf(line, line_bytes, "brownout cuts");
    print_word(line, line_bytes, call->path);
    if (call->part != NULL) {
        print_word(line, line_bytes, "--part");
        print_word(line, line_bytes, call->part);
    }
    print_word(line, line_bytes, "--replay");
    print_word(line, line_bytes, id);
}

static void print_text(const struct call *call, const struct explore *explore,
                       const struct explore_result *result, uint64_t wall_us)
{
    struct print print;
    char line[COMMAND_LINE_BYTES];
    print_begin(&print, stdout);
    print_what(call, explore);
    switch (result->verdict) {
    case EXPLORE_CLOSED:
        print_paint(&print, PRINT_GOOD, "CLOSED");
        puts("  all laws held at any number of power cuts\n");
        print_result_laws(result);
        putchar('\n');
        print_counts(result, wall_us);
        break;
    case EXPLORE_BOUNDED:
        print_paint(&print, PRINT_ODD, "BOUNDED");
        printf("  all laws held as far as it went: %s\n\n", result->why);
        print_result_laws(result);
        putchar('\n');
        print_counts(result, wall_us);
        break;
    case EXPLORE_VIOLATED:
        print_paint(&print, PRINT_BAD, "BROKEN");
        printf("  %s: %s: expected %" PRIu64 ", found %" PRIu64 ", after %" PRIu64 " power cut%s\n",
               law_name(result->law), result->what, result->expected, result->actual, result->depth,
               result->depth == 1 ? "" : "s");
        printf("        %s\n", law_statement(result->law));
        if (result->replay[0] != '\0') {
            replay_line(call, result->replay, line, sizeof line);
            printf("replay  %s\n", line);
        }
        if (result->why[0] != '\0') {
            printf("        %s\n", result->why);
        }
        break;
    case EXPLORE_VACUOUS:
        print_paint(&print, PRINT_BAD, "VACUOUS");
        printf("  nothing is proved: %s\n", result->why);
        break;
    }
}

static void print_json(const struct call *call, const struct explore_result *result,
                       uint64_t wall_us)
{
    cJSON *object = cJSON_CreateObject();
    json_text(object, "life", call->path);
    json_text(object, "part", call->flash.name);
    json_text(object, "verdict", verdict_word(result->verdict));
    json_text(object, "why", result->why);
    const bool broken = result->verdict == EXPLORE_VIOLATED;
    json_text(object, "law", broken ? law_name(result->law) : "");
    json_text(object, "what", broken ? result->what : "");
    json_text(object, "replay", broken ? result->replay : "");
    if (broken) {
        json_number(object, "expected", result->expected);
        json_number(object, "actual", result->actual);
        json_number(object, "depth", result->depth);
    } else if (call->replay != NULL) {
        json_number(object, "nowhere", result->nowhere);
    } else {
        certificate_figures(object, result);
    }
    json_seconds(object, "wall_s", wall_us);
    json_print(stdout, object);
}

/* ---- The search ------------------------------------------------------------------------------ */

static void show_progress(void *ctx, uint64_t explored, uint64_t waiting)
{
    struct call *call = ctx;
    char text[160];
    if (status_due(&call->status)) {
        snprintf(text, sizeof text, "%" PRIu64 " images explored, %" PRIu64 " waiting", explored,
                 waiting);
        status_show(&call->status, text);
    }
}

/* The life tells its one history. */
static bool is_pinned(const struct call *call)
{
    return call->replay != NULL && call->replay == call->life.cuts;
}

/* Such a life has nothing to be searched for, and the numbers of its cuts are those of its part. */
static bool take_pinned(struct call *call, char *error, size_t error_bytes)
{
    if (call->life.cuts[0] == '\0') {
        return true;
    }
    if (call->verify != NULL || call->explain != NULL || call->replay != NULL ||
        call->part != NULL || call->certificate != NULL || call->depth != EXPLORE_NO_BOUND ||
        call->images != IMAGES_DEFAULT || call->no_torn || call->no_demonic) {
        snprintf(error, error_bytes,
                 "%s pins one history of cuts: brownout cuts %s lives it, and nothing is searched; "
                 "without its `cuts` it is a life as any other",
                 call->path, call->path);
        return false;
    }
    call->replay = call->life.cuts;
    return true;
}

static struct explore *open_search(struct call *call, char *error, size_t error_bytes)
{
    if (!life_read(call->path, &call->life, error, error_bytes) ||
        !take_pinned(call, error, error_bytes)) {
        return NULL;
    }
    const struct explore_options options = {
        .torn = call->about.torn,
        .demonic = call->about.demonic,
        .masked = true,
        .depth = call->depth,
        .images_max = call->images,
        .dump = call->field,
        .dump_bytes = call->field_bytes,
        .progress = show_progress,
        .progress_ctx = call,
        .lives_on = is_pinned(call),
    };
    if (call->about.part[0] != '\0') {
        memcpy(call->life.part, call->about.part, sizeof call->life.part);
    }
    memcpy(call->about.part, call->life.part, sizeof call->about.part);
    if (!part_load(call->life.part, &call->flash, error, error_bytes)) {
        return NULL;
    }
    return explore_open(&call->life, &call->flash, &options, error, error_bytes);
}

/* update_install.default.cert, where nobody said otherwise. */
static void certificate_path(const struct call *call, char *path, size_t path_bytes)
{
    const char *slash = strrchr(call->path, '/');
    const char *file = slash == NULL ? call->path : slash + 1;
    const char *dot = strrchr(file, '.');
    const int length = dot == NULL ? (int)strlen(file) : (int)(dot - file);
    if (call->certificate != NULL) {
        snprintf(path, path_bytes, "%s", call->certificate);
    } else {
        snprintf(path, path_bytes, "%.*s.%s.cert", length, file, call->flash.name);
    }
}

/* What broke a law, as a life of its own. */
static bool write_pinned(const struct call *call, const char *id, char *error, size_t error_bytes)
{
    static struct life_pin pin;
    bool good = life_pin(&pin, &call->life, &call->flash, id, call->output, error, error_bytes);
    FILE *file = good ? fopen(call->output, "w") : NULL;
    if (good && file == NULL) {
        snprintf(error, error_bytes, "%s cannot be written: %s", call->output, strerror(errno));
        good = false;
    }
    if (file != NULL) {
        good = fputs(pin.text, file) >= 0;
        if (fclose(file) != 0 || !good) {
            snprintf(error, error_bytes, "%s is not whole: is the disk full?", call->output);
            good = false;
        }
    }
    if (good && !call->json) {
        printf("written %s: %" PRIu32 " of %" PRIu32 " goals, %" PRIu64 " power cut%s\n",
               call->output, pin.goals, pin.goals_before, pin.cuts, pin.cuts == 1 ? "" : "s");
    }
    life_pin_free(&pin);
    return good;
}

static int search(struct call *call, struct explore *explore)
{
    static struct explore_result result;
    char path[2 * LIFE_PATH_BYTES], error[ERROR_BYTES];
    status_begin(&call->status);
    explore_run(explore, &result);
    const uint64_t wall_us = status_elapsed_us(&call->status);
    status_clear(&call->status);
    if (call->json) {
        print_json(call, &result, wall_us);
    } else {
        print_text(call, explore, &result, wall_us);
    }
    if (result.verdict == EXPLORE_VIOLATED && call->output != NULL &&
        !write_pinned(call, result.replay, error, sizeof error)) {
        (void)command_refuse("cuts", error);
        return VERDICT_HARNESS;
    }
    const bool wanted = !call->json || call->certificate != NULL;
    if (result.verdict == EXPLORE_CLOSED && wanted) {
        certificate_path(call, path, sizeof path);
        if (!certificate_write(path, &call->about, explore, &result, error, sizeof error)) {
            (void)command_refuse("cuts", error);
            return VERDICT_HARNESS;
        }
        if (!call->json) {
            printf("certificate  %s\n", path);
        }
    }
    return exit_code_of(result.verdict);
}

static int verify(struct call *call)
{
    static struct explore_result result;
    char error[ERROR_BYTES];
    cJSON *certificate = certificate_read(call->verify, &call->about, error, sizeof error);
    if (certificate == NULL) {
        return command_refuse("cuts", error);
    }
    call->path = call->about.life;
    struct explore *explore = open_search(call, error, sizeof error);
    if (explore == NULL) {
        cJSON_Delete(certificate);
        return command_refuse("cuts", error);
    }
    status_begin(&call->status);
    explore_run(explore, &result);
    status_clear(&call->status);
    int code = VERDICT_PASS;
    if (result.verdict != EXPLORE_CLOSED) {
        print_text(call, explore, &result, status_elapsed_us(&call->status));
        code = exit_code_of(result.verdict);
    } else if (!certificate_compare(certificate, explore, &result, error, sizeof error)) {
        fprintf(stderr, "brownout cuts: %s: %s\n", call->verify, error);
        code = VERDICT_NONDETERMINISTIC;
    } else {
        printf("%s is true: %" PRIu64 " crash images of %s on %s, explored again from nothing\n",
               call->verify, result.image_count, call->about.life, call->about.part);
    }
    explore_close(explore);
    cJSON_Delete(certificate);
    return code;
}

/* ---- One history ----------------------------------------------------------------------------- */

static int replay(const struct call *call, struct explore *explore)
{
    static struct explore_result result;
    char error[ERROR_BYTES];
    FILE *image = call->dump == NULL ? NULL : fopen(call->dump, "wb");
    if (call->dump != NULL && image == NULL) {
        snprintf(error, sizeof error, "%s cannot be written: %s", call->dump, strerror(errno));
        return command_refuse("cuts", error);
    }
    if (!call->json) {
        print_what(call, explore);
        puts("change   flash time");
    }
    bool good = explore_replay(explore, call->replay, call->json ? NULL : stdout, image, &result,
                               error, sizeof error);
    if (image != NULL && fclose(image) != 0 && good) {
        snprintf(error, sizeof error, "%s is not whole: is the disk full?", call->dump);
        good = false;
    }
    if (!good) {
        return command_refuse("cuts", error);
    }
    if (call->json) {
        print_json(call, &result, 0);
    } else if (result.verdict != EXPLORE_VIOLATED) {
        puts("\nno law is broken there");
    }
    if (result.nowhere != 0 && !call->json) {
        printf("cut %" PRIu32 " falls nowhere in this build: the boot lived on without it\n",
               result.nowhere);
    }
    if (result.verdict == EXPLORE_VIOLATED && call->output != NULL &&
        !write_pinned(call, call->replay, error, sizeof error)) {
        return command_refuse("cuts", error);
    }
    return result.verdict == EXPLORE_VIOLATED ? VERDICT_FAIL : VERDICT_PASS;
}

static bool read_dump(struct call *call, char *error, size_t error_bytes)
{
    FILE *file = fopen(call->explain, "rb");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", call->explain, strerror(errno));
        return false;
    }
    call->field = malloc(DUMP_BYTES_MAX + 1);
    CHECK(call->field != NULL);
    const size_t used = fread(call->field, 1, DUMP_BYTES_MAX + 1, file);
    const bool good = ferror(file) == 0 && used <= DUMP_BYTES_MAX;
    fclose(file);
    call->field_bytes = (uint32_t)used;
    if (!good) {
        snprintf(error, error_bytes, "%s: no dump: more than %d bytes, or not readable",
                 call->explain, DUMP_BYTES_MAX);
    }
    return good;
}

/* The size of the part; and somewhere in it the mark of a slot or of a store. */
static bool check_dump(const struct call *call, const struct explore *explore, char *error,
                       size_t error_bytes)
{
    const struct flash_geometry *geometry = &explore_profile(explore)->geometry;
    const uint32_t bytes = geometry->sector_bytes * geometry->sector_count;
    if (call->field_bytes != bytes) {
        snprintf(error, error_bytes,
                 "%s has %" PRIu32 " bytes; this life's flash on %s has %" PRIu32 " (%" PRIu32
                 " sectors of %" PRIu32 "): is it cut short, or of another part?",
                 call->explain, call->field_bytes, call->flash.name, bytes, geometry->sector_count,
                 geometry->sector_bytes);
        return false;
    }
    bool known = false;
    for (uint32_t at = 0; at < bytes; at += geometry->sector_bytes) {
        known = known || memcmp(call->field + at, "SLOT", 4) == 0 ||
                memcmp(call->field + at, "OBWL", 4) == 0;
    }
    if (!known) {
        snprintf(error, error_bytes,
                 "%s is no flash of this life: no sector begins as a slot or a store does",
                 call->explain);
    }
    return known;
}

static int explain(struct call *call, struct explore *explore)
{
    static struct explore_result result, told;
    char error[ERROR_BYTES], line[COMMAND_LINE_BYTES];
    if (!check_dump(call, explore, error, sizeof error)) {
        return command_refuse("cuts", error);
    }
    status_begin(&call->status);
    explore_run(explore, &result);
    status_clear(&call->status);
    if (result.verdict == EXPLORE_VIOLATED || result.verdict == EXPLORE_VACUOUS) {
        print_text(call, explore, &result, 0);
        return exit_code_of(result.verdict);
    }
    print_what(call, explore);
    if (result.distance == 0) {
        printf("%s is a crash image of this life, one of %" PRIu64 "%s\n", call->explain,
               result.image_count,
               result.masked ? " (a slot that is being filled may hold anything)" : "");
    } else {
        printf("%s is none of the %" PRIu64
               " crash images of this life; the nearest differs in %" PRIu64 " program units\n",
               call->explain, result.image_count, result.distance);
    }
    if (result.nearest[0] == '\0') {
        puts("it is the device as it left the line: no cut");
        return VERDICT_PASS;
    }
    puts("\nchange   flash time");
    const bool good =
        explore_replay(explore, result.nearest, stdout, NULL, &told, error, sizeof error);
    replay_line(call, result.nearest, line, sizeof line);
    printf("\nreplay  %s\n", line);
    return good ? VERDICT_PASS : VERDICT_HARNESS;
}

/* ---- The call -------------------------------------------------------------------------------- */

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    const struct option options[] = {
        {.name = "--part",
         .kind = OPTION_TEXT,
         .target = &call->part,
         .value = "NAME",
         .doc = "a flash part of sim/parts, or a file; otherwise the one that the life names"},
        {.name = "--depth",
         .kind = OPTION_COUNT,
         .target = &call->depth,
         .min = 0,
         .max = 250,
         .value = "D",
         .doc = "no more nested cuts than that; otherwise any number"},
        {.name = "--images",
         .kind = OPTION_COUNT,
         .target = &call->images,
         .min = 1,
         .max = IMAGES_MAX,
         .value = "N",
         .doc = "look at so many images at the most (4000000; 2 GB a million)"},
        {.name = "--no-torn",
         .kind = OPTION_FLAG,
         .target = &call->no_torn,
         .doc = "cut between operations and program units, never inside"},
        {.name = "--no-demonic",
         .kind = OPTION_FLAG,
         .target = &call->no_demonic,
         .doc = "uncertain bits read as erased, and not in every way"},
        {.name = "--certificate",
         .kind = OPTION_TEXT,
         .target = &call->certificate,
         .value = "FILE",
         .doc = "where to write it; otherwise LIFE.PART.cert here"},
        {.name = "--verify",
         .kind = OPTION_TEXT,
         .target = &call->verify,
         .value = "FILE",
         .doc = "a certificate of this build: explore again from nothing, and compare"},
        {.name = "--replay",
         .kind = OPTION_TEXT,
         .target = &call->replay,
         .value = "ID",
         .doc = "live the cuts of an id again, and tell the story"},
        {.name = "-o",
         .kind = OPTION_TEXT,
         .target = &call->output,
         .value = "FILE",
         .doc = "where a law is broken: write that as a small life with its cuts pinned"},
        {.name = "--dump",
         .kind = OPTION_TEXT,
         .target = &call->dump,
         .value = "FILE",
         .doc = "with --replay: write the flash that the last cut leaves"},
        {.name = "--explain",
         .kind = OPTION_TEXT,
         .target = &call->explain,
         .value = "FILE",
         .doc = "a flash dump from the field: which cuts lead to it, or next to it?"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object, and write no certificate unless it is named"},
    };
    const struct option_verb verb = {
        .name = "cuts",
        .argument = "[LIFE.lua]",
        .doc = "Every power cut of a device's life, nested to any depth, and what it leaves",
        .details =
            "A life is a Lua file that returns { life = { ... } }: see "
            "scenarios/update_install.lua\n"
            "and scenarios/brownout.lua. One that pins its cuts (-o writes such) is lived once, "
            "that way.\n"
            "Exit code 0: closed, all laws held at any number of "
            "cuts;\n"
            "1: a law is broken, or nothing was proved; 3: a certificate is not true; 5: it was\n"
            "bounded, and all laws held as far as it went.\n",
        .example = "brownout cuts scenarios/update_install.lua --part ecc-8",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    memset(call, 0, sizeof *call);
    call->depth = EXPLORE_NO_BOUND;
    call->images = IMAGES_DEFAULT;
    return command_parse(&verb, argc, argv, &call->path, exit_code);
}

/* Words that do not go together. */
static const char *conflict(const struct call *call)
{
    const int works = (call->verify != NULL) + (call->replay != NULL) + (call->explain != NULL);
    if (works > 1) {
        return "--verify, --replay and --explain are three things: one at a time";
    }
    if (call->verify != NULL && call->path != NULL) {
        return "a certificate names its life: leave the other one out";
    }
    if (call->verify == NULL && call->path == NULL) {
        return "which life? brownout cuts scenarios/update_install.lua";
    }
    if (works > 0 && call->certificate != NULL) {
        return "--certificate is for a search: it is what a search writes";
    }
    if (call->verify != NULL &&
        (call->part != NULL || call->depth != EXPLORE_NO_BOUND || call->images != IMAGES_DEFAULT ||
         call->no_torn || call->no_demonic)) {
        return "a certificate says what was explored: leave --part and all bounds out";
    }
    if (call->output != NULL && (call->verify != NULL || call->explain != NULL)) {
        return "-o writes what a search or a replay found: leave --verify and --explain out";
    }
    if (call->json && (call->verify != NULL || call->explain != NULL)) {
        return "--json is for a search or a replay";
    }
    if (call->dump != NULL && call->replay == NULL) {
        return "--dump writes what the last cut of --replay leaves";
    }
    if (call->part != NULL && strlen(call->part) >= sizeof call->about.part) {
        return "the name of the part is too long";
    }
    return NULL;
}

int command_cuts(int argc, char **argv)
{
    static struct call call;
    char error[ERROR_BYTES];
    int exit_code;
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (conflict(&call) != NULL) {
        return command_refuse("cuts", conflict(&call));
    }
    if (call.verify != NULL) {
        return verify(&call);
    }
    call.about.torn = !call.no_torn;
    call.about.demonic = !call.no_demonic;
    snprintf(call.about.part, sizeof call.about.part, "%s", call.part == NULL ? "" : call.part);
    snprintf(call.about.life, sizeof call.about.life, "%s", call.path);
    if (call.explain != NULL && !read_dump(&call, error, sizeof error)) {
        return command_refuse("cuts", error);
    }
    struct explore *explore = open_search(&call, error, sizeof error);
    if (explore == NULL) {
        exit_code = command_refuse("cuts", error);
    } else if (call.replay != NULL) {
        exit_code = replay(&call, explore);
    } else if (call.explain != NULL) {
        exit_code = explain(&call, explore);
    } else {
        exit_code = search(&call, explore);
    }
    explore_close(explore);
    free(call.field);
    return exit_code;
}
