#include "sim/spec_sample.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/random.h"

/* How many typed states there are; UINT64_MAX: more than are counted. */
static uint64_t typed_count(const struct spec_instance *instance)
{
    uint64_t count = 1;
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        const uint64_t size = spec_domain_size(&instance->cells[i].domain);
        if (size > UINT32_MAX || count > UINT32_MAX) {
            return UINT64_MAX;
        }
        count *= size;
    }
    return count;
}

static void take_all(struct spec_sample *sample)
{
    const struct spec_instance *instance = sample->instance;
    for (uint32_t row = 0; row < sample->count; row++) {
        uint64_t rest = row;
        for (uint32_t i = 0; i < instance->cell_count; i++) {
            const struct spec_domain *domain = &instance->cells[i].domain;
            const uint64_t size = spec_domain_size(domain);
            sample->cells[(size_t)row * instance->cell_count + i] =
                spec_domain_value(domain, rest % size);
            rest /= size;
        }
    }
}

/* One or two variables get another value. */
static void disturb(const struct spec_instance *instance, struct random_stream *stream,
                    int32_t *cells)
{
    const uint64_t changes = random_between(stream, 1, 2);
    for (uint64_t n = 0; n < changes; n++) {
        const uint64_t at = random_below(stream, instance->cell_count);
        const struct spec_domain *domain = &instance->cells[at].domain;
        cells[at] = spec_domain_value(domain, random_below(stream, spec_domain_size(domain)));
    }
}

/* Each second row is near the one before it, so that pairs of rows are such as a wrong action could
 * make: what no action property forbids in two unlike states, it need not see in two like ones. */
static void draw(struct spec_sample *sample, const struct spec_graph *reachable)
{
    const struct spec_instance *instance = sample->instance;
    struct random_stream stream = {random_key(1, instance->model->name), 0};
    const size_t bytes = instance->cell_count * sizeof(int32_t);
    for (uint32_t row = 0; row < sample->count; row++) {
        int32_t *cells = sample->cells + (size_t)row * instance->cell_count;
        const uint64_t from = random_below(&stream, reachable->states.count);
        if (row % 2 == 0) {
            memcpy(cells, spec_states_at(&reachable->states, (uint32_t)from), bytes);
        } else {
            memcpy(cells, cells - instance->cell_count, bytes);
        }
        disturb(instance, &stream, cells);
    }
}

void spec_sample_draw(struct spec_sample *sample, const struct spec_graph *reachable, uint32_t rows)
{
    const struct spec_instance *instance = reachable->instance;
    const uint64_t typed = typed_count(instance);
    CHECK(rows >= 1);
    memset(sample, 0, sizeof *sample);
    sample->instance = instance;
    sample->all = typed <= SPEC_TYPED_MAX;
    sample->count = sample->all ? (uint32_t)typed : rows;
    sample->cells = calloc((size_t)sample->count * instance->cell_count, sizeof *sample->cells);
    CHECK(sample->cells != NULL);
    if (sample->all) {
        take_all(sample);
    } else {
        draw(sample, reachable);
    }
}

void spec_sample_free(struct spec_sample *sample)
{
    free(sample->cells);
    memset(sample, 0, sizeof *sample);
}

const int32_t *spec_sample_at(const struct spec_sample *sample, uint32_t row)
{
    CHECK(row < sample->count);
    return sample->cells + (size_t)row * sample->instance->cell_count;
}

uint32_t spec_sample_partner(const struct spec_sample *sample, uint32_t row)
{
    return (row + 1) % sample->count;
}

/* ---- What is said of a row ------------------------------------------------------------------- */

void spec_digest_step(struct spec_digest *digest, const struct spec_sample *sample, uint32_t row,
                      uint32_t move, const int32_t *post, uint32_t allows)
{
    const struct spec_instance *instance = sample->instance;
    int32_t numbers[2 * SPEC_STATE_WORDS_MAX + 2];
    uint32_t count = instance->cell_count;
    memcpy(numbers, spec_sample_at(sample, row), count * sizeof *numbers);
    memcpy(numbers + count, post, count * sizeof *numbers);
    count *= 2;
    numbers[count++] = (int32_t)move;
    numbers[count++] = (int32_t)allows;
    spec_digest_add(digest, numbers, count);
}

void spec_digest_claim(struct spec_digest *digest, const struct spec_sample *sample, uint32_t row,
                       int32_t kind, uint32_t bits)
{
    int32_t numbers[SPEC_STATE_WORDS_MAX + 3];
    uint32_t count = sample->instance->cell_count;
    memcpy(numbers, spec_sample_at(sample, row), count * sizeof *numbers);
    numbers[count++] = (int32_t)row; /* a pair is told by its place */
    numbers[count++] = kind;
    numbers[count++] = (int32_t)bits;
    spec_digest_add(digest, numbers, count);
}

void spec_sample_judge(const struct spec_sample *sample, struct spec_sample_result *result)
{
    const struct spec_instance *instance = sample->instance;
    int32_t state[SPEC_STATE_WORDS_MAX], post[SPEC_STATE_WORDS_MAX];
    memset(result, 0, sizeof *result);
    for (uint32_t row = 0; row < sample->count; row++) {
        const int32_t *pre = spec_sample_at(sample, row);
        const int32_t *partner = spec_sample_at(sample, spec_sample_partner(sample, row));
        spec_scatter(instance, pre, state);
        for (uint32_t m = 0; m < instance->move_count; m++) {
            if (spec_step_from(instance, &instance->moves[m], state, post)) {
                spec_digest_step(&result->step_digest, sample, row, m, post,
                                 spec_allows(instance, pre, post));
                result->steps++;
            }
        }
        spec_digest_claim(&result->claim_digest, sample, row, SPEC_ROW_STATE,
                          spec_holds(instance, pre));
        if (row % 2 == 0) {
            spec_digest_claim(&result->claim_digest, sample, row, SPEC_ROW_PAIR,
                              spec_allows(instance, pre, partner));
        }
    }
}
