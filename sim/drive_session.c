/* The Session spec on the real cores: device, gateway and cloud, and what lies between them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/message.h"
#include "sim/drive_session_inside.h"

/* The variables and the constants, in the order of the .def. */
#define VARIABLE(name, domain)                                   VARIABLE_##name,
#define VARIABLE_MAP(name, capacity, keys, domain)               VARIABLE_##name,
#define VARIABLE_MAP2(name, capacity, keys, other, more, domain) VARIABLE_##name,
enum variable { LAW_VARIABLES(VARIABLE, VARIABLE_MAP, VARIABLE_MAP2) VARIABLE_COUNT };
#define CONSTANT(name, low, high) CONSTANT_##name,
#define CONSTANT_FLAG(name)       CONSTANT_##name,
enum constant { LAW_CONSTANTS(CONSTANT, CONSTANT_FLAG) CONSTANT_COUNT };

/* ---- The beginning ---------------------------------------------------------------------------
 */

/* What is in the sockets of the cloud. */
static void cloud_takes(struct session_rig *rig)
{
    while (rig->at_cloud.count > 0) {
        const struct session_packet packet = rig->at_cloud.list[0];
        struct session_packet taken;
        CHECK(session_take(&rig->at_cloud, packet.reading, packet.device, &taken));
        session_data(&rig->cloud, taken.link, taken.bytes, taken.size_bytes);
    }
}

/* A device that the cloud has a window for: what asked for it was never taken, and is no reading of
 * the spec. */
static void open_window(struct session_rig *rig, int32_t d)
{
    struct session_device *device = &rig->all[d];
    const struct device_config *config = &device->config;
    const struct port *port = &device->node.port;
    const struct reading reading = {.value = 1};
    uint8_t key[AEAD_KEY_BYTES];
    struct envelope envelope;
    struct cose_sign1 parsed;
    struct challenge challenge;
    CHECK(message_reading_key(port, config->secret, config->id, 1, key) == ERR_OK);
    CHECK(message_telemetry(port, &config->keys, key, config->id, 1, 1, &reading, &envelope) ==
          ERR_OK);
    session_other_forward(rig, &envelope, true);
    cloud_takes(rig);
    envelope = device->challenge;
    CHECK(cose_parse(envelope.bytes, envelope.size_bytes, &parsed) == ERR_OK);
    CHECK(message_read_challenge(&parsed, &challenge) == ERR_OK);
    struct response response = {.device = config->id, .epoch = 1, .floor = 0};
    memcpy(response.nonce, challenge.nonce, sizeof response.nonce);
    CHECK(message_response(port, &config->keys, &response, &envelope) == ERR_OK);
    session_other_forward(rig, &envelope, false);
    cloud_takes(rig);
    device->challenge.size_bytes = 0;
}

static void session_end(void *rig)
{
    session_free(rig);
    free(rig);
}

static void *session_begin(const struct spec_instance *instance, char *error, size_t error_bytes)
{
    const int32_t *k = instance->k;
    if (k[CONSTANT_Readings] * k[CONSTANT_QueueMax] > SESSION_PACKETS_MAX) {
        snprintf(error, error_bytes, "%s: Readings * QueueMax is above %d", instance->name,
                 SESSION_PACKETS_MAX);
        return NULL;
    }
    struct session_rig *rig = calloc(1, sizeof *rig);
    CHECK(rig != NULL);
    rig->instance = instance;
    rig->devices = k[CONSTANT_Devices];
    rig->readings = k[CONSTANT_Readings];
    rig->queue_max = k[CONSTANT_QueueMax];
    session_make(rig);
    session_boot_cloud(rig);
    session_boot_gateway(rig);
    for (int32_t d = 1; d <= rig->devices; d++) {
        session_boot_device(rig, d);
        if (d <= k[CONSTANT_Windows]) {
            open_window(rig, d);
        }
    }
    return rig;
}

/* ---- What can be seen ------------------------------------------------------------------------
 */

static bool is_up(const struct session_device *device)
{
    return device->wire.link != 0 && device->device->client.link == device->wire.link &&
           device->device->client.state == MQTT_CLIENT_READY;
}

/* Of devices: a set of readings, or of devices. */
static int32_t look_at_devices(struct session_rig *rig, enum variable variable)
{
    int32_t value = 0;
    for (int32_t d = 1; d <= rig->devices; d++) {
        const struct session_device *device = &rig->all[d];
        switch ((uint32_t)variable) {
        case VARIABLE_stored:
            value |= session_stored(rig, d);
            break;
        case VARIABLE_held:
            value |= session_held(rig, device);
            break;
        case VARIABLE_sent:
            value |= session_sent_set(rig, device);
            break;
        case VARIABLE_up:
            value |= is_up(device) ? set_of(d) : 0;
            break;
        case VARIABLE_dead:
            value |= device->dead ? set_of(d) : 0;
            break;
        default:
            value |= device->answer.size_bytes > 0 ? set_of(d) : 0;
            break;
        }
    }
    return value;
}

