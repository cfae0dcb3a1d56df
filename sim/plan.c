#include "sim/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"
#include "sim/heal_core.h"
#include "sim/random.h"

enum { PLAN_ENTRIES_MAX = 1u << 20, PLAN_LINE_BYTES = 1024 };

void plan_init(struct plan *plan, uint64_t seed)
{
    memset(plan, 0, sizeof *plan);
    plan->seed = seed;
    settings_init(&plan->settings);
}

void plan_free(struct plan *plan)
{
    free(plan->entries);
    plan->entries = NULL;
    plan->entry_count = plan->entry_capacity = 0;
}

void plan_copy(struct plan *target, const struct plan *source)
{
    *target = *source;
    target->entries = NULL;
    target->entry_count = target->entry_capacity = 0;
    for (uint32_t i = 0; i < source->entry_count; i++) {
        CHECK(plan_append(target, &source->entries[i]));
    }
}

bool plan_append(struct plan *plan, const struct plan_entry *entry)
{
    if (plan->entry_count == plan->entry_capacity) {
        const uint32_t capacity = plan->entry_capacity == 0 ? 64 : plan->entry_capacity * 2;
        if (capacity > PLAN_ENTRIES_MAX) {
            return false;
        }
        struct plan_entry *entries = realloc(plan->entries, capacity * sizeof *entries);
        CHECK(entries != NULL);
        plan->entries = entries;
        plan->entry_capacity = capacity;
    }
    plan->entries[plan->entry_count++] = *entry;
    return true;
}

/* ---- the fleet's nodes ----------------------------------------------------------------------- */

static const struct {
    uint32_t role;
    enum setting count;
    const char *name;
} kinds[] = {{ROLE_MASK_CLOUD, SETTING_fleet_clouds, "cloud"},
             {ROLE_MASK_GATEWAY, SETTING_fleet_gateways, "gw"},
             {ROLE_MASK_ROGUE, SETTING_fleet_rogues, "rogue"},
             {ROLE_MASK_DEVICE, SETTING_fleet_devices, "dev"}};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

uint32_t fleet_node_count(const struct settings *settings)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        count += (uint32_t)settings->number[kinds[i].count];
    }
    return count;
}

/* The kind of a node, and its place (from 1) among its kind; KIND_COUNT if there is no such node.
 */
static unsigned node_kind(const struct settings *settings, uint32_t node, uint32_t *place)
{
    for (unsigned i = 0; i < KIND_COUNT && node != 0; i++) {
        const uint32_t count = (uint32_t)settings->number[kinds[i].count];
        if (node <= count) {
            *place = node;
            return i;
        }
        node -= count;
    }
    return KIND_COUNT;
}

uint32_t fleet_role(const struct settings *settings, uint32_t node)
{
    uint32_t place;
    const unsigned kind = node_kind(settings, node, &place);
    return kind == KIND_COUNT ? 0 : kinds[kind].role;
}

void fleet_node_name(const struct settings *settings, uint32_t node, char *name, size_t size_bytes)
{
    uint32_t place = 0;
    const unsigned kind = node_kind(settings, node, &place);
    if (kind == KIND_COUNT) {
        snprintf(name, size_bytes, "%s", node == PLAN_ANY ? "any" : "-");
        return;
    }
    snprintf(name, size_bytes, "%s%" PRIu32, kinds[kind].name, place);
}

uint32_t fleet_device_gateway(const struct settings *settings, uint32_t device, uint32_t index)
{
    const uint64_t *number = settings->number;
    const uint32_t there =
        (uint32_t)(number[SETTING_fleet_gateways] + number[SETTING_fleet_rogues]);
    const uint32_t first = (uint32_t)number[SETTING_fleet_clouds] + 1;
    if (fleet_role(settings, device) != ROLE_MASK_DEVICE || index >= there ||
        index >= number[SETTING_device_gateways]) {
        return 0;
    }
    return first + (device - first - there + index) % there;
}

