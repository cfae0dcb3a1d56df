/* Walks of specs/Update as runs of the simulated world. Its devices are all the one device of the
 * spec; its cloud offers release 2 from a certain time on, to whoever may take it.
 */
#include <string.h>

#include "core/check.h"
#include "models/update.def"
#include "models/spec_shape.h"
#include "sim/drive_update.h"

enum { OFFERED = 2, SECTOR_BYTES = 1024 };

static struct state state_of(const struct spec_instance *instance, const int32_t *cells)
{
    struct state state;
    int32_t words[SPEC_STATE_WORDS_MAX] = {0};
    spec_scatter(instance, cells, words);
    memcpy(&state, words, sizeof state);
    return state;
}

static void says(struct drive_word *word, enum evidence_kind evidence)
{
    word->shows = DRIVE_SAYS;
    word->evidence = evidence;
}

static void does(struct drive_word *word, enum drive_shows shows, enum port_operation operation)
{
    word->shows = shows;
    word->operation = operation;
    word->in_boot = operation != OPERATION_FLASH_ERASE; /* stores erase as well, when they mount */
}

static void strikes(struct drive_word *word, enum effect effect, const char *lasts)
{
    word->shows = DRIVE_STRIKES;
    word->effect = effect;
    word->lasts = lasts;
    word->restarts = true;
}

static void is_not(struct drive_word *word, enum drive_shows shows, const char *why)
{
    word->shows = shows;
    word->why = why;
}

/* There is one word for a rise, behind its last step. */
static void word_of_raise(const struct spec_instance *instance, const struct state *before,
                          const struct state *after, struct drive_word *word)
{
    const bool other = before->at == AT_TRIAL || before->at == AT_FALLBACK;
    const int32_t release = before->header[other ? SLOT_B - before->confirmed : before->confirmed];
    struct constants k;
    memcpy(&k, instance->k, sizeof k);
    does(word, DRIVE_DOES, OPERATION_COUNTER_INCREMENT);
    if (after->floor == (release % 2 == 0 ? k.HighLevel : 1)) {
        says(word, EVIDENCE_RAISE);
    }
}

/* TAKE comes behind the erase of a header, where there is one. The same offer again is taken
 * without a word. */
static void word_of_take(const struct state *before, const struct state *after,
                         struct drive_word *word)
{
    if (after->at == AT_BEGIN) {
        does(word, DRIVE_PRECEDES, OPERATION_FLASH_ERASE);
    } else if (before->at == AT_RUN || after->taken != before->taken) {
        says(word, EVIDENCE_TAKE);
    }
}

void drive_update_word(const struct spec_instance *instance, const struct spec_move *move,
                       const int32_t *pre, const int32_t *post, struct drive_word *word)
{
    const struct state before = state_of(instance, pre), after = state_of(instance, post);
    snprintf(word->node, sizeof word->node, "device");
    switch (move->action) {
    case ACT_recover:
        is_not(word, DRIVE_NEVER, "no strike of the simulated world takes the record before it");
        break;
    case ACT_count:
        does(word, DRIVE_PRECEDES, OPERATION_EVIDENCE);
        break;
    case ACT_jump_trial:
    case ACT_jump:
        says(word, EVIDENCE_JUMP);
        break;
    case ACT_revert:
        says(word, EVIDENCE_REVERT);
        break;
    case ACT_raise:
        word_of_raise(instance, &before, &after, word);
        break;
    case ACT_confirm:
        says(word, EVIDENCE_CONFIRM);
        break;
    case ACT_reset: /* of an image on trial: it hangs, and its watchdog bites */
        if (before.at == AT_TRIAL) {
            strikes(word, EFFECT_HANG, "5m");
        }
        word->restarts = true;
        break;
    case ACT_offer:
        if (move->parameters[0] != OFFERED) {
            is_not(word, DRIVE_NEVER, "the cloud of the simulated world offers release 2 alone");
        }
        break;
    case ACT_decline:
        is_not(word, DRIVE_NEVER,
               "no strike makes the cloud of the simulated world offer what is not welcome");
        break;
    case ACT_take:
        word_of_take(&before, &after, word);
        break;
    case ACT_erase_header:
        if (before.at == AT_BEGIN) {
            says(word, EVIDENCE_TAKE);
        } else {
            is_not(
                word, DRIVE_HIDES,
                "no strike falls for certain between the last sector and the record of the trial");
        }
        break;
    case ACT_erase_sector:
        does(word, DRIVE_DOES, OPERATION_FLASH_ERASE);
        break;
    case ACT_write_sector:
        is_not(word, DRIVE_HIDES,
               "no strike falls for certain between the bytes of a sector and the record of it");
        break;
    case ACT_count_sector:
        says(word, EVIDENCE_FILL);
        break;
    case ACT_write_header:
        is_not(word, DRIVE_HIDES,
               "no strike falls for certain between the last sector and the record of the trial");
        break;
    case ACT_arm:
        says(word, EVIDENCE_ARM);
        break;
    case ACT_discard:
        is_not(word, DRIVE_NEVER, "no strike of the simulated world makes a download come wrong");
        break;
    case ACT_spoil:
        is_not(word, DRIVE_NEVER, "no strike of the simulated world spoils a slot for certain");
        break;
    case ACT_lose_record:
        is_not(word, DRIVE_NEVER, "no strike of the simulated world takes the record for certain");
        break;
    case ACT_lose_power:
        strikes(word, EFFECT_POWER_CUT, "30s");
        break;
    default:
        CHECK(false);
    }
}

void drive_update_fleet(const struct spec_instance *instance, uint32_t devices, FILE *file)
{
    struct constants k;
    memcpy(&k, instance->k, sizeof k);
    fprintf(file,
            "    fleet = { devices = %u, gateways = 1 },\n"
            "    device = { sample_every = \"10m\", watchdog = \"1m\" },\n"
            "    firmware = {\n"
            "        image = %d, trials = %d, reverts = %d, level = %d,\n"
            "        release = \"%s\", watchdog = \"1m\",\n"
            "    },\n"
            "    flash = { sector = %d },\n",
            (unsigned)devices, (int)k.Sectors * SECTOR_BYTES, (int)k.Trials, (int)k.RevertsMax,
            (int)k.HighLevel, DRIVE_UPDATE_CALM, SECTOR_BYTES);
}
