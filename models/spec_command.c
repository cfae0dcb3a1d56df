/* specs/Command/Command.tla, action by action. */
#include "models/command.def"
#include "models/spec_law.h"

static bool is_known(const struct constants *k, const struct state *s, int32_t c)
{
    return s->net[c] == NET_SIGNED || (k->TrustAll && s->net[c] == NET_FORGED);
}

static bool is_in_time(const struct constants *k, const struct state *s)
{
    return s->clock ? s->now <= k->Deadline : k->DoubtIsFine != 0;
}

static bool init_state(const struct constants *k, uint32_t index, struct state *s)
{
    (void)k;
    s->clock = true;
    return index == 0;
}

/* ---- The cloud ------------------------------------------------------------------------------- */

static bool act_issue(const struct constants *k, struct state *s, int32_t c)
{
    if (s->cloud[c] != CLOUD_IDLE || s->now > k->Deadline) {
        return false;
    }
    s->cloud[c] = CLOUD_SENT;
    s->net[c] = NET_SIGNED;
    return true;
}

static bool act_timeout(const struct constants *k, struct state *s, int32_t c)
{
    (void)k;
    if (s->cloud[c] != CLOUD_SENT) {
        return false;
    }
    s->cloud[c] = CLOUD_UNKNOWN;
    return true;
}

static bool act_retry(const struct constants *k, struct state *s, int32_t c)
{
    (void)k;
    if (s->cloud[c] != CLOUD_UNKNOWN || s->net[c] == NET_SIGNED || s->ack[c] != ACK_NONE) {
        return false;
    }
    s->cloud[c] = CLOUD_SENT;
    s->net[c] = NET_SIGNED;
    return true;
}

static bool act_learn(const struct constants *k, struct state *s, int32_t c)
{
    (void)k;
    if (s->ack[c] == ACK_NONE) {
        return false;
    }
    if (s->cloud[c] == CLOUD_SENT || s->cloud[c] == CLOUD_UNKNOWN) {
        s->cloud[c] = s->ack[c] == ACK_APPLIED ? CLOUD_DONE : CLOUD_FAILED;
    }
    s->ack[c] = ACK_NONE;
    return true;
}

/* ---- The device ------------------------------------------------------------------------------ */

static bool act_intent(const struct constants *k, struct state *s, int32_t c)
{
    if (!is_known(k, s, c) || s->journal[c] != JOURNAL_NONE || !is_in_time(k, s)) {
        return false;
    }
    s->journal[c] = k->ApplyFirst ? JOURNAL_NONE : JOURNAL_INTENT;
    s->ram[c] = RAM_ARMED;
    return true;
}

static bool act_apply(const struct constants *k, struct state *s, int32_t c)
{
    if (s->ram[c] != RAM_ARMED || !is_in_time(k, s) || s->spent >= k->Rate) {
        return false;
    }
    s->spent++;
    s->effect[c] = s->effect[c] == 2 ? 2 : s->effect[c] + 1;
    s->ram[c] = RAM_ACTED;
    return true;
}

static bool act_commit(const struct constants *k, struct state *s, int32_t c)
{
    (void)k;
    if (s->ram[c] != RAM_ACTED) {
        return false;
    }
    s->journal[c] = JOURNAL_APPLIED;
    s->ram[c] = RAM_IDLE;
    return true;
}

static bool act_refuse(const struct constants *k, struct state *s, int32_t c)
{
    const bool unheard =
        s->journal[c] == JOURNAL_NONE && is_known(k, s, c) && s->ram[c] == RAM_IDLE;
    const bool meant = s->journal[c] == JOURNAL_INTENT && s->ram[c] == RAM_ARMED;
    if (is_in_time(k, s) || !(unheard || meant)) {
        return false;
    }
    s->journal[c] = JOURNAL_REFUSED;
    s->ram[c] = RAM_IDLE;
    return true;
}

static bool act_recover(const struct constants *k, struct state *s, int32_t c)
{
    if (s->journal[c] != JOURNAL_INTENT || s->ram[c] != RAM_IDLE) {
        return false;
    }
    s->ram[c] = s->effect[c] > 0 && !k->BlindRedo ? RAM_ACTED : RAM_ARMED;
    return true;
}