/* Answers that refuse: those that were sent, and those that are due with the gateway's next step.
 */
static int32_t refused(const struct session_rig *rig)
{
    int32_t devices = 0;
    for (uint32_t i = 0; i < rig->refusals.count; i++) {
        devices |= set_of(rig->refusals.list[i].device);
    }
    for (uint32_t i = 0; i < rig->at_gateway.count; i++) {
        const struct session_packet *packet = &rig->at_gateway.list[i];
        devices |= packet->refused ? set_of(packet->device) : 0;
    }
    return devices;
}

/* In the gateway's socket, and taken with its next step: all but those that it will refuse. */
static int32_t inserted(const struct session_rig *rig)
{
    int32_t readings = 0;
    for (uint32_t i = 0; i < rig->at_gateway.count; i++) {
        const struct session_packet *packet = &rig->at_gateway.list[i];
        readings |= packet->due_refusal ? 0 : set_of(packet->reading);
    }
    return readings;
}

/* In the cloud's sockets: devices whose windows begin with its next step. */
static int32_t answering(const struct session_rig *rig)
{
    int32_t devices = 0;
    for (uint32_t i = 0; i < rig->at_cloud.count; i++) {
        const struct session_packet *packet = &rig->at_cloud.list[i];
        devices |= packet->reading == 0 ? set_of(packet->device) : 0;
    }
    return devices;
}

static int32_t acked(const struct session_rig *rig)
{
    int32_t readings = 0;
    for (uint32_t i = 0; i < rig->ack_count; i++) {
        readings |= rig->acks[i].readings;
    }
    return readings;
}

/* Rows whose deletion waits: what was discharged since the boot, less the rows that are gone. */
static int32_t done(const struct session_rig *rig, int32_t m)
{
    return rig->discharges[m] - (rig->rows_at_boot[m] + rig->custodies[m] - rig->rows[m]);
}

/* The gateway's own count of its queue must be that of its rows. */
static bool joined(const struct session_rig *rig)
{
    struct gateway_view view;
    gateway_view(rig->gateway.memory, &view);
    return view.connected && rig->uplink.link != 0;
}

static int32_t look_at_map(const struct session_rig *rig, enum variable variable, int32_t m)
{
    switch ((uint32_t)variable) {
    case VARIABLE_rows:
        return rig->rows[m];
    case VARIABLE_done:
        return done(rig, m);
    case VARIABLE_owed:
        return rig->owed[m];
    case VARIABLE_flying:
        return session_count(&rig->flying, m);
    case VARIABLE_confirms:
        return session_count(&rig->confirms, m);
    default:
        CHECK(variable == VARIABLE_accepts);
        return rig->accepts[m];
    }
}

static int32_t look_at_set(struct session_rig *rig, enum variable variable)
{
    switch ((uint32_t)variable) {
    case VARIABLE_made:
        return rig->made;
    case VARIABLE_wire:
        return session_set(&rig->wire);
    case VARIABLE_pubacks:
        return session_set(&rig->pubacks);
    case VARIABLE_refused:
        return refused(rig);
    case VARIABLE_inserted:
        return inserted(rig);
    case VARIABLE_joined:
        return joined(rig);
    case VARIABLE_windows:
        return rig->windows | answering(rig);
    case VARIABLE_seen:
        return rig->seen | session_set(&rig->at_cloud);
    case VARIABLE_tentative:
        return session_set(&rig->at_cloud);
    case VARIABLE_asked:
        return set_without(rig->asked, answering(rig));
    case VARIABLE_known:
        return rig->known;
    case VARIABLE_kept:
        return rig->kept;
    case VARIABLE_acked:
        return acked(rig);
    case VARIABLE_breaks:
        return rig->breaks;
    case VARIABLE_restarts:
        return rig->restarts;
    default:
        return look_at_devices(rig, variable);
    }
}

static void session_look(void *ctx, int32_t *cells, bool *seen)
{
    struct session_rig *rig = ctx;
    session_read_disks(rig);
    for (uint32_t i = 0; i < rig->instance->cell_count; i++) {
        const struct spec_cell *cell = &rig->instance->cells[i];
        const enum variable variable = (enum variable)cell->variable;
        const bool is_map = rig->instance->variables[cell->variable].key_count > 0;
        cells[i] = is_map ? look_at_map(rig, variable, cell->keys[0]) : look_at_set(rig, variable);
        seen[i] = true;
    }
}

/* ---- Acting, and what else decides -----------------------------------------------------------
 */

