/* Goal: a configuration is read whole or refused with file, line and what to do; a secret that
 * others may read is no secret. Method: one good file for each role, changed in one thing. */
#include "core/posix/daemon_config.h"

#include <string.h>
#include <sys/stat.h>

#include "core/check.h"
#include "core/posix/key_file.h"
#include "core/crypto/openssl.h"
#include "core/test/posix_folder.h"
#include "core/test/test.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "F0E1D2C3B4A5968778695A4B3C2D1E0FF0E1D2C3B4A5968778695A4B3C2D1E0F"

static const char device_text[] = "# a device\n"
                                  "id = 7\n"
                                  "state = state\n"
                                  "\n"
                                  "keys=device.keys  \n"
                                  "sensor = /proc/sys/fs/file-nr\n"
                                  "cloud_key = " KEY_B "\n"
                                  "gateway = 2 127.0.0.1:7002\n"
                                  "gateway = 3 [::1]:7002\n"
                                  "sample_every = 90s\n";
static const char gateway_text[] = "id = 2\nstate = state\nkeys = node.keys\n"
                                   "listen = 127.0.0.1:0\ncloud = 1 127.0.0.1:7001\n"
                                   "devices = devices\n";
static const char cloud_text[] = "id = 1\nstate = state\nkeys = node.keys\n"
                                 "listen = 127.0.0.1:0\ndevices = devices.secret\n"
                                 "gateways = devices\n";

static struct crypto_openssl openssl;
static struct port_crypto crypto;
static struct daemon_config config;
static char error[CONFIG_ERROR_BYTES];

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static bool reads(enum evidence_role role, const char *text)
{
    folder_write("conf", text);
    daemon_config_free(&config);
    error[0] = '\0';
    return daemon_config_read(&config, role, folder_file("conf"), &crypto, error);
}

/* The device's file with `line` in the place of its line that begins like it, or behind them all:
 * refused, and the error holds `words`. */
static void refuses(const char *line, const char *words)
{
    char text[4096] = "";
    const size_t name = strcspn(line, " =");
    bool there = false;
    for (const char *at = device_text; *at != '\0'; at += strcspn(at, "\n") + 1) {
        const bool replaced = !there && name > 0 && strncmp(at, line, name) == 0;
        there = there || replaced;
        strncat(text, replaced ? line : at, replaced ? strlen(line) : strcspn(at, "\n"));
        strcat(text, "\n");
    }
    strcat(text, there ? "" : line);
    if (reads(EVIDENCE_OF_DEVICE, text) || strstr(error, words) == NULL) {
        fprintf(stderr, "%s: expected '%s', got '%s'\n", line, words, error);
        exit(1);
    }
}

static void a_good_file_is_read_whole(void)
{
    EXPECT(reads(EVIDENCE_OF_DEVICE, device_text));
    EXPECT_EQUAL(config.device.id, 7);
    EXPECT_EQUAL(config.device.sample_every_us, 90000000);
    EXPECT_EQUAL(config.device.gateway_count, 2);
    EXPECT_EQUAL(config.device.gateways[1], 3);
    EXPECT_EQUAL(config.device.cloud_key[0], 0xF0);
    EXPECT_EQUAL(config.device.keys.seed[1], 1);
    EXPECT_EQUAL(config.device.secret[0], 0xF0);
    EXPECT(strcmp(config.path[CONFIG_state], folder_file("state")) == 0);
    EXPECT(strcmp(config.path[CONFIG_sensor], "/proc/sys/fs/file-nr") == 0);
    EXPECT(reads(EVIDENCE_OF_GATEWAY, gateway_text));
    EXPECT_EQUAL(config.gateway.devices.count, 2);
    EXPECT_EQUAL(config.gateway.devices.entries[1].id, 9);
    EXPECT_EQUAL(config.gateway.devices.entries[1].secret[0], 0);
    EXPECT_EQUAL(config.gateway.cloud, 1);
    EXPECT(reads(EVIDENCE_OF_CLOUD, cloud_text));
    EXPECT_EQUAL(config.cloud.devices.entries[0].secret[0], 0xF0);
    EXPECT_EQUAL(config.cloud.gateways.count, 2);
}

