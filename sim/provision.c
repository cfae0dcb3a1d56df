#include "sim/provision.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "core/crypto/openssl.h"
#include "core/posix/tls_make.h"

enum {
    DEVICES_DEFAULT = 10,
    PATH_BYTES = 1024,
    PORT_FIRST = 20000, /* below what systems give to those who connect */
    PORT_COUNT = 12000,
    PORT_TRIES = 200,
    DAYS = 3650, /* that certificates are good for */
};

/* A key of a node, in hexadecimal. */
struct node_keys {
    char seed[2 * KEY_BYTES + 1], secret[2 * KEY_BYTES + 1], public_key[2 * KEY_BYTES + 1];
};

struct maker {
    const struct provision *provision;
    struct node_keys *keys; /* [nodes + 1], by number */
    char *error;
    size_t error_bytes;
};

void provision_name(uint32_t node, char name[PROVISION_NAME_BYTES])
{
    if (node >= PROVISION_DEVICE_FIRST) {
        snprintf(name, PROVISION_NAME_BYTES, "device-%" PRIu32, node - PROVISION_DEVICE_FIRST + 1);
    } else {
        snprintf(name, PROVISION_NAME_BYTES, "%s", node == PROVISION_CLOUD ? "cloud" : "gateway");
    }
}

uint32_t provision_nodes(const struct provision *provision)
{
    return provision->devices + PROVISION_DEVICE_FIRST - 1;
}

/* ---- Keys and ports -------------------------------------------------------------------------- */

static void hex(const uint8_t bytes[KEY_BYTES], char text[2 * KEY_BYTES + 1])
{
    for (int i = 0; i < KEY_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", (unsigned)bytes[i]);
    }
}

static bool draw(void *bytes, size_t size_bytes)
{
    return getrandom(bytes, size_bytes, 0) == (ssize_t)size_bytes;
}

static bool make_keys(const struct maker *maker, const struct port_crypto *crypto)
{
    for (uint32_t i = 1; i <= provision_nodes(maker->provision); i++) {
        struct key_pair pair;
        uint8_t secret[KEY_BYTES];
        if (!draw(pair.seed, KEY_BYTES) || !draw(secret, KEY_BYTES) ||
            crypto->public_key(crypto->ctx, &pair) != ERR_OK) {
            snprintf(maker->error, maker->error_bytes, "no keys can be drawn: %s", strerror(errno));
            return false;
        }
        hex(pair.seed, maker->keys[i].seed);
        hex(pair.public_key, maker->keys[i].public_key);
        hex(secret, maker->keys[i].secret);
    }
    return true;
}

static bool is_free(uint16_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int file = socket(AF_INET, SOCK_STREAM, 0);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool good = file >= 0 && bind(file, (const struct sockaddr *)&name, sizeof name) == 0;
    if (file >= 0) {
        (void)close(file);
    }
    return good;
}

static bool choose_ports(struct provision *provision)
{
    uint16_t *const ports[] = {&provision->cloud_port, &provision->gateway_port};
    uint32_t found = 0;
    for (int i = 0; i < PORT_TRIES && found < 2; i++) {
        uint16_t number;
        if (!draw(&number, sizeof number)) {
            return false;
        }
        const uint16_t port = (uint16_t)(PORT_FIRST + number % PORT_COUNT);
        if (is_free(port) && (found == 0 || port != *ports[0])) {
            *ports[found++] = port;
        }
    }
    return found == 2;
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* A new file in the folder; NULL: the error is told. */
static FILE *begin(const struct maker *maker, const char *name, const char *suffix, unsigned mode)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s%s", maker->provision->folder, name, suffix);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    FILE *stream = file < 0 ? NULL : fdopen(file, "w");
    if (stream == NULL) {
        snprintf(maker->error, maker->error_bytes, "%s: %s", path, strerror(errno));
        if (file >= 0) {
            (void)close(file);
        }
    }
    return stream;
}

static bool finish(const struct maker *maker, FILE *file)
{
    const bool good = ferror(file) == 0;
    if (fclose(file) == 0 && good) {
        return true;
    }
    snprintf(maker->error, maker->error_bytes, "%s: a file cannot be written: is the disk full?",
             maker->provision->folder);
    return false;
}

