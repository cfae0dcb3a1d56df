/* Configurations of daemons, and the files that they name.
 * Input: one byte chooses the role; then the configuration, the file `keys`, the file `devices` and
 * the file `gateways`, divided by NULs. A slash becomes an underscore, so that no other file is
 * read.
 * Required: what is wrong is told with the name of a file and what to do; what was read is within
 * the bounds of its keys, registries ascend, and read again it is the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/posix/daemon_config.h"
#include "core/test/fake_crypto.h"
#include "fuzz/fuzz.h"

enum { INPUT_BYTES_MAX = 16384, FILES = 4 };

static const struct {
    uint64_t min, max;
    unsigned roles;
    bool number;
} keys[CONFIG_KEY_COUNT] = {
#define COUNT     true
#define TIME      true
#define FILE_NAME false
#define PLACE     false
#define HEX       false
#define PEER      false
#define KEY(name, roles, kind, standard, min, max, doc)                                            \
    [CONFIG_##name] = {(uint64_t)(min), (uint64_t)(max), (roles), kind},
    CONFIG_KEY_LIST(KEY)
#undef KEY
};

static void require_registry(const struct registry_entry *entries, uint32_t count)
{
    REQUIRE(count <= SERVER_DEVICES_MAX);
    for (uint32_t i = 1; i < count; i++) {
        REQUIRE(entries[i - 1].id < entries[i].id);
    }
}

static void require_bounds(const struct daemon_config *config)
{
    for (int key = 0; key < CONFIG_KEY_COUNT; key++) {
        if (keys[key].number && (keys[key].roles & (1u << config->role)) != 0) {
            REQUIRE(config->number[key] >= keys[key].min && config->number[key] <= keys[key].max);
        }
    }
    REQUIRE(config->peer_count <= LINKS_PEERS_MAX);
    if (config->role == EVIDENCE_OF_CLOUD) {
        require_registry(config->cloud.devices.entries, config->cloud.devices.count);
        require_registry(config->cloud.gateways.entries, config->cloud.gateways.count);
    } else if (config->role == EVIDENCE_OF_GATEWAY) {
        require_registry(config->gateway.devices.entries, config->gateway.devices.count);
    } else {
        REQUIRE(config->device.gateway_count <= DEVICE_GATEWAYS_MAX);
    }
    char text[EVIDENCE_HEADER_BYTES_MAX]; /* a judge can read what it says of itself */
    const char *why = "";
    struct evidence_header header, again;
    daemon_config_header(config, &header);
    const uint32_t size_bytes = evidence_header_print(&header, text);
    REQUIRE(evidence_header_parse(text, size_bytes - 1, &again, &why));
    REQUIRE(again.node == daemon_config_id(config));
}

static const char *write_files(const uint8_t *data, size_t size_bytes)
{
    static const char *const names[FILES] = {"conf", "keys", "devices", "gateways"};
    const char *path = NULL;
    size_t at = 0;
    for (unsigned file = 0; file < FILES; file++) {
        const uint8_t *end = at < size_bytes ? memchr(data + at, '\0', size_bytes - at) : NULL;
        const size_t stop = file + 1 < FILES && end != NULL ? (size_t)(end - data) : size_bytes;
        const char *written = fuzz_file(file, names[file], data + at, stop - at);
        path = file == 0 ? written : path;
        at = stop < size_bytes ? stop + 1 : size_bytes;
    }
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct daemon_config config, again;
    static char error[CONFIG_ERROR_BYTES], again_error[CONFIG_ERROR_BYTES];
    const struct port_crypto crypto = fake_crypto();
    if (size_bytes < 1 || size_bytes > INPUT_BYTES_MAX) {
        return 0;
    }
    uint8_t *copy = malloc(size_bytes);
    REQUIRE(copy != NULL);
    for (size_t i = 0; i < size_bytes; i++) {
        copy[i] = data[i] == '/' ? '_' : data[i];
    }
    const enum evidence_role role = (enum evidence_role)(data[0] % 3);
    const char *path = write_files(copy + 1, size_bytes - 1);
    free(copy);
    error[0] = again_error[0] = '\0';
    const bool good = daemon_config_read(&config, role, path, &crypto, error);
    REQUIRE(daemon_config_read(&again, role, path, &crypto, again_error) == good);
    REQUIRE(strcmp(error, again_error) == 0);
    if (good) {
        require_bounds(&config);
        REQUIRE(memcmp(config.number, again.number, sizeof config.number) == 0);
        REQUIRE(memcmp(config.path, again.path, sizeof config.path) == 0);
    } else {
        REQUIRE(strstr(error, "brownout_fuzz_") != NULL);
    }
    daemon_config_free(&config);
    daemon_config_free(&again);
    return 0;
}
