#include "models/model.h"

#include <string.h>

#include "models/cadence.h"
#include "models/custody.h"
#include "models/judge_session.h"
#include "models/judge_telemetry.h"
#include "models/judge_update.h"
#include "models/ruling.h"
#include "models/telemetry.h"
#include "models/update.h"

struct judge {
    struct judge_config config;
    struct ruling ruling;
    struct telemetry_model *telemetry;
    struct custody_model *custody;
    struct cadence_model *cadence;
    struct update_law_config releases;
    struct judge_telemetry *spec_telemetry;
    struct judge_session *spec_session;
    struct update_law *updates; /* [node_count]; NULL where firmware is not managed, as is */
    struct judge_update *spec_update;
};

static size_t updates_bytes(const struct judge_config *config);
static void observe_update(struct judge *judge, const struct observation *observation);

static const struct {
    const char *name;
    const char *statement;
} laws[LAW_COUNT] = {
#define LAW(ID, name, statement) {name, statement},
#include "models/laws.def"
#undef LAW
};

const char *law_name(enum law law)
{
    return (uint32_t)law < LAW_COUNT ? laws[law].name : "?";
}

const char *law_statement(enum law law)
{
    return (uint32_t)law < LAW_COUNT ? laws[law].statement : "?";
}

size_t judge_size_bytes(const struct judge_config *config)
{
    return ruling_aligned(sizeof(struct judge)) +
           ruling_aligned(config->node_count * sizeof(uint64_t)) +
           ruling_aligned(telemetry_size_bytes(config)) +
           ruling_aligned(custody_size_bytes(config)) + ruling_aligned(cadence_size_bytes(config)) +
           ruling_aligned(judge_telemetry_size_bytes(config)) +
           ruling_aligned(judge_session_size_bytes(config)) + updates_bytes(config) +
           ruling_aligned(judge_update_size_bytes(config));
}

void judge_init(struct judge *judge, const struct judge_config *config)
{
    unsigned char *memory = (unsigned char *)judge;
    judge->config = *config;
    judge->ruling.node_count = config->node_count;
    memory += ruling_aligned(sizeof(struct judge));
    judge->ruling.void_at = (uint64_t *)(void *)memory;
    memory += ruling_aligned(config->node_count * sizeof(uint64_t));
    judge->telemetry = (struct telemetry_model *)(void *)memory;
    memory += ruling_aligned(telemetry_size_bytes(config));
    judge->custody = (struct custody_model *)(void *)memory;
    memory += ruling_aligned(custody_size_bytes(config));
    judge->cadence = (struct cadence_model *)(void *)memory;
    memory += ruling_aligned(cadence_size_bytes(config));
    judge->spec_telemetry = (struct judge_telemetry *)(void *)memory;
    memory += ruling_aligned(judge_telemetry_size_bytes(config));
    judge->spec_session = (struct judge_session *)(void *)memory;
    memory += ruling_aligned(judge_session_size_bytes(config));
    judge->updates = config->trials != 0 ? (struct update_law *)(void *)memory : NULL;
    memory += updates_bytes(config);
    judge->spec_update = config->trials != 0 ? (struct judge_update *)(void *)memory : NULL;
    judge->releases.trials = config->trials;
    judge->releases.reverts_max = config->reverts_max;
    telemetry_init(judge->telemetry, &judge->config);
    custody_init(judge->custody, &judge->config);
    cadence_init(judge->cadence, &judge->config);
    if (judge->spec_update != NULL) {
        judge_update_init(judge->spec_update, &judge->config);
    }
    judge_telemetry_init(judge->spec_telemetry, &judge->config, &judge->ruling);
    judge_session_init(judge->spec_session, &judge->config, &judge->ruling);
}

void judge_tell(struct judge *judge,
                void (*heard)(void *ctx, const char *law, const int32_t *k,
                              const struct follow_step *step, uint32_t shape),
                void *ctx)
{
    judge->config.heard = heard;
    judge->config.heard_ctx = ctx;
}

bool judge_observe(struct judge *judge, const struct observation *observation,
                   struct violation *violation)
{
    struct ruling *ruling = &judge->ruling;
    ruling->observation = observation;
    ruling->broken = false;
    if (observation->kind == TRUTH_LEFT && observation->node < ruling->node_count) {
        /* Not void: no fault class takes the law away, it is not about this device. */
        ruling->void_at[observation->node] |=
            UINT64_C(1) << LAW_LIVENESS_DELIVERED | UINT64_C(1) << LAW_LIVENESS_ACKED;
    }
    telemetry_observe(judge->telemetry, observation, ruling);
    custody_observe(judge->custody, observation, ruling);
    cadence_observe(judge->cadence, observation, ruling);
    judge_telemetry_observe(judge->spec_telemetry, observation);
    judge_session_observe(judge->spec_session, observation);
    if (judge->updates != NULL) {
        observe_update(judge, observation);
        judge_update_observe(judge->spec_update, observation, ruling);
    }
    if (ruling->broken) {
        *violation = ruling->violation;
    }
    return !ruling->broken;
}

void judge_exercise(struct judge *judge, enum law law, uint64_t times)
{
    judge->ruling.exercised[law] += times;
}