static bool write_registries(const struct maker *maker)
{
    FILE *secret = begin(maker, "devices", ".secret", 0600);
    FILE *devices = secret == NULL ? NULL : begin(maker, "devices", "", 0644);
    FILE *gateways = devices == NULL ? NULL : begin(maker, "gateways", "", 0644);
    for (uint32_t i = PROVISION_DEVICE_FIRST;
         gateways != NULL && i <= provision_nodes(maker->provision); i++) {
        const struct node_keys *keys = &maker->keys[i];
        fprintf(secret, "%" PRIu32 " %s %s\n", i, keys->public_key, keys->secret);
        fprintf(devices, "%" PRIu32 " %s\n", i, keys->public_key);
    }
    if (gateways != NULL) {
        fprintf(gateways, "%d %s\n", PROVISION_GATEWAY, maker->keys[PROVISION_GATEWAY].public_key);
    }
    bool good = gateways != NULL && finish(maker, gateways);
    good = devices != NULL && finish(maker, devices) && good;
    return secret != NULL && finish(maker, secret) && good;
}

static bool write_keys(const struct maker *maker, uint32_t node, const char *name)
{
    FILE *file = begin(maker, name, ".keys", 0600);
    if (file == NULL) {
        return false;
    }
    fprintf(file, "seed = %s\n", maker->keys[node].seed);
    if (node >= PROVISION_DEVICE_FIRST) {
        fprintf(file, "secret = %s\n", maker->keys[node].secret);
    }
    return finish(maker, file);
}

static void print_device(const struct maker *maker, FILE *file)
{
    const struct provision *provision = maker->provision;
    fprintf(file,
            "sensor = /proc/sys/fs/file-nr\ncloud_id = %d\ncloud_key = %s\n"
            "gateway = %d 127.0.0.1:%u\nsample_every = %" PRIu64 "us\n"
            "backoff_base = 500ms\nbackoff_cap = 5s\nack_timeout = 20s\n",
            PROVISION_CLOUD, maker->keys[PROVISION_CLOUD].public_key, PROVISION_GATEWAY,
            (unsigned)provision->gateway_port, provision->sample_every_us);
}

static bool write_config(const struct maker *maker, uint32_t node, const char *name)
{
    const struct provision *provision = maker->provision;
    FILE *file = begin(maker, name, ".conf", 0644);
    if (file == NULL) {
        return false;
    }
    fprintf(file,
            "# Made by brownout up.\nid = %" PRIu32 "\nstate = %s\nkeys = %s.keys\n"
            "evidence = %s.evidence\nmetrics = %s.prom\nmetrics_every = 1s\n",
            node, name, name, name, name);
    if (!provision->plain) {
        fprintf(file, "tls_authority = authority.pem\ntls_certificate = %s.pem\ntls_key = %s.tls\n",
                name, name);
    }
    if (node == PROVISION_CLOUD) {
        fprintf(file,
                "listen = 127.0.0.1:%u\ndevices = devices.secret\ngateways = gateways\n"
                "sessions = 16\n",
                (unsigned)provision->cloud_port);
    } else if (node == PROVISION_GATEWAY) {
        fprintf(file,
                "listen = 127.0.0.1:%u\ncloud = %d 127.0.0.1:%u\ndevices = devices\n"
                "sessions = %" PRIu32 "\nbackoff_base = 200ms\nbackoff_cap = 5s\n",
                (unsigned)provision->gateway_port, PROVISION_CLOUD, (unsigned)provision->cloud_port,
                provision->devices + 8);
    } else {
        print_device(maker, file);
    }
    return finish(maker, file);
}

static bool write_certificates(const struct maker *maker)
{
    struct tls_authority authority;
    char name[PROVISION_NAME_BYTES], certificate[PATH_BYTES], key[PATH_BYTES];
    snprintf(certificate, sizeof certificate, "%s/authority.pem", maker->provision->folder);
    bool good = tls_authority_make(&authority, certificate);
    for (uint32_t i = 1; good && i <= provision_nodes(maker->provision); i++) {
        provision_name(i, name);
        snprintf(certificate, sizeof certificate, "%s/%s.pem", maker->provision->folder, name);
        snprintf(key, sizeof key, "%s/%s.tls", maker->provision->folder, name);
        good = tls_authority_sign(&authority, i, DAYS, certificate, key);
    }
    if (!good) {
        snprintf(maker->error, maker->error_bytes, "%s cannot be made: is the disk full?",
                 certificate);
    }
    tls_authority_free(&authority);
    return good;
}

