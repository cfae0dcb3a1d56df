/* specs/Policy/Policy.tla, action by action. */
#include "models/policy.def"
#include "models/spec_law.h"

static bool is_driving(int32_t version)
{
    return version % 2 == 1;
}

static int32_t due(const struct constants *k, const struct state *s, int32_t n)
{
    if (s->age[n] < k->Life) {
        return MODE_NORMAL;
    }
    return s->age[n] < k->Life + k->Grace ? MODE_DEGRADED : MODE_SAFE;
}

static bool may_drive(const struct state *s, int32_t n)
{
    return s->mode[n] != MODE_SAFE && is_driving(s->held[n]);
}

static bool is_genuine(const struct constants *k, const struct state *s, int32_t n)
{
    return s->kind[n] == KIND_FRESH || s->kind[n] == KIND_REPLAY ||
           (k->TakeUnsigned && s->kind[n] == KIND_FORGED);
}

/* Nothing is left that the node does by itself before the next tick. */
static bool is_settled(const struct constants *k, const struct state *s, int32_t n)
{
    return (s->mode[n] == MODE_SAFE || s->mode[n] == due(k, s, n)) && s->kind[n] == KIND_NONE &&
           s->held[n] == s->pver[n];
}

static void forget_offer(struct state *s, int32_t n)
{
    s->offer[n] = 0;
    s->kind[n] = KIND_NONE;
}

static bool init_state(const struct constants *k, uint32_t index, struct state *s)
{
    for (int32_t n = 1; n <= k->Nodes; n++) {
        s->age[n] = k->Life;
        s->mode[n] = MODE_DEGRADED;
        s->link[n] = true;
    }
    return index == 0;
}

/* ---- Policies -------------------------------------------------------------------------------- */

static bool act_publish(const struct constants *k, struct state *s)
{
    return s->newest++ < k->MaxVersion;
}

static bool act_fetch(const struct constants *k, struct state *s, int32_t n)
{
    (void)k;
    if (!s->link[n] || s->kind[n] != KIND_NONE || (s->newest <= s->pver[n] && s->age[n] == 0)) {
        return false;
    }
    s->offer[n] = s->newest;
    s->kind[n] = KIND_FRESH;
    return true;
}

static bool act_store(const struct constants *k, struct state *s, int32_t n)
{
    if (!is_genuine(k, s, n) || s->offer[n] <= s->pver[n] ||
        (k->UseFirst && s->held[n] != s->offer[n])) {
        return false;
    }
    s->pver[n] = s->offer[n];
    return true;
}

static bool act_use(const struct constants *k, struct state *s, int32_t n)
{
    const int32_t version = k->UseFirst ? s->offer[n] : s->pver[n];
    if (version <= s->held[n] || (k->UseFirst && !is_genuine(k, s, n))) {
        return false;
    }
    s->held[n] = version;
    s->out[n] = s->out[n] && is_driving(version);
    return true;
}

static bool act_renew(const struct constants *k, struct state *s, int32_t n)
{
    if (!is_genuine(k, s, n) || s->offer[n] != s->pver[n] || s->held[n] != s->pver[n]) {
        return false;
    }
    if (s->kind[n] == KIND_FRESH || k->ReplayRenews) {
        s->age[n] = 0;
    }
    forget_offer(s, n);
    return true;
}

static bool act_reject(const struct constants *k, struct state *s, int32_t n)
{
    if (s->kind[n] == KIND_NONE || (is_genuine(k, s, n) && s->offer[n] >= s->pver[n])) {
        return false;
    }
    forget_offer(s, n);
    return true;
}

/* ---- Modes ----------------------------------------------------------------------------------- */

static bool act_tighten(const struct constants *k, struct state *s, int32_t n)
{
    if (due(k, s, n) <= s->mode[n]) {
        return false;
    }
    s->mode[n] = due(k, s, n);
    s->out[n] = s->out[n] && (s->mode[n] != MODE_SAFE || k->KeepDriving);
    return true;
}

static bool act_leave(const struct constants *k, struct state *s, int32_t n)
{
    if (s->mode[n] != MODE_DEGRADED || due(k, s, n) != MODE_NORMAL) {
        return false;
    }
    s->mode[n] = MODE_NORMAL;
    return true;
}

