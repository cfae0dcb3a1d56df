/* specs/Update/Update.tla, action by action. */
#include "models/update.def"
#include "models/spec_law.h"

static int32_t level_of(const struct constants *k, int32_t release)
{
    return release % 2 == 0 ? k->HighLevel : 1;
}

/* Of a download, and of a trial. */
static int32_t target_of(const struct state *s)
{
    return s->confirmed == SLOT_A ? SLOT_B : SLOT_A;
}

static int32_t running_of(const struct state *s)
{
    return s->at == AT_TRIAL || s->at == AT_FALLBACK ? target_of(s) : s->confirmed;
}

static bool is_asleep(const struct state *s)
{
    return s->at == AT_OFF || s->at == AT_COUNTED;
}

static bool is_whole(const struct constants *k, const struct state *s, int32_t slot,
                     int32_t release)
{
    return release != 0 && s->content[slot] == release && s->whole[slot] == k->Sectors;
}

static bool is_bootable(const struct constants *k, const struct state *s, int32_t slot)
{
    return is_whole(k, s, slot, s->header[slot]) && level_of(k, s->header[slot]) >= s->floor;
}

static bool is_on_trial(const struct constants *k, const struct state *s)
{
    return is_bootable(k, s, target_of(s)) && s->header[target_of(s)] == s->trial;
}

/* The boot loader has read its record, and no trial is in it. */
static bool is_settled(const struct state *s)
{
    return !s->lost && s->trial == 0;
}

static void end_trial(struct state *s)
{
    s->trial = s->left = s->ran = 0;
}

static bool init_state(const struct constants *k, uint32_t index, struct state *s)
{
    s->header[SLOT_A] = s->content[SLOT_A] = 1;
    s->whole[SLOT_A] = k->Sectors;
    s->confirmed = SLOT_A;
    s->highest = s->floor = 1;
    s->at = AT_OFF;
    return index == 0;
}

/* ---- The boot loader --------------------------------------------------------------------------
 */

static bool act_recover(const struct constants *k, struct state *s)
{
    const int32_t a = is_bootable(k, s, SLOT_A) ? s->header[SLOT_A] : 0;
    const int32_t b = is_bootable(k, s, SLOT_B) ? s->header[SLOT_B] : 0;
    if (s->at != AT_OFF || !s->lost || (a == 0 && b == 0)) {
        return false;
    }
    const bool a_is_older = b == 0 || (a != 0 && a <= b);
    const int32_t older = a_is_older ? a : b, newer = a_is_older ? b : a;
    end_trial(s);
    s->lost = false;
    s->confirmed = a_is_older ? SLOT_A : SLOT_B;
    s->highest = older;
    if (newer > older) {
        s->trial = newer;
        s->left = k->Trials;
    }
    return true;
}

static bool act_count(const struct constants *k, struct state *s)
{
    if (s->at != AT_OFF || s->lost || s->trial == 0 || s->left == 0) {
        return false;
    }
    s->left -= k->FreeTrial ? 0 : 1;
    s->at = AT_COUNTED;
    return true;
}

static bool act_jump_trial(const struct constants *k, struct state *s)
{
    if (s->at != AT_COUNTED || !is_on_trial(k, s)) {
        return false;
    }
    s->at = AT_TRIAL;
    return s->ran++ < k->Trials;
}

static bool act_revert(const struct constants *k, struct state *s)
{
    const bool used_up = s->at == AT_OFF && !s->lost && s->trial != 0 && s->left == 0;
    const bool bad = s->at == AT_COUNTED && !is_on_trial(k, s);
    if (!used_up && !bad) {
        return false;
    }
    if (s->reverted != s->trial) {
        s->reverts = 1;
    } else if (s->reverts < k->RevertsMax) {
        s->reverts++;
    }
    s->reverted = s->trial;
    end_trial(s);
    s->at = AT_OFF;
    return true;
}

static bool act_raise(const struct constants *k, struct state *s)
{
    const bool due =
        (s->at == AT_OFF || s->at == AT_RUN) && is_settled(s) && is_bootable(k, s, s->confirmed);
    const bool early = k->EarlyFloor && s->at == AT_TRIAL;
    return (due || early) && s->floor++ < level_of(k, s->header[running_of(s)]);
}

static bool act_jump(const struct constants *k, struct state *s)
{
    if (s->at != AT_OFF || !is_settled(s)) {
        return false;
    }
    if (is_bootable(k, s, s->confirmed)) {
        s->at = AT_RUN;
        return s->floor >= level_of(k, s->header[s->confirmed]);
    }
    s->at = AT_FALLBACK;
    return is_bootable(k, s, target_of(s));
}