static void what_is_wrong_is_told_with_its_line_and_what_to_do(void)
{
    refuses("id = 0", "conf:2: id = 0: write a whole number from 1");
    refuses("id = 4294967296", "write a whole number from 1 to 4294967295");
    refuses("id = 7x", "conf:2: ");
    refuses("id = -1", "conf:2: ");
    refuses("id", "conf:2: write `key = value`");
    refuses("sample_every = 90", "write a time such as 90s or 5m, from 100ms to 1d");
    refuses("sample_every = 99999999999999999999d", "sample_every");
    refuses("sample_every = 2d", "from 100ms to 1d");
    refuses("state =", "state is empty: write folder");
    refuses("cloud_key = 00", "write 64 hexadecimal digits");
    refuses("gateway = 127.0.0.1:7002", "write the peer's number");
    refuses("gateway = 0 127.0.0.1:7002", "write the peer's number");
    refuses("gateway = 2 localhost:7002", "write the peer's number");
    refuses("gateway = 3 127.0.0.1:7002", "peer 3 is there twice");
    refuses("sampel_every = 1s", "did you mean `sample_every`?");
    refuses("listen = 127.0.0.1:1", "`listen` is no key of a device");
    refuses("backoff_base = 10m", "backoff_base is above backoff_cap");
    refuses("keys = nobody", "nobody: No such file");
    refuses("reserve = 1\nreserve = 2", "`reserve` is there a second time");
    EXPECT(!reads(EVIDENCE_OF_DEVICE, "id = 7\n"));
    EXPECT(strstr(error, "there is no line `state = ...`") != NULL);
    EXPECT(!daemon_config_read(&config, EVIDENCE_OF_DEVICE, folder_file("none"), &crypto, error));
    EXPECT(strstr(error, "none: No such file") != NULL);
}

static void a_file_has_its_bounds(void)
{
    static char text[CONFIG_LINES_MAX * 2 + 200];
    char line[CONFIG_LINE_BYTES_MAX + 10];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    refuses(line, "the line is longer than 510 bytes");
    memset(text, '\n', CONFIG_LINES_MAX + 1);
    EXPECT(!reads(EVIDENCE_OF_DEVICE, text));
    EXPECT(strstr(error, "more than 1000 lines") != NULL);
}

static void a_key_file_is_private_and_whole(void)
{
    uint8_t seed[KEY_BYTES], secret[KEY_BYTES];
    EXPECT_EQUAL(chmod(folder_file("device.keys"), 0640), 0);
    EXPECT(!reads(EVIDENCE_OF_DEVICE, device_text));
    EXPECT(strstr(error, "chmod 600") != NULL);
    EXPECT_EQUAL(chmod(folder_file("device.keys"), 0600), 0);
    EXPECT_EQUAL(chmod(folder_file("devices.secret"), 0604), 0);
    EXPECT(!reads(EVIDENCE_OF_CLOUD, cloud_text));
    EXPECT(strstr(error, "chmod 600") != NULL);
    EXPECT_EQUAL(chmod(folder_file("devices.secret"), 0600), 0);
    folder_write("bad", "seed = " KEY_A "\nseed = " KEY_A "\n");
    EXPECT(!key_file_read(folder_file("bad"), seed, NULL, error, sizeof error));
    EXPECT(strstr(error, "bad:2: ") != NULL);
    folder_write("bad", "seed = " KEY_A " x\n");
    EXPECT(!key_file_read(folder_file("bad"), seed, NULL, error, sizeof error));
    folder_write("bad", "seed = " KEY_A "\n");
    EXPECT(!key_file_read(folder_file("bad"), seed, secret, error, sizeof error));
    EXPECT(strstr(error, "there is no line `secret = ...`") != NULL);
    folder_write("bad", "");
    EXPECT(!key_file_read(folder_file("bad"), seed, NULL, error, sizeof error));
}

/* A gateway's file with this line behind it is refused with these words. */
static void gateway_refuses(const char *line, const char *words)
{
    char text[2048];
    snprintf(text, sizeof text, "%sbroker_listen = [::1]:0\n%s\n", gateway_text, line);
    if (reads(EVIDENCE_OF_GATEWAY, text) || strstr(error, words) == NULL) {
        fprintf(stderr, "%s: expected '%s', got '%s'\n", line, words, error);
        exit(1);
    }
}

