/* Goal: the two ends of a connection keep their contracts with each other, and against a peer that
 * keeps none.
 * Method: a client and a session joined by two pipes that the test cuts, fills and breaks; virtual
 * time in exact microseconds; crypto that only the right key satisfies. Hostile peers are bytes
 * that the test puts into a pipe itself. After link_close a send fails the test. */
#include "core/check.h"
#include "core/mqtt/session.h"
#include "core/test/test.h"

#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

enum {
    CLIENT = 7,
    BROKER = 900,
    LINK = 5,
    PIPE_BYTES = 1 << 14,
    SECOND = 1000000,
    KEEP_ALIVE_S = 10
};

/* One end: its port, and the bytes on their way to the other end. */
struct end {
    struct port port;
    uint32_t step; /* link_send takes at most this much a call */
    uint32_t room; /* and this much in all; then "later" */
    bool later;    /* it said "later": WRITABLE is owed */
    bool dead;     /* link_send answers ERR_CLOSED */
    bool no_entropy;
    bool no_crypto;
    uint32_t closes;
    uint32_t size_bytes, read_bytes;
    uint8_t pipe[PIPE_BYTES];
};

struct seen {
    uint32_t publishes, pubacks, downs, readys;
    uint16_t packet_ids[128];
    uint64_t tags[128];
    uint8_t reasons[128]; /* of the pubacks */
    uint8_t down_reason;
    bool refused;
    uint64_t payload_hash;
};

static struct world {
    struct end client_end, session_end;
    struct mqtt_client client;
    struct mqtt_session session;
    struct seen client_seen, session_seen;
    struct key_pair keys;
    uint8_t enrolled[KEY_BYTES]; /* the key that the role knows for CLIENT */
    uint64_t now_us;
    uint32_t cut_bytes;    /* bytes of one LINK_DATA */
    uint8_t refuse_reason; /* the role refuses CONNECT with it */
    bool hold_acks;        /* the role does not answer PUBLISH */
} world;

static enum err link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    (void)ctx;
    EXPECT_EQUAL(peer, BROKER);
    *link = LINK;
    return ERR_OK;
}

static int32_t link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct end *end = ctx;
    EXPECT_EQUAL(link, LINK);
    EXPECT(size_bytes > 0);
    EXPECT_EQUAL(end->closes, 0); /* after the end of a connection nothing is sent */
    if (end->dead) {
        return ERR_CLOSED;
    }
    uint32_t taken = size_bytes < end->step ? size_bytes : end->step;
    taken = taken < end->room ? taken : end->room;
    EXPECT(taken <= PIPE_BYTES - end->size_bytes);
    memcpy(end->pipe + end->size_bytes, bytes, taken);
    end->size_bytes += taken;
    end->room -= taken;
    end->later = taken == 0;
    return (int32_t)taken;
}

static void link_close(void *ctx, uint32_t link)
{
    struct end *end = ctx;
    EXPECT_EQUAL(link, LINK);
    end->closes++;
}

static enum err entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    const struct end *end = ctx;
    for (uint32_t index = 0; index < size_bytes; index++) {
        bytes[index] = (uint8_t)(index * 31 + 5);
    }
    return end->no_entropy ? ERR_IO : ERR_OK;
}

/* 64 bytes that depend on the key and on each byte of the message. */
static void fake_signature(const uint8_t key[KEY_BYTES], const uint8_t *message,
                           uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES])
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (uint32_t index = 0; index < KEY_BYTES + size_bytes; index++) {
        hash ^= index < KEY_BYTES ? key[index] : message[index - KEY_BYTES];
        hash *= UINT64_C(1099511628211);
    }
    for (uint32_t index = 0; index < SIGNATURE_BYTES; index++) {
        signature[index] = (uint8_t)(hash >> (index % 8 * 8));
    }
}

static enum err sign(void *ctx, const struct key_pair *pair, const uint8_t *message,
                     uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES])
{
    const struct end *end = ctx;
    fake_signature(pair->public_key, message, size_bytes, signature);
    return end->no_crypto ? ERR_IO : ERR_OK;
}

static enum err verify(void *ctx, const uint8_t public_key[KEY_BYTES], const uint8_t *message,
                       uint32_t size_bytes, const uint8_t signature[SIGNATURE_BYTES])
{
    const struct end *end = ctx;
    uint8_t expected[SIGNATURE_BYTES];
    fake_signature(public_key, message, size_bytes, expected);
    if (end->no_crypto) {
        return ERR_IO;
    }
    return memcmp(signature, expected, SIGNATURE_BYTES) == 0 ? ERR_OK : ERR_SIGNATURE;
}

static void end_init(struct end *end)
{
    end->step = end->room = UINT32_MAX;
    end->port = (struct port){
        .ctx = end,
        .link_open = link_open,
        .link_send = link_send,
        .link_close = link_close,
        .entropy = entropy,
        .crypto = {.ctx = end, .name = "fake", .sign = sign, .verify = verify},
    };
}

static void world_init(void)
{
    memset(&world, 0, sizeof world);
    end_init(&world.client_end);
    end_init(&world.session_end);
    memset(world.keys.public_key, 0x21, KEY_BYTES);
    memset(world.enrolled, 0x21, KEY_BYTES);
    world.now_us = 5 * SECOND;
    world.cut_bytes = UINT32_MAX;
    mqtt_client_init(&world.client, CLIENT, KEEP_ALIVE_S);
}

static void note(struct seen *seen, const struct mqtt_happening *happening)
{
    switch (happening->kind) {
    case MQTT_NOTHING:
    case MQTT_HAPPENED_CONNECT:
        break;
    case MQTT_HAPPENED_READY:
        seen->readys++;
        break;
    case MQTT_HAPPENED_PUBLISH:
        seen->packet_ids[seen->publishes++ % 128] = happening->packet_id;
        for (uint32_t index = 0; index < happening->payload.size_bytes; index++) {
            seen->payload_hash = seen->payload_hash * 257 + happening->payload.bytes[index] + 1;
        }
        break;
    case MQTT_HAPPENED_PUBACK:
        seen->tags[seen->pubacks % 128] = happening->tag;
        seen->reasons[seen->pubacks++ % 128] = happening->reason;
        break;
    case MQTT_HAPPENED_DOWN:
        seen->downs++;
        seen->down_reason = happening->reason;
        seen->refused = happening->refused;
        break;
    }
}

static void client_event(enum event_kind kind, const uint8_t *bytes, uint32_t size_bytes)
{
    const struct event event = {
        .kind = kind, .link = LINK, .bytes = bytes, .size_bytes = size_bytes};
    struct mqtt_input input = {bytes, size_bytes};
    struct mqtt_happening happening;
    do {
        mqtt_client_take(&world.client, &world.client_end.port, &world.keys, world.now_us, &event,
                         &input, &happening);
        note(&world.client_seen, &happening);
        EXPECT((happening.kind == MQTT_HAPPENED_DOWN) <=
               (world.client.state == MQTT_CLIENT_CLOSED));
    } while (happening.kind != MQTT_NOTHING);
    EXPECT_EQUAL(input.size_bytes, 0); /* all bytes are taken */
}

