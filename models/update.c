#include "models/update.h"

/* One observation, on its way through the rules. */
struct step {
    const struct update_law_config *config;
    const struct observation *observation;
    struct update_law_finding *out;
    uint64_t *exercised; /* NULL: not counted */
    bool holds;
};

static void require(struct step *step, enum law law, const char *what, uint64_t expected,
                    uint64_t actual);
static void require_at_most(struct step *step, enum law law, const char *what, uint64_t most,
                            uint64_t actual);
static void break_law(struct step *step, enum law law, const char *what, uint64_t expected,
                      uint64_t actual);

static void down(struct update_law *law, struct step *step);
static void slot(struct update_law *law, struct step *step);
static void floor_seen(struct update_law *law, struct step *step);
static void known(struct update_law *law, struct step *step);
static void jump(struct update_law *law, struct step *step);
static void jump_confirmed(struct update_law *law, struct step *step);
static void jump_trial(struct update_law *law, struct step *step);
static void jump_fallback(struct update_law *law, struct step *step);
static void trial_over(struct update_law *law, struct step *step, uint64_t sequence);
static void strand(const struct update_law *law, struct step *step);
static void revert(struct update_law *law, struct step *step);
static void take(struct update_law *law, struct step *step);
static void fill(struct update_law *law, struct step *step);
static void arm(struct update_law *law, struct step *step);
static void confirm(struct update_law *law, struct step *step);
static void raise_floor(struct update_law *law, struct step *step);
static void rotate(struct update_law *law, struct step *step);
static void policy(struct update_law *law, struct step *step);
static void status(struct update_law *law, struct step *step);
static void learn(struct update_law *law, struct step *step);
static void settled(const struct update_law *law, struct step *step);

static void settle_confirm(struct update_law *law, uint64_t sequence);
static bool epoch_begins(struct update_law *law, struct step *step, uint32_t epoch);
static uint64_t left_level(const struct update_law *law, const struct step *step);
static bool is_release(const struct update_law_config *config, uint64_t sequence);
static bool may_boot(const struct update_law *law, const struct step *step, uint32_t slot);

void update_law_init(struct update_law *law, const struct update_law_config *config,
                     uint64_t sequence)
{
    *law = (struct update_law){
        .slots = {sequence},
        .confirmed = sequence,
        .floor = update_law_level(config, sequence),
    };
}

uint64_t update_law_level(const struct update_law_config *config, uint64_t sequence)
{
    for (uint32_t i = 0; i < config->release_count; i++) {
        if (config->releases[i].sequence == sequence) {
            return config->releases[i].level;
        }
    }
    return 0;
}

bool update_law_observe(struct update_law *law, const struct update_law_config *config,
                        const struct observation *observation, struct update_law_finding *out,
                        uint64_t *exercised)
{
    static void (*const rules[TRUTH_COUNT])(struct update_law *, struct step *) = {
        [TRUTH_SLOT] = slot,          [TRUTH_KNOWN] = known,
        [TRUTH_FLOOR] = floor_seen,   [EVIDENCE_JUMP] = jump,
        [EVIDENCE_REVERT] = revert,   [EVIDENCE_TAKE] = take,
        [EVIDENCE_FILL] = fill,       [EVIDENCE_ARM] = arm,
        [EVIDENCE_CONFIRM] = confirm, [EVIDENCE_RAISE] = raise_floor,
        [EVIDENCE_ROTATE] = rotate,   [EVIDENCE_POLICY] = policy,
        [EVIDENCE_STATUS] = status,   [EVIDENCE_LEARN] = learn,
    };
    struct step step = {config, observation, out, exercised, true};
    if (observation->kind == TRUTH_DOWN) {
        down(law, &step);
    } else if (observation->kind == TRUTH_SETTLED) {
        settled(law, &step);
    } else if (observation->kind == EVIDENCE_STRAND) {
        strand(law, &step);
    } else if (observation->kind == TRUTH_DARK) {
        require(&step, LAW_UPDATE_BOOTABLE, "a device boots", 1, 0);
    } else if (observation->kind < TRUTH_COUNT && rules[observation->kind] != NULL) {
        rules[observation->kind](law, &step);
    }
    return step.holds;
}

