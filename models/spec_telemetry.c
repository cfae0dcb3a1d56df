/* specs/Telemetry/Telemetry.tla, action by action. */
#include "models/telemetry.def"
#include "models/spec_law.h"

/* All up to the floor are closed for the device. */
static int32_t floor_of(const struct state *s, int32_t d)
{
    return set_least(s->held[d], s->next[d]) - 1;
}

static bool is_fresh(const struct constants *k, const struct state *s, int32_t d, int32_t c)
{
    return c > s->top[d] || (c + k->WindowBits > s->top[d] && !set_has(s->seen[d], c));
}

/* What an ack covers: below the window everything. */
static int32_t covers(const struct constants *k, int32_t bits, int32_t top)
{
    return set_range(1, top - k->WindowBits) | (bits & set_range(1, top));
}

static bool is_committed(const struct state *s, int32_t d)
{
    return s->durable_epoch[d] == s->window_epoch[d] && s->durable_top[d] == s->top[d] &&
           s->durable_seen[d] == s->seen[d] && s->durable_rows[d] == s->rows[d];
}

static bool init_state(const struct constants *k, uint32_t index, struct state *s)
{
    for (int32_t d = 1; d <= k->Devices; d++) {
        s->epoch[d] = s->reserved[d] = s->next[d] = 1;
    }
    return index == 0;
}

/* ---- The device ------------------------------------------------------------------------------ */

static bool act_reserve(const struct constants *k, struct state *s, int32_t d)
{
    if (s->fresh[d] != 0 || s->next[d] != s->reserved[d] ||
        s->next[d] + k->ReserveBy > k->Counters + 1) {
        return false;
    }
    s->reserved[d] = s->next[d] + k->ReserveBy;
    s->stored[d] = set_without(s->stored[d], set_range(1, floor_of(s, d)));
    return true;
}

static bool act_sign(const struct constants *k, struct state *s, int32_t d)
{
    if (s->fresh[d] != 0 || s->next[d] >= s->reserved[d] || set_count(s->held[d]) >= k->OutboxMax) {
        return false;
    }
    s->used[d] |= set_of(s->next[d]);
    s->fresh[d] = s->next[d]++;
    return true;
}

static bool act_store(const struct constants *k, struct state *s, int32_t d, int32_t over)
{
    const bool room = over == 0 ? set_count(s->stored[d]) < k->OutboxMax
                                : set_has(set_without(s->stored[d], s->held[d]), over);
    if (s->fresh[d] == 0 || !room) {
        return false;
    }
    s->stored[d] = set_without(s->stored[d], set_of(over)) | set_of(s->fresh[d]);
    s->held[d] |= set_of(s->fresh[d]);
    s->fresh[d] = 0;
    return true;
}

static bool act_shed(const struct constants *k, struct state *s, int32_t d)
{
    const int32_t oldest = set_of(floor_of(s, d) + 1);
    if (s->fresh[d] != 0 || set_count(s->held[d]) < k->OutboxMax) {
        return false;
    }
    s->held[d] = set_without(s->held[d], oldest);
    s->shed[d] |= oldest;
    return true;
}

static bool act_send(const struct constants *k, struct state *s, int32_t d, int32_t c)
{
    if (s->fresh[d] != 0 || !set_has(s->held[d], c) ||
        (c > floor_of(s, d) + k->WindowBits && !k->SendBeyondWindow)) {
        return false;
    }
    s->sent[d][s->epoch[d]] |= set_of(c);
    return true;
}

static bool act_release(const struct constants *k, struct state *s, int32_t d, int32_t c)
{
    (void)k;
    if (s->fresh[d] != 0 || !set_has(s->held[d] & s->acked[d], c)) {
        return false;
    }
    s->held[d] = set_without(s->held[d], set_of(c));
    return true;
}

static bool act_respond(const struct constants *k, struct state *s, int32_t d)
{
    (void)k;
    if (s->fresh[d] != 0 || !s->asked[d]) {
        return false;
    }
    s->answer_epoch[d] = s->epoch[d];
    s->answer_floor[d] = floor_of(s, d);
    return true;
}

/* ---- The cloud ------------------------------------------------------------------------------- */

static bool act_challenge(const struct constants *k, struct state *s, int32_t d, int32_t e)
{
    (void)k;
    s->asked[d] = true;
    return s->sent[d][e] != 0 && e > s->window_epoch[d];
}

static bool act_window(const struct constants *k, struct state *s, int32_t d)
{
    const int32_t e = s->answer_epoch[d], floor = s->answer_floor[d];
    if (!s->asked[d] || e == 0 || e < s->window_epoch[d] ||
        (e == s->window_epoch[d] && floor < s->top[d])) {
        return false;
    }
    s->rows[d] = e == s->window_epoch[d] ? s->rows[d] : 0;
    s->window_epoch[d] = e;
    s->top[d] = floor;
    s->seen[d] = set_without(set_range(1, floor), set_range(1, floor - k->WindowBits));
    s->asked[d] = false;
    s->answer_epoch[d] = s->answer_floor[d] = 0;
    return true;
}

static bool act_accept(const struct constants *k, struct state *s, int32_t d, int32_t e, int32_t c)
{
    if (!set_has(s->sent[d][e], c) || e != s->window_epoch[d] || !is_fresh(k, s, d, c)) {
        return false;
    }
    s->top[d] = c > s->top[d] ? c : s->top[d];
    s->seen[d] = set_without(s->seen[d] | set_of(c), set_range(1, s->top[d] - k->WindowBits));
    s->rows[d] |= set_of(c);
    return true;
}