static bool act_answer(const struct constants *k, struct state *s, int32_t c)
{
    const bool applied = s->journal[c] == JOURNAL_APPLIED;
    if (!is_known(k, s, c) || !(applied || s->journal[c] == JOURNAL_REFUSED)) {
        return false;
    }
    s->ack[c] = applied ? ACK_APPLIED : ACK_REFUSED;
    s->net[c] = NET_NONE;
    return true;
}

static bool act_reject(const struct constants *k, struct state *s, int32_t c)
{
    if (s->net[c] != NET_FORGED || k->TrustAll) {
        return false;
    }
    s->net[c] = NET_NONE;
    return true;
}

static bool act_sync(const struct constants *k, struct state *s)
{
    (void)k;
    if (s->clock) {
        return false;
    }
    s->clock = true;
    return true;
}

/* ---- The world ------------------------------------------------------------------------------- */

static bool act_tick(const struct constants *k, struct state *s)
{
    s->spent = 0;
    return s->now++ < k->MaxTime;
}

static bool act_drop(const struct constants *k, struct state *s, int32_t c)
{
    if (s->net[c] == NET_NONE) {
        return false;
    }
    s->net[c] = NET_NONE;
    return s->drops++ < k->MaxDrops;
}

static bool act_drop_ack(const struct constants *k, struct state *s, int32_t c)
{
    if (s->ack[c] == ACK_NONE) {
        return false;
    }
    s->ack[c] = ACK_NONE;
    return s->drops++ < k->MaxDrops;
}

static bool act_forge(const struct constants *k, struct state *s, int32_t c)
{
    if (s->net[c] != NET_NONE) {
        return false;
    }
    s->net[c] = NET_FORGED;
    return s->attacks++ < k->MaxAttacks;
}

static bool act_replay(const struct constants *k, struct state *s, int32_t c)
{
    if (s->net[c] != NET_NONE || s->cloud[c] == CLOUD_IDLE) {
        return false;
    }
    s->net[c] = NET_SIGNED;
    return s->attacks++ < k->MaxAttacks;
}

static bool act_power_loss(const struct constants *k, struct state *s)
{
    for (int32_t c = 1; c <= k->Commands; c++) {
        s->ram[c] = RAM_IDLE;
    }
    s->clock = false;
    s->spent = k->ForgetRate ? 0 : k->Rate;
    return s->losses++ < k->MaxPowerLoss;
}

/* ---- What holds in every state, for each command ----------------------------------------------
 */

static bool inv_at_most_once(const struct constants *k, const struct state *s, int32_t c)
{
    (void)k;
    return s->effect[c] <= 1;
}

static bool inv_no_forgery(const struct constants *k, const struct state *s, int32_t c)
{
    (void)k;
    return s->effect[c] == 0 || s->cloud[c] != CLOUD_IDLE;
}

static bool inv_done_means_done(const struct constants *k, const struct state *s, int32_t c)
{
    (void)k;
    return s->cloud[c] != CLOUD_DONE || s->effect[c] == 1;
}

static bool inv_failed_means_never(const struct constants *k, const struct state *s, int32_t c)
{
    (void)k;
    return s->cloud[c] != CLOUD_FAILED || (s->effect[c] == 0 && s->journal[c] == JOURNAL_REFUSED);
}

/* ---- What no step does -------------------------------------------------------------------------
 */

static bool ap_rate_kept(const struct constants *k, const struct state *s, const struct state *t)
{
    bool kept = t->spent >= s->spent || t->now > s->now;
    for (int32_t c = 1; c <= k->Commands; c++) {
        kept = kept && (t->effect[c] <= s->effect[c] || t->spent > s->spent);
    }
    return kept;
}

static bool ap_in_time_only(const struct constants *k, const struct state *s, const struct state *t,
                            int32_t c)
{
    return t->effect[c] <= s->effect[c] || s->now <= k->Deadline;
}

static bool ap_outcome_stays(const struct constants *k, const struct state *s,
                             const struct state *t, int32_t c)
{
    (void)k;
    return !(s->cloud[c] == CLOUD_DONE || s->cloud[c] == CLOUD_FAILED) ||
           t->cloud[c] == s->cloud[c];
}