static void session_event(enum event_kind kind, const uint8_t *bytes, uint32_t size_bytes)
{
    const struct event event = {
        .kind = kind, .inbound = true, .link = LINK, .bytes = bytes, .size_bytes = size_bytes};
    struct mqtt_input input = {bytes, size_bytes};
    struct mqtt_happening happening;
    const struct port *port = &world.session_end.port;
    do {
        mqtt_session_take(&world.session, port, world.now_us, &event, &input, &happening);
        note(&world.session_seen, &happening);
        if (happening.kind == MQTT_HAPPENED_CONNECT) {
            if (world.refuse_reason != 0) {
                mqtt_session_refuse(&world.session, port, world.refuse_reason);
            } else {
                mqtt_session_challenge(&world.session, port, world.enrolled);
            }
        } else if (happening.kind == MQTT_HAPPENED_PUBLISH && happening.packet_id != 0 &&
                   !world.hold_acks) {
            mqtt_session_puback(&world.session, port, happening.packet_id, MQTT_SUCCESS);
        }
    } while (happening.kind != MQTT_NOTHING);
    EXPECT_EQUAL(input.size_bytes, 0);
}

/* One piece from one end to the other; false if there is none. */
static bool move(struct end *from, void (*to)(enum event_kind, const uint8_t *, uint32_t))
{
    const uint32_t rest = from->size_bytes - from->read_bytes;
    const uint32_t size_bytes = rest < world.cut_bytes ? rest : world.cut_bytes;
    if (size_bytes == 0) {
        return false;
    }
    uint8_t *piece = malloc(size_bytes); /* a sanitizer sees overreads */
    EXPECT(piece != NULL);
    memcpy(piece, from->pipe + from->read_bytes, size_bytes);
    from->read_bytes += size_bytes;
    to(EVENT_LINK_DATA, piece, size_bytes);
    free(piece);
    return true;
}

/* Until both pipes are empty. */
static void run(void)
{
    bool moved = true;
    while (moved) {
        moved = move(&world.client_end, session_event);
        moved = move(&world.session_end, client_event) || moved;
    }
}

static void open_link(void)
{
    EXPECT_EQUAL(mqtt_client_open(&world.client, &world.client_end.port, BROKER, world.now_us),
                 ERR_OK);
    mqtt_session_open(&world.session, BROKER, LINK, world.now_us);
    client_event(EVENT_LINK_UP, NULL, 0);
}

static void connect_both(void)
{
    world_init();
    open_link();
    run();
    EXPECT_EQUAL(world.client.state, MQTT_CLIENT_READY);
    EXPECT_EQUAL(world.session.state, MQTT_SESSION_READY);
}

static enum err post(uint64_t tag)
{
    const uint8_t payload[] = {'p', (uint8_t)tag};
    return mqtt_client_publish(&world.client, &world.client_end.port, world.now_us, "t/7", payload,
                               sizeof payload, tag);
}

/* A hostile client: bytes that a real one did not send. */
static void say_to_session(const uint8_t *bytes, uint32_t size_bytes)
{
    memcpy(world.client_end.pipe + world.client_end.size_bytes, bytes, size_bytes);
    world.client_end.size_bytes += size_bytes;
}

static void packet_to_session(const struct mqtt_packet *packet)
{
    uint8_t bytes[MQTT_PACKET_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    EXPECT_EQUAL(mqtt_encode(packet, bytes, &size_bytes), ERR_OK);
    say_to_session(bytes, size_bytes);
}

static void packet_to_client(const struct mqtt_packet *packet)
{
    struct end *end = &world.session_end;
    uint32_t size_bytes = PIPE_BYTES - end->size_bytes;
    EXPECT_EQUAL(mqtt_encode(packet, end->pipe + end->size_bytes, &size_bytes), ERR_OK);
    end->size_bytes += size_bytes;
}

/* What an end has said in all, as its last packet. */
static struct mqtt_packet last_packet(const struct end *end)
{
    struct mqtt_packet packet;
    uint8_t reason = 0;
    uint32_t at = 0, size_bytes = 0;
    mqtt_packet_init(&packet, MQTT_PINGREQ);
    while (at < end->size_bytes) {
        EXPECT_EQUAL(mqtt_packet_size(end->pipe + at, end->size_bytes - at, &size_bytes, &reason),
                     ERR_OK);
        EXPECT_EQUAL(mqtt_decode(end->pipe + at, size_bytes, &packet, &reason), ERR_OK);
        at += size_bytes;
    }
    return packet;
}

static void expect_session_refused(enum mqtt_type with, uint8_t reason)
{
    move(&world.client_end, session_event);
    EXPECT_EQUAL(world.session.state, MQTT_SESSION_CLOSED);
    EXPECT_EQUAL(world.session_seen.downs, 1);
    EXPECT(world.session_seen.refused);
    EXPECT_EQUAL(world.session_seen.down_reason, reason);
    EXPECT_EQUAL(world.session_end.closes, 1);
    EXPECT_EQUAL(last_packet(&world.session_end).type, with);
    EXPECT_EQUAL(last_packet(&world.session_end).reason, reason);
}

static void expect_client_refused(uint8_t reason)
{
    move(&world.session_end, client_event);
    EXPECT_EQUAL(world.client.state, MQTT_CLIENT_CLOSED);
    EXPECT_EQUAL(world.client_seen.downs, 1);
    EXPECT(world.client_seen.refused);
    EXPECT_EQUAL(world.client_seen.down_reason, reason);
    EXPECT_EQUAL(world.client_end.closes, 1);
    EXPECT_EQUAL(last_packet(&world.client_end).type, MQTT_DISCONNECT);
    EXPECT_EQUAL(last_packet(&world.client_end).reason, reason);
}

static struct mqtt_packet good_connect(const char *client_id)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.client_id = mqtt_text(client_id);
    packet.clean_start = true;
    packet.properties.authentication_method = mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME);
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    return packet;
}

static struct mqtt_packet some_publish(uint8_t qos, uint16_t packet_id)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text("t/7");
    packet.qos = qos;
    packet.packet_id = packet_id;
    return packet;
}

static void a_client_with_the_right_key_becomes_ready(void)
{
    connect_both();
    EXPECT_EQUAL(world.client_seen.readys, 1);
    EXPECT_EQUAL(world.session_seen.readys, 1);
    EXPECT_EQUAL(world.session.client, CLIENT);
    EXPECT_EQUAL(world.client.sender.quota, MQTT_INFLIGHT_MAX);
    EXPECT_EQUAL(world.client_end.closes + world.session_end.closes, 0);
    const struct mqtt_packet connack = last_packet(&world.session_end);
    EXPECT_EQUAL(connack.type, MQTT_CONNACK);
    EXPECT_EQUAL(connack.properties.receive_maximum, MQTT_INFLIGHT_MAX);
    EXPECT_EQUAL(connack.properties.maximum_packet_bytes, MQTT_PACKET_BYTES_MAX);
    EXPECT_EQUAL(connack.properties.maximum_qos, 1);
    EXPECT(!connack.session_present);
}

