/* What both forms of a law have in common, besides their state: what its file has to define, and
 * the way from a number to an action or a claim. For models/spec_law.h and models/spec_wide.h
 * alone.
 */
#ifndef BROWNOUT_MODELS_SPEC_PARTS_H
#define BROWNOUT_MODELS_SPEC_PARTS_H

#include "models/spec_names.h"

/* How the spec writes its words. */
#define LAW_TEXT(constant, text) text,
#define LAW_TEXTS(name, list)    static const char *const name##_words[] = {list(LAW_TEXT)};
LAW_WORDS(LAW_TEXTS)

struct state;

/* What the file has to define. */
#define LAW_ACT0(name, Name, actor)                                                                \
    static bool act_##name(const struct constants *k, struct state *s);
#define LAW_ACT1(name, Name, actor, a, da)                                                         \
    static bool act_##name(const struct constants *k, struct state *s, int32_t a);
#define LAW_ACT2(name, Name, actor, a, da, b, db)                                                  \
    static bool act_##name(const struct constants *k, struct state *s, int32_t a, int32_t b);
#define LAW_ACT3(name, Name, actor, a, da, b, db, c, dc)                                           \
    static bool act_##name(const struct constants *k, struct state *s, int32_t a, int32_t b,       \
                           int32_t c);
#define LAW_INV(name, Name)                                                                        \
    static bool inv_##name(const struct constants *k, const struct state *s);
#define LAW_AP(name, Name)                                                                         \
    static bool ap_##name(const struct constants *k, const struct state *s, const struct state *t);
#define LAW_INV_EACH(name, Name, domain)                                                           \
    static bool inv_##name(const struct constants *k, const struct state *s, int32_t a);
#define LAW_AP_EACH(name, Name, domain)                                                            \
    static bool ap_##name(const struct constants *k, const struct state *s, const struct state *t, \
                          int32_t a);
static bool init_state(const struct constants *k, uint32_t index, struct state *s);
LAW_ACTIONS(LAW_ACT0, LAW_ACT1, LAW_ACT2, LAW_ACT3)
LAW_INVARIANTS(LAW_INV, LAW_INV_EACH)
LAW_PROPERTIES(LAW_AP, LAW_AP_EACH)

/* Domains; `k` is at hand where they stand. */
#define K(name)            (k->name)
#define RANGE(low, high)   spec_domain(SPEC_INT, low, high, NULL)
#define FLAG               spec_domain(SPEC_BOOL, 0, 1, NULL)
#define SET(low, high)     spec_domain(SPEC_SET, low, high, NULL)
#define WORDS(name)        spec_domain(SPEC_WORD, 0, name##_count - 1, name##_words)
#define SET_OF_WORDS(name) spec_domain(SPEC_WORDS, 0, name##_count - 1, name##_words)

/* Actions. */
#define LAW_CASE0(name, Name, actor)                                                               \
    case ACT_##name:                                                                               \
        return act_##name(k, s);
#define LAW_CASE1(name, Name, actor, a, da)                                                        \
    case ACT_##name:                                                                               \
        return act_##name(k, s, p[0]);
#define LAW_CASE2(name, Name, actor, a, da, b, db)                                                 \
    case ACT_##name:                                                                               \
        return act_##name(k, s, p[0], p[1]);
#define LAW_CASE3(name, Name, actor, a, da, b, db, c, dc)                                          \
    case ACT_##name:                                                                               \
        return act_##name(k, s, p[0], p[1], p[2]);
static bool take_step(const struct constants *k, uint32_t action, const int32_t *p, struct state *s)
{
    switch (action) {
        LAW_ACTIONS(LAW_CASE0, LAW_CASE1, LAW_CASE2, LAW_CASE3)
    default:
        return false;
    }
}

/* Claims. */
#define LAW_INV_INDEX(name, Name)              INV_##name,
#define LAW_AP_INDEX(name, Name)               AP_##name,
#define LAW_INV_INDEX_EACH(name, Name, domain) INV_##name,
#define LAW_AP_INDEX_EACH(name, Name, domain)  AP_##name,
#define LAW_CLAIM(name, Name)                  #Name,
#define LAW_CLAIM_EACH(name, Name, domain)     #Name,
enum { LAW_INVARIANTS(LAW_INV_INDEX, LAW_INV_INDEX_EACH) LAW_INVARIANT_COUNT };
enum { LAW_PROPERTIES(LAW_AP_INDEX, LAW_AP_INDEX_EACH) LAW_PROPERTY_COUNT };
static const char *const law_invariants[] = {LAW_INVARIANTS(LAW_CLAIM, LAW_CLAIM_EACH) NULL};
static const char *const law_properties[] = {LAW_PROPERTIES(LAW_CLAIM, LAW_CLAIM_EACH) NULL};
_Static_assert((int)LAW_INVARIANT_COUNT <= (int)SPEC_CLAIMS_MAX, "their truth is one number");
_Static_assert((int)LAW_PROPERTY_COUNT <= (int)SPEC_CLAIMS_MAX, "their truth is one number");

#define LAW_HOLDS(name, Name)                                                                      \
    case INV_##name:                                                                               \
        return inv_##name(k, s);
#define LAW_ALLOWS(name, Name)                                                                     \
    case AP_##name:                                                                                \
        return ap_##name(k, s, t);
#define LAW_HOLDS_EACH(name, Name, values)                                                         \
    case INV_##name:                                                                               \
        each = values;                                                                             \
        for (int32_t a = each.low; holds && a <= each.high; a++) {                                 \
            holds = inv_##name(k, s, a);                                                           \
        }                                                                                          \
        return holds;
#define LAW_ALLOWS_EACH(name, Name, values)                                                        \
    case AP_##name:                                                                                \
        each = values;                                                                             \
        for (int32_t a = each.low; holds && a <= each.high; a++) {                                 \
            holds = ap_##name(k, s, t, a);                                                         \
        }                                                                                          \
        return holds;
static bool claim_holds(const struct constants *k, uint32_t invariant, const struct state *s)
{
    struct spec_domain each = FLAG;
    bool holds = true;
    switch (invariant) {
        LAW_INVARIANTS(LAW_HOLDS, LAW_HOLDS_EACH)
    default:
        (void)k;
        (void)s;
        return holds && each.low != 0;
    }
}

static bool claim_allows(const struct constants *k, uint32_t property, const struct state *s,
                         const struct state *t)
{
    struct spec_domain each = FLAG;
    bool holds = true;
    switch (property) {
        LAW_PROPERTIES(LAW_ALLOWS, LAW_ALLOWS_EACH)
    default:
        (void)k;
        (void)s;
        (void)t;
        return holds && each.low != 0;
    }
}

#endif