uint32_t fleet_node_find(const struct settings *settings, const char *name)
{
    uint32_t first = 0;
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        const uint32_t count = (uint32_t)settings->number[kinds[i].count];
        const size_t length = strlen(kinds[i].name);
        const char *digits = name + length;
        if (strncmp(name, kinds[i].name, length) == 0 && *digits >= '1' && *digits <= '9' &&
            strspn(digits, "0123456789") == strlen(digits) && strlen(digits) <= 6) {
            const uint32_t place = (uint32_t)strtoul(digits, NULL, 10);
            return place <= count ? first + place : 0;
        }
        first += count;
    }
    return 0;
}

/* ---- drawn faults ---------------------------------------------------------------------------- */

/* Half of the strikes on links take all links of the target, half those to one natural peer. */
static uint32_t draw_peer(const struct settings *settings, struct random_stream *stream,
                          uint32_t role)
{
    const uint32_t clouds = (uint32_t)settings->number[SETTING_fleet_clouds];
    const uint32_t servers = (uint32_t)settings->number[SETTING_fleet_gateways] +
                             (uint32_t)settings->number[SETTING_fleet_rogues];
    if (random_below(stream, 2) == 0) {
        return PLAN_ANY;
    }
    if (role == ROLE_MASK_GATEWAY || role == ROLE_MASK_ROGUE) {
        return 1 + (uint32_t)random_below(stream, clouds);
    }
    return clouds + 1 + (uint32_t)random_below(stream, servers);
}

/* Most power cuts and crashes look for an operation: at a random instant a node is mostly idle. */
static void draw_trigger(struct random_stream *stream, uint32_t role, struct plan_entry *entry)
{
    static const uint32_t device_kinds[] = {OPERATION_ANY_FLASH,   OPERATION_FLASH_PROGRAM,
                                            OPERATION_LINK_SEND,   OPERATION_ANY,
                                            OPERATION_FLASH_ERASE, OPERATION_COUNTER_INCREMENT};
    static const uint32_t server_kinds[] = {OPERATION_ANY_DISK,  OPERATION_DISK_WRITE,
                                            OPERATION_LINK_SEND, OPERATION_ANY,
                                            OPERATION_DISK_SYNC, OPERATION_DISK_SYNC};
    const uint64_t pick = random_below(stream, 8);
    if (pick >= 6) {
        return; /* stays PLAN_AT */
    }
    entry->when = PLAN_OPERATION;
    entry->kind = role == ROLE_MASK_DEVICE ? device_kinds[pick] : server_kinds[pick];
    entry->nth = 1 + (uint32_t)random_below(stream, 12);
    entry->phase = (enum plan_phase)random_below(stream, 3);
    entry->fraction = (uint32_t)random_below(stream, 65536);
}

static bool draw_class(struct plan *plan, enum effect effect, uint32_t node, uint32_t role)
{
    const struct fault_setting *fault = &plan->settings.faults[effect];
    const struct effect_info info = effect_info(effect);
    const uint64_t end_us = plan->settings.number[SETTING_run_duration];
    char name[64];
    snprintf(name, sizeof name, "faults/%s/%" PRIu32, info.name, node);
    struct random_stream stream = {random_key(plan->seed, name), 0};
    uint64_t at_us = 0;
    for (;;) {
        at_us += 1 + random_exponential(&stream, fault->every_us);
        if (at_us >= end_us) {
            return true;
        }
        struct plan_entry entry = {
            .when = PLAN_AT, .at_us = at_us, .effect = effect, .target = node, .other = PLAN_ANY};
        if (info.lasts == EFFECT_LASTS_DURATION) {
            entry.lasts_us = random_between(&stream, fault->lasts_min_us, fault->lasts_max_us);
        }
        if (info.amount != EFFECT_AMOUNT_none) {
            const uint64_t range = (uint64_t)(fault->amount_max - fault->amount_min);
            entry.amount = fault->amount_min + (int64_t)random_between(&stream, 0, range);
        }
        if (info.target == EFFECT_TARGET_PAIR) {
            entry.other = draw_peer(&plan->settings, &stream, role);
        }
        if (effect == EFFECT_POWER_CUT || effect == EFFECT_CRASH) {
            draw_trigger(&stream, role, &entry);
        }
        if (!plan_append(plan, &entry)) {
            return false;
        }
    }
}