/* ---- What the world shows ---- */

static void down(struct update_law *law, struct step *step)
{
    law->ends += law->armed != 0 && law->ends <= step->config->trials;
    law->running = 0;
    law->outcome = UPDATE_LAW_NONE;
}

/* The last slot of a listing ends it. */
static void slot(struct update_law *law, struct step *step)
{
    const uint32_t number = step->observation->epoch;
    if (number >= UPDATE_LAW_SLOTS) {
        return;
    }
    law->slots[number] = step->observation->counter;
    if (number == UPDATE_LAW_SLOTS - 1) {
        require(step, LAW_UPDATE_LAST_GOOD, "a slot holds a whole image that may run", 1,
                may_boot(law, step, 0) || may_boot(law, step, 1));
    }
}

static void floor_seen(struct update_law *law, struct step *step)
{
    const uint64_t level = step->observation->value;
    const uint64_t sequence = law->perhaps != 0 ? law->perhaps : law->confirmed;
    const uint64_t confirmed = update_law_level(step->config, law->confirmed);
    const uint64_t perhaps = update_law_level(step->config, sequence);
    const uint64_t left = left_level(law, step);
    const uint64_t most = confirmed > perhaps ? confirmed : perhaps;
    require(step, LAW_UPDATE_FLOOR, "the security floor fell", 1, level >= law->floor);
    require_at_most(step, LAW_UPDATE_FLOOR, "the security floor is above what was confirmed",
                    most > left ? most : left, level);
    law->floor = level;
}

/* I5: it came to rest; I12: what was confirmed has raised the floor by then. */
static void settled(const struct update_law *law, struct step *step)
{
    const uint64_t sequence = step->observation->counter;
    require(step, LAW_UPDATE_PROGRESS, "what runs is what was confirmed", law->confirmed, sequence);
    require(step, LAW_UPDATE_PROGRESS, "no trial is left over", 0, law->armed);
    require(step, LAW_UPDATE_LAST_GOOD, "what runs at the end is in flash, whole", 1,
            law->slots[0] == sequence || law->slots[1] == sequence);
    require(step, LAW_UPDATE_FLOOR, "the floor is that of the confirmed image",
            update_law_level(step->config, sequence), law->floor);
}

/* ---- The boot loader ---- */

static void jump(struct update_law *law, struct step *step)
{
    const struct observation *observation = step->observation;
    const uint64_t sequence = observation->counter;
    const uint64_t held =
        observation->epoch < UPDATE_LAW_SLOTS ? law->slots[observation->epoch] : 0;
    require(step, LAW_UPDATE_AUTHENTIC, "the slot holds that image, whole", sequence, held);
    require(step, LAW_UPDATE_FLOOR, "the image is not below the security floor", 1,
            update_law_level(step->config, sequence) >= law->floor);
    require(step, LAW_UPDATE_BOOTABLE, "a boot ends with an image that runs", 1, sequence != 0);
    if (observation->value == UPDATE_LAW_CONFIRMED) {
        jump_confirmed(law, step);
    } else if (observation->value == UPDATE_LAW_TRIAL) {
        jump_trial(law, step);
    } else {
        jump_fallback(law, step);
    }
    law->running = sequence;
    law->outcome = observation->value;
}

static void jump_confirmed(struct update_law *law, struct step *step)
{
    const uint64_t sequence = step->observation->counter;
    if (sequence == law->perhaps && sequence != 0) {
        settle_confirm(law, sequence);
    }
    require(step, LAW_UPDATE_CONFIRM, "the image boots as the confirmed one", law->confirmed,
            sequence);
    if (law->armed != 0) {
        trial_over(law, step, law->armed); /* the word was cut off */
    }
    law->perhaps = 0;
}

