/* The rows of a sample as a TLA+ module, and what TLC prints of them, read back.
 *
 * The module extends the spec and names each action with its parameters, so that TLC says which of
 * them it took. No state but the rows is kept: a constraint on the step prints what it makes, and
 * refuses it. What TLC computes is slow and what it prints is fast, so that rows are looked up in
 * tables, and printed as they are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/spec_dump.h"
#include "sim/spec_sample.h"

enum { NUMBERS_A_LINE = 16, ROWS_BYTES_MAX = 1 << 30, TABLE_MAX = 1024 };

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_table(const struct spec_sample *sample, FILE *file)
{
    const struct spec_instance *instance = sample->instance;
    int32_t packed[SPEC_PACKED_MAX];
    uint64_t written = 0;
    fputs("OffRows == <<", file);
    for (uint32_t row = 0; row < sample->count; row++) {
        spec_pack(instance, spec_sample_at(sample, row), packed);
        for (uint32_t i = 0; i < instance->packed_count; i++) {
            fprintf(file, "%s%s%" PRId32, written == 0 ? "" : ",",
                    written % NUMBERS_A_LINE == 0 ? "\n" : "", packed[i]);
            written++;
        }
    }
    fputs(">>\n", file);
}

static void write_words(const struct spec_domain *domain, FILE *file)
{
    fputs("<<", file);
    for (int32_t i = 0; i <= domain->high; i++) {
        fprintf(file, "%s\"%s\"", i == 0 ? "" : ", ", domain->words[i]);
    }
    fputs(">>", file);
}

/* The cells of one domain share a table of its values; number of the first such cell. */
static uint32_t table_of(const struct spec_instance *instance, uint32_t cell)
{
    const struct spec_domain *domain = &instance->cells[cell].domain;
    for (uint32_t first = 0; first < cell; first++) {
        const struct spec_domain *other = &instance->cells[first].domain;
        if (other->kind == domain->kind && other->low == domain->low &&
            other->high == domain->high && other->words == domain->words) {
            return first;
        }
    }
    return cell;
}

static bool is_tabled(const struct spec_domain *domain)
{
    return domain->kind != SPEC_INT && spec_domain_size(domain) <= TABLE_MAX;
}

static void write_tables(const struct spec_instance *instance, FILE *file)
{
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        const struct spec_domain *domain = &instance->cells[i].domain;
        if (!is_tabled(domain) || table_of(instance, i) != i) {
            continue;
        }
        fprintf(file, "OffTable%" PRIu32 " == <<", i);
        for (uint64_t n = 0; n < spec_domain_size(domain); n++) {
            char value[SPEC_VALUE_BYTES];
            spec_print_value(domain, spec_domain_value(domain, n), value, sizeof value);
            fprintf(file, "%s%s", n == 0 ? "" : ", ", value);
        }
        fputs(">>\n", file);
    }
}

/* The value of a cell in row `off_r`. */
static void write_decoded(const struct spec_instance *instance, uint32_t number, FILE *file)
{
    const struct spec_cell *cell = &instance->cells[number];
    const struct spec_domain *domain = &cell->domain;
    char digit[160];
    snprintf(digit, sizeof digit,
             "((OffRows[(off_r - 1) * %" PRIu32 " + %" PRIu32 "] \\div %" PRId32 ") %% %" PRIu64
             ")",
             instance->packed_count, cell->packed + 1, cell->weight, spec_domain_size(domain) + 1);
    if (is_tabled(domain)) {
        fprintf(file, "OffTable%" PRIu32 "[%s + 1]", table_of(instance, number), digit);
    } else if (domain->kind == SPEC_INT) {
        fprintf(file, "(%s + (%" PRId32 "))", digit, domain->low);
    } else if (domain->kind == SPEC_SET) {
        fprintf(file,
                "(LET off_d == %s IN {off_e \\in %" PRId32 "..%" PRId32
                " : ((off_d \\div OffBit[off_e - %" PRId32 " + 1]) %% 2) = 1})",
                digit, domain->low, domain->high, domain->low);
    } else {
        fprintf(file, "(LET off_d == %s IN {", digit);
        write_words(domain, file);
        fprintf(file,
                "[off_e] : off_e \\in {off_x \\in 1..%" PRId32
                " : ((off_d \\div OffBit[off_x]) %% 2) = 1}})",
                domain->high + 1);
    }
}

static void write_key(const struct spec_domain *keys, int32_t key, FILE *file)
{
    if (keys->words != NULL) {
        fprintf(file, "\"%s\"", keys->words[key]);
    } else {
        fprintf(file, "(%" PRId32 ")", key);
    }
}