bool plan_draw_faults(struct plan *plan)
{
    const uint32_t nodes = fleet_node_count(&plan->settings);
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        if (plan->settings.faults[i].every_us == 0) {
            continue;
        }
        for (uint32_t node = 1; node <= nodes; node++) {
            const uint32_t role = fleet_role(&plan->settings, node);
            if ((plan->settings.faults[i].roles & role) != 0 &&
                !draw_class(plan, (enum effect)i, node, role)) {
                return false;
            }
        }
    }
    return true;
}

static bool is_alike(const struct plan_entry *left, const struct plan_entry *right)
{
    return left->when == right->when && left->at_us == right->at_us &&
           left->effect == right->effect && left->target == right->target &&
           left->other == right->other && left->lasts_us == right->lasts_us &&
           left->amount == right->amount && left->kind == right->kind && left->nth == right->nth;
}

uint32_t plan_drawn_count(const struct plan *plan)
{
    struct plan drawn;
    plan_init(&drawn, plan->seed);
    drawn.settings = plan->settings;
    bool alike = plan_draw_faults(&drawn) && drawn.entry_count <= plan->entry_count;
    for (uint32_t i = 0; i < drawn.entry_count && alike; i++) {
        alike = is_alike(&drawn.entries[i], &plan->entries[i]);
    }
    const uint32_t count = alike ? drawn.entry_count : 0;
    plan_free(&drawn);
    return count;
}

/* ---- text ------------------------------------------------------------------------------------ */

static const char *const when_names[] = {"now", "at", "operation", "evidence"};
static const char *const phase_names[] = {"before", "inside", "after"};
static const char *const comparison_names[] = {"<", "<=", "==", ">=", ">"};

static const char *evidence_names[] = {
#define EVIDENCE_NAME(NAME, Name) #NAME,
    EVIDENCE_LIST(EVIDENCE_NAME)
#undef EVIDENCE_NAME
};

static int name_index(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void write_setting(void *ctx, const char *key, const char *value)
{
    fprintf(ctx, "set %s %s\n", key, value);
}

static void write_time(FILE *file, const char *key, uint64_t us)
{
    char text[64];
    if (us != 0) {
        duration_print(us, text, sizeof text);
        fprintf(file, " %s=%s", key, text);
    }
}

static void write_entry(const struct plan *plan, const struct plan_entry *entry, FILE *file)
{
    char target[32], other[32];
    const struct effect_info info = effect_info(entry->effect);
    fleet_node_name(&plan->settings, entry->target, target, sizeof target);
    fprintf(file, "entry event=%" PRIu64, entry->event);
    write_time(file, "filed", entry->filed_us);
    fprintf(file, " effect=%s target=%s", info.name, target);
    if (info.target == EFFECT_TARGET_PAIR) {
        fleet_node_name(&plan->settings, entry->other, other, sizeof other);
        fprintf(file, " other=%s", other);
    }
    fprintf(file, " when=%s", when_names[entry->when]);
    write_time(file, "at", entry->at_us);
    if (entry->when == PLAN_OPERATION || entry->when == PLAN_EVIDENCE) {
        fprintf(file, " kind=%s nth=%" PRIu32,
                entry->when == PLAN_OPERATION ? port_operation_name(entry->kind)
                                              : evidence_names[entry->kind],
                entry->nth);
        if (entry->boot != 0) {
            fprintf(file, " boot=%" PRIu32, entry->boot);
        }
        write_time(file, "delay", entry->delay_us);
    }
    if (entry->when == PLAN_OPERATION) {
        fprintf(file, " phase=%s", phase_names[entry->phase]);
        if (entry->phase == PLAN_INSIDE) {
            fprintf(file, " fraction=%" PRIu32, entry->fraction);
        }
    }
    write_time(file, "lasts", entry->lasts_us);
    if (entry->amount != 0) {
        fprintf(file, " amount=%" PRId64, entry->amount);
    }
    fputc('\n', file);
}

static void write_body(const struct plan *plan, FILE *file)
{
    fprintf(file, "brownout plan 1\nseed %" PRIu64 "\n", plan->seed);
    if (plan->scenario[0] != '\0') {
        fprintf(file, "scenario %s\n", plan->scenario);
    }
    if (plan->by_time) {
        fprintf(file, "by_time\n");
    }
    settings_each(&plan->settings, write_setting, file);
    for (uint32_t i = 0; i < plan->expectation_count; i++) {
        const struct plan_expectation *expectation = &plan->expectations[i];
        fprintf(file, "expect %s %s %" PRIu64 "\n", figure_name(expectation->figure),
                comparison_names[expectation->comparison], expectation->number);
    }
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        write_entry(plan, &plan->entries[i], file);
    }
}

