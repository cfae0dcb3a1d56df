/* specs/Identity/Identity.tla, action by action. */
#include "models/identity.def"
#include "models/spec_law.h"

static bool is_accepted(const struct state *s, int32_t generation)
{
    return s->floor < generation && generation <= s->hi;
}

static bool may_enrol(const struct state *s)
{
    return s->status == STATUS_NEW || s->status == STATUS_REVOKED;
}

static bool init_state(const struct constants *k, uint32_t index, struct state *s)
{
    for (int32_t g = 1; g <= k->Gateways; g++) {
        s->age[g] = k->Life;
    }
    return index == 0;
}

/* ---- Device and cloud ------------------------------------------------------------------------ */

static bool act_reset(const struct constants *k, struct state *s)
{
    if (!may_enrol(s) || s->next > s->hi || s->hi >= k->MaxGeneration) {
        return false;
    }
    s->next = s->hi + 1;
    return true;
}

static bool act_enrol(const struct constants *k, struct state *s)
{
    (void)k;
    if (!may_enrol(s) || s->next <= s->hi) {
        return false;
    }
    s->status = STATUS_JOINING;
    s->hi = s->next;
    s->floor = s->next - 1;
    s->proved = false;
    return true;
}

static bool act_stage(const struct constants *k, struct state *s)
{
    if (s->next != 0 || s->key == 0 || s->key >= k->MaxGeneration) {
        return false;
    }
    s->next = s->key + 1;
    return true;
}

static bool act_sign_next(const struct constants *k, struct state *s)
{
    (void)k;
    if (s->status != STATUS_ACTIVE || s->key != s->hi || s->floor + 1 != s->hi ||
        s->next != s->hi + 1) {
        return false;
    }
    s->hi = s->next;
    s->proved = false;
    return true;
}

static bool act_switch(const struct constants *k, struct state *s)
{
    (void)k;
    if (s->next <= s->key || s->next > s->hi ||
        !(is_accepted(s, s->key) || s->status == STATUS_JOINING)) {
        return false;
    }
    s->key = s->next;
    s->next = 0;
    return true;
}

static bool act_prove(const struct constants *k, struct state *s)
{
    (void)k;
    if (s->key != s->hi || !is_accepted(s, s->key) || s->proved) {
        return false;
    }
    s->proved = true;
    s->status = STATUS_ACTIVE;
    return true;
}

static bool act_retire(const struct constants *k, struct state *s)
{
    if (s->status != STATUS_ACTIVE || s->floor + 1 >= s->hi || !(s->proved || k->RetireEarly)) {
        return false;
    }
    s->floor = s->hi - 1;
    s->since = 0;
    return true;
}

static bool act_revoke(const struct constants *k, struct state *s)
{
    (void)k;
    if (s->status != STATUS_JOINING && s->status != STATUS_ACTIVE) {
        return false;
    }
    s->status = STATUS_REVOKED;
    s->floor = s->hi;
    s->since = 0;
    return true;
}

/* ---- Gateways -------------------------------------------------------------------------------- */

static bool act_hear(const struct constants *k, struct state *s, int32_t g)
{
    if (s->live[g] == s->floor && s->age[g] == 0) {
        return false;
    }
    s->live[g] = s->floor;
    s->known[g] = k->ForgetFloor ? s->known[g] : s->floor;
    s->age[g] = 0;
    s->sess[g] = s->sess[g] > s->floor ? s->sess[g] : 0;
    return true;
}

static bool lets(const struct constants *k, const struct state *s, int32_t g, int32_t c)
{
    return c <= s->hi && c > s->live[g] && (s->age[g] < k->Life || k->FailOpen);
}

static bool act_connect(const struct constants *k, struct state *s, int32_t g)
{
    if (!lets(k, s, g, s->key)) {
        return false;
    }
    s->sess[g] = s->key;
    s->own = s->own || s->key == s->stolen;
    for (int32_t h = 1; k->RoamIsClone && h <= k->Gateways; h++) {
        s->suspect = s->suspect || (h != g && s->sess[h] == s->key);
    }
    return true;
}