/* OffVar_x(off_r): the value of x in that row. Cells come in the order of the keys. */
static void write_variable(const struct spec_instance *instance, uint32_t variable, uint32_t *cell,
                           FILE *file)
{
    const struct spec_variable *shape = &instance->variables[variable];
    fprintf(file, "OffVar_%s(off_r) ==\n    ", shape->name);
    if (shape->key_count == 0) {
        write_decoded(instance, (*cell)++, file);
    }
    for (int32_t i = shape->keys[0].low; shape->key_count > 0 && i <= shape->keys[0].high; i++) {
        fputs(i == shape->keys[0].low ? "(" : " @@ ", file);
        write_key(&shape->keys[0], i, file);
        fputs(" :> (", file);
        if (shape->key_count == 1) {
            write_decoded(instance, (*cell)++, file);
        }
        for (int32_t j = shape->keys[1].low; shape->key_count > 1 && j <= shape->keys[1].high;
             j++) {
            fputs(j == shape->keys[1].low ? "" : " @@ ", file);
            write_key(&shape->keys[1], j, file);
            fputs(" :> (", file);
            write_decoded(instance, (*cell)++, file);
            fputs(")", file);
        }
        fputs(")", file);
    }
    fputs(shape->key_count > 0 ? ")\n" : "\n", file);
}

static void write_bits(const char *const *names, uint32_t count, const char *tail, FILE *file)
{
    fputs("0", file);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(file, " + (IF %s%s THEN %" PRIu32 " ELSE 0)", names[i], tail, UINT32_C(1) << i);
    }
    fputs("\n", file);
}

static void write_next(const struct spec_sample *sample, FILE *file)
{
    const struct spec_instance *instance = sample->instance;
    fputs("OffNext ==\n", file);
    for (uint32_t m = 0; m < instance->move_count; m++) {
        char text[SPEC_MOVE_BYTES];
        spec_print_move(instance, &instance->moves[m], text, sizeof text);
        fprintf(file, "    \\/ off_m' = %" PRIu32 " /\\ off_i' = off_i /\\ %s\n", m, text);
    }
    fprintf(file, "    \\/ off_i %% 2 = 1 /\\ off_m' = %d /\\ off_i' = off_i", SPEC_ROW_PAIR);
    for (uint32_t v = 0; v < instance->model->variable_count; v++) {
        const char *name = instance->variables[v].name;
        fprintf(file, "\n        /\\ %s' = OffVar_%s((off_i %% %" PRIu32 ") + 1)", name, name,
                sample->count);
    }
    fputs("\n", file);
}

static void write_module(const struct spec_sample *sample, FILE *file)
{
    const struct spec_instance *instance = sample->instance;
    const struct spec_model *model = instance->model;
    uint32_t cell = 0;
    fprintf(file,
            "---- MODULE Off ----\nEXTENDS %s, Integers, Sequences, TLC\n"
            "VARIABLES off_i, off_m\nOffBit == <<1",
            model->name);
    for (int32_t i = 1; i <= SPEC_ELEMENT_MAX; i++) {
        fprintf(file, ", %" PRId32, set_of(i));
    }
    fputs(">>\n", file);
    write_table(sample, file);
    write_tables(instance, file);
    for (uint32_t v = 0; v < model->variable_count; v++) {
        write_variable(instance, v, &cell, file);
    }
    fprintf(file, "OffInit == /\\ off_i \\in 1..%" PRIu32 " /\\ off_m = %d\n", sample->count,
            SPEC_ROW_STATE);
    for (uint32_t v = 0; v < model->variable_count; v++) {
        const char *name = instance->variables[v].name;
        fprintf(file, "    /\\ %s = OffVar_%s(off_i)\n", name, name);
    }
    write_next(sample, file);
    fputs("OffAllows == ", file);
    write_bits(model->properties, model->property_count, "Step", file);
    fputs("OffHolds == ", file);
    write_bits(model->invariants, model->invariant_count, "", file);
    /* TLC asks invariants of refused successors, too. */
    fprintf(file, "OffState == off_m = %d => PrintT(<<off_i, off_m, OffHolds>>)\n", SPEC_ROW_STATE);
    fprintf(file,
            "OffStep == IF off_m' = %d THEN PrintT(<<off_i, off_m', OffAllows>>) /\\ FALSE\n"
            "    ELSE PrintT(<<off_i, off_m', OffAllows",
            SPEC_ROW_PAIR);
    for (uint32_t v = 0; v < model->variable_count; v++) {
        fprintf(file, ", %s'", instance->variables[v].name);
    }
    fputs(">>) /\\ FALSE\n====\n", file);
}

static bool close_file(FILE *file, const char *path, char *error, size_t error_bytes)
{
    const bool good = file != NULL && fclose(file) == 0;
    if (!good) {
        snprintf(error, error_bytes, "%.500s: %.200s", path, strerror(errno));
    }
    return good;
}