void plan_hash(const struct plan *plan, uint64_t hash[2])
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    CHECK(memory != NULL);
    write_body(plan, memory);
    CHECK(fclose(memory) == 0);
    hash_once(text, (uint32_t)size, hash);
    free(text);
}

bool plan_write(const struct plan *plan, FILE *file)
{
    uint64_t digest[2];
    char text[HASH_TEXT_BYTES];
    write_body(plan, file);
    plan_hash(plan, digest);
    hash_print(digest, text);
    fprintf(file, "end %s\n", text);
    return fflush(file) == 0 && ferror(file) == 0;
}

/* ---- reading: any bytes may come ------------------------------------------------------------- */

struct reader {
    struct plan *plan;
    unsigned line;
    char *error;
    size_t error_bytes;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct reader *reader, const char *format,
                                                         ...)
{
    va_list arguments;
    const int length = snprintf(reader->error, reader->error_bytes, "plan line %u: ", reader->line);
    va_start(arguments, format);
    if (length > 0 && (size_t)length < reader->error_bytes) {
        vsnprintf(reader->error + length, reader->error_bytes - (size_t)length, format, arguments);
    }
    va_end(arguments);
    return false;
}

static bool whole(const char *text, uint64_t max, uint64_t *value)
{
    if (*text == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 20) {
        return false;
    }
    *value = strtoull(text, NULL, 10);
    return *value <= max;
}

static bool whole32(const char *text, uint32_t max, uint32_t *value)
{
    uint64_t wide;
    if (!whole(text, max, &wide)) {
        return false;
    }
    *value = (uint32_t)wide;
    return true;
}

static bool read_kind(const char *value, struct plan_entry *entry)
{
    if (entry->when == PLAN_OPERATION) {
        entry->kind = port_operation_find(value);
        return entry->kind < OPERATION_KIND_COUNT;
    }
    const int kind = name_index(value, evidence_names, EVIDENCE_COUNT);
    entry->kind = (uint32_t)kind;
    return kind >= 0 && entry->when == PLAN_EVIDENCE;
}

/* One key=value of an entry line. Keys that depend on others (kind on when) come after them. */
static bool read_field(const struct plan *plan, struct plan_entry *entry, const char *key,
                       const char *value)
{
    const struct settings *settings = &plan->settings;
    if (strcmp(key, "event") == 0) {
        return whole(value, UINT64_MAX, &entry->event);
    } else if (strcmp(key, "filed") == 0) {
        return duration_parse(value, &entry->filed_us);
    } else if (strcmp(key, "effect") == 0) {
        entry->effect = effect_find(value);
        return entry->effect != EFFECT_COUNT;
    } else if (strcmp(key, "target") == 0) {
        entry->target = fleet_node_find(settings, value);
        return entry->target != 0;
    } else if (strcmp(key, "other") == 0) {
        entry->other = strcmp(value, "any") == 0 ? PLAN_ANY : fleet_node_find(settings, value);
        return entry->other != 0;
    } else if (strcmp(key, "when") == 0) {
        const int when = name_index(value, when_names, 4);
        entry->when = (enum plan_when)(when < 0 ? 0 : when);
        return when >= 0;
    } else if (strcmp(key, "at") == 0) {
        return duration_parse(value, &entry->at_us);
    } else if (strcmp(key, "kind") == 0) {
        return read_kind(value, entry);
    } else if (strcmp(key, "nth") == 0) {
        return whole32(value, UINT32_MAX, &entry->nth);
    } else if (strcmp(key, "boot") == 0) {
        return whole32(value, UINT32_MAX, &entry->boot);
    } else if (strcmp(key, "delay") == 0) {
        return duration_parse(value, &entry->delay_us);
    } else if (strcmp(key, "phase") == 0) {
        const int phase = name_index(value, phase_names, 3);
        entry->phase = (enum plan_phase)(phase < 0 ? 0 : phase);
        return phase >= 0;
    } else if (strcmp(key, "fraction") == 0) {
        return whole32(value, 65535, &entry->fraction);
    } else if (strcmp(key, "lasts") == 0) {
        return duration_parse(value, &entry->lasts_us);
    } else if (strcmp(key, "amount") == 0) {
        uint64_t magnitude;
        const bool negative = *value == '-';
        if (!whole(value + (negative ? 1 : 0), INT64_MAX, &magnitude)) {
            return false;
        }
        entry->amount = negative ? -(int64_t)magnitude : (int64_t)magnitude;
        return true;
    }
    return false;
}