static void a_client_with_a_wrong_key_is_refused(void)
{
    world_init();
    world.keys.public_key[0] ^= 1;
    open_link();
    run();
    EXPECT_EQUAL(world.session.state, MQTT_SESSION_CLOSED);
    EXPECT_EQUAL(world.session_seen.down_reason, MQTT_NOT_AUTHORIZED);
    EXPECT(world.session_seen.refused);
    EXPECT_EQUAL(world.client.state, MQTT_CLIENT_CLOSED);
    EXPECT_EQUAL(world.client_seen.down_reason, MQTT_NOT_AUTHORIZED);
    EXPECT(!world.client_seen.refused); /* the broker kept the rules */
    EXPECT_EQUAL(world.session_seen.readys + world.client_seen.readys, 0);
}

static void a_proof_is_bound_to_nonce_client_and_broker(void)
{
    uint8_t nonce[MQTT_NONCE_BYTES] = {0}, one[MQTT_PROOF_BYTES], other[MQTT_PROOF_BYTES];
    mqtt_proof(nonce, 0x01020304, 0x05060708, one);
    EXPECT(memcmp(one, "brownout session", 16) == 0);
    EXPECT(memcmp(one + 48, "\1\2\3\4\5\6\7\10", 8) == 0);
    mqtt_proof(nonce, 0x05060708, 0x01020304, other);
    EXPECT(memcmp(one, other, sizeof one) != 0);
    nonce[31] = 1;
    mqtt_proof(nonce, 0x01020304, 0x05060708, other);
    EXPECT(memcmp(one, other, sizeof one) != 0);
}

static void the_role_can_refuse_a_client(void)
{
    world_init();
    world.refuse_reason = MQTT_SERVER_BUSY;
    open_link();
    say_to_session((const uint8_t[]){0xC0, 0}, 2); /* what follows is not read */
    run();
    EXPECT_EQUAL(world.session.state, MQTT_SESSION_CLOSED);
    EXPECT_EQUAL(world.session_seen.downs, 0); /* the role knows */
    EXPECT_EQUAL(world.client_seen.downs, 1);
    EXPECT_EQUAL(world.client_seen.down_reason, MQTT_SERVER_BUSY);
}

static void client_ids_are_decimal_numbers_with_one_form_each(void)
{
    static const struct {
        const char *text;
        uint32_t number; /* 0: refused */
    } cases[] = {
        {"1", 1},          {"4294967295", UINT32_MAX},
        {"90", 90},        {"", 0},
        {"0", 0},          {"07", 0},
        {"4294967296", 0}, {"99999999999", 0},
        {"-1", 0},         {"+1", 0},
        {" 1", 0},         {"1a", 0},
        {"1 ", 0},         {"\xC3\xA4", 0},
        {"9999999999", 0},
    };
    for (uint32_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        world_init();
        mqtt_session_open(&world.session, BROKER, LINK, world.now_us);
        const struct mqtt_packet packet = good_connect(cases[index].text);
        packet_to_session(&packet);
        if (cases[index].number == 0) {
            expect_session_refused(MQTT_CONNACK, MQTT_CLIENT_IDENTIFIER_NOT_VALID);
        } else {
            move(&world.client_end, session_event);
            EXPECT_EQUAL(world.session.state, MQTT_SESSION_CHALLENGED);
            EXPECT_EQUAL(world.session.client, cases[index].number);
        }
    }
}

static void a_connect_that_cannot_be_served_is_refused(void)
{
    static const uint8_t with_will[] = {0x10, 40,  0,   4,   'M', 'Q', 'T', 'T', 5,   6,   0,
                                        9,    19,  21,  0,   16,  'b', 'r', 'o', 'w', 'n', 'o',
                                        'u',  't', '-', 'e', 'd', '2', '5', '5', '1', '9', 0,
                                        1,    '7', 0,   0,   1,   'w', 0,   1,   'p'};
    for (uint32_t round = 0; round < 5; round++) {
        world_init();
        mqtt_session_open(&world.session, BROKER, LINK, world.now_us);
        struct mqtt_packet packet = good_connect("7");
        uint8_t reason = MQTT_BAD_AUTHENTICATION_METHOD;
        if (round == 0) {
            packet.properties.present = 0;
        } else if (round == 1) {
            packet.properties.authentication_method = mqtt_text("SCRAM-SHA-1");
        } else if (round == 2) {
            packet.properties.authentication_data = mqtt_text("early");
            packet.properties.present |= MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_DATA);
            reason = MQTT_PROTOCOL_ERROR;
        }
        if (round < 3) {
            packet_to_session(&packet);
        } else if (round == 3) {
            say_to_session(with_will, sizeof with_will);
            reason = MQTT_IMPLEMENTATION_ERROR;
        } else { /* an older protocol */
            say_to_session((const uint8_t *)"\x10\x0D\0\4MQTT\4\2\0\12\0\1"
                                            "7",
                           15);
            reason = MQTT_UNSUPPORTED_PROTOCOL_VERSION;
        }
        expect_session_refused(MQTT_CONNACK, reason);
    }
}

static void before_connect_nothing_else_is_taken(void)
{
    static const uint8_t packets[][8] = {{0xC0, 0}, {0x30, 4, 0, 1, 't', 0}, {0xE0, 0},
                                         {0xF0, 0}, {0x20, 3, 0, 0, 0},      {0x62, 2, 0, 1}};
    static const uint8_t sizes[] = {2, 6, 2, 2, 5, 4};
    for (uint32_t index = 0; index < sizeof sizes; index++) {
        world_init();
        mqtt_session_open(&world.session, BROKER, LINK, world.now_us);
        say_to_session(packets[index], sizes[index]);
        expect_session_refused(MQTT_CONNACK, MQTT_PROTOCOL_ERROR);
    }
    world_init();
    mqtt_session_open(&world.session, BROKER, LINK, world.now_us);
    say_to_session((const uint8_t *)"GET / HTTP/1.1\r\n", 16);
    expect_session_refused(MQTT_CONNACK, MQTT_MALFORMED_PACKET);
    world_init();
    mqtt_session_open(&world.session, BROKER, LINK, world.now_us);
    say_to_session((const uint8_t[]){0x10, 0xFF, 0xFF, 0x03}, 4);
    expect_session_refused(MQTT_CONNACK, MQTT_PACKET_TOO_LARGE);
}