static bool act_rearm(const struct constants *k, struct state *s, int32_t n)
{
    if (s->mode[n] != MODE_SAFE || !s->link[n] || due(k, s, n) != MODE_NORMAL) {
        return false;
    }
    s->mode[n] = MODE_NORMAL;
    return true;
}

static bool act_drive(const struct constants *k, struct state *s, int32_t n)
{
    (void)k;
    if (s->out[n] || s->mode[n] != MODE_NORMAL || !is_driving(s->held[n])) {
        return false;
    }
    s->out[n] = true;
    return true;
}

static bool act_stop(const struct constants *k, struct state *s, int32_t n)
{
    (void)k;
    if (!s->out[n]) {
        return false;
    }
    s->out[n] = false;
    return true;
}

/* ---- The world ------------------------------------------------------------------------------- */

static bool act_tick(const struct constants *k, struct state *s, int32_t n)
{
    return is_settled(k, s, n) && s->age[n]++ < k->Life + k->Grace;
}

static bool act_partition(const struct constants *k, struct state *s, int32_t n)
{
    if (!s->link[n]) {
        return false;
    }
    s->link[n] = false;
    return s->outages++ < k->MaxOutages;
}

static bool act_heal(const struct constants *k, struct state *s, int32_t n)
{
    (void)k;
    if (s->link[n]) {
        return false;
    }
    s->link[n] = true;
    return true;
}

static bool act_power_loss(const struct constants *k, struct state *s, int32_t n)
{
    s->held[n] = s->pver[n];
    forget_offer(s, n);
    s->age[n] = k->Life + (s->mode[n] == MODE_SAFE ? k->Grace : 0);
    s->mode[n] = s->mode[n] == MODE_SAFE ? MODE_SAFE : MODE_DEGRADED;
    s->out[n] = false;
    return s->losses++ < k->MaxPowerLoss;
}

/* An offer that is not the cloud's answer. */
static bool attack(const struct constants *k, struct state *s, int32_t n, int32_t v, int32_t kind)
{
    if (s->kind[n] != KIND_NONE) {
        return false;
    }
    s->offer[n] = v;
    s->kind[n] = kind;
    return s->attacks++ < k->MaxAttacks;
}

static bool act_replay(const struct constants *k, struct state *s, int32_t n, int32_t v)
{
    return v <= s->newest && attack(k, s, n, v, KIND_REPLAY);
}

static bool act_forge(const struct constants *k, struct state *s, int32_t n, int32_t v)
{
    return attack(k, s, n, v, KIND_FORGED);
}

/* ---- What holds in every state, for each node --------------------------------------------------
 */

static bool inv_unsigned_never_applied(const struct constants *k, const struct state *s, int32_t n)
{
    (void)k;
    return s->pver[n] <= s->newest;
}

static bool inv_fail_safe_on_expiry(const struct constants *k, const struct state *s, int32_t n)
{
    return s->mode[n] + 1 >= due(k, s, n);
}

static bool inv_output_only_with_right(const struct constants *k, const struct state *s, int32_t n)
{
    (void)k;
    return !s->out[n] || may_drive(s, n);
}

/* ---- What no step does, to any node ------------------------------------------------------------
 */

static bool ap_starts_in_normal(const struct constants *k, const struct state *s,
                                const struct state *t, int32_t n)
{
    (void)k;
    return !t->out[n] || s->out[n] || s->mode[n] == MODE_NORMAL;
}

static bool ap_versions_grow(const struct constants *k, const struct state *s,
                             const struct state *t, int32_t n)
{
    (void)k;
    return t->pver[n] >= s->pver[n] && t->held[n] >= s->held[n];
}

static bool ap_only_fresh_word_renews(const struct constants *k, const struct state *s,
                                      const struct state *t, int32_t n)
{
    return t->age[n] >= s->age[n] || s->kind[n] == KIND_FRESH || t->age[n] >= k->Life;
}

static bool ap_safe_until_rearmed(const struct constants *k, const struct state *s,
                                  const struct state *t, int32_t n)
{
    (void)k;
    return s->mode[n] != MODE_SAFE || t->mode[n] == MODE_SAFE || s->link[n];
}