static bool act_intrude(const struct constants *k, struct state *s, int32_t g)
{
    if (!lets(k, s, g, s->stolen)) {
        return false;
    }
    s->sess[g] = s->stolen;
    s->alien = true;
    return true;
}

static bool act_suspect(const struct constants *k, struct state *s)
{
    (void)k;
    if (!s->own || !s->alien || s->suspect) {
        return false;
    }
    s->suspect = true;
    return true;
}

static bool act_close(const struct constants *k, struct state *s, int32_t g)
{
    (void)k;
    if (s->sess[g] == 0) {
        return false;
    }
    s->sess[g] = 0;
    return true;
}

/* ---- The world ------------------------------------------------------------------------------- */

static bool act_tick(const struct constants *k, struct state *s)
{
    bool passes = s->since <= k->Life;
    for (int32_t g = 1; g <= k->Gateways; g++) {
        if (s->age[g] == k->Life && s->sess[g] != 0 && !k->FailOpen) {
            return false;
        }
        if (s->age[g] < k->Life) {
            s->age[g]++;
            passes = true;
        }
    }
    s->since += s->since <= k->Life ? 1 : 0;
    return passes;
}

static bool act_restart(const struct constants *k, struct state *s, int32_t g)
{
    s->live[g] = s->known[g];
    s->age[g] = k->Life;
    s->sess[g] = 0;
    return s->restarts++ < k->MaxRestarts;
}

static bool act_steal(const struct constants *k, struct state *s)
{
    if (s->key == 0 || s->key == s->stolen) {
        return false;
    }
    s->stolen = s->key;
    s->own = s->alien = false;
    return s->thefts++ < k->MaxThefts;
}

/* ---- What holds in every state --------------------------------------------------------------- */

static bool inv_no_lockout(const struct constants *k, const struct state *s)
{
    (void)k;
    return s->status != STATUS_ACTIVE || is_accepted(s, s->key);
}

static bool inv_two_keys_at_most(const struct constants *k, const struct state *s)
{
    (void)k;
    return s->hi <= s->floor + 2;
}

static bool inv_revoked_means_none(const struct constants *k, const struct state *s)
{
    (void)k;
    return s->status != STATUS_REVOKED || s->floor == s->hi;
}

static bool inv_no_false_suspicion(const struct constants *k, const struct state *s)
{
    (void)k;
    return !s->suspect || s->thefts > 0;
}

static bool inv_known_is_refused(const struct constants *k, const struct state *s, int32_t g)
{
    (void)k;
    return s->sess[g] == 0 || s->sess[g] > s->live[g];
}

static bool inv_refused_in_time(const struct constants *k, const struct state *s, int32_t g)
{
    return s->sess[g] == 0 || s->sess[g] > s->floor || s->since <= k->Life;
}

/* ---- What no step does ----------------------------------------------------------------------- */

static bool ap_lifecycle(const struct constants *k, const struct state *s, const struct state *t)
{
    (void)k;
    switch (t->status) {
    case STATUS_NEW:
        return s->status == STATUS_NEW;
    case STATUS_JOINING:
        return s->status != STATUS_ACTIVE;
    case STATUS_ACTIVE:
        return s->status == STATUS_JOINING || s->status == STATUS_ACTIVE;
    default:
        return s->status != STATUS_NEW;
    }
}

static bool ap_floor_grows(const struct constants *k, const struct state *s, const struct state *t,
                           int32_t g)
{
    (void)k;
    return t->floor >= s->floor && t->live[g] >= s->live[g] && t->known[g] >= s->known[g];
}

static bool ap_key_grows(const struct constants *k, const struct state *s, const struct state *t)
{
    (void)k;
    return t->key >= s->key;
}
