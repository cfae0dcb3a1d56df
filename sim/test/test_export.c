/* Goal: what is exported of a run is what the run was, in a form that other people's tools read
 * without a complaint, and exporting changes nothing. Method: a storm cut short, and a small fleet
 * under faults, are lived for each format; the files are read back by code that shares nothing with
 * what wrote them, and by tshark. */
#include "sim/export.h"

#include <cJSON.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "core/limits.h"
#include "core/test/test.h"
#include "sim/test/small_fleet.h"

static char folder[] = "/tmp/brownout_export_XXXXXX";
static char error[512];

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Everything that ends links, takes nodes down, and lasts. */
static void make_plan(struct plan *plan)
{
    small_fleet(plan, 7);
    small_fleet_set(plan, "faults.power_cut", "5m");
    small_fleet_set(plan, "faults.crash", "10m");
    small_fleet_set(plan, "faults.hang", "10m");
    small_fleet_set(plan, "faults.partition", "5m");
    small_fleet_set(plan, "faults.link_reset", "5m");
    small_fleet_set(plan, "faults.link_half_open", "5m");
    small_fleet_set(plan, "faults.wall_step", "10m");
    EXPECT(plan_draw_faults(plan));
}

/* Live it while it is exported. Returns the bytes of the file, with a zero behind; to be freed. */
static char *export(const struct plan *plan, enum export_format format, const char *name,
                    struct run_result *result, struct export *told, size_t *size_bytes)
{
    struct run_request request;
    struct stat status;
    run_request_init(&request);
    request.plan = plan;
    if (!export_begin(told, format, path_of(name), "a \"test\"", &request, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    run(&request, result);
    EXPECT(export_end(told, error, sizeof error));
    EXPECT_EQUAL(stat(path_of(name), &status), 0);
    *size_bytes = (size_t)status.st_size;
    char *bytes = malloc(*size_bytes + 1);
    FILE *file = fopen(path_of(name), "rb");
    EXPECT(bytes != NULL && file != NULL);
    EXPECT_EQUAL(fread(bytes, 1, *size_bytes, file), *size_bytes);
    bytes[*size_bytes] = '\0';
    fclose(file);
    return bytes;
}

static void exporting_changes_nothing(void)
{
    struct plan plan;
    struct run_request request;
    struct run_result plain, exported;
    static struct export told;
    size_t size_bytes;
    make_plan(&plan);
    run_request_init(&request);
    request.plan = &plan;
    run(&request, &plain);
    EXPECT(plain.events > 1000);
    for (unsigned format = 0; format < EXPORT_FORMAT_COUNT; format++) {
        free(export(&plan, (enum export_format)format, "same", &exported, &told, &size_bytes));
        EXPECT_EQUAL(exported.events, plain.events);
        EXPECT(exported.digest[0] == plain.digest[0] && exported.digest[1] == plain.digest[1]);
        run_result_free(&exported);
    }
    run_result_free(&plain);
    plan_free(&plan);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

/* Fields of the row at *at, which then stands behind it. */
static unsigned csv_row(const char **at)
{
    unsigned fields = 1;
    bool quoted = false;
    for (; **at != '\0'; (*at)++) {
        if (**at == '"') {
            quoted = !quoted;
        } else if (!quoted && **at == ',') {
            fields++;
        } else if (!quoted && **at == '\r') {
            EXPECT((*at)[1] == '\n');
            *at += 2;
            return fields;
        }
    }
    EXPECT(false); /* a row that does not end */
    return 0;
}

static void csv_has_a_row_for_every_item(void)
{
    struct plan plan;
    struct run_result result;
    static struct export told;
    size_t size_bytes;
    uint64_t rows = 0, cuts = 0;
    make_plan(&plan);
    char *text = export(&plan, EXPORT_CSV, "run.csv", &result, &told, &size_bytes);
    const char *at = text;
    EXPECT_EQUAL(csv_row(&at), 12);
    while (*at != '\0') {
        char kind[16], name[32];
        uint64_t ordinal;
        EXPECT_EQUAL(
            sscanf(at, "%" SCNu64 ",%*u,%*u,%*[^,],%15[^,],\"%31[^\"]\"", &ordinal, kind, name), 3);
        EXPECT_EQUAL(ordinal, rows);
        cuts += strcmp(kind, "effect") == 0 && strcmp(name, "power_cut") == 0 ? 1 : 0;
        EXPECT_EQUAL(csv_row(&at), 12);
        rows++;
    }
    EXPECT_EQUAL(rows, told.items);
    EXPECT_EQUAL(rows, told.records);
    EXPECT(result.fired[EFFECT_POWER_CUT] > 0);
    EXPECT(cuts >= result.fired[EFFECT_POWER_CUT]); /* and their ends */
    free(text);
    run_result_free(&result);
    plan_free(&plan);
}

/* ---- Perfetto -------------------------------------------------------------------------------- */

enum { PIDS = 16, TIDS = 64, DEPTH = 32 };

struct track {
    uint32_t depth;
    uint64_t last_us;
    const char *names[DEPTH];
};

static uint64_t number(const cJSON *event, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(event, name);
    EXPECT(cJSON_IsNumber(item) && item->valuedouble >= 0);
    return (uint64_t)item->valuedouble;
}

static const char *word(const cJSON *event, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(event, name));
    EXPECT(text != NULL);
    return text;
}

static void perfetto_slices_are_balanced(void)
{
    static struct track tracks[PIDS][TIDS];
    static struct export told;
    struct plan plan;
    struct run_result result;
    size_t size_bytes;
    uint64_t slices = 0, flows_begun = 0, flows_ended = 0, sends = 0, counters = 0, count = 0;
    make_plan(&plan);
    const uint32_t nodes = fleet_node_count(&plan.settings);
    char *text = export(&plan, EXPORT_PERFETTO, "run.json", &result, &told, &size_bytes);
    cJSON *object = cJSON_Parse(text);
    EXPECT(object != NULL);
    uint8_t *flows = calloc(told.perfetto.flows + 1, 1);
    EXPECT(flows != NULL && nodes < PIDS);
    const cJSON *event;
    cJSON_ArrayForEach(event, cJSON_GetObjectItem(object, "traceEvents"))
    {
        const char phase = word(event, "ph")[0];
        const uint64_t pid = number(event, "pid"), tid = number(event, "tid");
        const uint64_t time_us = number(event, "ts");
        EXPECT(pid <= nodes && tid < TIDS);
        struct track *track = &tracks[pid][tid];
        count++;
        EXPECT(time_us <= result.sim_us);
        if (phase == 'B') {
            EXPECT(track->depth < DEPTH && time_us >= track->last_us);
            track->names[track->depth++] = word(event, "name");
            track->last_us = time_us;
            slices++;
        } else if (phase == 'E') {
            EXPECT(track->depth > 0 && time_us >= track->last_us);
            EXPECT(strcmp(track->names[--track->depth], word(event, "name")) == 0);
            track->last_us = time_us;
        } else if (phase == 's') {
            EXPECT_EQUAL(flows[number(event, "id")]++, 0);
            flows_begun++;
        } else if (phase == 'f') {
            EXPECT_EQUAL(flows[number(event, "id")]++, 1);
            flows_ended++;
        }
        sends += phase == 'X' && strncmp(word(event, "name"), "data to ", 8) == 0 ? 1 : 0;
        counters += phase == 'C' ? 1 : 0;
    }
    for (unsigned pid = 0; pid < PIDS; pid++) {
        for (unsigned tid = 0; tid < TIDS; tid++) {
            EXPECT_EQUAL(tracks[pid][tid].depth, 0);
        }
    }
    EXPECT_EQUAL(count, told.records);
    EXPECT(slices >= 2 * result.fired[EFFECT_POWER_CUT]); /* the fault, and what it leaves */
    EXPECT_EQUAL(flows_begun, sends);
    EXPECT(flows_ended > sends / 2 && flows_ended <= sends);
    EXPECT_EQUAL(counters, result.figures[FIGURE_custody]);
    free(flows);
    cJSON_Delete(object);
    free(text);
    run_result_free(&result);
    plan_free(&plan);
}

/* ---- pcapng ---------------------------------------------------------------------------------- */

static uint32_t little(const char *at)
{
    const uint8_t *bytes = (const uint8_t *)at;
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Walks the blocks. Returns how many bytes the streams carried. */
static uint64_t read_capture(const char *bytes, size_t size_bytes, uint64_t *frames)
{
    uint64_t last_us = 0, carried = 0;
    *frames = 0;
    for (size_t at = 0; at < size_bytes;) {
        EXPECT(size_bytes - at >= 12);
        const uint32_t block = little(bytes + at), length = little(bytes + at + 4);
        EXPECT(length % 4 == 0 && length >= 12 && length <= size_bytes - at);
        EXPECT_EQUAL(little(bytes + at + length - 4), length);
        EXPECT(at > 0 || block == 0x0A0D0D0A);
        if (block == 6) {
            const uint64_t time_us =
                (uint64_t)little(bytes + at + 12) << 32 | little(bytes + at + 16);
            const uint8_t *frame = (const uint8_t *)bytes + at + 28;
            const uint32_t ip_bytes = (uint32_t)frame[16] << 8 | frame[17];
            EXPECT(time_us >= last_us);
            EXPECT_EQUAL(little(bytes + at + 20), ip_bytes + 14);
            EXPECT(frame[12] == 8 && frame[13] == 0 && frame[14] == 0x45 && frame[23] == 6);
            carried += ip_bytes - 20 - (uint32_t)(frame[14 + 20 + 12] >> 4) * 4;
            last_us = time_us;
            (*frames)++;
        }
        at += length;
    }
    return carried;
}

static void a_capture_holds_every_byte_that_was_sent(void)
{
    struct plan plan;
    struct run_result result;
    static struct export told;
    size_t size_bytes;
    uint64_t frames;
    make_plan(&plan);
    char *bytes = export(&plan, EXPORT_PCAPNG, "run.pcapng", &result, &told, &size_bytes);
    const uint64_t carried = read_capture(bytes, size_bytes, &frames);
    EXPECT(frames > 1000);
    EXPECT_EQUAL(frames, told.records);
    EXPECT_EQUAL(carried, result.figures[FIGURE_air_bytes] + result.figures[FIGURE_backhaul_bytes]);
    free(bytes);
    run_result_free(&result);
    plan_free(&plan);
}

/* Frames of a capture that this display filter of tshark picks. */
static long frames_with(const char *name, const char *filter)
{
    char command[600];
    long count = -1;
    snprintf(command, sizeof command,
             "tshark -n -N n -r %s -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y '%s' "
             "-T fields -e frame.number 2>/dev/null | wc -l",
             path_of(name), filter);
    FILE *pipe = popen(command, "r");
    EXPECT(pipe != NULL);
    EXPECT_EQUAL(fscanf(pipe, "%ld", &count), 1);
    EXPECT_EQUAL(pclose(pipe), 0);
    return count;
}

/* A storm of eight minutes, as its plan. False: it does not fit this build. */
static bool make_storm(struct plan *plan)
{
    static const struct run_setting settings[] = {{"run.duration", "6m"}, {"run.heal", "2m"}};
    struct run_request request;
    struct run_result result;
    if (SERVER_SESSIONS_MAX < 256) {
        printf("skipped: limits are too small for scenarios/storm.lua\n");
        return false;
    }
    run_request_init(&request);
    request.scenario = "scenarios/storm.lua";
    request.seed = 3;
    request.settings = settings;
    request.setting_count = 2;
    run(&request, &result);
    if (result.events == 0) {
        fprintf(stderr, "%s\n", result.message);
        exit(1);
    }
    plan_copy(plan, &result.plan);
    run_result_free(&result);
    return true;
}

/* The same capture with one sequence number that is wrong: tshark must mind, or its silence about
 * the others says nothing. */
static void expect_complaint(char *bytes, size_t size_bytes)
{
    size_t at = 0;
    unsigned with_data = 0;
    while (with_data < 50) {
        EXPECT(at < size_bytes);
        const uint32_t length = little(bytes + at + 4);
        with_data += little(bytes + at) == 6 && little(bytes + at + 20) > 100 ? 1 : 0;
        at += with_data < 50 ? length : 0;
    }
    bytes[at + 28 + 14 + 20 + 6] ^= 4; /* the third byte of four */
    FILE *file = fopen(path_of("bent.pcapng"), "wb");
    EXPECT(file != NULL);
    EXPECT_EQUAL(fwrite(bytes, 1, size_bytes, file), size_bytes);
    EXPECT_EQUAL(fclose(file), 0);
    EXPECT(frames_with("bent.pcapng", "tcp.analysis.flags") > 0);
    EXPECT_EQUAL(frames_with("bent.pcapng", "tcp.checksum.status == 0"), 1);
}

static void tshark_decodes_the_mqtt_of_a_storm(void)
{
    struct plan plan;
    struct run_result result;
    static struct export told;
    size_t size_bytes;
    uint64_t frames;
    if (system("command -v tshark >/dev/null 2>&1") != 0) {
        const char *ci = getenv("CI");
        printf("skipped: tshark is missing; scripts/setup.sh installs it\n");
        EXPECT(ci == NULL || strcmp(ci, "true") != 0);
        return;
    }
    if (!make_storm(&plan)) {
        return;
    }
    char *bytes = export(&plan, EXPORT_PCAPNG, "storm.pcapng", &result, &told, &size_bytes);
    const uint64_t carried = read_capture(bytes, size_bytes, &frames);
    EXPECT_EQUAL(carried, result.figures[FIGURE_air_bytes] + result.figures[FIGURE_backhaul_bytes]);
    EXPECT_EQUAL(frames_with("storm.pcapng", "frame"), frames);
    EXPECT(frames_with("storm.pcapng", "mqtt") > 1000);
    EXPECT(frames_with("storm.pcapng", "mqtt.msgtype == 3") > 100); /* PUBLISH */
    EXPECT(frames_with("storm.pcapng", "mqtt.ver == 5") > 10);
    EXPECT(frames_with("storm.pcapng", "ip.host == \"cloud1\"") > 100);
    EXPECT(frames_with("storm.pcapng", "tcp.flags.reset == 1") > 0);
    EXPECT(frames_with("storm.pcapng", "tcp.flags.fin == 1") > 0);
    EXPECT_EQUAL(frames_with("storm.pcapng", "_ws.malformed"), 0);
    EXPECT_EQUAL(frames_with("storm.pcapng", "tcp.analysis.flags"), 0);
    EXPECT_EQUAL(frames_with("storm.pcapng", "tcp.checksum.status == 1 && ip.checksum.status == 1"),
                 frames);
    expect_complaint(bytes, size_bytes);
    free(bytes);
    run_result_free(&result);
    plan_free(&plan);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void what_cannot_be_written_is_said(void)
{
    struct plan plan;
    struct run_request request;
    struct run_result result;
    static struct export told;
    make_plan(&plan);
    run_request_init(&request);
    request.plan = &plan;
    EXPECT(
        !export_begin(&told, EXPORT_CSV, "/nonexistent/x.csv", "x", &request, error, sizeof error));
    EXPECT(strstr(error, "/nonexistent/x.csv cannot be written") != NULL);
    if (access("/dev/full", W_OK) == 0) {
        EXPECT_EQUAL(symlink("/dev/full", path_of("full.csv")), 0);
        EXPECT(export_begin(&told, EXPORT_CSV, path_of("full.csv"), "x", &request, error,
                            sizeof error));
        run(&request, &result);
        EXPECT(!export_end(&told, error, sizeof error));
        EXPECT(strstr(error, "is the disk full?") != NULL);
        EXPECT(access(path_of("full.csv"), F_OK) != 0);
        run_result_free(&result);
    }
    plan_free(&plan);
}

static void remove_files(void)
{
    static const char *const names[] = {"same",         "run.csv",     "run.json", "run.pcapng",
                                        "storm.pcapng", "bent.pcapng", "full.csv"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(path_of(names[i]));
    }
    EXPECT_EQUAL(rmdir(folder), 0);
}

int main(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    RUN(exporting_changes_nothing);
    RUN(csv_has_a_row_for_every_item);
    RUN(perfetto_slices_are_balanced);
    RUN(a_capture_holds_every_byte_that_was_sent);
    RUN(tshark_decodes_the_mqtt_of_a_storm);
    RUN(what_cannot_be_written_is_said);
    remove_files();
    return 0;
}
