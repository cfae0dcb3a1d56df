/* Goal: the broker that a gateway hosts is reached as its configuration says and by nobody else,
 * gives and keeps what it promises over the end of its process, and counts what it refuses. Method:
 * the broker's host and a client's links in one process, over loopback. */
#include <string.h>
#include <sys/stat.h>

#include "core/check.h"
#include "core/crypto/openssl.h"
#include "core/mqtt/list.h"
#include "core/mqtt/stream.h"
#include "core/posix/broker_host.h"
#include "core/posix/host.h"
#include "core/posix/tls_make.h"
#include "core/test/posix_folder.h"
#include "core/test/test.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define TEXT                                                                                       \
    "id = 2\nstate = state\nkeys = keys\nlisten = 127.0.0.1:0\ncloud = 1 127.0.0.1:9\n"            \
    "devices = devices\nbroker_listen = 127.0.0.1:0\n"

enum { PATIENCE_US = 5000000, SERVER = 2, CLIENT = 7 };

static struct daemon_config config;
static struct port_crypto crypto;
static struct broker_host host;
static struct links client;
static struct tls server_tls, client_tls;
static struct mqtt_framer framer;
static struct mqtt_input input; /* what came and was not heard yet */
static struct metrics metrics;
static char error[CONFIG_ERROR_BYTES];

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* The host with these lines behind TEXT, and no client yet. */
static void up(const char *more, struct tls *tls)
{
    char text[2048], place[LINKS_ADDRESS_BYTES];
    struct links_address to;
    snprintf(text, sizeof text, "%s%s", TEXT, more);
    folder_write("conf", text);
    if (!daemon_config_read(&config, EVIDENCE_OF_GATEWAY, folder_file("conf"), &crypto, error) ||
        !broker_host_open(&host, &config, tls, error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    EXPECT(broker_host_begin(&host, host_clock_us()));
    EXPECT(!host.reset_asked);
    snprintf(place, sizeof place, "127.0.0.1:%u", (unsigned)links_port(&host.links));
    EXPECT(links_parse(place, &to));
    EXPECT(links_open(&client, 4, tls == NULL ? NULL : &client_tls, NULL, error, sizeof error));
    EXPECT(links_add_peer(&client, SERVER, &to));
    memset(&framer, 0, sizeof framer);
    memset(&input, 0, sizeof input);
}

static void down(void)
{
    broker_host_close(&host);
    links_free(&client);
    daemon_config_free(&config);
}

/* The next event of the client, while the host goes on. */
static struct event next(void)
{
    struct links *const both[] = {&host.links, &client};
    struct event event;
    const uint64_t until_us = host_clock_us() + PATIENCE_US;
    links_flush(&client);
    while (host_clock_us() < until_us) {
        if (links_next(&client, host_clock_us(), &event)) {
            return event;
        }
        uint64_t wake_us = broker_host_deadline_us(&host);
        wake_us = until_us < wake_us ? until_us : wake_us;
        links_wait_all(both, 2, -1, host_clock_us(), wake_us);
        broker_host_round(&host);
    }
    fprintf(stderr, "no event came\n");
    exit(1);
}

static void speak(uint32_t link, const struct mqtt_packet *packet)
{
    uint8_t bytes[MQTT_PACKET_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    EXPECT_EQUAL(mqtt_encode(packet, bytes, &size_bytes), ERR_OK);
    EXPECT_EQUAL(links_send(&client, link, bytes, size_bytes), (int32_t)size_bytes);
}

/* The next packet of the only link; what comes behind it in the same bytes is kept. */
static struct mqtt_packet heard(enum mqtt_type type)
{
    static uint8_t bytes[LINKS_READ_BYTES];
    struct mqtt_packet packet;
    uint8_t reason = 0;
    while (mqtt_framer_next(&framer, &input, &packet, &reason) == ERR_NOT_FOUND) {
        const struct event event = next();
        EXPECT_EQUAL(event.kind, EVENT_LINK_DATA);
        memcpy(bytes, event.bytes, event.size_bytes);
        input = (struct mqtt_input){bytes, event.size_bytes};
    }
    EXPECT_EQUAL(reason, 0);
    EXPECT_EQUAL(packet.type, type);
    return packet;
}

static uint32_t linked(void)
{
    uint32_t link;
    EXPECT_EQUAL(links_connect(&client, SERVER, host_clock_us(), &link), ERR_OK);
    EXPECT_EQUAL(next().kind, EVENT_LINK_UP);
    return link;
}

static struct mqtt_packet connect_as(uint32_t link, const char *password)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.client_id = mqtt_text("c");
    packet.properties.session_expiry_s = 100;
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL);
    if (password != NULL) {
        packet.user_name = mqtt_text("ann");
        packet.password = mqtt_text(password);
    }
    speak(link, &packet);
    return heard(MQTT_CONNACK);
}

static void subscribe(uint32_t link)
{
    uint8_t bytes[32];
    struct mqtt_packet packet;
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    const struct mqtt_subscription one = {.filter = mqtt_text("t/#"), .qos = 1};
    EXPECT_EQUAL(mqtt_list_subscription(&list, &one), ERR_OK);
    mqtt_packet_init(&packet, MQTT_SUBSCRIBE);
    packet.packet_id = 1;
    packet.payload = mqtt_list_slice(&list);
    speak(link, &packet);
    EXPECT_EQUAL(heard(MQTT_SUBACK).payload.bytes[0], 1);
}

static void publish(uint32_t link, uint16_t packet_id)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text("t/1");
    packet.payload = mqtt_text("x");
    packet.qos = 1;
    packet.packet_id = packet_id;
    speak(link, &packet);
}