static void jump_trial(struct update_law *law, struct step *step)
{
    const uint64_t sequence = step->observation->counter;
    if (law->armed != sequence && law->taken == sequence) { /* armed, and the word was cut off */
        law->armed = sequence;
        law->ends = step->config->trials + 1; /* nobody knows how many */
        law->executed = 0;
    }
    require(step, LAW_UPDATE_CONFIRM, "a confirmed image is not on trial again", 1,
            sequence != law->confirmed);
    require(step, LAW_UPDATE_TRIALS, "the image on trial was armed", law->armed, sequence);
    require_at_most(step, LAW_UPDATE_FLOOR, "the floor has not risen for an image on trial",
                    update_law_level(step->config, law->confirmed), law->floor);
    require(step, LAW_UPDATE_LAST_GOOD, "the image to go back to is there during a trial", 1,
            may_boot(law, step, 0) && may_boot(law, step, 1) &&
                (law->slots[0] == law->confirmed || law->slots[1] == law->confirmed));
    law->executed++;
    require_at_most(step, LAW_UPDATE_TRIALS, "boots of an unconfirmed image", step->config->trials,
                    law->executed);
    law->perhaps = sequence;
}

static void jump_fallback(struct update_law *law, struct step *step)
{
    require(step, LAW_UPDATE_CONFIRM, "the confirmed image is gone, or it would boot", 1,
            law->slots[0] != law->confirmed && law->slots[1] != law->confirmed);
    law->perhaps = step->observation->counter; /* it may confirm itself */
}

/* Power may burn trials, one each time that it ends; nothing else may, while the image is good. */
static void trial_over(struct update_law *law, struct step *step, uint64_t sequence)
{
    const bool whole = law->slots[0] == sequence || law->slots[1] == sequence;
    require(step, LAW_UPDATE_TRIALS, "a good image had its trials, or power burnt them", 1,
            !whole || law->ends > step->config->trials);
    law->armed = 0;
    law->perhaps = 0;
    law->reverts = sequence == law->reverted ? law->reverts : 0;
    law->reverted = sequence;
}

static void strand(const struct update_law *law, struct step *step)
{
    require(step, LAW_UPDATE_BOOTABLE, "no slot boots, though one holds an image that may run", 0,
            may_boot(law, step, 0) || may_boot(law, step, 1));
}

static void revert(struct update_law *law, struct step *step)
{
    const struct observation *observation = step->observation;
    const uint64_t sequence = observation->counter;
    if (law->armed != sequence && law->taken == sequence) {
        law->armed = sequence;
        law->ends = step->config->trials + 1;
    }
    require(step, LAW_UPDATE_CONFIRM, "a confirmed image is not reverted", 1,
            sequence != law->confirmed);
    require(step, LAW_UPDATE_TRIALS, "what is reverted was on trial", law->armed, sequence);
    trial_over(law, step, sequence);
    law->reverts += law->reverts < step->config->reverts_max; /* more is not asked for */
}

/* ---- The agent ---- */

static void take(struct update_law *law, struct step *step)
{
    const uint64_t sequence = step->observation->counter, bytes = step->observation->value;
    require(step, LAW_UPDATE_AUTHENTIC, "what is taken is a release", 1,
            is_release(step->config, sequence));
    require(step, LAW_UPDATE_AUTHENTIC, "what is taken is newer than what is confirmed", 1,
            sequence > law->confirmed);
    require(step, LAW_UPDATE_FLOOR, "what is taken is not below the floor", 1,
            update_law_level(step->config, sequence) >= law->floor);
    require(step, LAW_UPDATE_TRIALS, "what was reverted too often is not taken again", 1,
            step->config->reverts_max == 0 || sequence != law->reverted ||
                law->reverts < step->config->reverts_max);
    if (sequence == law->taken) {
        require(step, LAW_UPDATE_RESUME, "what was durable of the download still counts", 1,
                bytes >= law->filled);
    }
    law->taken = sequence;
    law->filled = bytes;
}

static void fill(struct update_law *law, struct step *step)
{
    require(step, LAW_UPDATE_RESUME, "the bytes are those of the download", law->taken,
            step->observation->counter);
    require(step, LAW_UPDATE_RESUME, "a download only grows", 1,
            step->observation->value >= law->filled);
    law->filled = step->observation->value;
}