static void between_challenge_and_answer_only_the_answer_is_taken(void)
{
    for (uint32_t round = 0; round < 4; round++) {
        world_init();
        mqtt_session_open(&world.session, BROKER, LINK, world.now_us);
        struct mqtt_packet packet = good_connect("7");
        packet_to_session(&packet);
        move(&world.client_end, session_event);
        EXPECT_EQUAL(world.session.state, MQTT_SESSION_CHALLENGED);
        uint8_t reason = MQTT_PROTOCOL_ERROR;
        if (round == 0) {
            packet = some_publish(1, 1);
        } else if (round == 2) {
            mqtt_packet_init(&packet, MQTT_AUTH);
        } else if (round == 3) { /* a signature of the wrong size */
            mqtt_packet_init(&packet, MQTT_AUTH);
            packet.reason = MQTT_CONTINUE_AUTHENTICATION;
            packet.properties = good_connect("7").properties;
            reason = MQTT_NOT_AUTHORIZED;
        } /* round 1: CONNECT again */
        packet_to_session(&packet);
        expect_session_refused(MQTT_CONNACK, reason);
    }
}

static void a_second_connect_is_a_protocol_error(void)
{
    connect_both();
    const struct mqtt_packet packet = good_connect("7");
    packet_to_session(&packet);
    say_to_session((const uint8_t[]){0xC0, 0}, 2);
    expect_session_refused(MQTT_DISCONNECT, MQTT_PROTOCOL_ERROR);
    connect_both();
    say_to_session((const uint8_t *)"\x10\x0D\0\4MQTT\4\2\0\12\0\1"
                                    "7",
                   15);
    expect_session_refused(MQTT_DISCONNECT, MQTT_PROTOCOL_ERROR);
}

/* Whatever it says with it, it fails [MQTT-4.12.1-2]. */
static void a_client_cannot_authenticate_anew(void)
{
    connect_both();
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_AUTH);
    packet.reason = MQTT_REAUTHENTICATE;
    packet.properties = good_connect("7").properties;
    packet_to_session(&packet);
    expect_session_refused(MQTT_DISCONNECT, MQTT_PROTOCOL_ERROR);
}

static void a_session_refuses_each_publish_that_it_did_not_allow(void)
{
    for (uint32_t round = 0; round < 6; round++) {
        connect_both();
        struct mqtt_packet packet = some_publish(0, 0);
        uint8_t reason = 0;
        char longest[MQTT_STRING_BYTES_MAX + 2] = {0};
        memset(longest, 'x', MQTT_STRING_BYTES_MAX + 1);
        if (round == 0) {
            packet = some_publish(2, 1);
            reason = MQTT_QOS_NOT_SUPPORTED;
        } else if (round == 1) {
            packet.retain = true;
            reason = MQTT_RETAIN_NOT_SUPPORTED;
        } else if (round == 2) {
            packet.properties.topic_alias = 1;
            packet.properties.present = MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS);
            reason = MQTT_TOPIC_ALIAS_INVALID;
        } else if (round == 3) {
            packet.topic = (struct mqtt_slice){(const uint8_t *)longest, sizeof longest - 1};
            reason = MQTT_TOPIC_NAME_INVALID;
        } else if (round == 4) { /* the same identifier, still unacknowledged: a live resend */
            world.hold_acks = true;
            packet = some_publish(1, 9);
            packet_to_session(&packet);
            packet.dup = true;
            reason = MQTT_PROTOCOL_ERROR;
        }
        if (round < 5) {
            packet_to_session(&packet);
        } else { /* Subscription Identifier */
            say_to_session((const uint8_t[]){0x30, 6, 0, 1, 't', 2, 11, 1}, 8);
            reason = MQTT_PROTOCOL_ERROR;
        }
        expect_session_refused(MQTT_DISCONNECT, reason);
        EXPECT_EQUAL(world.session_seen.publishes, round == 4 ? 1 : 0);
    }
}

static void a_client_that_exceeds_receive_maximum_is_disconnected(void)
{
    connect_both();
    world.hold_acks = true;
    for (uint16_t id = 1; id <= MQTT_INFLIGHT_MAX + 1; id++) {
        const struct mqtt_packet packet = some_publish(1, id);
        packet_to_session(&packet);
    }
    expect_session_refused(MQTT_DISCONNECT, MQTT_RECEIVE_MAXIMUM_EXCEEDED);
    EXPECT_EQUAL(world.session_seen.publishes, MQTT_INFLIGHT_MAX);
}

static void a_live_resend_is_known_with_a_full_window_too(void)
{
    connect_both();
    world.hold_acks = true;
    for (uint16_t id = 1; id <= MQTT_INFLIGHT_MAX + 1; id++) {
        const struct mqtt_packet packet = some_publish(1, id <= MQTT_INFLIGHT_MAX ? id : 1);
        packet_to_session(&packet);
    }
    expect_session_refused(MQTT_DISCONNECT, MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(world.session_seen.publishes, MQTT_INFLIGHT_MAX);
}

static void a_client_keeps_to_receive_maximum_and_never_sends_twice(void)
{
    connect_both();
    world.hold_acks = true;
    for (uint64_t tag = 1; tag <= MQTT_INFLIGHT_MAX; tag++) {
        EXPECT_EQUAL(post(tag), ERR_OK);
    }
    EXPECT_EQUAL(post(99), ERR_FULL);
    run();
    EXPECT_EQUAL(world.session_seen.publishes, MQTT_INFLIGHT_MAX);
    EXPECT_EQUAL(post(99), ERR_FULL);
    EXPECT_EQUAL(post(0), ERR_OK); /* QoS 0 has no quota */
    run();
    mqtt_session_puback(&world.session, &world.session_end.port, world.session_seen.packet_ids[0],
                        MQTT_QUOTA_EXCEEDED);
    run();
    EXPECT_EQUAL(world.client_seen.pubacks, 1);
    EXPECT_EQUAL(world.client_seen.tags[0], 1);
    EXPECT_EQUAL(world.client_seen.reasons[0], MQTT_QUOTA_EXCEEDED);
    EXPECT_EQUAL(post(99), ERR_OK);
    EXPECT_EQUAL(post(100), ERR_FULL);
    run();
    EXPECT_EQUAL(world.session_seen.publishes, MQTT_INFLIGHT_MAX + 2);
    EXPECT_EQUAL(world.session_seen.downs, 0);
}

/* The link is full: the message was not sent, nothing is in flight for it, and no PUBACK answers
 * it. */
static void a_publish_without_room_on_the_link_is_as_if_it_had_not_been(void)
{
    connect_both();
    world.client_end.room = 0;
    uint8_t bytes[100] = {0};
    for (uint32_t count = 0; count <= LINK_SEND_BYTES_MAX / sizeof bytes; count++) {
        const enum err err = mqtt_client_publish(&world.client, &world.client_end.port,
                                                 world.now_us, "t/7", bytes, sizeof bytes, 0);
        EXPECT(err == ERR_OK || err == ERR_FULL);
    }
    const uint16_t packet_id = world.client.sender.next_packet_id;
    EXPECT_EQUAL(mqtt_client_publish(&world.client, &world.client_end.port, world.now_us, "t/7",
                                     bytes, sizeof bytes, 5),
                 ERR_FULL);
    EXPECT_EQUAL(world.client.sender.count, 0);
    EXPECT_EQUAL(mqtt_sender_room(&world.client.sender), MQTT_INFLIGHT_MAX);
    world.client_end.room = UINT32_MAX;
    client_event(EVENT_LINK_WRITABLE, NULL, 0);
    EXPECT_EQUAL(post(6), ERR_OK);
    run();
    EXPECT_EQUAL(world.client_seen.pubacks, 1);
    EXPECT_EQUAL(world.client_seen.tags[0], 6);
    struct mqtt_packet puback;
    mqtt_packet_init(&puback, MQTT_PUBACK);
    puback.packet_id = packet_id;
    packet_to_client(&puback);
    expect_client_refused(MQTT_PROTOCOL_ERROR);
}

static void a_smaller_receive_maximum_of_the_broker_is_kept(void)
{
    world_init();
    open_link();
    move(&world.client_end, session_event); /* CONNECT */
    move(&world.session_end, client_event); /* AUTH */
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNACK);
    packet.properties = good_connect("7").properties;
    packet.properties.receive_maximum = 1;
    packet.properties.server_keep_alive_s = 3;
    packet.properties.maximum_packet_bytes = 20;
    packet.properties.present |= MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM) |
                                 MQTT_PROPERTY_BIT(MQTT_SERVER_KEEP_ALIVE) |
                                 MQTT_PROPERTY_BIT(MQTT_MAXIMUM_PACKET_SIZE);
    packet_to_client(&packet);
    move(&world.session_end, client_event);
    EXPECT_EQUAL(world.client.state, MQTT_CLIENT_READY);
    EXPECT_EQUAL(mqtt_client_deadline_us(&world.client), world.now_us + 3 * SECOND);
    EXPECT_EQUAL(mqtt_client_publish(&world.client, &world.client_end.port, world.now_us, "t/7",
                                     (const uint8_t *)"0123456789A", 11, 1),
                 ERR_RANGE);
    EXPECT_EQUAL(post(1), ERR_OK);
    EXPECT_EQUAL(post(2), ERR_FULL);
}

