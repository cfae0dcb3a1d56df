/* The rows of a sample as a TLA+ module, and what TLC prints of them, read back.
 *
 * The module extends the spec and names each action with its parameters, so that TLC says which of
 * them it took. No state but the rows is kept: behind an action stands one that prints what it
 * makes and is false, so that TLC has no successor to finish, to hash or to judge. What TLC
 * computes is slow and what it prints is fast, so that rows are looked up in tables, and printed as
 * they are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/spec_dump.h"
#include "sim/spec_sample.h"

enum { NUMBERS_A_LINE = 16, ROWS_BYTES_MAX = 1 << 30 };

/* ---- Columns --------------------------------------------------------------------------------- */

/* The values that a variable has in the rows, each once. A row is the numbers of its values, packed
 * into a few below 2^31: looked up, and not computed. */
struct column {
    uint32_t first;          /* of its cells */
    struct spec_states seen; /* its values */
    uint32_t packed;         /* a row's number of the value is in this number of the row, */
    int64_t weight;          /* times this */
};

struct columns {
    const struct spec_sample *sample;
    uint32_t packed_count;
    struct column list[SPEC_VARIABLES_MAX];
};

static void begin_columns(struct columns *columns, const struct spec_sample *sample)
{
    const struct spec_instance *instance = sample->instance;
    uint32_t cells[SPEC_VARIABLES_MAX] = {0};
    memset(columns, 0, sizeof *columns);
    columns->sample = sample;
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        cells[instance->cells[i].variable]++;
    }
    uint32_t first = 0;
    int64_t weight = 1;
    for (uint32_t v = 0; v < instance->model->variable_count; v++) {
        struct column *column = &columns->list[v];
        column->first = first;
        first += cells[v];
        spec_states_init(&column->seen, cells[v]);
        for (uint32_t row = 0; row < sample->count; row++) {
            (void)spec_states_add(&column->seen, spec_sample_at(sample, row) + column->first);
        }
        if (weight * column->seen.count > INT32_MAX) {
            columns->packed_count++;
            weight = 1;
        }
        column->packed = columns->packed_count;
        column->weight = weight;
        weight *= column->seen.count;
    }
    columns->packed_count++;
}

static void end_columns(struct columns *columns)
{
    for (uint32_t v = 0; v < columns->sample->instance->model->variable_count; v++) {
        spec_states_free(&columns->list[v].seen);
    }
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* One of the numbers of all rows: OffRows0[off_r]. */
static void write_rows(const struct columns *columns, uint32_t packed, FILE *file)
{
    const struct spec_sample *sample = columns->sample;
    fprintf(file, "OffRows%" PRIu32 " == <<", packed);
    for (uint32_t row = 0; row < sample->count; row++) {
        int64_t number = 0;
        for (uint32_t v = 0; v < sample->instance->model->variable_count; v++) {
            const struct column *column = &columns->list[v];
            if (column->packed == packed) {
                number +=
                    column->weight *
                    spec_states_find(&column->seen, spec_sample_at(sample, row) + column->first);
            }
        }
        fprintf(file, "%s%s%" PRId64, row == 0 ? "" : ",", row % NUMBERS_A_LINE == 0 ? "\n" : "",
                number);
    }
    fputs(">>\n", file);
}

static void write_cell(const struct spec_instance *instance, uint32_t cell, int32_t value,
                       FILE *file)
{
    char text[SPEC_VALUE_BYTES];
    spec_print_value(&instance->cells[cell].domain, value, text, sizeof text);
    fputs(text, file);
}

static void write_key(const struct spec_domain *keys, int32_t key, FILE *file)
{
    if (keys->words != NULL) {
        fprintf(file, "\"%s\"", keys->words[key]);
    } else {
        fprintf(file, "(%" PRId32 ")", key);
    }
}

/* Cells come in the order of the keys. */
static void write_value(const struct spec_instance *instance, uint32_t variable, uint32_t cell,
                        const int32_t *values, FILE *file)
{
    const struct spec_variable *shape = &instance->variables[variable];
    if (shape->key_count == 0) {
        write_cell(instance, cell, *values, file);
        return;
    }
    for (int32_t i = shape->keys[0].low; i <= shape->keys[0].high; i++) {
        fputs(i == shape->keys[0].low ? "(" : " @@ ", file);
        write_key(&shape->keys[0], i, file);
        fputs(" :> (", file);
        if (shape->key_count == 1) {
            write_cell(instance, cell++, *values++, file);
        }
        for (int32_t j = shape->keys[1].low; shape->key_count > 1 && j <= shape->keys[1].high;
             j++) {
            fputs(j == shape->keys[1].low ? "" : " @@ ", file);
            write_key(&shape->keys[1], j, file);
            fputs(" :> (", file);
            write_cell(instance, cell++, *values++, file);
            fputs(")", file);
        }
        fputs(")", file);
    }
    fputs(")", file);
}

/* The number of the value in row off_r; the least that TLC has to compute. */
static void write_number(const struct column *column, FILE *file)
{
    char number[64];
    snprintf(number, sizeof number, "OffRows%" PRIu32 "[off_r]", column->packed);
    if (column->seen.count == 1) {
        fputs("0", file);
    } else if (column->weight == 1) {
        fprintf(file, "(%s %% %" PRIu32 ")", number, column->seen.count);
    } else {
        fprintf(file, "((%s \\div %" PRId64 ") %% %" PRIu32 ")", number, column->weight,
                column->seen.count);
    }
}

/* OffVar_x(off_r): the value of x in that row. */
static void write_variable(const struct columns *columns, uint32_t variable, FILE *file)
{
    const struct spec_instance *instance = columns->sample->instance;
    const struct column *column = &columns->list[variable];
    const char *name = instance->variables[variable].name;
    fprintf(file, "OffValues_%s == <<", name);
    for (uint32_t i = 0; i < column->seen.count; i++) {
        fputs(i == 0 ? "\n" : ",\n", file);
        write_value(instance, variable, column->first, spec_states_at(&column->seen, i), file);
    }
    fprintf(file, ">>\nOffVar_%s(off_r) == OffValues_%s[", name, name);
    write_number(column, file);
    fputs(" + 1]\n", file);
}

static void write_bits(const char *const *names, uint32_t count, const char *tail, FILE *file)
{
    fputs("0", file);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(file, " + (IF %s%s THEN %" PRIu32 " ELSE 0)", names[i], tail, UINT32_C(1) << i);
    }
    fputs("\n", file);
}

