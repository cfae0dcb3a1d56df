/* specs/Audit/Audit.tla, action by action. */
#include "models/audit.def"
#include "models/spec_law.h"

static int32_t size(const struct constants *k, const int32_t *log)
{
    int32_t count = 0;
    for (int32_t i = 1; i <= k->Records; i++) {
        count += log[i] != RECORD_NONE ? 1 : 0;
    }
    return count;
}

/* The log goes on from the anchor. */
static bool extends(const struct constants *k, const struct state *s)
{
    bool does = true;
    for (int32_t i = 1; i <= k->Records; i++) {
        does = does && (s->anchor[i] == RECORD_NONE || s->log[i] == s->anchor[i]);
    }
    return does;
}

/* What a record is that is written at place i. */
static int32_t fresh(const struct state *s, int32_t i)
{
    return i > s->top ? RECORD_FIRST : RECORD_AGAIN;
}

/* The first break of the chain before place i. */
static int32_t left(const struct state *s, int32_t i)
{
    return s->broken < i ? s->broken : 0;
}

static bool init_state(const struct constants *k, uint32_t index, struct state *s)
{
    (void)k;
    (void)s;
    return index == 0;
}

/* ---- The node -------------------------------------------------------------------------------- */

static bool act_append(const struct constants *k, struct state *s)
{
    const int32_t length = size(k, s->log);
    if (s->ram || length >= k->Records || length > s->acts) {
        return false;
    }
    s->ram = true;
    return true;
}

static bool act_flush(const struct constants *k, struct state *s)
{
    const int32_t i = size(k, s->log) + 1;
    if (!s->ram || i > k->Records) {
        return false;
    }
    s->log[i] = fresh(s, i);
    s->top = i > s->top ? i : s->top;
    s->ram = false;
    return true;
}

static bool act_act(const struct constants *k, struct state *s)
{
    const int32_t recorded = size(k, s->log) + (k->ActFirst && s->ram ? 1 : 0);
    if (s->acts >= recorded || s->acts >= k->Records) {
        return false;
    }
    s->acts++;
    return true;
}

/* ---- The peer -------------------------------------------------------------------------------- */

static bool act_anchor(const struct constants *k, struct state *s)
{
    const int32_t next = size(k, s->log) + 1;
    bool news = false;
    if (s->alarm || s->broken != 0 || !(extends(k, s) || k->TrustHead)) {
        return false;
    }
    for (int32_t i = 1; i <= k->Records; i++) {
        const bool unflushed = k->ShowUnflushed && s->ram && i == next;
        const int32_t shown = unflushed ? fresh(s, i) : s->log[i];
        news = news || shown != s->anchor[i];
        s->anchor[i] = shown;
    }
    return news;
}

static bool act_alarm(const struct constants *k, struct state *s)
{
    if (s->alarm || (s->broken == 0 && (extends(k, s) || k->TrustHead))) {
        return false;
    }
    s->alarm = true;
    return true;
}

/* ---- The world ------------------------------------------------------------------------------- */

static bool act_crash(const struct constants *k, struct state *s)
{
    s->ram = false;
    return s->crashes++ < k->MaxCrashes;
}

static bool act_tamper(const struct constants *k, struct state *s, int32_t i, int32_t whole)
{
    if (s->log[i] == RECORD_NONE) {
        return false;
    }
    s->log[i] = RECORD_FORGED;
    if (whole) {
        s->broken = left(s, i);
    } else if (s->broken == 0 || s->broken >= i) {
        s->broken = i;
    }
    return s->tampers++ < k->MaxTampers;
}

static bool act_cut(const struct constants *k, struct state *s, int32_t i)
{
    if (s->log[i] == RECORD_NONE) {
        return false;
    }
    for (int32_t j = i; j <= k->Records; j++) {
        s->log[j] = RECORD_NONE;
    }
    s->broken = left(s, i);
    return s->tampers++ < k->MaxTampers;
}

/* ---- What holds in every state --------------------------------------------------------------- */

static bool inv_record_first(const struct constants *k, const struct state *s)
{
    (void)k;
    return s->acts <= s->top;
}

static bool inv_one_record_each(const struct constants *k, const struct state *s)
{
    const int32_t length = size(k, s->log);
    return s->tampers != 0 || (s->acts <= length && length <= s->acts + 1);
}

static bool inv_no_false_alarm(const struct constants *k, const struct state *s)
{
    (void)k;
    return !s->alarm || s->tampers > 0;
}

static bool inv_anchored_never_lost(const struct constants *k, const struct state *s)
{
    return s->tampers != 0 || extends(k, s);
}

static bool inv_nothing_invented(const struct constants *k, const struct state *s, int32_t i)
{
    (void)k;
    return s->tampers != 0 || (s->anchor[i] <= RECORD_FIRST && s->log[i] <= RECORD_FIRST);
}

/* ---- What no step does ----------------------------------------------------------------------- */

static bool ap_durable_stays(const struct constants *k, const struct state *s,
                             const struct state *t, int32_t i)
{
    (void)k;
    return t->tampers != s->tampers || s->log[i] == RECORD_NONE || t->log[i] == s->log[i];
}

static bool ap_anchor_grows(const struct constants *k, const struct state *s, const struct state *t,
                            int32_t i)
{
    (void)k;
    return s->anchor[i] == RECORD_NONE || t->anchor[i] == s->anchor[i];
}

static bool ap_alarm_stays(const struct constants *k, const struct state *s, const struct state *t)
{
    (void)k;
    return !s->alarm || t->alarm;
}