/* The gateway's own count of its queue is that of its rows. */
static bool counts_right(struct session_rig *rig)
{
    struct gateway_view view;
    int32_t count = 0;
    session_read_disks(rig);
    gateway_view(rig->gateway.memory, &view);
    for (int32_t m = 1; m <= rig->readings; m++) {
        count += rig->rows[m] - done(rig, m);
    }
    return (int32_t)view.queue_count == count;
}

#define ENTRY0(name, Name, actor)        session_do_##name,
#define ENTRY1(name, Name, actor, a, da) session_do_##name,
#define ENTRY_NONE(...)
/* In the order of the .def. */
static enum drive_outcome (*const actions[])(struct session_rig *rig, int32_t parameter,
                                             const char **why) = {
    LAW_ACTIONS(ENTRY0, ENTRY1, ENTRY_NONE, ENTRY_NONE)};

/* What no core may do, whatever the action was. */
static enum drive_outcome judge(struct session_rig *rig, enum drive_outcome outcome,
                                const char **why)
{
    for (int32_t d = 1; d <= rig->devices; d++) {
        if (rig->all[d].flash->counts.discipline > 0) {
            session_fault(rig, "a device breaks the rules of its flash");
        }
    }
    if (outcome == DRIVE_DONE && rig->fault[0] == '\0' && !counts_right(rig)) {
        session_fault(rig, "the gateway's count of its queue is not that of its rows");
    }
    if (outcome == DRIVE_DONE && rig->fault[0] != '\0') {
        *why = rig->fault;
        return DRIVE_FAILED;
    }
    return outcome;
}

static enum drive_outcome session_act(void *ctx, const struct spec_move *move, const char **why)
{
    struct session_rig *rig = ctx;
    rig->said_count = 0;
    *why = NULL;
    return judge(rig, actions[move->action](rig, move->parameters[0], why), why);
}

/* What is in the servers' sockets is taken after all. */
static enum drive_outcome session_finish(void *ctx, const char **why)
{
    struct session_rig *rig = ctx;
    rig->said_count = 0;
    *why = NULL;
    if (rig->at_gateway.count > 0) {
        (void)session_do_gateway_commit(rig, 0, why);
    }
    if (rig->at_cloud.count > 0) {
        (void)session_do_cloud_commit(rig, 0, why);
    }
    return judge(rig, DRIVE_DONE, why);
}

/* Where the records of a device are, and which slots those have that are no readings of the spec.
 */
static uint64_t slots_key(struct session_rig *rig, int32_t d)
{
    const struct outbox *outbox = &rig->all[d].device->outbox;
    uint64_t key = 0;
    for (uint32_t i = 0; i < outbox->count; i++) {
        const uint64_t counter = outbox->entries[i].counter;
        const int32_t m = session_reading(rig, rig->all[d].config.id, counter);
        key += m == 0 ? random_at(outbox->entries[i].slot, 3) : 0;
    }
    for (int32_t m = 1; m <= rig->readings; m++) {
        key += set_has(session_stored(rig, d), m) ? random_at(rig->slot_of[m], (uint64_t)m + 4) : 0;
    }
    return key;
}

/* Who has answered on this connection, and where the records are. */
static uint64_t session_key(void *ctx)
{
    struct session_rig *rig = ctx;
    uint64_t key = 0;
    for (int32_t d = 1; d <= rig->devices; d++) {
        const struct session_device *device = &rig->all[d];
        const bool answered = is_up(device) && device->device->connection.responded;
        key = random_at(key ^ slots_key(rig, d), answered ? 1 : 0);
    }
    return key;
}

static void session_tell(void *ctx, const char *indent, FILE *file)
{
    static const char *const names[] = {
#define NAME(NAME, Name) #Name,
        EVIDENCE_LIST(NAME)
#undef NAME
    };
    const struct session_rig *rig = ctx;
    for (uint32_t i = 0; i < rig->said_count; i++) {
        const struct session_said *said = &rig->said[i];
        const char *who = said->node == SESSION_CLOUD     ? "cloud"
                          : said->node == SESSION_GATEWAY ? "gateway"
                                                          : "device";
        const int32_t m = session_reading(rig, said->device, said->counter);
        fprintf(file, "%s%s: %s, counter %" PRIu64 ", value %" PRIu64, indent, who,
                names[said->kind], said->counter, said->value);
        if (m != 0) {
            fprintf(file, " (reading %" PRId32 ")", m);
        }
        fprintf(file, "\n");
    }
}

const struct driver drive_session = {
    .law = "Session",
    .begin = session_begin,
    .act = session_act,
    .look = session_look,
    .finish = session_finish,
    .end = session_end,
    .key = session_key,
    .tell = session_tell,
    .word = session_word,
    .fleet = session_fleet,
    .warm = session_warm,
};
