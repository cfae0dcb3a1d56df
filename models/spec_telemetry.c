/* specs/Telemetry/Telemetry.tla, action by action. Compiled twice: see models/spec_set.h. */
#include "models/telemetry.def"
#include "models/spec_law.h"

/* All up to the floor are closed for the device. */
static int32_t floor_of(const struct state *s, int32_t d)
{
    return spec_set_least(&s->held[d], s->next[d]) - 1;
}

static bool is_fresh(const struct constants *k, const struct state *s, int32_t d, int32_t c)
{
    return c > s->top[d] || (c + k->WindowBits > s->top[d] && !spec_set_has(&s->seen[d], c));
}

/* What an ack covers: below the window everything. */
static void cover(const struct constants *k, const spec_set *bits, int32_t top, spec_set *covered)
{
    spec_set_copy(covered, bits);
    spec_set_remove_range(covered, top + 1, k->Counters);
    spec_set_add_range(covered, 1, top - k->WindowBits);
}

static bool is_committed(const struct state *s, int32_t d)
{
    return s->durable_epoch[d] == s->window_epoch[d] && s->durable_top[d] == s->top[d] &&
           spec_set_equal(&s->durable_seen[d], &s->seen[d]) &&
           spec_set_equal(&s->durable_rows[d], &s->rows[d]);
}

static void forget_answers(const struct constants *k, struct state *s, int32_t d)
{
    for (int32_t e = 1; e <= k->Epochs; e++) {
        spec_set_clear(&s->answers[d][e]);
    }
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
    spec_set_remove_range(&s->stored[d], 1, floor_of(s, d));
    return true;
}

static bool act_skip(const struct constants *k, struct state *s, int32_t d)
{
    (void)k;
    if (s->fresh[d] != 0 || s->next[d] >= s->reserved[d]) {
        return false;
    }
    spec_set_add(&s->used[d], s->next[d]++);
    return true;
}

static bool act_sign(const struct constants *k, struct state *s, int32_t d)
{
    if (s->fresh[d] != 0 || s->next[d] >= s->reserved[d] ||
        spec_set_count(&s->held[d]) >= k->OutboxMax) {
        return false;
    }
    spec_set_add(&s->used[d], s->next[d]);
    s->fresh[d] = s->next[d]++;
    return true;
}

static bool act_store(const struct constants *k, struct state *s, int32_t d, int32_t over)
{
    const bool room = over == 0
                          ? spec_set_count(&s->stored[d]) < k->OutboxMax
                          : spec_set_has(&s->stored[d], over) && !spec_set_has(&s->held[d], over);
    if (s->fresh[d] == 0 || !room) {
        return false;
    }
    spec_set_remove(&s->stored[d], over);
    spec_set_add(&s->stored[d], s->fresh[d]);
    spec_set_add(&s->held[d], s->fresh[d]);
    s->fresh[d] = 0;
    return true;
}

static bool act_lose(const struct constants *k, struct state *s, int32_t d)
{
    const bool signed_one = s->fresh[d] != 0;
    (void)k;
    s->fresh[d] = 0;
    return signed_one;
}

static bool act_compact(const struct constants *k, struct state *s, int32_t d, int32_t c)
{
    (void)k;
    if (!spec_set_has(&s->stored[d], c) || spec_set_has(&s->held[d], c)) {
        return false;
    }
    spec_set_remove(&s->stored[d], c);
    return true;
}

static bool act_shed(const struct constants *k, struct state *s, int32_t d)
{
    const int32_t oldest = floor_of(s, d) + 1;
    if (spec_set_is_empty(&s->held[d]) || (s->fresh[d] == 0 && s->next[d] != s->reserved[d] &&
                                           spec_set_count(&s->held[d]) < k->OutboxMax)) {
        return false;
    }
    spec_set_remove(&s->held[d], oldest);
    spec_set_add(&s->shed[d], oldest);
    return true;
}

static bool act_send(const struct constants *k, struct state *s, int32_t d, int32_t c)
{
    if (s->fresh[d] != 0 || !spec_set_has(&s->held[d], c) ||
        (c > floor_of(s, d) + k->WindowBits && !k->SendBeyondWindow)) {
        return false;
    }
    spec_set_add(&s->sent[d][s->epoch[d]], c);
    return true;
}

static bool act_release(const struct constants *k, struct state *s, int32_t d, int32_t c)
{
    (void)k;
    if (s->fresh[d] != 0 || !spec_set_has(&s->held[d], c) || !spec_set_has(&s->acked[d], c)) {
        return false;
    }
    spec_set_remove(&s->held[d], c);
    return true;
}

static bool act_respond(const struct constants *k, struct state *s, int32_t d)
{
    (void)k;
    if (s->fresh[d] != 0 || !s->asked[d]) {
        return false;
    }
    spec_set_add(&s->answers[d][s->epoch[d]], floor_of(s, d));
    return true;
}

/* ---- The cloud ------------------------------------------------------------------------------- */

static bool act_challenge(const struct constants *k, struct state *s, int32_t d, int32_t e)
{
    (void)k;
    s->asked[d] = true;
    return !spec_set_is_empty(&s->sent[d][e]) && e > s->window_epoch[d];
}

static bool act_window(const struct constants *k, struct state *s, int32_t d, int32_t e,
                       int32_t floor)
{
    if (!s->asked[d] || !spec_set_has(&s->answers[d][e], floor) || e < s->window_epoch[d] ||
        (e == s->window_epoch[d] && floor < s->top[d])) {
        return false;
    }
    if (e != s->window_epoch[d]) {
        spec_set_clear(&s->rows[d]);
    }
    s->window_epoch[d] = e;
    s->top[d] = floor;
    spec_set_clear(&s->seen[d]);
    spec_set_add_range(&s->seen[d], floor > k->WindowBits ? floor - k->WindowBits + 1 : 1, floor);
    s->asked[d] = false;
    forget_answers(k, s, d);
    return true;
}