static bool act_reject(const struct constants *k, struct state *s, int32_t d, int32_t e, int32_t c)
{
    return set_has(s->sent[d][e], c) && e <= s->window_epoch[d] &&
           (e != s->window_epoch[d] || !is_fresh(k, s, d, c));
}

static bool act_commit(const struct constants *k, struct state *s)
{
    for (int32_t d = 1; d <= k->Devices; d++) {
        s->durable_epoch[d] = s->window_epoch[d];
        s->durable_top[d] = s->top[d];
        s->durable_seen[d] = s->seen[d];
        s->durable_rows[d] = s->rows[d];
    }
    return true;
}

static bool act_ack(const struct constants *k, struct state *s, int32_t d)
{
    if (s->window_epoch[d] == 0 || !(is_committed(s, d) || k->AckBeforeCommit)) {
        return false;
    }
    if (s->window_epoch[d] == s->epoch[d]) {
        s->acked[d] |= covers(k, s->seen[d], s->top[d]);
    }
    return true;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static bool act_power_loss(const struct constants *k, struct state *s, int32_t d)
{
    const bool back = k->ResumeFromUsed && s->reserved[d] > k->ReserveBy;
    s->next[d] = s->reserved[d] - (back ? k->ReserveBy : 0);
    s->held[d] = s->stored[d];
    s->fresh[d] = 0;
    return s->device_losses++ < k->DeviceLosses;
}

static bool act_found(const struct constants *k, struct state *s, int32_t d)
{
    if (s->epoch[d] >= k->Epochs) {
        return false;
    }
    s->epoch[d] += k->KeepEpoch ? 0 : 1;
    s->used[d] = k->KeepEpoch ? s->used[d] : 0;
    s->reserved[d] = s->next[d] = 1;
    s->stored[d] = s->held[d] = s->fresh[d] = s->shed[d] = s->acked[d] = 0;
    return true;
}

static bool act_cloud_loss(const struct constants *k, struct state *s)
{
    for (int32_t d = 1; d <= k->Devices; d++) {
        s->window_epoch[d] = s->durable_epoch[d];
        s->top[d] = s->durable_top[d];
        s->seen[d] = s->durable_seen[d];
        s->rows[d] = s->durable_rows[d];
        s->asked[d] = s->answer_epoch[d] = s->answer_floor[d] = 0;
    }
    return s->cloud_losses++ < k->CloudLosses;
}

/* ---- What holds in every state, for each device ---------------------------------------------- */

static bool inv_nonce_unique(const struct constants *k, const struct state *s, int32_t d)
{
    (void)k;
    return !set_has(s->used[d], s->next[d]);
}

static bool inv_accept_once(const struct constants *k, const struct state *s, int32_t d)
{
    bool holds = true;
    for (int32_t c = 1; c <= k->Counters; c++) {
        holds = holds && !(set_has(s->rows[d], c) && is_fresh(k, s, d, c));
    }
    return holds;
}

static bool inv_authentic(const struct constants *k, const struct state *s, int32_t d)
{
    (void)k;
    return s->rows[d] == 0 ||
           (s->window_epoch[d] != 0 && set_within(s->rows[d], s->sent[d][s->window_epoch[d]]));
}

static bool inv_ack_is_true(const struct constants *k, const struct state *s, int32_t d)
{
    return s->acked[d] == 0 ||
           (s->durable_epoch[d] == s->epoch[d] &&
            set_within(s->acked[d], covers(k, s->durable_seen[d], s->durable_top[d])));
}

static bool inv_acked_is_durable(const struct constants *k, const struct state *s, int32_t d)
{
    (void)k;
    return set_within(s->stored[d] & s->acked[d], s->durable_rows[d] | s->shed[d]);
}

static bool inv_outbox_bounded(const struct constants *k, const struct state *s, int32_t d)
{
    return set_count(s->stored[d]) <= k->OutboxMax;
}

/* ---- What no step does, to any device -------------------------------------------------------- */

static bool ap_window_monotone(const struct constants *k, const struct state *s,
                               const struct state *t, int32_t d)
{
    (void)k;
    return t->durable_epoch[d] > s->durable_epoch[d] ||
           (t->durable_epoch[d] == s->durable_epoch[d] && t->durable_top[d] >= s->durable_top[d]);
}

static bool ap_rows_kept(const struct constants *k, const struct state *s, const struct state *t,
                         int32_t d)
{
    (void)k;
    return t->durable_epoch[d] != s->durable_epoch[d] ||
           set_within(s->durable_rows[d], t->durable_rows[d]);
}

static bool ap_reserve_monotone(const struct constants *k, const struct state *s,
                                const struct state *t, int32_t d)
{
    (void)k;
    return t->epoch[d] != s->epoch[d] || t->reserved[d] >= s->reserved[d];
}

static bool ap_forgets_by_rule(const struct constants *k, const struct state *s,
                               const struct state *t, int32_t d)
{
    (void)k;
    return t->epoch[d] != s->epoch[d] ||
           set_within(set_without(s->held[d], t->held[d]), s->acked[d] | t->shed[d]);
}
