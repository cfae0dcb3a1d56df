/* specs/Session/Session.tla, action by action. Readings, and devices, are sets of bits. */
#include "models/session.def"
#include "models/spec_law.h"

static int32_t owner_of(const struct constants *k, int32_t m)
{
    return (m - 1) % k->Devices + 1;
}

/* The readings of these devices. */
static int32_t of(const struct constants *k, int32_t devices)
{
    int32_t readings = 0;
    for (int32_t m = 1; m <= k->Readings; m++) {
        readings |= set_has(devices, owner_of(k, m)) ? set_of(m) : 0;
    }
    return readings;
}

static int32_t of_owner(const struct constants *k, int32_t m)
{
    return of(k, set_of(owner_of(k, m)));
}

/* The oldest of its device. */
static bool is_first(const struct constants *k, int32_t m, int32_t set)
{
    return set_has(set, m) && set_least(set & of_owner(k, m), 0) == m;
}

/* Rows that are still to be handed over on this link. */
static int32_t waiting(const struct state *s, int32_t m)
{
    return s->rows[m] - s->done[m] - s->flying[m] - s->confirms[m] - set_has(s->tentative, m);
}

static int32_t queued(const struct constants *k, const struct state *s)
{
    int32_t count = set_count(s->inserted);
    for (int32_t m = 1; m <= k->Readings; m++) {
        count += s->rows[m] - s->done[m];
    }
    return count;
}

/* Nothing is under way that an answer could come from. */
static bool is_idle(const struct constants *k, const struct state *s, int32_t d)
{
    const int32_t mine = of(k, set_of(d));
    const int32_t busy = s->wire | s->pubacks | s->tentative | (s->acked & s->held);
    bool settled = true;
    for (int32_t m = 1; m <= k->Readings; m++) {
        settled = settled && !(set_has(mine, m) && s->rows[m] != s->done[m]);
    }
    return settled && (mine & busy) == 0;
}

static bool init_state(const struct constants *k, uint32_t index, struct state *s)
{
    s->known = s->windows = set_range(1, k->Windows); /* <= Devices */
    return index == 0;
}

/* ---- Devices ----------------------------------------------------------------------------------
 */

static bool act_sign(const struct constants *k, struct state *s, int32_t m)
{
    if (!is_first(k, m, set_without(set_range(1, k->Readings), s->made))) {
        return false;
    }
    s->made |= set_of(m);
    s->stored |= set_of(m);
    s->held |= set_of(m);
    return true;
}

static bool act_forget(const struct constants *k, struct state *s, int32_t m)
{
    (void)k;
    if (!set_has(set_without(s->stored, s->held), m)) {
        return false;
    }
    s->stored = set_without(s->stored, set_of(m));
    return true;
}

/* What is in flight on the links of these devices. */
static void lose_flight(const struct constants *k, struct state *s, int32_t gone)
{
    s->refused = set_without(s->refused, gone);
    s->wire = set_without(s->wire, of(k, gone));
    s->pubacks = set_without(s->pubacks, of(k, gone));
}

static void unlink_it(const struct constants *k, struct state *s, int32_t d)
{
    lose_flight(k, s, set_of(d));
    s->up = set_without(s->up, set_of(d));
    s->dead = set_without(s->dead, set_of(d));
    s->sent = set_without(s->sent, of(k, set_of(d)));
}

static bool act_connect(const struct constants *k, struct state *s, int32_t d)
{
    if (set_has(s->up, d) || (s->inserted & of(k, set_of(d))) != 0) {
        return false;
    }
    s->up |= set_of(d);
    return true;
}

static bool act_send(const struct constants *k, struct state *s, int32_t m)
{
    if (!set_has(s->up, owner_of(k, m)) || !is_first(k, m, set_without(s->held, s->sent))) {
        return false;
    }
    s->sent |= set_of(m);
    s->wire |= set_has(s->dead, owner_of(k, m)) ? 0 : set_of(m);
    return true;
}

static bool act_take_puback(const struct constants *k, struct state *s, int32_t m)
{
    if (!set_has(s->pubacks, m)) {
        return false;
    }
    s->pubacks = set_without(s->pubacks, set_of(m));
    s->held = k->PubackReleases ? set_without(s->held, set_of(m)) : s->held;
    return true;
}

static bool act_leave(const struct constants *k, struct state *s, int32_t d)
{
    const int32_t mine = of(k, set_of(d)), held = s->held & mine;
    const bool waits_in_vain = is_idle(k, s, d) && held != 0 && set_within(held, s->sent);
    if (!set_has(s->up, d) || (s->inserted & mine) != 0 ||
        !(set_has(s->refused | s->answered | s->dead, d) || waits_in_vain)) {
        return false;
    }
    unlink_it(k, s, d);
    return true;
}