static bool write_all(const struct maker *maker)
{
    const struct provision *provision = maker->provision;
    char name[PROVISION_NAME_BYTES];
    bool good = write_registries(maker) && (provision->plain || write_certificates(maker));
    for (uint32_t i = 1; good && i <= provision_nodes(provision); i++) {
        provision_name(i, name);
        good = write_keys(maker, i, name) && write_config(maker, i, name);
    }
    /* Last: a folder with this file in it is whole. */
    FILE *fleet = good ? begin(maker, "fleet", "", 0644) : NULL;
    if (fleet == NULL) {
        return false;
    }
    fprintf(fleet,
            "brownout-fleet 1\ndevices %" PRIu32 "\ncloud_port %u\ngateway_port %u\n"
            "sample_every_us %" PRIu64 "\n",
            provision->devices, (unsigned)provision->cloud_port, (unsigned)provision->gateway_port,
            provision->sample_every_us);
    return finish(maker, fleet);
}

/* ---- The folder ------------------------------------------------------------------------------ */

enum found { FOUND_NONE, FOUND_FLEET, FOUND_WRONG };

static enum found find(struct provision *provision, char *error, size_t error_bytes)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/fleet", provision->folder);
    FILE *file = fopen(path, "re");
    if (file == NULL && errno == ENOENT) {
        return FOUND_NONE;
    }
    struct provision read = {.folder = provision->folder};
    const int fields =
        file == NULL
            ? 0
            : fscanf(file,
                     "brownout-fleet 1 devices %" SCNu32 " cloud_port %" SCNu16
                     " gateway_port %" SCNu16 " sample_every_us %" SCNu64,
                     &read.devices, &read.cloud_port, &read.gateway_port, &read.sample_every_us);
    if (file != NULL) {
        (void)fclose(file);
    }
    if (fields != 4 || read.devices == 0 || read.devices > PROVISION_DEVICES_MAX) {
        snprintf(error, error_bytes, "%s does not read: give another folder", path);
        return FOUND_WRONG;
    }
    if (provision->devices != 0 && provision->devices != read.devices) {
        snprintf(error, error_bytes,
                 "%s was made for %" PRIu32 " devices: leave --devices out, or give another folder",
                 provision->folder, read.devices);
        return FOUND_WRONG;
    }
    *provision = read;
    return FOUND_FLEET;
}

static bool make(struct provision *provision, char *error, size_t error_bytes)
{
    static struct crypto_openssl openssl;
    struct port_crypto crypto;
    struct maker maker = {.provision = provision, .error = error, .error_bytes = error_bytes};
    if (mkdir(provision->folder, 0700) != 0 && errno != EEXIST) {
        snprintf(error, error_bytes, "%s cannot be made: %s", provision->folder, strerror(errno));
        return false;
    }
    if (!choose_ports(provision)) {
        snprintf(error, error_bytes, "no two free ports from %d to %d on 127.0.0.1", PORT_FIRST,
                 PORT_FIRST + PORT_COUNT - 1);
        return false;
    }
    if (crypto_openssl_init(&openssl, &crypto) != ERR_OK) {
        snprintf(error, error_bytes, "OpenSSL lacks memory or an algorithm");
        return false;
    }
    maker.keys = calloc(provision_nodes(provision) + 1, sizeof *maker.keys);
    CHECK(maker.keys != NULL);
    const bool good = make_keys(&maker, &crypto) && write_all(&maker);
    free(maker.keys);
    crypto_openssl_free(&openssl);
    return good;
}

bool provision_make(struct provision *provision, bool *made, char *error, size_t error_bytes)
{
    const enum found found = find(provision, error, error_bytes);
    *made = found == FOUND_NONE;
    if (!*made) {
        return found == FOUND_FLEET;
    }
    if (provision->devices == 0) {
        provision->devices = DEVICES_DEFAULT;
    }
    return make(provision, error, error_bytes);
}
