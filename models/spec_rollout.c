/* specs/Rollout/Rollout.tla, action by action. */
#include "models/rollout.def"
#include "models/spec_law.h"

/* Devices that the release may be on. */
static int32_t exposed(const struct constants *k, const struct state *s)
{
    int32_t count = 0;
    for (int32_t d = 1; d <= k->Devices; d++) {
        count += s->dev[d] != DEV_OLD && s->dev[d] != DEV_BACK ? 1 : 0;
    }
    return count;
}

/* Devices of a cohort that are known to be so. */
static int32_t known_in(const struct constants *k, const struct state *s, int32_t cohort,
                        int32_t what)
{
    int32_t count = 0;
    for (int32_t d = 1; d <= k->Devices; d++) {
        count += d % k->Cohorts == cohort && s->know[d] == what ? 1 : 0;
    }
    return count;
}

static int32_t known(const struct constants *k, const struct state *s, int32_t what)
{
    int32_t count = 0;
    for (int32_t cohort = 0; cohort < k->Cohorts; cohort++) {
        count += known_in(k, s, cohort, what);
    }
    return count;
}

/* Too many have failed or are silent, in the fleet or in one cohort. */
static bool is_trouble(const struct constants *k, const struct state *s, bool with_silent,
                       bool with_cohorts)
{
    int32_t all = 0;
    bool trouble = false;
    for (int32_t cohort = 0; cohort < k->Cohorts; cohort++) {
        const int32_t unwell = known_in(k, s, cohort, KNOW_FAILED) +
                               (with_silent ? known_in(k, s, cohort, KNOW_SILENT) : 0);
        all += unwell;
        trouble = trouble || (with_cohorts && unwell > k->CohortThreshold);
    }
    return trouble || all > k->Threshold;
}

/* As the scheduler counts. */
static bool too_bad(const struct constants *k, const struct state *s)
{
    return is_trouble(k, s, !k->SilentIsHealthy, !k->IgnoreCohorts);
}

static int32_t good(const struct constants *k, const struct state *s)
{
    return known(k, s, KNOW_HEALTHY) + (k->SilentIsHealthy ? known(k, s, KNOW_SILENT) : 0);
}

static int32_t cap(const struct constants *k, int32_t stage)
{
    return stage >= k->Stages ? k->Devices : stage;
}

static int32_t need(const struct constants *k, int32_t stage)
{
    return cap(k, stage) > k->Threshold ? cap(k, stage) - k->Threshold : 1;
}

/* A scheduler that runs learns what was ordered. */
static void tell(struct state *s, int32_t what)
{
    s->sched = s->sched == SCHED_DOWN ? SCHED_DOWN : what;
}

static bool init_state(const struct constants *k, uint32_t index, struct state *s)
{
    (void)k;
    s->sched = SCHED_GOES;
    return index == 0;
}

/* ---- The scheduler --------------------------------------------------------------------------- */

static bool act_advance(const struct constants *k, struct state *s)
{
    if (s->sched != SCHED_GOES || s->stage >= k->Stages || too_bad(k, s)) {
        return false;
    }
    if (s->stage > 0 && good(k, s) < need(k, s->stage)) {
        return false;
    }
    s->stage++;
    return true;
}

static bool act_offer(const struct constants *k, struct state *s, int32_t d)
{
    const bool another = s->dev[d] == DEV_OLD && exposed(k, s) < cap(k, s->stage);
    if (s->sched != SCHED_GOES || too_bad(k, s) || !(another || s->dev[d] == DEV_HELD)) {
        return false;
    }
    s->dev[d] = DEV_OFFERED;
    return true;
}

static bool act_halt(const struct constants *k, struct state *s)
{
    if (s->sched != SCHED_GOES || !too_bad(k, s)) {
        return false;
    }
    s->halted = true;
    s->sched = SCHED_STANDS;
    return true;
}

static bool act_sched_crash(const struct constants *k, struct state *s)
{
    if (s->sched == SCHED_DOWN) {
        return false;
    }
    s->sched = SCHED_DOWN;
    return s->crashes++ < k->MaxCrashes;
}

static bool act_sched_start(const struct constants *k, struct state *s)
{
    if (s->sched != SCHED_DOWN) {
        return false;
    }
    s->sched = s->halted && !k->ForgetHalt ? SCHED_STANDS : SCHED_GOES;
    return true;
}

/* ---- The operator ---------------------------------------------------------------------------- */