static bool act_release(const struct constants *k, struct state *s, int32_t m)
{
    if (!set_has(set_without(s->up, s->dead), owner_of(k, m)) || !set_has(s->held & s->acked, m)) {
        return false;
    }
    s->held = set_without(s->held, set_of(m));
    s->sent = set_without(s->sent, set_of(m));
    return true;
}

static bool act_respond(const struct constants *k, struct state *s, int32_t d)
{
    (void)k;
    if (!set_has(set_without(s->up & s->asked, s->dead | s->answered), d)) {
        return false;
    }
    s->answered |= set_of(d);
    return true;
}

/* ---- The gateway ------------------------------------------------------------------------------
 */

static bool act_insert(const struct constants *k, struct state *s, int32_t m)
{
    if (!is_first(k, m, s->wire) || queued(k, s) >= k->QueueMax || s->owed[m] >= k->QueueMax ||
        !set_within(s->inserted, set_without(of_owner(k, m), set_of(m)))) {
        return false;
    }
    s->wire = set_without(s->wire, set_of(m));
    s->inserted |= set_of(m);
    if (k->EarlyPuback) {
        s->pubacks |= set_of(m);
        s->owed[m]++;
    }
    return true;
}

static bool act_refuse(const struct constants *k, struct state *s, int32_t m)
{
    if (!is_first(k, m, s->wire) || queued(k, s) < k->QueueMax ||
        !set_within(s->inserted, of_owner(k, m))) {
        return false;
    }
    s->wire = set_without(s->wire, set_of(m));
    s->refused |= set_of(owner_of(k, m));
    return true;
}

static bool act_gateway_commit(const struct constants *k, struct state *s)
{
    bool pending = s->inserted != 0, fits = true;
    for (int32_t m = 1; m <= k->Readings; m++) {
        pending = pending || s->done[m] != 0;
        s->rows[m] -= s->done[m];
        s->done[m] = 0;
        fits = fits && s->rows[m] >= 0;
        s->rows[m] += set_has(s->inserted, m);
        s->owed[m] += !k->EarlyPuback && set_has(s->inserted, m);
        fits = fits && s->rows[m] <= k->QueueMax && s->owed[m] <= k->QueueMax;
    }
    s->pubacks |= k->EarlyPuback ? 0 : s->inserted & of(k, set_without(s->up, s->dead));
    s->inserted = 0;
    return pending && fits;
}

static bool act_join(const struct constants *k, struct state *s)
{
    (void)k;
    if (s->joined || s->tentative != 0 || s->windows != s->known) {
        return false;
    }
    s->joined = true;
    return true;
}

static bool act_forward(const struct constants *k, struct state *s, int32_t m)
{
    (void)k;
    if (!s->joined || waiting(s, m) <= 0) {
        return false;
    }
    s->flying[m]++;
    return true;
}

static bool act_discharge(const struct constants *k, struct state *s, int32_t m)
{
    (void)k;
    s->owed[m] -= s->owed[m] > 0;
    return s->confirms[m]-- > 0 && s->done[m]++ < s->rows[m];
}

/* ---- The cloud --------------------------------------------------------------------------------
 */

static bool act_accept(const struct constants *k, struct state *s, int32_t m)
{
    if (s->flying[m] == 0 || !set_has(s->windows, owner_of(k, m)) || set_has(s->seen, m)) {
        return false;
    }
    s->flying[m]--;
    s->seen |= set_of(m);
    s->tentative |= set_of(m);
    s->acked |= k->EarlyAck ? set_of(m) : 0;
    return true;
}

static bool act_duplicate(const struct constants *k, struct state *s, int32_t m)
{
    if (s->flying[m] == 0 || !set_has(s->windows, owner_of(k, m)) ||
        !set_has(set_without(s->seen, s->tentative), m)) {
        return false;
    }
    s->flying[m]--;
    s->acked |= s->kept & of_owner(k, m);
    return s->confirms[m]++ < k->QueueMax;
}

static bool act_challenge(const struct constants *k, struct state *s, int32_t m)
{
    if (s->flying[m] == 0 || set_has(s->windows, owner_of(k, m))) {
        return false;
    }
    s->flying[m]--;
    s->asked |= set_of(owner_of(k, m));
    return s->confirms[m]++ < k->QueueMax;
}

static bool act_window(const struct constants *k, struct state *s, int32_t d)
{
    (void)k;
    if (!set_has(s->asked & s->answered, d)) {
        return false;
    }
    s->windows |= set_of(d);
    s->asked = set_without(s->asked, set_of(d));
    s->answered = set_without(s->answered, set_of(d));
    return true;
}