static bool act_accept(const struct constants *k, struct state *s, int32_t d, int32_t e, int32_t c)
{
    if (!spec_set_has(&s->sent[d][e], c) || e != s->window_epoch[d] || !is_fresh(k, s, d, c)) {
        return false;
    }
    s->top[d] = c > s->top[d] ? c : s->top[d];
    spec_set_add(&s->seen[d], c);
    spec_set_remove_range(&s->seen[d], 1, s->top[d] - k->WindowBits);
    spec_set_add(&s->rows[d], c);
    return true;
}

static bool act_reject(const struct constants *k, struct state *s, int32_t d, int32_t e, int32_t c)
{
    return spec_set_has(&s->sent[d][e], c) && (e != s->window_epoch[d] || !is_fresh(k, s, d, c));
}

static bool act_commit(const struct constants *k, struct state *s)
{
    for (int32_t d = 1; d <= k->Devices; d++) {
        s->durable_epoch[d] = s->window_epoch[d];
        s->durable_top[d] = s->top[d];
        spec_set_copy(&s->durable_seen[d], &s->seen[d]);
        spec_set_copy(&s->durable_rows[d], &s->rows[d]);
    }
    return true;
}

static bool act_ack(const struct constants *k, struct state *s, int32_t d)
{
    if (s->window_epoch[d] == 0 || !(is_committed(s, d) || k->AckBeforeCommit)) {
        return false;
    }
    if (s->window_epoch[d] == s->epoch[d]) {
        spec_set covered;
        cover(k, &s->seen[d], s->top[d], &covered);
        spec_set_add_all(&s->acked[d], &covered);
    }
    return true;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static bool act_power_loss(const struct constants *k, struct state *s, int32_t d)
{
    const bool back = k->ResumeFromUsed && s->reserved[d] > k->ReserveBy;
    s->next[d] = s->reserved[d] - (back ? k->ReserveBy : 0);
    spec_set_copy(&s->held[d], &s->stored[d]);
    s->fresh[d] = 0;
    return s->device_losses++ < k->DeviceLosses;
}

static bool act_found(const struct constants *k, struct state *s, int32_t d)
{
    if (s->epoch[d] >= k->Epochs) {
        return false;
    }
    if (!k->KeepEpoch) {
        s->epoch[d]++;
        spec_set_clear(&s->used[d]);
    }
    s->reserved[d] = s->next[d] = 1;
    s->fresh[d] = 0;
    spec_set_clear(&s->stored[d]);
    spec_set_clear(&s->held[d]);
    spec_set_clear(&s->shed[d]);
    spec_set_clear(&s->acked[d]);
    return true;
}

static bool act_cloud_loss(const struct constants *k, struct state *s)
{
    for (int32_t d = 1; d <= k->Devices; d++) {
        s->window_epoch[d] = s->durable_epoch[d];
        s->top[d] = s->durable_top[d];
        spec_set_copy(&s->seen[d], &s->durable_seen[d]);
        spec_set_copy(&s->rows[d], &s->durable_rows[d]);
        s->asked[d] = false;
        forget_answers(k, s, d);
    }
    return s->cloud_losses++ < k->CloudLosses;
}

/* ---- What holds in every state, for each device ---------------------------------------------- */

static bool inv_nonce_unique(const struct constants *k, const struct state *s, int32_t d)
{
    (void)k;
    return !spec_set_has(&s->used[d], s->next[d]);
}

/* What is not fresh is covered. */
static bool inv_accept_once(const struct constants *k, const struct state *s, int32_t d)
{
    spec_set covered;
    cover(k, &s->seen[d], s->top[d], &covered);
    return spec_set_within(&s->rows[d], &covered);
}

static bool inv_authentic(const struct constants *k, const struct state *s, int32_t d)
{
    (void)k;
    return spec_set_is_empty(&s->rows[d]) ||
           (s->window_epoch[d] != 0 &&
            spec_set_within(&s->rows[d], &s->sent[d][s->window_epoch[d]]));
}

static bool inv_ack_is_true(const struct constants *k, const struct state *s, int32_t d)
{
    spec_set covered;
    cover(k, &s->durable_seen[d], s->durable_top[d], &covered);
    return spec_set_is_empty(&s->acked[d]) ||
           (s->durable_epoch[d] == s->epoch[d] && spec_set_within(&s->acked[d], &covered));
}

static bool inv_acked_is_durable(const struct constants *k, const struct state *s, int32_t d)
{
    spec_set owed;
    (void)k;
    spec_set_copy(&owed, &s->stored[d]);
    spec_set_keep_common(&owed, &s->acked[d]);
    spec_set_remove_all(&owed, &s->durable_rows[d]);
    return spec_set_within(&owed, &s->shed[d]);
}

static bool inv_outbox_bounded(const struct constants *k, const struct state *s, int32_t d)
{
    return spec_set_count(&s->stored[d]) <= k->OutboxMax;
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
           spec_set_within(&s->durable_rows[d], &t->durable_rows[d]);
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
    spec_set gone;
    (void)k;
    spec_set_copy(&gone, &s->held[d]);
    spec_set_remove_all(&gone, &t->held[d]);
    spec_set_remove_all(&gone, &s->acked[d]);
    return t->epoch[d] != s->epoch[d] || spec_set_within(&gone, &t->shed[d]);
}
