/* The table of a server's MQTT sessions. */
#include "core/server/sessions.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/evidence.h"

/* A sweep looks at every session; late by so much is early enough. */
#define SWEEP_EVERY_US 1000000u

static uint32_t sessions_slot(const struct sessions *sessions, const struct mqtt_session *session);
static struct mqtt_session *sessions_expendable(const struct sessions *sessions);
static void sessions_connect(struct sessions *sessions, const struct port *port,
                             struct mqtt_session *session, uint32_t client);
static void sessions_ready(struct sessions *sessions, const struct port *port,
                           struct mqtt_session *session);
static void sessions_expect(struct sessions *sessions, const struct mqtt_session *session);
static void sessions_drop(struct sessions *sessions, const struct port *port, enum refusal why);
static enum refusal refusal_of(uint8_t reason);

uint32_t sessions_size_bytes(uint32_t max, uint32_t client_count)
{
    CHECK(max >= 1 && max <= SERVER_SESSIONS_MAX);
    CHECK(client_count <= SERVER_DEVICES_MAX);
    _Static_assert(sizeof(struct mqtt_session) % 8u == 0, "sessions keep the alignment");
    const size_t size_bytes = max * (sizeof(uint64_t) + sizeof(struct mqtt_session)) +
                              (max + client_count) * sizeof(uint32_t);
    return (uint32_t)((size_bytes + 7u) / 8u * 8u);
}

void sessions_init(struct sessions *sessions, uint8_t *memory, uint32_t max, uint32_t self,
                   const struct registry *clients)
{
    CHECK(sessions != NULL);
    CHECK((uintptr_t)memory % 8u == 0);
    CHECK(clients != NULL);
    memset(sessions, 0, sizeof *sessions);
    memset(memory, 0, sessions_size_bytes(max, clients->count));
    sessions->clients = clients;
    sessions->self = self;
    sessions->max = max;
    sessions->sweep_at_us = UINT64_MAX;
    sessions->links = (uint64_t *)(void *)memory;
    memory += max * sizeof(uint64_t);
    sessions->slots = (struct mqtt_session *)(void *)memory;
    memory += max * sizeof(struct mqtt_session);
    sessions->clients_of = (uint32_t *)(void *)memory;
    memory += max * sizeof(uint32_t);
    sessions->slots_of = (uint32_t *)(void *)memory;
}

void sessions_open(struct sessions *sessions, const struct port *port, uint32_t link,
                   uint64_t now_us)
{
    CHECK(sessions_find(sessions, link) == NULL);
    if (sessions->count == sessions->max) {
        struct mqtt_session *session = sessions_expendable(sessions);
        port->evidence(port->ctx,
                       &(struct evidence){.kind = EVIDENCE_REFUSE, .value = REFUSAL_SESSIONS});
        if (session == NULL) {
            port->link_close(port->ctx, link);
            return;
        }
        mqtt_session_close(session, port, MQTT_SERVER_BUSY); /* no CONNACK yet: without a word */
        sessions_settle(sessions, session);
    }
    /* A link likes the slot of its own number, so that sessions_find looks once. */
    uint32_t slot = link % sessions->max;
    while (sessions->links[slot] != 0) { /* ends: count < max */
        slot = (slot + 1) % sessions->max;
    }
    sessions->links[slot] = (uint64_t)link + 1;
    sessions->count++;
    mqtt_session_open(&sessions->slots[slot], sessions->self, link, now_us);
    sessions_expect(sessions, &sessions->slots[slot]);
}

struct mqtt_session *sessions_find(const struct sessions *sessions, uint32_t link)
{
    CHECK(sessions != NULL);
    /* The whole ring if need be: a slot freed since may lie between. */
    uint32_t slot = link % sessions->max;
    for (uint32_t tries = 0; tries < sessions->max; tries++) {
        if (sessions->links[slot] == (uint64_t)link + 1) {
            return &sessions->slots[slot];
        }
        slot = slot + 1 == sessions->max ? 0 : slot + 1;
    }
    return NULL;
}

struct mqtt_session *sessions_of(const struct sessions *sessions, uint32_t client_index)
{
    CHECK(client_index < sessions->clients->count);
    const uint32_t slot = sessions->slots_of[client_index];
    return slot == 0 ? NULL : &sessions->slots[slot - 1];
}

const struct registry_entry *sessions_client(const struct sessions *sessions,
                                             const struct mqtt_session *session, uint32_t *index)
{
    const uint32_t client = sessions->clients_of[sessions_slot(sessions, session)];
    CHECK(client != 0);
    if (index != NULL) {
        *index = client - 1;
    }
    return &sessions->clients->entries[client - 1];
}

bool sessions_next(struct sessions *sessions, const struct port *port, uint64_t now_us,
                   struct mqtt_session *session, const struct event *event,
                   struct mqtt_input *input, struct mqtt_happening *happening)
{
    while (session->state != MQTT_SESSION_CLOSED) { /* each turn takes a packet, or ends */
        mqtt_session_take(session, port, now_us, event, input, happening);
        switch (happening->kind) {
        case MQTT_HAPPENED_PUBLISH:
            return true;
        case MQTT_HAPPENED_CONNECT:
            sessions_connect(sessions, port, session, happening->client);
            break;
        case MQTT_HAPPENED_READY:
            sessions_ready(sessions, port, session);
            break;
        case MQTT_HAPPENED_DOWN:
            CHECK(session->state == MQTT_SESSION_CLOSED);
            if (happening->refused) {
                sessions_drop(sessions, port, refusal_of(happening->reason));
            }
            break;
        case MQTT_NOTHING:
            return false;
        case MQTT_HAPPENED_PUBACK: /* a server publishes with QoS 0 only */
        default:
            CHECK(false);
        }
    }
    return false;
}