/* The spec's part comes first: most actions are not enabled, and cost their guard alone. */
static void write_next(const struct spec_sample *sample, FILE *file)
{
    const struct spec_instance *instance = sample->instance;
    fputs("OffNext ==\n", file);
    for (uint32_t m = 0; m < instance->move_count; m++) {
        char text[SPEC_MOVE_BYTES];
        spec_print_move(instance, &instance->moves[m], text, sizeof text);
        fprintf(file, "    \\/ %s /\\ OffStep(%" PRIu32 ")\n", text, m);
    }
    fputs("    \\/ off_i % 2 = 1", file);
    for (uint32_t v = 0; v < instance->model->variable_count; v++) {
        const char *name = instance->variables[v].name;
        fprintf(file, "\n        /\\ %s' = OffVar_%s((off_i %% %" PRIu32 ") + 1)", name, name,
                sample->count);
    }
    fprintf(file, "\n        /\\ PrintT(<<off_i, %d, OffAllows>>) /\\ FALSE\n", SPEC_ROW_PAIR);
}

/* A step that leaves a variable without a value ends TLC here, with an error. */
static void write_step(const struct spec_instance *instance, FILE *file)
{
    fputs("OffStep(off_m) == PrintT(<<off_i, off_m, OffAllows", file);
    for (uint32_t v = 0; v < instance->model->variable_count; v++) {
        fprintf(file, ", %s'", instance->variables[v].name);
    }
    fputs(">>) /\\ FALSE\n", file);
}

static void write_module(const struct spec_sample *sample, FILE *file)
{
    const struct spec_instance *instance = sample->instance;
    const struct spec_model *model = instance->model;
    struct columns columns;
    begin_columns(&columns, sample);
    fprintf(file, "---- MODULE Off ----\nEXTENDS %s, Integers, Sequences, TLC\nVARIABLE off_i\n",
            model->name);
    for (uint32_t i = 0; i < columns.packed_count; i++) {
        write_rows(&columns, i, file);
    }
    for (uint32_t v = 0; v < model->variable_count; v++) {
        write_variable(&columns, v, file);
    }
    end_columns(&columns);
    fprintf(file, "OffInit == /\\ off_i \\in 1..%" PRIu32 "\n", sample->count);
    for (uint32_t v = 0; v < model->variable_count; v++) {
        const char *name = instance->variables[v].name;
        fprintf(file, "    /\\ %s = OffVar_%s(off_i)\n", name, name);
    }
    fputs("OffAllows == ", file);
    write_bits(model->properties, model->property_count, "Step", file);
    fputs("OffHolds == ", file);
    write_bits(model->invariants, model->invariant_count, "", file);
    write_step(instance, file);
    write_next(sample, file);
    fprintf(file, "OffState == PrintT(<<off_i, %d, OffHolds>>)\n====\n", SPEC_ROW_STATE);
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
                                "INIT OffInit\nNEXT OffNext\nINVARIANT OffState\n", error,
                                error_bytes);
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

static const char *name_of(const struct spec_instance *instance, uint32_t move,
                           char name[SPEC_MOVE_BYTES])
{
    spec_print_move(instance, &instance->moves[move], name, SPEC_MOVE_BYTES);
    return name;
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
    if (!spec_parse_values(instance, values, theirs, difference, sizeof difference)) {
        return differs(comparison, row, "%s: %s", name_of(instance, move, name), difference);
    }
    if (!spec_step(instance, &instance->moves[move], pre, post)) {
        return differs(comparison, row, "%s is enabled in the spec, and not in the model",
                       name_of(instance, move, name));
    }
    if (memcmp(post, theirs, instance->cell_count * sizeof *post) != 0) {
        spec_print_difference(instance, theirs, post, difference, sizeof difference);
        return differs(comparison, row, "%s makes (spec, not model) %s",
                       name_of(instance, move, name), difference);
    }
    const uint32_t ours = spec_allows(instance, pre, post);
    if (ours != allows) {
        return differs(comparison, row, "%s: the spec and the model differ about the step %s",
                       first_difference(ours, allows, instance->model->properties,
                                        instance->model->property_count),
                       name_of(instance, move, name));
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
                return differs(comparison, row, "%s is enabled in the model, and not in the spec",
                               name_of(instance, m, name));
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
