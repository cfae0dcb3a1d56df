/* Traces as numbers below 2^31, for TLC: as few an event as will do, one after the other.
 *
 * Events that have the same action and show the same variables are of one form. A form gives each
 * of its fields (parameters, then sights) a digit, just wide enough for the values that it has in
 * this pack; the lowest digit of an event's first number is its form.
 */
#ifndef BROWNOUT_SIM_SPEC_PACK_H
#define BROWNOUT_SIM_SPEC_PACK_H

#include "sim/spec_instance.h"
#include "sim/spec_trace.h"

enum {
    SPEC_FORMS_MAX = 256,
    SPEC_FIELDS_MAX = SPEC_PARAMETERS_MAX + FOLLOW_SIGHTS_MAX,
};

/* value = low + (numbers[number] / weight) % radix */
struct spec_field {
    int32_t low, high;
    uint32_t number, weight, radix;
};

struct spec_form {
    uint32_t action, sight_count;                  /* action: FOLLOW_LOOK: none */
    struct follow_sight sights[FOLLOW_SIGHTS_MAX]; /* but for their values */
    uint32_t width;                                /* numbers of an event */
    struct spec_field fields[SPEC_FIELDS_MAX];
};

struct spec_pack {
    struct spec_instance instance; /* constants, variables and actions; its cells and moves, which
                                      are only for small constants, are left empty */
    uint32_t form_count;
    struct spec_form forms[SPEC_FORMS_MAX];
    uint32_t trace_count;
    uint32_t *begins; /* [trace_count + 1]: the first number of each */
    int32_t *numbers;
};

/* k: the constants for all of them. False: error says which event cannot be told, and why. */
bool spec_pack_make(struct spec_pack *pack, const struct spec_model *model, const int32_t *k,
                    const struct spec_trace *const *traces, uint32_t trace_count, char *error,
                    size_t error_bytes);
void spec_pack_free(struct spec_pack *pack);

/* The event that begins at this number: its move and sights alone. Returns its width. */
uint32_t spec_pack_read(const struct spec_pack *pack, uint32_t at, struct spec_trace_event *event);
/* The index, in its trace, of the event that begins at this number of it. */
uint32_t spec_pack_index(const struct spec_pack *pack, uint32_t trace, uint32_t at);

/* Does the domain have this value? */
bool spec_domain_has(const struct spec_domain *domain, int32_t value);
/* What field `field` of a form can be. */
struct spec_domain spec_form_domain(const struct spec_pack *pack, const struct spec_form *form,
                                    uint32_t field);

#endif