static bool has_metric(const char *line)
{
    metrics.text[0] = '\0';
    metrics_begin(&metrics, "none", "gateway", 2);
    broker_host_figures(&host, &metrics);
    return strstr(metrics.text, line) != NULL;
}

static void what_was_acked_outlives_the_process(void)
{
    up("", NULL);
    uint32_t link = linked();
    EXPECT(!connect_as(link, NULL).session_present);
    subscribe(link);
    publish(link, 7);
    EXPECT_EQUAL(heard(MQTT_PUBACK).packet_id, 7);
    const uint16_t packet_id = heard(MQTT_PUBLISH).packet_id;
    EXPECT(has_metric("brownout_broker_published_total{role=\"gateway\",node=\"2\"} 1\n"));
    EXPECT(has_metric("brownout_broker_copies{role=\"gateway\",node=\"2\"} 1\n"));
    EXPECT(!has_metric("brownout_broker_commits_total{role=\"gateway\",node=\"2\"} 0\n"));
    down();
    up("", NULL);
    link = linked();
    EXPECT(connect_as(link, NULL).session_present);
    const struct mqtt_packet again = heard(MQTT_PUBLISH);
    EXPECT(again.dup);
    EXPECT_EQUAL(again.packet_id, packet_id);
    broker_host_stop(&host); /* in order: who is there hears of it */
    EXPECT_EQUAL(heard(MQTT_DISCONNECT).reason, MQTT_SERVER_SHUTTING_DOWN);
    EXPECT_EQUAL(next().kind, EVENT_LINK_DOWN);
    down();
    up("", NULL);
    link = linked();
    EXPECT(connect_as(link, NULL).session_present);
    EXPECT_EQUAL(heard(MQTT_PUBLISH).packet_id, packet_id);
    down();
    up("broker_durable = 0\n", NULL); /* as if there were none */
    link = linked();
    EXPECT(!connect_as(link, NULL).session_present);
    down();
}

static void a_client_that_is_not_known_is_refused(void)
{
    folder_write("users", "# who may\nann  two words\r\nbob x\n");
    up("broker_users = users\n", NULL);
    EXPECT_EQUAL(config.users.count, 2);
    EXPECT_EQUAL(connect_as(linked(), "two words").reason, 0);
    static const char *const wrong[] = {"two", "two words ", NULL};
    for (int i = 0; i < 3; i++) {
        down();
        up("broker_users = users\n", NULL);
        EXPECT_EQUAL(connect_as(linked(), wrong[i]).reason, MQTT_BAD_USER_NAME_OR_PASSWORD);
        EXPECT_EQUAL(next().kind, EVENT_LINK_DOWN);
    }
    EXPECT(has_metric("brownout_broker_refused_total{role=\"gateway\",node=\"2\"} 1\n"));
    down();
}