bool spec_constants_write(const struct spec_instance *instance, const char *path, const char *rest,
                          char *error, size_t error_bytes)
{
    FILE *file = fopen(path, "wb");
    for (uint32_t i = 0; file != NULL && i < instance->model->constant_count; i++) {
        const struct spec_constant *constant = &instance->model->constants[i];
        fprintf(file, "%s%s = ", i == 0 ? "CONSTANTS\n    " : "    ", constant->name);
        if (constant->is_bool) {
            fputs(instance->k[i] != 0 ? "TRUE\n" : "FALSE\n", file);
        } else {
            fprintf(file, "%" PRId32 "\n", instance->k[i]);
        }
    }
    if (file != NULL) {
        fprintf(file, "%sCHECK_DEADLOCK FALSE\n", rest);
    }
    return close_file(file, path, error, error_bytes);
}

bool spec_off_write(const struct spec_sample *sample, const char *folder, char *error,
                    size_t error_bytes)
{
    char path[2 * SPEC_PATH_BYTES];
    snprintf(path, sizeof path, "%s/Off.tla", folder);
    FILE *file = fopen(path, "wb");
    if (file != NULL) {
        write_module(sample, file);
    }
    if (!close_file(file, path, error, error_bytes)) {
        return false;
    }
    snprintf(path, sizeof path, "%s/Off.cfg", folder);
    return spec_constants_write(sample->instance, path,
                                "INIT OffInit\nNEXT OffNext\nINVARIANT OffState\n"
                                "ACTION_CONSTRAINT OffStep\n",
                                error, error_bytes);
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct comparison {
    const struct spec_sample *sample;
    struct spec_sample_result *result;
    uint8_t *seen; /* a bit for each row and move that TLC took */
    uint64_t claims;
    char *error;
    size_t error_bytes;
};

static bool differs(struct comparison *comparison, uint32_t row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Say what disagrees, and in which state. */
static bool differs(struct comparison *comparison, uint32_t row, const char *format, ...)
{
    const struct spec_instance *instance = comparison->sample->instance;
    const int32_t *cells = spec_sample_at(comparison->sample, row);
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(comparison->error, comparison->error_bytes, format, arguments);
    va_end(arguments);
    size_t at = length < 0 ? 0 : (size_t)length;
    for (uint32_t i = 0; i < instance->cell_count && at + 1 < comparison->error_bytes; i++) {
        char name[SPEC_VALUE_BYTES], value[SPEC_VALUE_BYTES];
        spec_print_cell(instance, i, name, sizeof name);
        spec_print_value(&instance->cells[i].domain, cells[i], value, sizeof value);
        const int more = snprintf(comparison->error + at, comparison->error_bytes - at, "%s%s = %s",
                                  i == 0 ? "; in the state " : ", ", name, value);
        at += more < 0 ? 0 : (size_t)more;
    }
    return false;
}

static const char *first_difference(uint32_t left, uint32_t right, const char *const *names,
                                    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if ((left >> i & 1) != (right >> i & 1)) {
            return names[i];
        }
    }
    return "?";
}

static bool compare_claim(struct comparison *comparison, uint32_t row, int32_t kind, uint32_t bits)
{
    const struct spec_sample *sample = comparison->sample;
    const struct spec_model *model = sample->instance->model;
    const int32_t *cells = spec_sample_at(sample, row);
    const bool pair = kind == SPEC_ROW_PAIR;
    const uint32_t ours =
        pair ? spec_allows(sample->instance, cells,
                           spec_sample_at(sample, spec_sample_partner(sample, row)))
             : spec_holds(sample->instance, cells);
    spec_digest_claim(&comparison->result->claim_digest, sample, row, kind, bits);
    comparison->claims++;
    if (ours != bits) {
        const char *name =
            first_difference(ours, bits, pair ? model->properties : model->invariants,
                             pair ? model->property_count : model->invariant_count);
        return differs(comparison, row,
                       pair ? "%s: the spec and the model differ about a pair of states"
                            : "%s: the spec and the model differ about a state",
                       name);
    }
    return true;
}

/* `values`: those of all variables after the step, as TLC prints them. */
static bool compare_step(struct comparison *comparison, uint32_t row, uint32_t move,
                         uint32_t allows, const char **values)
{
    const struct spec_sample *sample = comparison->sample;
    const struct spec_instance *instance = sample->instance;
    int32_t post[SPEC_STATE_WORDS_MAX], theirs[SPEC_STATE_WORDS_MAX];
    const uint64_t bit = (uint64_t)row * instance->move_count + move;
    const int32_t *pre = spec_sample_at(sample, row);
    char name[SPEC_MOVE_BYTES], difference[2 * SPEC_VALUE_BYTES];
    spec_print_move(instance, &instance->moves[move], name, sizeof name);
    if (!spec_parse_values(instance, values, theirs, difference, sizeof difference)) {
        return differs(comparison, row, "%s: %s", name, difference);
    }
    if (!spec_step(instance, &instance->moves[move], pre, post)) {
        return differs(comparison, row, "%s is enabled in the spec, and not in the model", name);
    }
    if (memcmp(post, theirs, instance->cell_count * sizeof *post) != 0) {
        spec_print_difference(instance, theirs, post, difference, sizeof difference);
        return differs(comparison, row, "%s makes (spec, not model) %s", name, difference);
    }
    const uint32_t ours = spec_allows(instance, pre, post);
    if (ours != allows) {
        return differs(comparison, row, "%s: the spec and the model differ about the step %s",
                       first_difference(ours, allows, instance->model->properties,
                                        instance->model->property_count),
                       name);
    }
    if ((comparison->seen[bit / 8] >> (bit % 8) & 1) == 0) {
        comparison->seen[bit / 8] = (uint8_t)(comparison->seen[bit / 8] | 1u << (bit % 8));
        comparison->result->steps++;
        spec_digest_step(&comparison->result->step_digest, sample, row, move, theirs, allows);
    }
    return true;
}

/* <<row, move, bits, values...>> or <<row, kind, bits>>, one a line. */
static bool compare_rows(struct comparison *comparison, const char *text)
{
    const struct spec_instance *instance = comparison->sample->instance;
    for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n' ? 1 : 0) {
        char *end;
        if (strncmp(text, "<<", 2) != 0) {
            continue;
        }
        const long row = strtol(text + 2, &end, 10);
        const long move = *end == ',' ? strtol(end + 1, &end, 10) : (long)INT32_MAX;
        const uint32_t bits = *end == ',' ? (uint32_t)strtoul(end + 1, &end, 10) : 0;
        const bool claim = move == SPEC_ROW_PAIR || move == SPEC_ROW_STATE;
        const bool step = move >= 0 && move < (long)instance->move_count;
        if (row < 1 || row > (long)comparison->sample->count || (!claim && !step)) {
            snprintf(comparison->error, comparison->error_bytes,
                     "TLC printed what is no row: %.80s", text);
            return false;
        }
        const uint32_t number = (uint32_t)row - 1;
        const char *values = end;
        if (claim ? !compare_claim(comparison, number, (int32_t)move, bits)
                  : !compare_step(comparison, number, (uint32_t)move, bits, &values)) {
            return false;
        }
        text = values;
    }
    return true;
}