/* ---- The running image ------------------------------------------------------------------------
 */

static bool act_confirm(const struct constants *k, struct state *s)
{
    (void)k;
    if (s->at != AT_TRIAL && s->at != AT_FALLBACK) {
        return false;
    }
    s->confirmed = target_of(s);
    if (s->header[s->confirmed] > s->highest) {
        s->highest = s->header[s->confirmed];
    }
    end_trial(s);
    s->at = AT_RUN;
    return true;
}

static bool act_reset(const struct constants *k, struct state *s)
{
    (void)k;
    if (s->at != AT_TRIAL && s->at != AT_ARMED) {
        return false;
    }
    s->at = AT_OFF;
    s->offer = 0;
    return true;
}

static bool act_offer(const struct constants *k, struct state *s, int32_t v)
{
    (void)k;
    if (is_asleep(s) || s->offer != 0) {
        return false;
    }
    s->offer = v;
    return true;
}

/* Between writes, by a confirmed image whose floor has risen. */
static bool is_judged(const struct constants *k, const struct state *s)
{
    const bool open = s->at == AT_RUN || s->at == AT_FILL || s->at == AT_ERASED ||
                      s->at == AT_FULL || s->at == AT_ARMED;
    return s->offer != 0 && open && s->floor >= level_of(k, s->header[s->confirmed]);
}

static bool is_welcome(const struct constants *k, const struct state *s)
{
    const bool newer = s->offer > s->highest && s->offer > s->header[s->confirmed] &&
                       level_of(k, s->offer) >= s->floor;
    const bool worn_out = s->offer == s->reverted && s->reverts >= k->RevertsMax;
    return (newer || k->TakeAny) && s->offer >= s->taken && !worn_out &&
           (s->at != AT_ARMED || s->offer == s->taken);
}

static bool act_decline(const struct constants *k, struct state *s)
{
    const bool unconfirmed = s->offer != 0 && (s->at == AT_TRIAL || s->at == AT_FALLBACK);
    if (!unconfirmed && (!is_judged(k, s) || is_welcome(k, s))) {
        return false;
    }
    s->offer = 0;
    return true;
}

static bool act_take(const struct constants *k, struct state *s)
{
    if (!is_judged(k, s) || !is_welcome(k, s)) {
        return false;
    }
    if (s->offer != s->taken || (s->at == AT_RUN && s->filled == 0)) {
        s->filled = 0;
        s->at = k->KeepHeader ? AT_FILL : AT_BEGIN;
    } else if (s->at == AT_RUN) {
        s->at = s->filled == k->Sectors ? AT_FULL : AT_FILL;
    }
    s->taken = s->offer;
    s->offer = 0;
    return true;
}

/* ---- The agent --------------------------------------------------------------------------------
 */

static bool act_erase_header(const struct constants *k, struct state *s)
{
    const int32_t target = target_of(s);
    if (s->at != AT_BEGIN && !(s->at == AT_FULL && is_whole(k, s, target, s->taken))) {
        return false;
    }
    s->header[target] = 0;
    s->at = s->at == AT_BEGIN ? AT_FILL : AT_BARE;
    return true;
}

static bool act_erase_sector(const struct constants *k, struct state *s)
{
    const int32_t target = target_of(s);
    if (s->at != AT_FILL || s->filled >= k->Sectors) {
        return false;
    }
    const bool mine = s->filled == 0 || s->content[target] == s->taken;
    s->content[target] = mine ? s->taken : 0;
    s->whole[target] = mine ? s->filled : 0;
    s->filled += k->EagerCount ? 1 : 0;
    s->at = AT_ERASED;
    return true;
}

static bool act_write_sector(const struct constants *k, struct state *s)
{
    const int32_t target = target_of(s);
    if (s->at != AT_ERASED || s->whole[target] >= k->Sectors) {
        return false;
    }
    s->whole[target] = s->content[target] == 0 ? 0 : s->whole[target] + 1;
    s->at = AT_WRITTEN;
    return true;
}

static bool act_count_sector(const struct constants *k, struct state *s)
{
    if (s->at != AT_WRITTEN || !(k->EagerCount || s->filled < k->Sectors)) {
        return false;
    }
    s->filled += k->EagerCount ? 0 : 1;
    s->at = s->filled == k->Sectors ? AT_FULL : AT_FILL;
    return true;
}