static void packet_identifiers_wrap_past_zero_and_past_those_in_flight(void)
{
    connect_both();
    EXPECT_EQUAL(post(1), ERR_OK); /* identifier 1 stays in flight */
    world.client.sender.next_packet_id = 65535;
    world.hold_acks = true;
    EXPECT_EQUAL(post(2), ERR_OK);
    run();
    EXPECT_EQUAL(world.session_seen.packet_ids[0], 1);
    EXPECT_EQUAL(world.session_seen.packet_ids[1], 65535);
    mqtt_session_puback(&world.session, &world.session_end.port, 1, MQTT_SUCCESS);
    mqtt_session_puback(&world.session, &world.session_end.port, 65535, MQTT_SUCCESS);
    run();
    EXPECT_EQUAL(post(3), ERR_OK); /* 0 is no identifier */
    world.client.sender.next_packet_id = 65535;
    EXPECT_EQUAL(post(4), ERR_OK);
    run();
    EXPECT_EQUAL(world.session_seen.packet_ids[2], 1);
    mqtt_session_puback(&world.session, &world.session_end.port, 1, MQTT_SUCCESS);
    world.client.sender.next_packet_id = 65535;
    EXPECT_EQUAL(world.session_seen.packet_ids[3], 65535);
    run();
    EXPECT_EQUAL(post(5), ERR_OK); /* 65535 is in flight, 0 is none, 1 is free again */
    run();
    EXPECT_EQUAL(world.session_seen.packet_ids[4], 1);
}

static void acks_leave_in_the_order_of_arrival(void)
{
    connect_both();
    world.hold_acks = true;
    const struct port *port = &world.session_end.port;
    EXPECT_EQUAL(post(1), ERR_OK);
    EXPECT_EQUAL(post(2), ERR_OK);
    run();
    mqtt_session_puback(&world.session, port, world.session_seen.packet_ids[1], 0x97);
    run();
    EXPECT_EQUAL(world.client_seen.pubacks, 0);
    EXPECT_EQUAL(world.session.receiver.count, 2);
    mqtt_session_puback(&world.session, port, world.session_seen.packet_ids[0], 0x00);
    run();
    EXPECT_EQUAL(world.client_seen.pubacks, 2);
    EXPECT_EQUAL(world.client_seen.tags[0], 1);
    EXPECT_EQUAL(world.client_seen.reasons[0], 0x00);
    EXPECT_EQUAL(world.client_seen.tags[1], 2);
    EXPECT_EQUAL(world.client_seen.reasons[1], 0x97);
    EXPECT_EQUAL(world.session.receiver.count, 0);
}

static void an_identifier_is_new_again_after_its_ack(void)
{
    connect_both();
    for (uint32_t round = 0; round < 3 * MQTT_INFLIGHT_MAX; round++) {
        struct mqtt_packet packet = some_publish(1, 9);
        packet.dup = round % 2 == 1; /* says nothing [MQTT-4.3.2-5] */
        packet_to_session(&packet);
        move(&world.client_end, session_event);
    }
    EXPECT_EQUAL(world.session_seen.publishes, 3 * MQTT_INFLIGHT_MAX);
    EXPECT_EQUAL(world.session_seen.downs, 0);
}

static void the_broker_talks_to_its_client(void)
{
    connect_both();
    const struct port *port = &world.session_end.port;
    const uint8_t *text = (const uint8_t *)"ack";
    EXPECT_EQUAL(mqtt_session_publish(&world.session, port, "d/7", text, 3), ERR_OK);
    run();
    EXPECT_EQUAL(world.client_seen.publishes, 1);
    const struct mqtt_packet packet = some_publish(1, 77); /* a broker may; it is acked */
    packet_to_client(&packet);
    move(&world.session_end, client_event);
    EXPECT_EQUAL(world.client_seen.publishes, 2);
    EXPECT_EQUAL(last_packet(&world.client_end).type, MQTT_PUBACK);
    EXPECT_EQUAL(last_packet(&world.client_end).packet_id, 77);
}

static void a_client_refuses_a_broker_that_breaks_the_rules(void)
{
    for (uint32_t round = 0; round < 9; round++) {
        connect_both();
        struct mqtt_packet packet = some_publish(0, 0);
        uint8_t reason = MQTT_PROTOCOL_ERROR;
        if (round == 0) {
            packet.properties.topic_alias = 1;
            packet.properties.present = MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS);
            reason = MQTT_TOPIC_ALIAS_INVALID;
        } else if (round == 1) {
            packet = some_publish(2, 1);
            reason = MQTT_IMPLEMENTATION_ERROR;
        } else if (round == 2) {
            mqtt_packet_init(&packet, MQTT_PUBACK); /* of nothing */
            packet.packet_id = 5;
        } else if (round == 3) {
            mqtt_packet_init(&packet, MQTT_CONNACK); /* a second one [MQTT-3.2.0-2] */
        } else if (round == 4) {
            mqtt_packet_init(&packet, MQTT_PINGREQ);
        } else if (round == 5) {
            mqtt_packet_init(&packet, MQTT_AUTH);
        } else if (round == 6) {
            packet = good_connect("7");
        }
        if (round < 7) {
            packet_to_client(&packet);
        } else {
            struct end *end = &world.session_end; /* malformed, too large */
            memcpy(end->pipe + end->size_bytes, round == 7 ? "\xC1\0\0\0" : "\x30\xFF\xFF\x7F", 4);
            end->size_bytes += 4;
            reason = round == 7 ? MQTT_MALFORMED_PACKET : MQTT_PACKET_TOO_LARGE;
        }
        expect_client_refused(reason);
        EXPECT_EQUAL(post(1), ERR_CLOSED);
    }
}