static void a_gateway_may_have_a_broker(void)
{
    char text[1024];
    EXPECT(reads(EVIDENCE_OF_GATEWAY, gateway_text));
    EXPECT_EQUAL(config.broker_listen.size_bytes, 0);
    folder_write("users", "ann secret\nbob other\n");
    snprintf(text, sizeof text,
             "%sbroker_listen = 127.0.0.1:1883\nbroker_users = users\nbroker_durable = 0\n"
             "broker_session_expiry = 2h\nbroker_queue = 5\n",
             gateway_text);
    EXPECT(reads(EVIDENCE_OF_GATEWAY, text));
    EXPECT(config.broker_listen.size_bytes > 0);
    EXPECT_EQUAL(config.broker.session_expiry_max_s, 7200);
    EXPECT_EQUAL(config.broker.queue_max, 5);
    EXPECT_EQUAL(config.broker.user_count, 2);
    EXPECT(mqtt_slice_equal(config.broker.users[1].name, mqtt_text("bob")));
    EXPECT(!config.broker.durable);
    gateway_refuses("broker_users = users\nbroker_sessions = 0", "write a whole number from 1");
    gateway_refuses("broker_keep_alive = 1d", "from 0s to 65535s");
    EXPECT_EQUAL(chmod(folder_file("users"), 0640), 0);
    gateway_refuses("broker_users = users", "chmod 600");
    EXPECT_EQUAL(chmod(folder_file("users"), 0600), 0);
    folder_write("users", "ann secret\n\nbob\n");
    gateway_refuses("broker_users = users", "users:3: write a name, a blank and a password");
    folder_write("users", "ann secret\nann other\n");
    gateway_refuses("broker_users = users", "users:2: the name is there a second time");
    folder_write("users", "# nobody\n");
    gateway_refuses("broker_users = users", "nobody is in it");
    gateway_refuses("broker_users = nowhere", "nowhere: No such file");
    snprintf(text, sizeof text, "%sbroker_queue = 5\n", gateway_text);
    EXPECT(!reads(EVIDENCE_OF_GATEWAY, text));
    EXPECT(strstr(error, "broker_queue is there without broker_listen") != NULL);
    EXPECT(!reads(EVIDENCE_OF_CLOUD, "broker_listen = 127.0.0.1:1\n"));
    EXPECT(strstr(error, "no key of a cloud") != NULL);
}

static void a_registry_is_sorted_and_bounded(void)
{
    static const char *const bad[][2] = {
        {"9 " KEY_A "\n7 " KEY_A "\n", "number 7 does not follow 9"},
        {"7 " KEY_A "\n7 " KEY_A "\n", "number 7 does not follow 7"},
        {"7 " KEY_A "\n8 " KEY_A "\n9 " KEY_A "\n", ":3: more than 2 entries"},
        {"0 " KEY_A "\n", ":1: write a number and a public key"},
        {"-1 " KEY_A "\n", ":1: write a number"},
        {"7 " KEY_A " " KEY_A "\n", ":1: write a number"},
        {"7\n", ":1: write a number"},
        {"# nobody\n", "nobody is in it"},
    };
    struct registry_entry *entries;
    uint32_t count;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        folder_write("bad", bad[i][0]);
        EXPECT(!registry_file_read(folder_file("bad"), false, 2, &entries, &count, error,
                                   sizeof error));
        EXPECT(entries == NULL);
        if (strstr(error, bad[i][1]) == NULL) {
            fprintf(stderr, "expected '%s', got '%s'\n", bad[i][1], error);
            exit(1);
        }
    }
}

int main(void)
{
    EXPECT_EQUAL(crypto_openssl_init(&openssl, &crypto), ERR_OK);
    folder_write("device.keys", "seed = " KEY_A "\nsecret = " KEY_B "\n");
    folder_write("node.keys", "seed = " KEY_A "\n");
    folder_write("devices", "7 " KEY_A "\n9 " KEY_B "\n");
    folder_write("devices.secret", "7 " KEY_A " " KEY_B "\n9 " KEY_B " " KEY_A "\n");
    RUN(a_good_file_is_read_whole);
    RUN(what_is_wrong_is_told_with_its_line_and_what_to_do);
    RUN(a_file_has_its_bounds);
    RUN(a_key_file_is_private_and_whole);
    RUN(a_gateway_may_have_a_broker);
    RUN(a_registry_is_sorted_and_bounded);
    daemon_config_free(&config);
    crypto_openssl_free(&openssl);
    folder_remove();
    return 0;
}
