/* Walks of specs/Session as runs of the simulated world. A walk that begins with replay windows
 * does so in a fleet that has been at work for a while: each device's first reading has brought its
 * window, and words are counted from then on.
 */
#include <string.h>

#include "core/check.h"
#include "models/session.def"
#include "models/spec_shape.h"
#include "sim/drive_session_inside.h"

#define WARM "5m" /* two samples, and nothing under way */

static struct constants constants_of(const struct spec_instance *instance)
{
    struct constants k;
    memcpy(&k, instance->k, sizeof k);
    return k;
}

static const struct {
    enum drive_shows shows;
    enum { AT_DEVICE, AT_OWNER, AT_GATEWAY, AT_CLOUD } node; /* of device d, of the owner of m */
    enum evidence_kind evidence;
} words[] = {
    [ACT_sign] = {DRIVE_SAYS, AT_OWNER, EVIDENCE_STORE},
    [ACT_connect] = {DRIVE_SILENT, AT_DEVICE, EVIDENCE_COUNT},
    [ACT_forget] = {DRIVE_SILENT, AT_OWNER, EVIDENCE_COUNT},
    [ACT_send] = {DRIVE_SAYS, AT_OWNER, EVIDENCE_SEND},
    [ACT_take_puback] = {DRIVE_SILENT, AT_OWNER, EVIDENCE_COUNT},
    [ACT_leave] = {DRIVE_SILENT, AT_DEVICE, EVIDENCE_COUNT},
    [ACT_release] = {DRIVE_SAYS, AT_OWNER, EVIDENCE_RELEASE},
    [ACT_respond] = {DRIVE_SILENT, AT_DEVICE, EVIDENCE_COUNT},
    [ACT_insert] = {DRIVE_PRECEDES, AT_GATEWAY, EVIDENCE_COUNT},
    [ACT_refuse] = {DRIVE_SAYS, AT_GATEWAY, EVIDENCE_REFUSE},
    [ACT_gateway_commit] = {DRIVE_SAYS, AT_GATEWAY, EVIDENCE_COMMIT},
    [ACT_join] = {DRIVE_SILENT, AT_GATEWAY, EVIDENCE_COUNT},
    [ACT_forward] = {DRIVE_SAYS, AT_GATEWAY, EVIDENCE_FORWARD},
    [ACT_discharge] = {DRIVE_SAYS, AT_GATEWAY, EVIDENCE_DISCHARGE},
    [ACT_accept] = {DRIVE_PRECEDES, AT_CLOUD, EVIDENCE_COUNT},
    [ACT_duplicate] = {DRIVE_SAYS, AT_CLOUD, EVIDENCE_REJECT},
    [ACT_challenge] = {DRIVE_SAYS, AT_CLOUD, EVIDENCE_CHALLENGE},
    [ACT_window] = {DRIVE_SAYS, AT_CLOUD, EVIDENCE_WINDOW},
    [ACT_cloud_commit] = {DRIVE_SAYS, AT_CLOUD, EVIDENCE_COMMIT},
    [ACT_lose] = {DRIVE_NEVER, AT_DEVICE, EVIDENCE_COUNT},
    [ACT_break_link] = {DRIVE_STRIKES, AT_DEVICE, EVIDENCE_COUNT},
    [ACT_break_uplink] = {DRIVE_STRIKES, AT_CLOUD, EVIDENCE_COUNT},
    [ACT_restart_device] = {DRIVE_STRIKES, AT_DEVICE, EVIDENCE_COUNT},
    [ACT_restart_gateway] = {DRIVE_STRIKES, AT_GATEWAY, EVIDENCE_COUNT},
    [ACT_restart_cloud] = {DRIVE_STRIKES, AT_CLOUD, EVIDENCE_COUNT},
};

static void name_node(const struct spec_instance *instance, const struct spec_move *move,
                      struct drive_word *word)
{
    const int32_t parameter = move->parameters[0];
    switch (words[move->action].node) {
    case AT_DEVICE:
        snprintf(word->node, sizeof word->node, "dev%d", (int)parameter);
        break;
    case AT_OWNER:
        snprintf(word->node, sizeof word->node, "dev%d",
                 (int)((parameter - 1) % constants_of(instance).Devices) + 1);
        break;
    case AT_GATEWAY:
        snprintf(word->node, sizeof word->node, "gw1");
        break;
    case AT_CLOUD:
        snprintf(word->node, sizeof word->node, "cloud1");
        break;
    }
}

void session_word(const struct spec_instance *instance, const struct spec_move *move,
                  const int32_t *pre, const int32_t *post, struct drive_word *word)
{
    const struct constants k = constants_of(instance);
    const bool breaks = move->action == ACT_break_link || move->action == ACT_break_uplink;
    (void)pre;
    (void)post;
    CHECK(move->action < sizeof words / sizeof words[0]);
    word->shows = words[move->action].shows;
    word->evidence = words[move->action].evidence;
    name_node(instance, move, word);
    if (k.Windows != 0 && k.Windows != k.Devices) {
        word->shows = DRIVE_NEVER;
        word->why = "a fleet begins with replay windows for all its devices, or for none";
    } else if (word->shows == DRIVE_NEVER) {
        word->why = "no strike takes an ack, and nothing else, from a link";
    } else if (word->shows == DRIVE_PRECEDES) {
        word->operation = OPERATION_DISK_SYNC;
    } else if (word->shows == DRIVE_STRIKES) {
        word->effect = breaks ? EFFECT_LINK_RESET : EFFECT_POWER_CUT;
        word->lasts = breaks ? NULL : "30s";
        word->restarts = !breaks;
    }
}

void session_fleet(const struct spec_instance *instance, uint32_t devices, FILE *file)
{
    const struct constants k = constants_of(instance);
    (void)devices;
    fprintf(file,
            "    fleet = { devices = %d, gateways = 1 },\n"
            "    device = { sample_every = \"2m\" },\n"
            "    gateway = { queue = %d },\n",
            (int)k.Devices, (int)k.QueueMax);
}

const char *session_warm(const struct spec_instance *instance)
{
    return constants_of(instance).Windows == 0 ? NULL : WARM;
}