void sessions_settle(struct sessions *sessions, struct mqtt_session *session)
{
    if (session->state != MQTT_SESSION_CLOSED) {
        sessions_expect(sessions, session); /* one whose link is gone times out at once */
        return;
    }
    const uint32_t slot = sessions_slot(sessions, session);
    const uint32_t client = sessions->clients_of[slot];
    if (client != 0) {
        CHECK(sessions->slots_of[client - 1] == slot + 1);
        sessions->slots_of[client - 1] = 0;
        sessions->clients_of[slot] = 0;
    }
    sessions->links[slot] = 0;
    CHECK(sessions->count > 0);
    sessions->count--;
}

void sessions_sweep(struct sessions *sessions, const struct port *port, uint64_t now_us)
{
    if (now_us < sessions->sweep_at_us) {
        return;
    }
    sessions->sweep_at_us = UINT64_MAX;
    for (uint32_t slot = 0; slot < sessions->max; slot++) {
        struct mqtt_session *session = &sessions->slots[slot];
        if (sessions->links[slot] == 0) {
            continue;
        }
        if (mqtt_session_deadline_us(session) <= now_us) {
            if (session->state == MQTT_SESSION_OPEN || session->state == MQTT_SESSION_CHALLENGED) {
                sessions_drop(sessions, port, REFUSAL_LATE);
            }
            mqtt_session_close(session, port, MQTT_KEEP_ALIVE_TIMEOUT);
            sessions_settle(sessions, session);
        } else {
            sessions_expect(sessions, session);
        }
    }
    if (sessions->sweep_at_us < now_us + SWEEP_EVERY_US) {
        sessions->sweep_at_us = now_us + SWEEP_EVERY_US;
    }
}

/* Who has to go first when the table is full; 0: it stays. */
static uint32_t sessions_rank(const struct mqtt_session *session)
{
    switch (session->state) {
    case MQTT_SESSION_BROKEN: /* its link has failed */
        return 3;
    case MQTT_SESSION_OPEN:
        return 2;
    case MQTT_SESSION_CHALLENGED:
        return 1;
    case MQTT_SESSION_CLOSED:
    case MQTT_SESSION_ASKED: /* within a step only */
    case MQTT_SESSION_READY:
        break;
    }
    return 0;
}

/* Who makes place: of the first rank there is, the one that was opened first. NULL: nobody. */
static struct mqtt_session *sessions_expendable(const struct sessions *sessions)
{
    struct mqtt_session *first = NULL;
    uint32_t first_rank = 0;
    for (uint32_t slot = 0; slot < sessions->max; slot++) {
        struct mqtt_session *session = &sessions->slots[slot];
        const uint32_t rank = sessions->links[slot] == 0 ? 0 : sessions_rank(session);
        if (rank > first_rank ||
            (rank > 0 && rank == first_rank && session->opened_us < first->opened_us)) {
            first = session;
            first_rank = rank;
        }
    }
    return first;
}

static uint32_t sessions_slot(const struct sessions *sessions, const struct mqtt_session *session)
{
    CHECK(session >= sessions->slots);
    const uint32_t slot = (uint32_t)(session - sessions->slots);
    CHECK(slot < sessions->max);
    CHECK(sessions->links[slot] != 0);
    return slot;
}

static void sessions_connect(struct sessions *sessions, const struct port *port,
                             struct mqtt_session *session, uint32_t client)
{
    const struct registry_entry *entry = registry_find(sessions->clients, client, NULL);
    if (entry == NULL) {
        mqtt_session_refuse(session, port, MQTT_NOT_AUTHORIZED);
        sessions_drop(sessions, port, REFUSAL_UNKNOWN);
    } else {
        mqtt_session_challenge(session, port, entry->public_key);
    }
}

static void sessions_ready(struct sessions *sessions, const struct port *port,
                           struct mqtt_session *session)
{
    uint32_t index = 0;
    const struct registry_entry *entry = registry_find(sessions->clients, session->client, &index);
    CHECK(entry != NULL); /* looked up at CONNECT, and the registry has not changed since */
    struct mqtt_session *older = sessions_of(sessions, index);
    if (older != NULL) {
        CHECK(older != session);
        mqtt_session_close(older, port, MQTT_SESSION_TAKEN_OVER);
        sessions_settle(sessions, older);
    }
    const uint32_t slot = sessions_slot(sessions, session);
    sessions->clients_of[slot] = index + 1;
    sessions->slots_of[index] = slot + 1;
    sessions_expect(sessions, session); /* from the handshake's limit to the keep alive's */
}

/* Traffic only moves a deadline away, so the earliest one ever seen is a bound. */
static void sessions_expect(struct sessions *sessions, const struct mqtt_session *session)
{
    const uint64_t deadline_us = mqtt_session_deadline_us(session);
    if (deadline_us < sessions->sweep_at_us) {
        sessions->sweep_at_us = deadline_us;
    }
}

static void sessions_drop(struct sessions *sessions, const struct port *port, enum refusal why)
{
    sessions->drops++;
    port->evidence(port->ctx, &(struct evidence){.kind = EVIDENCE_DROP, .value = (uint64_t)why});
}

/* What a connection was ended for, in the words of evidence. */
static enum refusal refusal_of(uint8_t reason)
{
    if (reason == MQTT_MALFORMED_PACKET || reason == MQTT_PACKET_TOO_LARGE) {
        return REFUSAL_MALFORMED;
    }
    return reason == MQTT_NOT_AUTHORIZED ? REFUSAL_SIGNATURE : REFUSAL_PROTOCOL;
}