static void a_client_wants_to_be_challenged_once(void)
{
    for (uint32_t round = 0; round < 7; round++) {
        world_init();
        open_link();
        move(&world.client_end, session_event);
        struct mqtt_packet packet;
        mqtt_packet_init(&packet, MQTT_CONNACK);
        packet.properties = good_connect("7").properties;
        uint8_t reason = MQTT_PROTOCOL_ERROR;
        if (round == 0) {
            world.session_end.size_bytes = 0; /* CONNACK without a challenge */
        } else if (round == 1) {
            packet.session_present = true; /* [MQTT-3.2.2-4] */
        } else if (round == 2) {
            packet.properties.present = 0; /* [MQTT-4.12.0-5] */
        } else if (round == 3) {
            packet.properties.maximum_qos = 0;
            packet.properties.present |= MQTT_PROPERTY_BIT(MQTT_MAXIMUM_QOS);
            reason = MQTT_IMPLEMENTATION_ERROR;
        } else if (round == 4) {
            packet = last_packet(&world.session_end); /* a second challenge */
        } else if (round == 5) {
            mqtt_packet_init(&packet, MQTT_DISCONNECT); /* [MQTT-3.14.0-1] */
            packet.reason = MQTT_SERVER_SHUTTING_DOWN;
        } else {
            world.session_end.size_bytes = 0; /* a nonce of the wrong size */
            mqtt_packet_init(&packet, MQTT_AUTH);
            packet.reason = MQTT_CONTINUE_AUTHENTICATION;
            packet.properties = good_connect("7").properties;
            packet.properties.authentication_data = mqtt_text("short");
            packet.properties.present |= MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_DATA);
        }
        packet_to_client(&packet);
        expect_client_refused(reason);
        EXPECT_EQUAL(world.client_seen.readys, 0);
    }
}

static void an_idle_client_pings_at_its_keep_alive(void)
{
    connect_both();
    const uint64_t start_us = world.now_us;
    for (uint32_t round = 1; round <= 5; round++) {
        const uint64_t due_us = start_us + round * UINT64_C(10000000);
        EXPECT_EQUAL(mqtt_client_deadline_us(&world.client), due_us);
        world.now_us = due_us - 1;
        EXPECT(!mqtt_client_timeout(&world.client, &world.client_end.port, world.now_us));
        EXPECT_EQUAL(world.client_end.size_bytes, world.client_end.read_bytes); /* too early */
        world.now_us = due_us;
        EXPECT(!mqtt_client_timeout(&world.client, &world.client_end.port, world.now_us));
        EXPECT_EQUAL(world.client_end.size_bytes, world.client_end.read_bytes + 2);
        run();
        EXPECT_EQUAL(last_packet(&world.session_end).type, MQTT_PINGRESP);
        EXPECT_EQUAL(mqtt_session_deadline_us(&world.session), due_us + 15 * SECOND);
    }
    EXPECT_EQUAL(world.client_seen.downs + world.session_seen.downs, 0);
}

static void a_client_that_only_talks_still_asks_whether_the_broker_is_there(void)
{
    connect_both();
    const uint64_t start_us = world.now_us;
    for (uint32_t second = 1; second <= 30; second++) {
        world.now_us = start_us + second * UINT64_C(1000000);
        EXPECT_EQUAL(post(0), ERR_OK);
        EXPECT(!mqtt_client_timeout(&world.client, &world.client_end.port, world.now_us));
        run();
    }
    EXPECT_EQUAL(world.client.alive.heard_us, start_us + 30 * UINT64_C(1000000));
    EXPECT_EQUAL(world.session_seen.publishes, 30);
}

static void a_client_gives_up_on_a_silent_broker_after_one_and_a_half_keep_alives(void)
{
    connect_both();
    const uint64_t heard_us = world.now_us;
    world.now_us = heard_us + 10 * SECOND;
    EXPECT(!mqtt_client_timeout(&world.client, &world.client_end.port, world.now_us));
    EXPECT_EQUAL(mqtt_client_deadline_us(&world.client), heard_us + 15 * SECOND);
    world.now_us = heard_us + 15 * SECOND - 1;
    EXPECT(!mqtt_client_timeout(&world.client, &world.client_end.port, world.now_us));
    world.now_us++;
    EXPECT(mqtt_client_timeout(&world.client, &world.client_end.port, world.now_us));
    EXPECT_EQUAL(world.client.state, MQTT_CLIENT_CLOSED);
    EXPECT_EQUAL(world.client_end.closes, 1);
    EXPECT_EQUAL(mqtt_client_deadline_us(&world.client), UINT64_MAX);
    EXPECT(!mqtt_client_timeout(&world.client, &world.client_end.port, world.now_us));
}

static void half_a_packet_keeps_no_session_alive(void)
{
    connect_both();
    const uint64_t due_us = world.now_us + 15 * SECOND;
    EXPECT_EQUAL(mqtt_session_deadline_us(&world.session), due_us);
    world.now_us += SECOND;
    say_to_session((const uint8_t[]){0xC0}, 1);
    run();
    EXPECT_EQUAL(mqtt_session_deadline_us(&world.session), due_us);
    say_to_session((const uint8_t[]){0}, 1);
    run();
    EXPECT_EQUAL(mqtt_session_deadline_us(&world.session), due_us + SECOND);
    mqtt_session_close(&world.session, &world.session_end.port, MQTT_KEEP_ALIVE_TIMEOUT);
    EXPECT_EQUAL(last_packet(&world.session_end).reason, MQTT_KEEP_ALIVE_TIMEOUT);
    EXPECT_EQUAL(mqtt_session_deadline_us(&world.session), UINT64_MAX);
}

static void keep_alive_zero_waits_for_ever(void)
{
    world_init();
    mqtt_client_init(&world.client, CLIENT, 0);
    open_link();
    run();
    EXPECT_EQUAL(mqtt_client_deadline_us(&world.client), UINT64_MAX);
    EXPECT_EQUAL(mqtt_session_deadline_us(&world.session), UINT64_MAX);
}