static void one_client_too_many_is_turned_away(void)
{
    up("broker_connections = 1\nbroker_durable = 0\n", NULL);
    const uint32_t link = linked();
    EXPECT_EQUAL(connect_as(link, NULL).reason, 0);
    const uint32_t second = linked();
    const struct event event = next();
    EXPECT_EQUAL(event.kind, EVENT_LINK_DOWN);
    EXPECT_EQUAL(event.link, second);
    EXPECT(has_metric(
        "brownout_broker_turned_away_total{role=\"gateway\",node=\"2\",reason=\"sessions\"} 1\n"));
    publish(link, 9); /* who is there is not disturbed */
    EXPECT_EQUAL(heard(MQTT_PUBACK).packet_id, 9);
    links_close(&client, link, host_clock_us());
    EXPECT_EQUAL(connect_as(linked(), NULL).reason, 0); /* and makes room */
    down();
}

static void sign(struct tls_authority *authority, uint32_t node, const char *name, struct tls *tls)
{
    char certificate[64], key[64];
    snprintf(certificate, sizeof certificate, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    EXPECT(tls_authority_sign(authority, node, 30, folder_file(certificate), folder_file(key)));
    const struct tls_files files = {.authority = folder_file("authority.pem"),
                                    .certificate = folder_file(certificate),
                                    .key = folder_file(key),
                                    .revoked = ""};
    EXPECT(tls_open(tls, &files, error, sizeof error));
}

static void with_certificates_it_is_tls_unless_it_is_said_otherwise(void)
{
    struct tls_authority authority;
    EXPECT(tls_authority_make(&authority, folder_file("authority.pem")));
    sign(&authority, SERVER, "server", &server_tls);
    sign(&authority, CLIENT, "client", &client_tls);
    up("broker_durable = 0\n", &server_tls);
    EXPECT_EQUAL(connect_as(linked(), NULL).reason, 0);
    client.tls = NULL; /* another one, in the clear */
    uint32_t link;
    EXPECT_EQUAL(links_connect(&client, SERVER, host_clock_us(), &link), ERR_OK);
    struct event event = next();
    if (event.kind == EVENT_LINK_UP) {
        publish(link, 1);
        event = next();
    }
    while (event.kind == EVENT_LINK_DATA && event.link == link) { /* an alert */
        event = next();
    }
    EXPECT_EQUAL(event.kind, EVENT_LINK_DOWN);
    EXPECT_EQUAL(event.link, link);
    EXPECT(has_metric("brownout_broker_tls_refused_total{role=\"gateway\",node=\"2\"} 1\n"));
    down();
    up("broker_durable = 0\nbroker_tls = 0\n", &server_tls);
    client.tls = NULL;
    EXPECT_EQUAL(connect_as(linked(), NULL).reason, 0);
    down();
    tls_free(&server_tls);
    tls_free(&client_tls);
    tls_authority_free(&authority);
}

static void without_an_address_there_is_no_broker(void)
{
    folder_write("conf", "id = 2\nstate = state\nkeys = keys\nlisten = 127.0.0.1:0\n"
                         "cloud = 1 127.0.0.1:9\ndevices = devices\n");
    EXPECT(daemon_config_read(&config, EVIDENCE_OF_GATEWAY, folder_file("conf"), &crypto, error));
    EXPECT(broker_host_open(&host, &config, NULL, error));
    EXPECT(broker_host_begin(&host, host_clock_us()));
    EXPECT_EQUAL(broker_host_deadline_us(&host), UINT64_MAX);
    broker_host_round(&host);
    EXPECT(!has_metric("broker"));
    broker_host_close(&host);
    daemon_config_free(&config);
}

int main(void)
{
    static struct crypto_openssl openssl;
    EXPECT_EQUAL(crypto_openssl_init(&openssl, &crypto), ERR_OK);
    folder_write("keys", "seed = " KEY "\n");
    folder_write("devices", "7 " KEY "\n");
    EXPECT_EQUAL(mkdir(folder_file("state"), 0700), 0);
    RUN(what_was_acked_outlives_the_process);
    RUN(a_client_that_is_not_known_is_refused);
    RUN(one_client_too_many_is_turned_away);
    RUN(with_certificates_it_is_tls_unless_it_is_said_otherwise);
    RUN(without_an_address_there_is_no_broker);
    folder_remove();
    crypto_openssl_free(&openssl);
    return 0;
}