static void arm(struct update_law *law, struct step *step)
{
    const uint64_t sequence = step->observation->counter;
    require(step, LAW_UPDATE_TRIALS, "what is armed was taken", law->taken, sequence);
    require(step, LAW_UPDATE_CONFIRM, "a confirmed image arms the other one", law->confirmed,
            law->running);
    law->armed = sequence;
    law->ends = 0;
    law->executed = 0;
}

static void confirm(struct update_law *law, struct step *step)
{
    const uint64_t sequence = step->observation->counter;
    require(step, LAW_UPDATE_CONFIRM, "what is confirmed runs", law->running, sequence);
    require(step, LAW_UPDATE_CONFIRM, "what is confirmed was not yet", 1,
            law->outcome != UPDATE_LAW_CONFIRMED);
    settle_confirm(law, sequence);
    law->outcome = UPDATE_LAW_CONFIRMED;
}

static void raise_floor(struct update_law *law, struct step *step)
{
    const uint64_t level = step->observation->value;
    const uint64_t confirmed = update_law_level(step->config, law->confirmed);
    /* The boot loader raises before it says whom it boots: what ran on trial may be confirmed. */
    const bool unsaid = law->running == 0 && level > confirmed && law->perhaps != 0;
    const uint64_t most = unsaid ? update_law_level(step->config, law->perhaps) : confirmed;
    const uint64_t left = law->running == 0 ? left_level(law, step) : 0;
    require(step, LAW_UPDATE_FLOOR, "a raise raises", 1, level >= law->floor);
    require_at_most(step, LAW_UPDATE_FLOOR, "only a confirm raises the floor",
                    most > left ? most : left, level);
    law->floor = level;
    if (unsaid) {
        settle_confirm(law, law->perhaps);
    }
}

/* ---- Key and policy ---- */

static void rotate(struct update_law *law, struct step *step)
{
    const uint64_t generation = step->observation->counter;
    if (epoch_begins(law, step, step->observation->epoch)) {
        require(step, LAW_IDENTITY_KEY, "a new epoch begins with the key of the factory", 0,
                generation);
    }
    if (step->observation->value == 0) {
        require(step, LAW_IDENTITY_KEY, "the key that is staged follows the one in force",
                law->key + 1, generation);
        law->key_next = generation;
        return;
    }
    /* In force: the old one, or the one that was staged; a stage may have gone unsaid. */
    require(step, LAW_IDENTITY_KEY, "the key in force is the old or the new one", 1,
            generation == law->key || generation == law->key + 1);
    law->key = generation;
    law->key_next = 0;
}

static void policy(struct update_law *law, struct step *step)
{
    (void)epoch_begins(law, step, step->observation->epoch);
    require(step, LAW_IDENTITY_KEY, "policy versions never go back", 1,
            step->observation->counter >= law->policy);
    require(step, LAW_IDENTITY_KEY, "a new epoch begins without a policy", 1,
            law->policy_said != 0 || step->observation->counter == 0);
    law->policy = step->observation->counter;
    law->policy_said = 1;
}

/* A factory reset is a new epoch: keys and policy begin again. True: with this observation. */
static bool epoch_begins(struct update_law *law, struct step *step, uint32_t epoch)
{
    require(step, LAW_IDENTITY_KEY, "epochs never go back", 1, epoch >= law->epoch);
    if (epoch == law->epoch) {
        return false;
    }
    law->epoch = epoch;
    law->key = 0;
    law->key_next = 0;
    law->policy = 0;
    law->policy_said = 0;
    return true;
}

/* ---- What the cloud learns ---- */