bool plan_entry_check(const struct plan *plan, const struct plan_entry *entry, char *error,
                      size_t error_bytes)
{
    const uint32_t role = fleet_role(&plan->settings, entry->target);
    if (role == 0 || entry->effect >= EFFECT_COUNT) {
        snprintf(error, error_bytes, "no such node or effect");
        return false;
    }
    const struct effect_info info = effect_info(entry->effect);
    char name[32];
    fleet_node_name(&plan->settings, entry->target, name, sizeof name);
    if ((info.roles & role) == 0) {
        snprintf(error, error_bytes, "%s cannot strike %s", info.name, name);
        return false;
    }
    if (info.amount != EFFECT_AMOUNT_none &&
        (entry->amount < info.amount_min || entry->amount > info.amount_max)) {
        snprintf(error, error_bytes, "%s: amount %" PRId64 " is outside %" PRId64 "..%" PRId64,
                 info.name, entry->amount, info.amount_min, info.amount_max);
        return false;
    }
    if (info.target == EFFECT_TARGET_PAIR && entry->other != PLAN_ANY &&
        (fleet_role(&plan->settings, entry->other) == 0 || entry->other == entry->target)) {
        snprintf(error, error_bytes, "%s needs two different nodes", info.name);
        return false;
    }
    const bool triggered = entry->when == PLAN_OPERATION || entry->when == PLAN_EVIDENCE;
    if (triggered && heal_core_is_left(entry->effect)) {
        snprintf(error, error_bytes, "%s holds from heal on: it takes no trigger", info.name);
        return false;
    }
    if (triggered && entry->nth == 0) {
        snprintf(error, error_bytes, "nth counts from 1");
        return false;
    }
    return true;
}

/* The keys of an entry line. Each comes once: a second `when` would give another meaning to a kind
 * that was read. */
static const char *const field_names[] = {"event", "filed", "effect",   "target", "other",
                                          "when",  "at",    "kind",     "nth",    "boot",
                                          "delay", "phase", "fraction", "lasts",  "amount"};

static bool read_entry(struct reader *reader, char *rest)
{
    struct plan_entry entry = {.other = PLAN_ANY};
    char *save = NULL, reason[160];
    bool has_effect = false;
    uint32_t seen = 0;
    for (char *token = strtok_r(rest, " ", &save); token != NULL;
         token = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(token, '=');
        if (equals == NULL) {
            return refuse(reader, "'%s' is not key=value", token);
        }
        *equals = '\0';
        const int field =
            name_index(token, field_names, sizeof field_names / sizeof field_names[0]);
        if (field >= 0 && (seen >> field & 1u) != 0) {
            return refuse(reader, "'%s' is there twice", token);
        }
        seen |= field >= 0 ? UINT32_C(1) << field : 0;
        if (!read_field(reader->plan, &entry, token, equals + 1)) {
            return refuse(reader, "'%s' cannot be '%s' (set lines come first)", token, equals + 1);
        }
        has_effect = has_effect || strcmp(token, "effect") == 0;
    }
    if (!has_effect) {
        return refuse(reader, "an entry needs an effect");
    }
    if (!plan_entry_check(reader->plan, &entry, reason, sizeof reason)) {
        return refuse(reader, "%s", reason);
    }
    return plan_append(reader->plan, &entry) || refuse(reader, "too many entries");
}