static void a_handshake_ends_in_time_whatever_dribbles_in(void)
{
    world_init();
    const uint64_t opened_us = world.now_us;
    open_link();
    EXPECT_EQUAL(mqtt_client_deadline_us(&world.client), opened_us + MQTT_HANDSHAKE_US);
    EXPECT_EQUAL(mqtt_session_deadline_us(&world.session), opened_us + MQTT_HANDSHAKE_US);
    world.now_us += 9 * SECOND;
    move(&world.client_end, session_event);
    EXPECT_EQUAL(mqtt_session_deadline_us(&world.session), opened_us + MQTT_HANDSHAKE_US);
    world.now_us = opened_us + MQTT_HANDSHAKE_US - 1;
    EXPECT(!mqtt_client_timeout(&world.client, &world.client_end.port, world.now_us));
    const uint32_t said_bytes = world.client_end.size_bytes;
    EXPECT(mqtt_client_timeout(&world.client, &world.client_end.port, world.now_us + 1));
    EXPECT_EQUAL(world.client_end.size_bytes, said_bytes);
    const uint32_t session_bytes = world.session_end.size_bytes;
    mqtt_session_close(&world.session, &world.session_end.port, MQTT_KEEP_ALIVE_TIMEOUT);
    EXPECT_EQUAL(world.session_end.size_bytes, session_bytes); /* no DISCONNECT before CONNACK */
    EXPECT_EQUAL(world.session_end.closes, 1);
}

static void either_end_can_say_goodbye(void)
{
    connect_both();
    mqtt_client_close(&world.client, &world.client_end.port, MQTT_SUCCESS);
    EXPECT_EQUAL(world.client_end.closes, 1);
    run();
    EXPECT_EQUAL(world.session.state, MQTT_SESSION_CLOSED);
    EXPECT_EQUAL(world.session_seen.downs, 1);
    EXPECT(!world.session_seen.refused);
    world_init(); /* before the link is up there is nobody to say it to */
    EXPECT_EQUAL(mqtt_client_open(&world.client, &world.client_end.port, BROKER, world.now_us),
                 ERR_OK);
    mqtt_client_close(&world.client, &world.client_end.port, MQTT_SUCCESS);
    EXPECT_EQUAL(world.client_end.closes, 1);
    EXPECT_EQUAL(world.client_end.size_bytes, 0);
    connect_both();
    mqtt_session_close(&world.session, &world.session_end.port, MQTT_SESSION_TAKEN_OVER);
    run();
    EXPECT_EQUAL(world.client_seen.down_reason, MQTT_SESSION_TAKEN_OVER);
    EXPECT(!world.client_seen.refused);
    EXPECT_EQUAL(world.client_end.closes, 1);
}

static void a_link_that_goes_down_ends_both_quietly(void)
{
    connect_both();
    client_event(EVENT_LINK_DOWN, NULL, 0);
    session_event(EVENT_LINK_DOWN, NULL, 0);
    EXPECT_EQUAL(world.client_seen.downs, 1);
    EXPECT_EQUAL(world.client_seen.down_reason, 0);
    EXPECT_EQUAL(world.session_seen.downs, 1);
    EXPECT_EQUAL(world.client_end.closes + world.session_end.closes, 0); /* dead already */
    EXPECT_EQUAL(post(1), ERR_CLOSED);
    mqtt_session_puback(&world.session, &world.session_end.port, 1, MQTT_SUCCESS);
    client_event(EVENT_LINK_DOWN, NULL, 0); /* once more: nothing */
    EXPECT_EQUAL(world.client_seen.downs, 1);
}

static void a_connection_starts_with_nothing_of_the_one_before(void)
{
    connect_both();
    world.hold_acks = true;
    EXPECT_EQUAL(post(1), ERR_OK);
    world.client_end.room = 0;
    EXPECT_EQUAL(post(0), ERR_OK); /* held back */
    world.session_end.size_bytes = world.session_end.read_bytes;
    client_event(EVENT_LINK_DATA, (const uint8_t[]){0xD0}, 1); /* half a packet */
    client_event(EVENT_LINK_DOWN, NULL, 0);
    world.client_end.size_bytes = world.client_end.read_bytes = 0;
    world.client_end.room = UINT32_MAX;
    world.hold_acks = false;
    open_link();
    run();
    EXPECT_EQUAL(world.client.state, MQTT_CLIENT_READY);
    EXPECT_EQUAL(world.client.sender.count, 0);
    EXPECT_EQUAL(world.session_seen.publishes, 0);
}

static void a_send_that_fails_is_a_down_at_the_next_call(void)
{
    connect_both();
    world.client_end.dead = true;
    EXPECT_EQUAL(post(1), ERR_CLOSED);
    EXPECT_EQUAL(mqtt_client_deadline_us(&world.client), 0);
    EXPECT_EQUAL(post(1), ERR_CLOSED);
    EXPECT(mqtt_client_timeout(&world.client, &world.client_end.port, world.now_us));
    connect_both();
    world.session_end.dead = true;
    EXPECT_EQUAL(mqtt_session_publish(&world.session, &world.session_end.port, "d/7", NULL, 0),
                 ERR_CLOSED);
    EXPECT_EQUAL(mqtt_session_deadline_us(&world.session), 0);
    session_event(EVENT_LINK_DATA, (const uint8_t[]){0xC0, 0}, 2);
    EXPECT_EQUAL(world.session_seen.downs, 1);
    EXPECT(!world.session_seen.refused);
    connect_both();
    world.session_end.dead = true; /* the PUBACK fails: PUBLISH, then DOWN, in one event */
    EXPECT_EQUAL(post(1), ERR_OK);
    run();
    EXPECT_EQUAL(world.session_seen.publishes, 1);
    EXPECT_EQUAL(world.session_seen.downs, 1);
}

static void a_port_without_power_ends_the_connection_quietly(void)
{
    for (uint32_t round = 0; round < 3; round++) {
        world_init();
        world.client_end.no_crypto = round == 0;
        world.session_end.no_crypto = round == 1;
        world.session_end.no_entropy = round == 2;
        open_link();
        run();
        const struct seen *seen = round == 0 ? &world.client_seen : &world.session_seen;
        EXPECT_EQUAL(seen->downs, 1);
        EXPECT_EQUAL(seen->down_reason, 0);
        EXPECT(!seen->refused);
        EXPECT_EQUAL(seen->readys, 0);
    }
    EXPECT_EQUAL(world.client_seen.down_reason, MQTT_SERVER_BUSY); /* no entropy: come again */
}

static void a_peer_that_reads_nothing_is_dropped_when_it_asks_too_much(void)
{
    connect_both();
    world.session_end.room = 0;
    for (uint32_t count = 0; count <= LINK_SEND_BYTES_MAX / 2; count++) {
        session_event(EVENT_LINK_DATA, (const uint8_t[]){0xC0, 0}, 2);
    }
    EXPECT_EQUAL(world.session_seen.downs, 1);
    EXPECT_EQUAL(world.session.state, MQTT_SESSION_CLOSED);
}