/* The other inclusion: what the model does, and the spec did not. */
static bool compare_missing(struct comparison *comparison)
{
    const struct spec_sample *sample = comparison->sample;
    const struct spec_instance *instance = sample->instance;
    int32_t post[SPEC_STATE_WORDS_MAX];
    for (uint32_t row = 0; row < sample->count; row++) {
        for (uint32_t m = 0; m < instance->move_count; m++) {
            const uint64_t bit = (uint64_t)row * instance->move_count + m;
            if ((comparison->seen[bit / 8] >> (bit % 8) & 1) == 0 &&
                spec_step(instance, &instance->moves[m], spec_sample_at(sample, row), post)) {
                char name[SPEC_MOVE_BYTES];
                spec_print_move(instance, &instance->moves[m], name, sizeof name);
                return differs(comparison, row, "%s is enabled in the model, and not in the spec",
                               name);
            }
        }
    }
    const uint64_t expected = sample->count + (sample->count + 1u) / 2;
    if (comparison->claims != expected) {
        snprintf(comparison->error, comparison->error_bytes,
                 "TLC said of %" PRIu64 " states and pairs what holds there, and not of %" PRIu64,
                 comparison->claims, expected);
        return false;
    }
    return true;
}

bool spec_off_compare(const struct spec_sample *sample, const char *path,
                      struct spec_sample_result *result, char *error, size_t error_bytes)
{
    struct comparison comparison = {
        .sample = sample, .result = result, .error = error, .error_bytes = error_bytes};
    size_t size_bytes;
    memset(result, 0, sizeof *result);
    char *text = spec_read_file(path, ROWS_BYTES_MAX, &size_bytes, error, error_bytes);
    if (text == NULL) {
        return false;
    }
    const uint64_t bits = (uint64_t)sample->count * sample->instance->move_count;
    comparison.seen = calloc((size_t)(bits / 8 + 1), 1);
    CHECK(comparison.seen != NULL);
    const bool good = compare_rows(&comparison, text) && compare_missing(&comparison);
    free(comparison.seen);
    free(text);
    return good;
}