bool judge_found(struct judge *judge, enum law law, const struct observation *observation,
                 const struct judge_finding *finding, struct violation *violation)
{
    struct ruling *ruling = &judge->ruling;
    ruling->observation = observation;
    ruling->broken = false;
    ruling_exercise(ruling, law);
    ruling_break(ruling, law, observation->node,
                 (struct difference){finding->what, finding->expected, finding->actual});
    if (ruling->broken) {
        *violation = ruling->violation;
    }
    return ruling->broken;
}

static size_t updates_bytes(const struct judge_config *config)
{
    return config->trials != 0 ? ruling_aligned(config->node_count * sizeof(struct update_law)) : 0;
}

/* One law for each device. The factory's release is the first that the world tells of, and all
 * devices leave the line with it. */
static void observe_update(struct judge *judge, const struct observation *observation)
{
    struct update_law_config *known = &judge->releases;
    if (observation->kind == TRUTH_RELEASE) {
        if (known->release_count < UPDATE_LAW_RELEASES_MAX) {
            known->releases[known->release_count++] =
                (struct update_law_release){observation->counter, observation->value};
        }
        for (uint32_t i = 0; i < judge->config.node_count && known->release_count == 1; i++) {
            update_law_init(&judge->updates[i], known, observation->counter);
        }
        return;
    }
    const uint32_t device = observation->device != 0 ? observation->device : observation->node;
    if (device >= judge->config.node_count || judge->config.roles[device] != MODEL_DEVICE) {
        return;
    }
    /* That the cloud knows in the end is a matter of liveness: a device whose flash has failed may
     * be dark for good, or have no store to speak from. What it says is judged all the same. */
    const uint64_t silent = judge->ruling.void_everywhere | judge->ruling.void_at[device];
    if (observation->kind == TRUTH_KNOWN && (silent >> LAW_LIVENESS_ACKED & 1u) != 0) {
        return;
    }
    struct update_law_finding finding;
    if (!update_law_observe(&judge->updates[device], known, observation, &finding,
                            judge->ruling.exercised)) {
        ruling_break(&judge->ruling, finding.law, device,
                     (struct difference){finding.what, finding.expected, finding.actual});
    }
}

/* Is a fault of `role` felt at its own node only? A law about devices that is void because of a
 * server is void for every device: any of them may have gone through it. */
static bool void_is_local(enum law law, enum model_role role)
{
    if (role == MODEL_GATEWAY) {
        return law == LAW_GATEWAY_CUSTODY || law == LAW_RESOURCES_BOUNDS || law == LAW_CORE_CHECK ||
               law == LAW_SPEC_SESSION;
    }
    return role == MODEL_DEVICE;
}

void judge_void(struct judge *judge, enum law law, uint32_t node)
{
    struct ruling *ruling = &judge->ruling;
    const uint64_t bit = UINT64_C(1) << law;
    ruling->void_somewhere |= bit;
    if (node < ruling->node_count && void_is_local(law, judge->config.roles[node])) {
        ruling->void_at[node] |= bit;
    } else {
        ruling->void_everywhere |= bit;
    }
    const bool here = node < ruling->node_count && (ruling->void_at[node] & bit) != 0;
    if (law == LAW_SPEC_TELEMETRY) {
        judge_telemetry_leave(judge->spec_telemetry, here ? node : 0);
    } else if (law == LAW_SPEC_SESSION) {
        judge_session_leave(judge->spec_session, here ? node : 0);
    }
}

uint32_t judge_unfollowed(const struct judge *judge, enum law law)
{
    switch ((uint32_t)law) {
    case LAW_SPEC_TELEMETRY:
        return judge_telemetry_unfollowed(judge->spec_telemetry);
    case LAW_SPEC_SESSION:
        return judge_session_unfollowed(judge->spec_session);
    case LAW_SPEC_UPDATE:
        return judge->spec_update != NULL ? judge_update_unfollowed(judge->spec_update) : 0;
    default:
        return 0;
    }
}

uint32_t judge_recovering(const struct judge *judge)
{
    return telemetry_recovering(judge->telemetry);
}

bool judge_is_void(const struct judge *judge, enum law law)
{
    return (judge->ruling.void_somewhere >> law & 1u) != 0;
}

uint64_t judge_unfollowed_readings(const struct judge *judge)
{
    return judge_session_unfollowed_readings(judge->spec_session);
}

uint64_t judge_steps(const struct judge *judge, enum law law, uint32_t action)
{
    return law == LAW_SPEC_SESSION ? judge_session_steps(judge->spec_session, action)
                                   : judge_telemetry_steps(judge->spec_telemetry, action);
}

uint64_t judge_exercised(const struct judge *judge, enum law law)
{
    return judge->ruling.exercised[law];
}

void ruling_break(struct ruling *ruling, enum law law, uint32_t subject,
                  struct difference difference)
{
    const uint64_t bit = UINT64_C(1) << law;
    uint64_t silent = ruling->void_everywhere | ruling->reported;
    if (subject < ruling->node_count) {
        silent |= ruling->void_at[subject];
    }
    if (ruling->broken || (silent & bit) != 0) {
        return;
    }
    ruling->broken = true;
    ruling->reported |= bit;
    ruling->violation = (struct violation){
        .law = law,
        .observation = *ruling->observation,
        .expected = difference.expected,
        .actual = difference.actual,
    };
    char *what = ruling->violation.what;
    for (size_t i = 0; i + 1 < VIOLATION_WHAT_BYTES && difference.what[i] != '\0'; i++) {
        what[i] = difference.what[i];
    }
}