/* A whole conversation over links that cut and stall; what both ends saw is the result. */
static void converse(uint32_t cut_bytes, uint32_t step, uint32_t room)
{
    world_init();
    world.cut_bytes = cut_bytes;
    world.client_end.step = world.session_end.step = step;
    uint64_t tag = 1;
    open_link();
    for (uint32_t round = 0; round < 4000 && world.client_seen.pubacks < 60; round++) {
        world.client_end.room = world.session_end.room = room;
        if (world.client_end.later) {
            world.client_end.later = false;
            client_event(EVENT_LINK_WRITABLE, NULL, 0);
        }
        if (world.session_end.later) {
            world.session_end.later = false;
            session_event(EVENT_LINK_WRITABLE, NULL, 0);
        }
        (void)move(&world.client_end, session_event);
        (void)move(&world.session_end, client_event);
        if (tag <= 60 && world.client.state == MQTT_CLIENT_READY && post(tag) == ERR_OK) {
            tag++;
        }
    }
    EXPECT_EQUAL(world.client_seen.pubacks, 60);
    EXPECT_EQUAL(world.client_seen.downs + world.session_seen.downs, 0);
}

static void what_both_ends_see_does_not_depend_on_how_the_link_cuts(void)
{
    static struct seen client_seen, session_seen;
    converse(UINT32_MAX, UINT32_MAX, UINT32_MAX);
    client_seen = world.client_seen;
    session_seen = world.session_seen;
    for (uint32_t index = 0; index < 60; index++) {
        EXPECT_EQUAL(client_seen.tags[index], index + 1);
    }
    static const uint32_t sizes[] = {1, 2, 3, 7, 64, 1000};
    for (uint32_t cut = 0; cut < 6; cut++) {
        for (uint32_t step = 0; step < 6; step++) {
            converse(sizes[cut] < 3 ? 3 : sizes[cut], sizes[step], 4 + sizes[step]);
            EXPECT(memcmp(client_seen.tags, world.client_seen.tags, sizeof client_seen.tags) == 0);
            EXPECT_EQUAL(world.client_seen.readys, 1);
            EXPECT_EQUAL(world.session_seen.publishes, session_seen.publishes);
            EXPECT_EQUAL(world.session_seen.payload_hash, session_seen.payload_hash);
        }
    }
}

static uint64_t random_state; /* splitmix64 */

static uint32_t random_below(uint32_t bound)
{
    random_state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

/* A good conversation of both ends, damaged in one place on its way: CONNECT to the last PUBLISH.
 */
static void damage(struct end *end)
{
    const uint32_t rest = end->size_bytes - end->read_bytes;
    if (rest > 0) {
        end->pipe[end->read_bytes + random_below(rest)] = (uint8_t)random_below(256);
    }
}

static void damaged_bytes_end_a_connection_and_nothing_else(void)
{
    uint32_t refused = 0, ready = 0;
    for (uint32_t round = 0; round < 20000; round++) {
        random_state = round;
        world_init();
        world.cut_bytes = 1 + random_below(40);
        const uint32_t at = random_below(30);
        open_link();
        for (uint32_t turn = 0; turn < 40; turn++) {
            if (turn == at) {
                damage(random_below(2) == 0 ? &world.client_end : &world.session_end);
            }
            (void)move(&world.client_end, session_event);
            (void)move(&world.session_end, client_event);
            if (world.client.state == MQTT_CLIENT_READY) {
                (void)post(turn + 1);
            }
        }
        refused += world.client_seen.refused || world.session_seen.refused ? 1 : 0;
        ready += world.session_seen.readys;
        EXPECT(world.client_seen.downs <= 1 && world.session_seen.downs <= 1);
        EXPECT(world.session_seen.readys <= 1);
    }
    EXPECT(refused > 1000);
    EXPECT(ready > 1000);
}

static void noise_ends_a_connection_and_nothing_else(void)
{
    for (uint32_t round = 0; round < 20000; round++) {
        random_state = round;
        if (round % 2 == 0) {
            connect_both();
        } else {
            world_init();
            open_link();
        }
        uint8_t noise[64];
        for (uint32_t index = 0; index < sizeof noise; index++) {
            noise[index] = (uint8_t)random_below(256);
        }
        noise[0] = (uint8_t)(random_below(16) << 4 | (random_below(2) == 0 ? 0 : 2));
        noise[1] = (uint8_t)random_below(40);
        session_event(EVENT_LINK_DATA, noise, sizeof noise);
        client_event(EVENT_LINK_DATA, noise, sizeof noise);
        EXPECT(world.session_seen.readys <= 1);
    }
}

int main(void)
{
    RUN(a_client_with_the_right_key_becomes_ready);
    RUN(a_client_with_a_wrong_key_is_refused);
    RUN(a_proof_is_bound_to_nonce_client_and_broker);
    RUN(the_role_can_refuse_a_client);
    RUN(client_ids_are_decimal_numbers_with_one_form_each);
    RUN(a_connect_that_cannot_be_served_is_refused);
    RUN(before_connect_nothing_else_is_taken);
    RUN(between_challenge_and_answer_only_the_answer_is_taken);
    RUN(a_second_connect_is_a_protocol_error);
    RUN(a_client_cannot_authenticate_anew);
    RUN(a_session_refuses_each_publish_that_it_did_not_allow);
    RUN(a_client_that_exceeds_receive_maximum_is_disconnected);
    RUN(a_live_resend_is_known_with_a_full_window_too);
    RUN(a_client_keeps_to_receive_maximum_and_never_sends_twice);
    RUN(a_publish_without_room_on_the_link_is_as_if_it_had_not_been);
    RUN(a_smaller_receive_maximum_of_the_broker_is_kept);
    RUN(packet_identifiers_wrap_past_zero_and_past_those_in_flight);
    RUN(acks_leave_in_the_order_of_arrival);
    RUN(an_identifier_is_new_again_after_its_ack);
    RUN(the_broker_talks_to_its_client);
    RUN(a_client_refuses_a_broker_that_breaks_the_rules);
    RUN(a_client_wants_to_be_challenged_once);
    RUN(an_idle_client_pings_at_its_keep_alive);
    RUN(a_client_that_only_talks_still_asks_whether_the_broker_is_there);
    RUN(a_client_gives_up_on_a_silent_broker_after_one_and_a_half_keep_alives);
    RUN(half_a_packet_keeps_no_session_alive);
    RUN(keep_alive_zero_waits_for_ever);
    RUN(a_handshake_ends_in_time_whatever_dribbles_in);
    RUN(either_end_can_say_goodbye);
    RUN(a_link_that_goes_down_ends_both_quietly);
    RUN(a_connection_starts_with_nothing_of_the_one_before);
    RUN(a_send_that_fails_is_a_down_at_the_next_call);
    RUN(a_port_without_power_ends_the_connection_quietly);
    RUN(a_peer_that_reads_nothing_is_dropped_when_it_asks_too_much);
    RUN(what_both_ends_see_does_not_depend_on_how_the_link_cuts);
    RUN(damaged_bytes_end_a_connection_and_nothing_else);
    RUN(noise_ends_a_connection_and_nothing_else);
    return 0;
}