static void status(struct update_law *law, struct step *step)
{
    const struct observation *observation = step->observation;
    require(step, LAW_UPDATE_TRUTHFUL, "a status names what runs", law->running,
            observation->counter);
    require(step, LAW_UPDATE_TRUTHFUL, "a status says how it runs", law->outcome,
            observation->value);
    if (law->status_count == UPDATE_LAW_STATUSES_MAX) {
        law->learnt_any = 1;
        return;
    }
    const struct update_law_status *last =
        law->status_count > 0 ? &law->statuses[law->status_count - 1] : NULL;
    if (last == NULL || last->sequence != observation->counter ||
        last->outcome != observation->value) {
        law->statuses[law->status_count++] =
            (struct update_law_status){observation->counter, observation->value};
    }
}

/* All faults are over: the cloud knows what runs, and how. */
static void known(struct update_law *law, struct step *step)
{
    require(step, LAW_UPDATE_TRUTHFUL, "the cloud knows what the device runs", law->running,
            step->observation->counter);
    require(step, LAW_UPDATE_TRUTHFUL, "the cloud knows how it runs", law->outcome,
            step->observation->value);
}

/* A status arrives late, more than once, or not at all, but never after a later one. */
static void learn(struct update_law *law, struct step *step)
{
    const struct observation *observation = step->observation;
    uint64_t found = law->status_count;
    for (uint64_t i = 0; i < law->status_count && found == law->status_count; i++) {
        if (law->statuses[i].sequence == observation->counter &&
            law->statuses[i].outcome == observation->value) {
            found = i;
        }
    }
    require(step, LAW_UPDATE_TRUTHFUL,
            "what the cloud learns was said by the device, and not "
            "before what it knows already",
            1, found < law->status_count || law->learnt_any != 0);
    if (found == law->status_count) {
        return;
    }
    law->status_count -= found; /* the same one may come again */
    for (uint64_t i = 0; i < UPDATE_LAW_STATUSES_MAX; i++) {
        law->statuses[i] =
            i < law->status_count ? law->statuses[i + found] : (struct update_law_status){0, 0};
    }
}

/* ---- Helpers ---- */

static void settle_confirm(struct update_law *law, uint64_t sequence)
{
    law->confirmed = sequence;
    law->perhaps = 0;
    law->armed = 0;
    law->executed = 0;
    law->ends = 0;
    law->taken = 0;
    law->filled = 0;
}

/* Where rot took the confirmed image, and the record with it, the boot loader takes the one that is
 * left for confirmed (boot.h), and that raises the floor: nothing below it is there to go back to.
 * What the floor may be then: the level of any release, for bits that waver make an image that
 * verifies one that is not listed as whole. 0 while the confirmed image is there; power alone never
 * takes it: update.last_good. */
static uint64_t left_level(const struct update_law *law, const struct step *step)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < step->config->release_count; i++) {
        const uint64_t level = step->config->releases[i].level;
        most = level > most ? level : most;
    }
    const bool there = law->slots[0] == law->confirmed || law->slots[1] == law->confirmed;
    return there ? 0 : most;
}

static bool is_release(const struct update_law_config *config, uint64_t sequence)
{
    bool is = false;
    for (uint32_t i = 0; i < config->release_count; i++) {
        is = is || config->releases[i].sequence == sequence;
    }
    return is;
}

static bool may_boot(const struct update_law *law, const struct step *step, uint32_t slot)
{
    const uint64_t sequence = law->slots[slot];
    return sequence != 0 && update_law_level(step->config, sequence) >= law->floor;
}

static void require(struct step *step, enum law law, const char *what, uint64_t expected,
                    uint64_t actual)
{
    if (step->exercised != NULL) {
        step->exercised[law]++;
    }
    if (expected != actual) {
        break_law(step, law, what, expected, actual);
    }
}

static void require_at_most(struct step *step, enum law law, const char *what, uint64_t most,
                            uint64_t actual)
{
    if (step->exercised != NULL) {
        step->exercised[law]++;
    }
    if (actual > most) {
        break_law(step, law, what, most, actual);
    }
}

/* The first one is kept. */
static void break_law(struct step *step, enum law law, const char *what, uint64_t expected,
                      uint64_t actual)
{
    if (step->holds) {
        step->holds = false;
        *step->out = (struct update_law_finding){law, what, expected, actual};
    }
}
