/* The session world: its loop, and the faults. */
#include "sim/mqtt_world.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/mqtt_world_inside.h"

#define SECOND UINT64_C(1000000)

enum { KIND_NET };

static const char *const fault_names[SESSION_FAULT_COUNT] = {
    "cut",     "half_open", "stall", "chunk", "broker_crash", "broker_power",
    "restart", "forget",    "leave", "spoil", "rude",         "busy",
};

const char *mqtt_world_fault_name(enum mqtt_world_fault fault)
{
    CHECK(fault < SESSION_FAULT_COUNT);
    return fault_names[fault];
}

/* ---- the net ----------------------------------------------------------------------------------
 */

static void on_schedule(void *ctx, uint64_t time_us, uint32_t link, uint32_t what)
{
    struct mqtt_world *world = ctx;
    const bool pushed = queue_push(&world->queue, time_us, KIND_NET, link, what);
    CHECK(pushed);
}

static const struct profile *on_profile(void *ctx, uint32_t from, uint32_t to)
{
    static const struct profile calm = {
        .name = "calm",
        .delay_min_us = 5000,
        .delay_typical_us = 20000,
        .delay_max_us = 200000,
        .up_bps = 2000000,
        .down_bps = 2000000,
        .retransmit_us = 300000,
        .queue_bytes = 3000,
        .cut_ppm = 200000,
    };
    (void)ctx;
    (void)from;
    (void)to;
    return &calm;
}

/* ---- faults -----------------------------------------------------------------------------------
 */

static void strike_broker(struct mqtt_world *world, bool power)
{
    struct mqtt_world_broker *broker = &world->broker;
    static const enum disk_verdict hows[] = {DISK_DIE_BEFORE, DISK_DIE_AFTER, DISK_DIE_TORN};
    if (!broker->up || broker->cut_in > 0) {
        return;
    }
    if (!power || random_below(&world->faults, 8) == 0) {
        mqtt_world_broker_down(world, power);
        return;
    }
    broker->cut_in = 1 + (uint32_t)random_below(&world->faults, 60);
    broker->cut_how = hows[random_below(&world->faults, 3)];
}

static void strike_link(struct mqtt_world *world, enum mqtt_world_fault fault, uint32_t node)
{
    if (fault == SESSION_FAULT_CUT) {
        net_reset(world->net, world->now_us, node, SESSION_BROKER);
    } else if (fault == SESSION_FAULT_HALF_OPEN) {
        net_half_open(world->net, world->now_us,
                      random_below(&world->faults, 2) == 0 ? node : SESSION_BROKER,
                      node == SESSION_BROKER ? node : SESSION_BROKER);
    } else {
        net_begin(world->net, world->now_us, ++world->condition, NET_STALL, node, SESSION_BROKER,
                  0);
    }
}

static void strike(struct mqtt_world *world)
{
    const enum mqtt_world_fault fault =
        (enum mqtt_world_fault)random_below(&world->faults, SESSION_FAULT_BUSY);
    const uint32_t number = (uint32_t)random_below(&world->faults, MQTT_JUDGE_CLIENTS - 1);
    struct mqtt_world_client *client = &world->clients[number];
    world->fault_us = world->now_us + random_exponential(&world->faults, 2 * SECOND);
    for (uint32_t id = 1; id <= world->condition; id++) { /* a stall lasts until the next fault */
        net_end(world->net, world->now_us, id);
    }
    if (!mqtt_world_faulty(world, fault) || fault == SESSION_FAULT_CHUNK ||
        fault == SESSION_FAULT_SPOIL || fault == SESSION_FAULT_RUDE) {
        return; /* those go on all the time, as busy does */
    }
    hash_u32(&world->hash, fault);
    world->result->struck[fault]++;
    if (fault == SESSION_FAULT_BROKER_CRASH || fault == SESSION_FAULT_BROKER_POWER) {
        strike_broker(world, fault == SESSION_FAULT_BROKER_POWER);
    } else if (fault == SESSION_FAULT_RESTART || fault == SESSION_FAULT_FORGET) {
        mqtt_world_client_restart(world, client, fault == SESSION_FAULT_RESTART);
    } else if (fault == SESSION_FAULT_LEAVE) {
        mqtt_world_client_leave(world, client);
    } else {
        strike_link(world, fault, client->node);
    }
}