static bool act_write_header(const struct constants *k, struct state *s)
{
    (void)k;
    if (s->at != AT_BARE) {
        return false;
    }
    s->header[target_of(s)] = s->taken;
    s->at = AT_HEADED;
    return true;
}

static bool act_arm(const struct constants *k, struct state *s)
{
    if (s->at != AT_HEADED || !is_bootable(k, s, target_of(s))) {
        return false;
    }
    s->trial = s->taken;
    s->left = k->Trials;
    s->ran = 0;
    s->at = AT_ARMED;
    return true;
}

static bool act_discard(const struct constants *k, struct state *s)
{
    const int32_t target = target_of(s);
    if (!(s->at == AT_FULL && !is_whole(k, s, target, s->taken)) &&
        !(s->at == AT_HEADED && !is_bootable(k, s, target))) {
        return false;
    }
    s->filled = 0;
    s->at = AT_RUN;
    return true;
}

/* ---- Faults -----------------------------------------------------------------------------------
 */

static bool act_spoil(const struct constants *k, struct state *s, int32_t slot)
{
    const int32_t other = slot == SLOT_A ? SLOT_B : SLOT_A;
    if (s->content[slot] == 0 || !is_bootable(k, s, other) ||
        (!is_asleep(s) && slot == running_of(s))) {
        return false;
    }
    s->content[slot] = s->whole[slot] = 0;
    return s->spoils++ < k->MaxSpoils;
}

static bool act_lose_record(const struct constants *k, struct state *s)
{
    if (s->at != AT_OFF || s->lost) {
        return false;
    }
    s->lost = true;
    s->confirmed = SLOT_A;
    s->highest = s->reverted = s->reverts = 0;
    end_trial(s);
    return s->spoils++ < k->MaxSpoils;
}

static bool act_lose_power(const struct constants *k, struct state *s)
{
    if (s->at == AT_OFF) {
        return false;
    }
    s->at = AT_OFF;
    s->offer = 0;
    return s->losses++ < k->MaxLosses;
}

/* ---- What holds in every state ----------------------------------------------------------------
 */

static bool inv_never_bricked(const struct constants *k, const struct state *s)
{
    return is_bootable(k, s, SLOT_A) || is_bootable(k, s, SLOT_B);
}

static bool inv_runs_whole(const struct constants *k, const struct state *s)
{
    return is_asleep(s) || is_bootable(k, s, running_of(s));
}

static bool inv_header_last(const struct constants *k, const struct state *s, int32_t slot)
{
    return s->header[slot] == 0 || s->content[slot] == 0 || is_whole(k, s, slot, s->header[slot]);
}

static bool inv_way_back(const struct constants *k, const struct state *s)
{
    return s->lost || s->trial == 0 || s->content[s->confirmed] == 0 ||
           is_bootable(k, s, s->confirmed);
}

static bool inv_trials_bounded(const struct constants *k, const struct state *s)
{
    return s->ran + s->left <= k->Trials;
}

static bool inv_floor_earned(const struct constants *k, const struct state *s)
{
    return s->lost || s->floor <= level_of(k, s->header[s->confirmed]);
}

static bool inv_counted_is_there(const struct constants *k, const struct state *s)
{
    (void)k;
    const int32_t target = target_of(s);
    return s->lost || s->filled == 0 || s->header[s->confirmed] == s->taken ||
           s->content[target] == 0 ||
           (s->content[target] == s->taken && s->whole[target] >= s->filled);
}

/* ---- What no step does ------------------------------------------------------------------------
 */

static bool ap_floor_monotone(const struct constants *k, const struct state *s,
                              const struct state *t)
{
    (void)k;
    return t->floor >= s->floor;
}

static bool ap_only_confirm_keeps(const struct constants *k, const struct state *s,
                                  const struct state *t)
{
    (void)k;
    return t->confirmed == s->confirmed || s->lost || t->lost || s->at == AT_TRIAL ||
           s->at == AT_FALLBACK;
}

static bool ap_no_hasty_revert(const struct constants *k, const struct state *s,
                               const struct state *t)
{
    return t->trial != 0 || t->confirmed != s->confirmed || t->lost || s->left == 0 ||
           !is_on_trial(k, s);
}

static bool ap_no_downgrade(const struct constants *k, const struct state *s, const struct state *t)
{
    return t->taken == s->taken || (t->taken > s->highest && level_of(k, t->taken) >= s->floor);
}

static bool ap_progress_kept(const struct constants *k, const struct state *s,
                             const struct state *t)
{
    return t->taken != s->taken || t->filled >= s->filled ||
           !is_whole(k, s, target_of(s), s->taken);
}