static bool act_op_halt(const struct constants *k, struct state *s)
{
    if (s->halted) {
        return false;
    }
    s->halted = true;
    tell(s, SCHED_STANDS);
    return s->ops++ < k->MaxOperator;
}

static bool act_op_resume(const struct constants *k, struct state *s)
{
    if (!s->halted || s->back) {
        return false;
    }
    s->halted = false;
    tell(s, SCHED_GOES);
    return s->ops++ < k->MaxOperator;
}

static bool act_op_back(const struct constants *k, struct state *s)
{
    if (s->back || s->stage == 0) {
        return false;
    }
    s->back = s->halted = true;
    tell(s, SCHED_STANDS);
    return s->ops++ < k->MaxOperator;
}

/* ---- Devices --------------------------------------------------------------------------------- */

static bool act_install(const struct constants *k, struct state *s, int32_t d)
{
    if (s->dev[d] != DEV_OFFERED && !(k->InstallHeld && s->dev[d] == DEV_HELD)) {
        return false;
    }
    s->dev[d] = DEV_NEW;
    return true;
}

static bool act_hear_halt(const struct constants *k, struct state *s, int32_t d)
{
    (void)k;
    if (!s->halted || s->dev[d] != DEV_OFFERED) {
        return false;
    }
    s->dev[d] = DEV_HELD;
    return true;
}

static bool act_report_healthy(const struct constants *k, struct state *s, int32_t d)
{
    (void)k;
    if (s->dev[d] != DEV_NEW || s->know[d] == KNOW_HEALTHY || s->know[d] == KNOW_FAILED) {
        return false;
    }
    s->know[d] = KNOW_HEALTHY;
    return true;
}

static bool act_report_failed(const struct constants *k, struct state *s, int32_t d)
{
    if (s->dev[d] != DEV_NEW || s->know[d] == KNOW_FAILED) {
        return false;
    }
    s->know[d] = KNOW_FAILED;
    return s->trouble++ < k->MaxTrouble;
}

static bool act_fall_silent(const struct constants *k, struct state *s, int32_t d)
{
    if ((s->dev[d] != DEV_OFFERED && s->dev[d] != DEV_NEW) || s->know[d] != KNOW_NONE) {
        return false;
    }
    s->know[d] = KNOW_SILENT;
    return s->trouble++ < k->MaxTrouble;
}

static bool act_go_back(const struct constants *k, struct state *s, int32_t d)
{
    (void)k;
    if (!s->back || s->dev[d] == DEV_OLD || s->dev[d] == DEV_BACK) {
        return false;
    }
    s->dev[d] = s->dev[d] == DEV_NEW ? DEV_BACK : DEV_OLD;
    return true;
}

/* ---- What holds in every state --------------------------------------------------------------- */

static bool inv_exposure_bounded(const struct constants *k, const struct state *s)
{
    return exposed(k, s) <= cap(k, s->stage);
}

static bool inv_halt_is_known(const struct constants *k, const struct state *s)
{
    (void)k;
    return !s->halted || s->sched != SCHED_GOES;
}

static bool inv_back_is_halted(const struct constants *k, const struct state *s)
{
    (void)k;
    return !s->back || s->halted;
}

/* ---- What no step does ----------------------------------------------------------------------- */

static bool ap_stage_by_stage(const struct constants *k, const struct state *s,
                              const struct state *t)
{
    (void)k;
    return t->stage == s->stage || t->stage == s->stage + 1;
}

static bool ap_advance_only_with_evidence(const struct constants *k, const struct state *s,
                                          const struct state *t)
{
    return t->stage <= s->stage || s->stage == 0 ||
           (known(k, s, KNOW_HEALTHY) >= need(k, s->stage) && !is_trouble(k, s, true, true));
}

static bool ap_no_offer_after_halt(const struct constants *k, const struct state *s,
                                   const struct state *t, int32_t d)
{
    return t->dev[d] != DEV_OFFERED || s->dev[d] == DEV_OFFERED ||
           !(s->halted || is_trouble(k, s, true, true));
}

static bool ap_held_waits(const struct constants *k, const struct state *s, const struct state *t,
                          int32_t d)
{
    (void)k;
    return s->dev[d] != DEV_HELD || t->dev[d] != DEV_NEW;
}

static bool ap_halt_stays(const struct constants *k, const struct state *s, const struct state *t)
{
    (void)k;
    return !s->halted || t->halted || t->ops > s->ops;
}