static void heal(struct mqtt_world *world)
{
    world->healed = true;
    net_heal(world->net, world->now_us);
    world->fault_us = UINT64_MAX;
    world->broker.cut_in = 0;
    for (uint32_t number = 0; number < MQTT_JUDGE_CLIENTS - 1; number++) {
        struct mqtt_world_client *client = &world->clients[number];
        if (client->back_us > world->now_us + SECOND) {
            client->back_us = world->now_us + SECOND;
        }
    }
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static void deliver(struct mqtt_world *world, const struct net_delivery *delivery)
{
    const struct event *event = &delivery->event;
    hash_u64(&world->hash, world->now_us);
    hash_u32(&world->hash, delivery->node);
    hash_u32(&world->hash, (uint32_t)event->kind);
    hash_u32(&world->hash, event->link);
    if (event->kind == EVENT_LINK_DATA) {
        hash_bytes(&world->hash, event->bytes, event->size_bytes);
    }
    if (delivery->node == SESSION_BROKER) {
        if (world->broker.up) {
            mqtt_world_broker_event(world, event);
        }
    } else if (delivery->node == SESSION_NODES) {
        mqtt_world_rude_event(world, event);
    } else {
        mqtt_world_client_event(world, &world->clients[delivery->node - SESSION_BROKER - 1], event);
    }
}

static uint64_t broker_due_us(const struct mqtt_world *world)
{
    const struct mqtt_world_broker *broker = &world->broker;
    if (!broker->up) {
        return broker->back_us;
    }
    const uint64_t deadline_us = broker_deadline_us(broker->broker);
    const uint64_t due_us =
        deadline_us == UINT64_MAX ? UINT64_MAX : deadline_us - SECOND + broker->booted_us;
    return broker->waiting_count > 0 && broker->busy_us < due_us ? broker->busy_us : due_us;
}

static void due(struct mqtt_world *world)
{
    if (broker_due_us(world) <= world->now_us) {
        if (world->broker.up) {
            mqtt_world_broker_due(world);
        } else {
            mqtt_world_broker_boot(world);
        }
    }
    for (uint32_t number = 0; number < MQTT_JUDGE_CLIENTS - 1; number++) {
        if (mqtt_world_client_deadline_us(&world->clients[number]) <= world->now_us) {
            mqtt_world_client_due(world, &world->clients[number]);
        }
    }
    if (mqtt_world_rude_deadline_us(world) <= world->now_us) {
        mqtt_world_rude_due(world);
    }
    if (world->fault_us <= world->now_us) {
        strike(world);
    }
}

static uint64_t earliest(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

static void run(struct mqtt_world *world, uint64_t until_us)
{
    uint32_t idle = 0;
    while (!world->judge.broken) {
        uint64_t due_us = earliest(broker_due_us(world), mqtt_world_rude_deadline_us(world));
        for (uint32_t number = 0; number < MQTT_JUDGE_CLIENTS - 1; number++) {
            due_us = earliest(due_us, mqtt_world_client_deadline_us(&world->clients[number]));
        }
        due_us = earliest(due_us, world->fault_us);
        const struct queue_event *front = queue_peek(&world->queue);
        const uint64_t next_us = earliest(due_us, front == NULL ? UINT64_MAX : front->time_us);
        if (next_us > until_us) {
            world->now_us = until_us;
            return;
        }
        idle = next_us > world->now_us ? 0 : idle + 1;
        CHECK(idle < 100000);
        world->now_us = next_us > world->now_us ? next_us : world->now_us;
        world->result->events++;
        struct queue_event event;
        struct net_delivery delivery;
        if (front == NULL || due_us < front->time_us) {
            due(world);
        } else if (queue_pop(&world->queue, &event) &&
                   net_event(world->net, world->now_us, event.a, event.b, &delivery)) {
            deliver(world, &delivery);
        }
    }
}

static void judge_end(struct mqtt_world *world)
{
    for (uint32_t number = 0; number < MQTT_JUDGE_CLIENTS - 1; number++) {
        if (!world->judge.broken && !mqtt_world_client_is_done(&world->clients[number])) {
            mqtt_judge_break(&world->judge, MQTT_LAW_M5, world->now_us,
                             "all is healed, and a client is not through with its messages", 0,
                             number);
        }
    }
    mqtt_judge_end(&world->judge, world->now_us);
}

static void stream(struct random_stream *stream, uint64_t seed, const char *name)
{
    *stream = (struct random_stream){.key = random_key(seed, name)};
}

static void make(struct mqtt_world *world)
{
    const uint64_t seed = world->request->seed;
    const struct net_hooks hooks = {world, on_schedule, NULL};
    world->now_us = SECOND;
    world->message = 1;
    stream(&world->faults, seed, "session/faults");
    stream(&world->entropy, seed, "session/entropy");
    stream(&world->chunks, seed, "session/chunks");
    stream(&world->spoils, seed, "session/spoils");
    stream(&world->busy, seed, "session/busy");
    stream(&world->workload, seed, "session/workload");
    hash_init(&world->hash, true, false);
    queue_init(&world->queue);
    world->net = net_create(seed, SESSION_NODES, &hooks, on_profile, NULL);
    mqtt_judge_init(&world->judge, SESSION_EXPIRY_MAX_S);
    mqtt_world_ports_init(world);
    for (uint32_t number = 0; number < MQTT_JUDGE_CLIENTS - 1; number++) {
        mqtt_world_client_init(world, number);
        net_node_up(world->net, world->now_us, SESSION_BROKER + 1 + number);
    }
    net_node_up(world->net, world->now_us, SESSION_NODES);
    mqtt_world_broker_boot(world);
    world->fault_us = world->now_us + 5 * SECOND;
    world->rude.back_us = world->now_us + 3 * SECOND;
}

void mqtt_world_run(const struct mqtt_world_request *request, struct mqtt_world_result *result)
{
    struct mqtt_world *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    memset(result, 0, sizeof *result);
    world->request = request;
    world->result = result;
    make(world);
    run(world, SECOND + SESSION_FAULTS_US);
    heal(world);
    run(world, SECOND + SESSION_FAULTS_US + SESSION_DRAIN_US);
    if (!world->judge.broken) {
        judge_end(world);
    }
    const struct mqtt_judge *judge = &world->judge;
    result->broken = judge->broken;
    result->law = judge->law;
    result->what = judge->what;
    result->about = judge->about;
    result->client = judge->client;
    result->broken_us = judge->broken_us;
    memcpy(result->counts, judge->counts, sizeof result->counts);
    hash_digest(&world->hash, result->digest);
    if (world->broker.up) {
        mqtt_world_broker_down(world, false);
    }
    free(world->broker.broker);
    disk_set_current(NULL);
    disk_detach(4095);
    disk_drop(&world->broker.disk);
    net_free(world->net);
    queue_free(&world->queue);
    hash_free(&world->hash);
    free(world);
}