static bool act_cloud_commit(const struct constants *k, struct state *s)
{
    const bool pending = s->tentative != 0 || s->windows != s->known;
    int32_t answered = 0;
    bool fits = true;
    for (int32_t m = 1; m <= k->Readings; m++) {
        if (set_has(s->tentative, m)) {
            fits = fits && s->accepts[m] < 2 && s->confirms[m] < k->QueueMax;
            s->accepts[m]++;
            s->confirms[m] += s->joined ? 1 : 0;
            answered |= of_owner(k, m);
        }
    }
    s->known = s->windows;
    s->kept |= s->tentative;
    s->acked |= s->joined ? s->kept & answered : 0;
    s->tentative = 0;
    return pending && fits;
}

/* ---- Faults -----------------------------------------------------------------------------------
 */

static bool act_lose(const struct constants *k, struct state *s, int32_t d)
{
    const int32_t lost = s->acked & of(k, set_of(d));
    const bool any = lost != 0 || set_has(s->answered, d);
    s->acked = set_without(s->acked, lost);
    s->answered = set_without(s->answered, set_of(d));
    return any;
}

static bool act_break_link(const struct constants *k, struct state *s, int32_t d)
{
    if (!set_has(set_without(s->up, s->dead), d)) {
        return false;
    }
    lose_flight(k, s, set_of(d));
    s->dead |= set_of(d);
    return s->breaks++ < k->MaxBreaks;
}

static void part(const struct constants *k, struct state *s)
{
    s->joined = false;
    for (int32_t m = 1; m <= k->Readings; m++) {
        s->flying[m] = s->confirms[m] = 0;
    }
}

static bool act_break_uplink(const struct constants *k, struct state *s)
{
    if (!s->joined) {
        return false;
    }
    part(k, s);
    return s->breaks++ < k->MaxBreaks;
}

static bool act_restart_device(const struct constants *k, struct state *s, int32_t d)
{
    const int32_t mine = of(k, set_of(d));
    unlink_it(k, s, d);
    s->held = set_without(s->held, mine) | (s->stored & mine);
    return s->restarts++ < k->MaxRestarts;
}

static bool act_restart_gateway(const struct constants *k, struct state *s)
{
    lose_flight(k, s, set_range(1, k->Devices));
    s->dead = s->up;
    part(k, s);
    s->inserted = 0;
    for (int32_t m = 1; m <= k->Readings; m++) {
        s->done[m] = 0;
    }
    return s->restarts++ < k->MaxRestarts;
}

static bool act_restart_cloud(const struct constants *k, struct state *s)
{
    part(k, s);
    s->tentative = s->asked = s->answered = 0;
    s->windows = s->known;
    s->seen = k->WindowForgets ? 0 : s->kept;
    return s->restarts++ < k->MaxRestarts;
}

/* ---- What holds in every state ----------------------------------------------------------------
 */

static bool inv_ack_is_true(const struct constants *k, const struct state *s)
{
    (void)k;
    return set_within(s->acked, s->kept);
}

static bool inv_forgotten_is_kept(const struct constants *k, const struct state *s)
{
    (void)k;
    return set_within(set_without(s->made, s->held), s->kept);
}

static bool inv_nothing_lost(const struct constants *k, const struct state *s)
{
    (void)k;
    return set_within(s->made, s->stored | s->kept);
}

static bool inv_custody_is_kept(const struct constants *k, const struct state *s, int32_t m)
{
    (void)k;
    return s->owed[m] <= s->rows[m] - s->done[m];
}

static bool inv_accepted_once(const struct constants *k, const struct state *s, int32_t m)
{
    (void)k;
    return s->accepts[m] <= 1;
}

static bool inv_no_forgery(const struct constants *k, const struct state *s)
{
    (void)k;
    return set_within(s->kept | s->tentative, s->made);
}

static bool inv_queue_bounded(const struct constants *k, const struct state *s)
{
    return queued(k, s) <= k->QueueMax;
}

/* ---- What no step does ------------------------------------------------------------------------
 */

static bool ap_kept_for_ever(const struct constants *k, const struct state *s,
                             const struct state *t)
{
    (void)k;
    return set_within(s->kept, t->kept);
}

static bool ap_release_needs_ack(const struct constants *k, const struct state *s,
                                 const struct state *t)
{
    (void)k;
    return set_within(set_without(s->held, t->held), s->acked);
}

static bool ap_confirm_needs_commit(const struct constants *k, const struct state *s,
                                    const struct state *t, int32_t m)
{
    return t->confirms[m] <= s->confirms[m] || set_has(t->kept, m) ||
           !set_has(s->windows, owner_of(k, m));
}

static bool ap_sent_once(const struct constants *k, const struct state *s, const struct state *t)
{
    (void)k;
    return (set_without(t->wire, s->wire) & s->sent) == 0;
}