static bool read_expectation(struct reader *reader, char *rest)
{
    char *save = NULL;
    const char *name = strtok_r(rest, " ", &save);
    const char *comparison = strtok_r(NULL, " ", &save);
    const char *number = strtok_r(NULL, " ", &save);
    struct plan_expectation expectation;
    if (name == NULL || comparison == NULL || number == NULL) {
        return refuse(reader, "write: expect FIGURE >= NUMBER");
    }
    expectation.figure = figure_find(name);
    const int index = name_index(comparison, comparison_names, 5);
    if (expectation.figure == FIGURE_COUNT || index < 0 ||
        !whole(number, UINT64_MAX, &expectation.number)) {
        return refuse(reader, "no such figure, comparison or number: %s %s %s", name, comparison,
                      number);
    }
    expectation.comparison = (enum plan_comparison)index;
    if (reader->plan->expectation_count ==
        sizeof reader->plan->expectations / sizeof reader->plan->expectations[0]) {
        return refuse(reader, "too many expectations");
    }
    reader->plan->expectations[reader->plan->expectation_count++] = expectation;
    return true;
}

static bool read_set(struct reader *reader, char *rest)
{
    char reason[320];
    char *space = strchr(rest, ' ');
    if (space == NULL) {
        return refuse(reader, "write: set KEY VALUE");
    }
    *space = '\0';
    if (reader->plan->entry_count > 0) { /* they are read by the fleet that is set before them */
        return refuse(reader, "set lines come before entries");
    }
    return settings_set(&reader->plan->settings, rest, space + 1, reason, sizeof reason) ||
           refuse(reader, "%s", reason);
}

static bool read_line(struct reader *reader, char *line, bool *ended)
{
    char *rest = strchr(line, ' ');
    if (rest != NULL) {
        *rest++ = '\0';
    } else {
        rest = line + strlen(line);
    }
    if (strcmp(line, "seed") == 0) {
        return whole(rest, UINT64_MAX, &reader->plan->seed) || refuse(reader, "a seed is a number");
    } else if (strcmp(line, "scenario") == 0) {
        snprintf(reader->plan->scenario, sizeof reader->plan->scenario, "%s", rest);
        return true;
    } else if (strcmp(line, "by_time") == 0) {
        reader->plan->by_time = true;
        return true;
    } else if (strcmp(line, "set") == 0) {
        return read_set(reader, rest);
    } else if (strcmp(line, "expect") == 0) {
        return read_expectation(reader, rest);
    } else if (strcmp(line, "entry") == 0) {
        return read_entry(reader, rest);
    } else if (strcmp(line, "end") == 0) {
        uint64_t said[2], is[2];
        *ended = true;
        plan_hash(reader->plan, is);
        /* "end -" is for plans written by hand. */
        return strcmp(rest, "-") == 0 ||
               (hash_parse(rest, said) && said[0] == is[0] && said[1] == is[1]) ||
               refuse(reader, "the plan was changed after it was written; end it with 'end -' if "
                              "that was you");
    }
    return line[0] == '\0' || line[0] == '#' || refuse(reader, "unknown word '%.40s'", line);
}

bool plan_read(struct plan *plan, FILE *file, char *error, size_t error_bytes)
{
    struct reader reader = {plan, 0, error, error_bytes};
    char line[PLAN_LINE_BYTES];
    bool ended = false;
    plan_init(plan, 0);
    while (!ended && fgets(line, sizeof line, file) != NULL) {
        reader.line++;
        char *newline = strchr(line, '\n');
        if (newline == NULL && !feof(file)) {
            return refuse(&reader, "longer than %d bytes, or not text", PLAN_LINE_BYTES - 2);
        }
        if (newline != NULL) {
            *newline = '\0';
        }
        if (reader.line == 1) {
            if (strcmp(line, "brownout plan 1") != 0) {
                return refuse(&reader, "not a plan of this version: the first line is 'brownout "
                                       "plan 1'");
            }
            continue;
        }
        if (!read_line(&reader, line, &ended)) {
            return false;
        }
    }
    if (!ended) {
        return refuse(&reader, "the plan is cut off: no 'end' line");
    }
    char reason[256];
    return settings_check(&plan->settings, reason, sizeof reason) || refuse(&reader, "%s", reason);
}

bool plan_read_text(struct plan *plan, const char *text, char *error, size_t error_bytes)
{
    if (*text == '\0') { /* there is no file of no bytes */
        snprintf(error, error_bytes, "an empty plan");
        return false;
    }
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    CHECK(file != NULL);
    const bool good = plan_read(plan, file, error, error_bytes);
    fclose(file);
    return good;
}
