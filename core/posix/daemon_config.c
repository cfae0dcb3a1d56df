#include "core/posix/daemon_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/check.h"
#include "core/posix/key_file.h"

enum kind { COUNT, TIME, FILE_NAME, PLACE, HEX, PEER };

/* Descriptors beside those of links: logs, folders, the database and its log, spares. */
enum { FILES_BESIDE = 64 };

enum { PROGRAM_BYTES = 8, ERASED_VALUE = 0xFF, DECIMAL = 10, SECOND_US = 1000000 };

static const struct key {
    const char *name;
    uint32_t roles;
    enum kind kind;
    uint64_t standard, min, max;
    const char *doc;
} keys[CONFIG_KEY_COUNT] = {
#define CONFIG_KEY_ROW(name, roles, kind, standard, min, max, doc)                                 \
    {#name, roles, kind, standard, min, max, doc},
    CONFIG_KEY_LIST(CONFIG_KEY_ROW)
#undef CONFIG_KEY_ROW
};

static const struct {
    const char *name;
    uint64_t us;
} units[] = {{"us", 1},       {"ms", 1000},      {"s", SECOND_US},
             {"m", 60000000}, {"h", 3600000000}, {"d", 86400000000}};

/* The file that is being read. */
struct reader {
    struct daemon_config *config;
    const char *path;
    unsigned line;
    bool there[CONFIG_KEY_COUNT];
    char *error;
};

static bool take_line(struct reader *reader, char *text);
static bool take_value(struct reader *reader, enum config_key key, const char *value);
static bool finish(struct reader *reader, const struct port_crypto *crypto);

static uint32_t role_bit(enum evidence_role role)
{
    return role == EVIDENCE_OF_DEVICE    ? OF_DEVICE
           : role == EVIDENCE_OF_GATEWAY ? OF_GATEWAY
                                         : OF_CLOUD;
}

static uint64_t standard_of(const struct key *key)
{
    return key->standard < key->max ? key->standard : key->max;
}

static bool has_number(const struct key *key)
{
    return key->kind == COUNT || key->kind == TIME;
}

__attribute__((format(printf, 2, 3))) static bool wrong(struct reader *reader, const char *format,
                                                        ...)
{
    int at = reader->line == 0 ? snprintf(reader->error, CONFIG_ERROR_BYTES, "%s: ", reader->path)
                               : snprintf(reader->error, CONFIG_ERROR_BYTES,
                                          "%s:%u: ", reader->path, reader->line);
    if (at < 0 || at >= CONFIG_ERROR_BYTES) {
        at = 0;
    }
    va_list rest;
    va_start(rest, format);
    (void)vsnprintf(reader->error + at, (size_t)(CONFIG_ERROR_BYTES - at), format, rest);
    va_end(rest);
    return false;
}

bool daemon_config_read(struct daemon_config *config, enum evidence_role role, const char *path,
                        const struct port_crypto *crypto, char *error)
{
    struct reader reader = {.config = config, .path = path, .error = error};
    char text[CONFIG_LINE_BYTES_MAX];
    memset(config, 0, sizeof *config);
    config->role = role;
    for (unsigned i = 0; i < CONFIG_KEY_COUNT; i++) {
        config->number[i] = has_number(&keys[i]) ? standard_of(&keys[i]) : 0;
    }
    const char *slash = strrchr(path, '/');
    const size_t folder = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    if (folder >= sizeof config->folder) {
        return wrong(&reader, "the path is longer than %d bytes", CONFIG_PATH_BYTES);
    }
    memcpy(config->folder, path, folder);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return wrong(&reader, "%s", strerror(errno));
    }
    bool good = true;
    while (good && fgets(text, sizeof text, file) != NULL) {
        const size_t size = strcspn(text, "\n");
        reader.line++;
        if (text[size] != '\n' && !feof(file)) {
            good = wrong(&reader, "the line is longer than %d bytes, or holds a NUL",
                         CONFIG_LINE_BYTES_MAX - 2);
        } else if (reader.line > CONFIG_LINES_MAX) {
            good = wrong(&reader, "more than %d lines: is this a configuration?", CONFIG_LINES_MAX);
        } else {
            text[size] = '\0';
            good = take_line(&reader, text);
        }
    }
    if (good && ferror(file) != 0) {
        good = wrong(&reader, "%s", strerror(errno));
    }
    (void)fclose(file);
    reader.line = 0;
    return good && finish(&reader, crypto);
}

void daemon_config_free(struct daemon_config *config)
{
    free(config->devices);
    free(config->gateways);
    config->devices = NULL;
    config->gateways = NULL;
    user_file_free(&config->users);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static char *trimmed(char *text)
{
    text += strspn(text, " \t\r");
    size_t size = strlen(text);
    while (size > 0 && strchr(" \t\r", text[size - 1]) != NULL) {
        text[--size] = '\0';
    }
    return text;
}

static bool unknown(struct reader *reader, const char *name)
{
    const uint32_t bit = role_bit(reader->config->role);
    for (unsigned i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return wrong(reader, "`%s` is no key of a %s: take the line out", name,
                         evidence_role_name(reader->config->role));
        }
    }
    for (unsigned i = 0; i < CONFIG_KEY_COUNT; i++) { /* the beginning of one, or begun by one */
        const size_t size = strlen(name) < 4 ? strlen(name) : 4;
        if ((keys[i].roles & bit) != 0 && strncmp(keys[i].name, name, size) == 0) {
            return wrong(reader, "there is no key `%s`: did you mean `%s`? --help lists them", name,
                         keys[i].name);
        }
    }
    return wrong(reader, "there is no key `%s`; --help lists them", name);
}

static bool take_line(struct reader *reader, char *text)
{
    char *name = trimmed(text);
    if (name[0] == '\0' || name[0] == '#') {
        return true;
    }
    char *equals = strchr(name, '=');
    if (equals == NULL) {
        return wrong(reader, "write `key = value`, or # before a comment");
    }
    *equals = '\0';
    name = trimmed(name);
    const char *value = trimmed(equals + 1);
    for (unsigned i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (strcmp(keys[i].name, name) == 0 &&
            (keys[i].roles & role_bit(reader->config->role)) != 0) {
            if (reader->there[i] && i != CONFIG_gateway) {
                return wrong(reader, "`%s` is there a second time: take one of them out", name);
            }
            reader->there[i] = true;
            return take_value(reader, (enum config_key)i, value);
        }
    }
    return unknown(reader, name);
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* Digits, and what follows them. */
static bool split_number(const char *text, uint64_t *number, const char **rest)
{
    *number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        if (*number > (UINT64_MAX - digit) / DECIMAL) {
            return false;
        }
        *number = *number * DECIMAL + digit;
    }
    *rest = at;
    return at > text;
}

static void print_value(const struct key *key, uint64_t value, char *text, size_t text_bytes)
{
    if (key->kind != TIME) {
        snprintf(text, text_bytes, "%" PRIu64, value);
        return;
    }
    size_t unit = sizeof units / sizeof units[0] - 1;
    while (unit > 0 && (value == 0 || value % units[unit].us != 0)) {
        unit--;
    }
    snprintf(text, text_bytes, "%" PRIu64 "%s", value / units[unit].us,
             value == 0 ? "s" : units[unit].name);
}

static bool take_number(struct reader *reader, enum config_key key, const char *value)
{
    char min[32], max[32];
    const char *rest;
    uint64_t number, factor = keys[key].kind == COUNT ? 1 : 0;
    bool good = split_number(value, &number, &rest);
    for (size_t i = 0; good && factor == 0 && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(rest, units[i].name) == 0) {
            factor = units[i].us;
            rest = "";
        }
    }
    good = good && factor != 0 && rest[0] == '\0' && number <= UINT64_MAX / factor;
    number *= factor;
    if (!good || number < keys[key].min || number > keys[key].max) {
        print_value(&keys[key], keys[key].min, min, sizeof min);
        print_value(&keys[key], keys[key].max, max, sizeof max);
        return wrong(reader, "%s = %s: write %s from %s to %s", keys[key].name, value,
                     keys[key].kind == TIME ? "a time such as 90s or 5m," : "a whole number", min,
                     max);
    }
    reader->config->number[key] = number;
    return true;
}

static bool take_path(struct reader *reader, enum config_key key, const char *value)
{
    struct daemon_config *config = reader->config;
    if (value[0] == '\0' && keys[key].min == 1) {
        return wrong(reader, "%s is empty: write %s", keys[key].name, keys[key].doc);
    }
    const int size = snprintf(config->path[key], CONFIG_PATH_BYTES, "%s%s",
                              value[0] == '/' || value[0] == '\0' ? "" : config->folder, value);
    if (size < 0 || size >= CONFIG_PATH_BYTES) {
        return wrong(reader, "%s: the path is longer than %d bytes", keys[key].name,
                     CONFIG_PATH_BYTES - 1);
    }
    return true;
}

static bool take_peer(struct reader *reader, enum config_key key, const char *value)
{
    struct daemon_config *config = reader->config;
    struct links_peer peer;
    const char *rest;
    uint64_t number;
    if (!split_number(value, &number, &rest) || number == 0 || number > UINT32_MAX ||
        (rest[0] != ' ' && rest[0] != '\t') ||
        !links_parse(rest + strspn(rest, " \t"), &peer.address)) {
        return wrong(reader,
                     "%s = %s: write the peer's number, a blank, and its address, such as "
                     "2 192.0.2.10:7002 or 2 [2001:db8::1]:7002",
                     keys[key].name, value);
    }
    peer.number = (uint32_t)number;
    for (uint32_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i].number == peer.number) {
            return wrong(reader, "peer %u is there twice: take one of them out",
                         (unsigned)peer.number);
        }
    }
    if (config->peer_count >= DEVICE_GATEWAYS_MAX || config->peer_count >= LINKS_PEERS_MAX) {
        return wrong(reader, "more than %u gateways: take some out", DEVICE_GATEWAYS_MAX);
    }
    config->peers[config->peer_count++] = peer;
    return true;
}

static bool take_value(struct reader *reader, enum config_key key, const char *value)
{
    struct daemon_config *config = reader->config;
    switch (keys[key].kind) {
    case COUNT:
    case TIME:
        return take_number(reader, key, value);
    case FILE_NAME:
        return take_path(reader, key, value);
    case PEER:
        return take_peer(reader, key, value);
    case PLACE:
        if (value[0] == '\0' && keys[key].min == 0) {
            return true; /* none */
        }
        return links_parse(value, key == CONFIG_broker_listen ? &config->broker_listen
                                                              : &config->listen) ||
               wrong(reader, "%s = %s: write an address and a port, such as 0.0.0.0:7002",
                     keys[key].name, value);
    case HEX:
        return key_parse(value, config->device.cloud_key) ||
               wrong(reader, "%s: write %d hexadecimal digits", keys[key].name, 2 * KEY_BYTES);
    }
    return false;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static uint32_t u32(const struct daemon_config *config, enum config_key key)
{
    return (uint32_t)config->number[key];
}

static bool build_device(struct reader *reader, const struct port_crypto *crypto)
{
    struct daemon_config *config = reader->config;
    struct device_config *device = &config->device;
    device->id = u32(config, CONFIG_id);
    device->cloud = u32(config, CONFIG_cloud_id);
    for (uint32_t i = 0; i < config->peer_count; i++) {
        device->gateways[i] = config->peers[i].number;
    }
    device->gateway_count = config->peer_count;
    device->sample_every_us = config->number[CONFIG_sample_every];
    device->reserve = u32(config, CONFIG_reserve);
    device->outbox_max = u32(config, CONFIG_outbox);
    device->window = u32(config, CONFIG_window);
    device->backoff_base_us = config->number[CONFIG_backoff_base];
    device->backoff_cap_us = config->number[CONFIG_backoff_cap];
    device->ack_timeout_us = config->number[CONFIG_ack_timeout];
    device->watchdog_us = config->number[CONFIG_watchdog];
    device->keep_alive_s = (uint16_t)(config->number[CONFIG_keep_alive] / SECOND_US);
    config->flash = (struct flash_geometry){.sector_bytes = u32(config, CONFIG_flash_sector_bytes),
                                            .sector_count = u32(config, CONFIG_flash_sectors),
                                            .program_bytes = PROGRAM_BYTES,
                                            .erased_value = ERASED_VALUE};
    if (config->flash.sector_bytes % SLOT_SECTOR_BYTES_MIN != 0) {
        return wrong(reader, "flash_sector_bytes is no multiple of %d", SLOT_SECTOR_BYTES_MIN);
    }
    return key_file_read(config->path[CONFIG_keys], device->keys.seed, device->secret,
                         reader->error, CONFIG_ERROR_BYTES) &&
           (crypto->public_key(crypto->ctx, &device->keys) == ERR_OK ||
            wrong(reader, "the crypto library gives no public key"));
}

static bool build_gateway(struct reader *reader, const struct port_crypto *crypto)
{
    struct daemon_config *config = reader->config;
    struct gateway_config *gateway = &config->gateway;
    gateway->id = u32(config, CONFIG_id);
    gateway->cloud = config->peers[0].number;
    gateway->tenant = u32(config, CONFIG_tenant);
    gateway->policy_version = u32(config, CONFIG_policy_version);
    gateway->queue_max = u32(config, CONFIG_queue);
    gateway->queue_share_max = u32(config, CONFIG_share);
    gateway->sessions_max = u32(config, CONFIG_sessions);
    gateway->backoff_base_us = config->number[CONFIG_backoff_base];
    gateway->backoff_cap_us = config->number[CONFIG_backoff_cap];
    gateway->watchdog_us = config->number[CONFIG_watchdog];
    gateway->keep_alive_s = (uint16_t)(config->number[CONFIG_keep_alive] / SECOND_US);
    uint32_t count;
    if (!registry_file_read(config->path[CONFIG_devices], false, SERVER_DEVICES_MAX,
                            &config->devices, &count, reader->error, CONFIG_ERROR_BYTES) ||
        !key_file_read(config->path[CONFIG_keys], gateway->keys.seed, NULL, reader->error,
                       CONFIG_ERROR_BYTES)) {
        return false;
    }
    gateway->devices = (struct registry){config->devices, count};
    return crypto->public_key(crypto->ctx, &gateway->keys) == ERR_OK ||
           wrong(reader, "the crypto library gives no public key");
}

static bool build_cloud(struct reader *reader, const struct port_crypto *crypto)
{
    struct daemon_config *config = reader->config;
    struct cloud_config *cloud = &config->cloud;
    cloud->id = u32(config, CONFIG_id);
    cloud->window = u32(config, CONFIG_window);
    cloud->sessions_max = u32(config, CONFIG_sessions);
    cloud->watchdog_us = config->number[CONFIG_watchdog];
    uint32_t device_count, gateway_count;
    if (!registry_file_read(config->path[CONFIG_devices], true, SERVER_DEVICES_MAX,
                            &config->devices, &device_count, reader->error, CONFIG_ERROR_BYTES) ||
        !registry_file_read(config->path[CONFIG_gateways], false, SERVER_SESSIONS_MAX,
                            &config->gateways, &gateway_count, reader->error, CONFIG_ERROR_BYTES) ||
        !key_file_read(config->path[CONFIG_keys], cloud->keys.seed, NULL, reader->error,
                       CONFIG_ERROR_BYTES)) {
        return false;
    }
    cloud->devices = (struct registry){config->devices, device_count};
    cloud->gateways = (struct registry){config->gateways, gateway_count};
    return crypto->public_key(crypto->ctx, &cloud->keys) == ERR_OK ||
           wrong(reader, "the crypto library gives no public key");
}

/* Of a gateway, if it has one. */
static bool build_broker(struct reader *reader)
{
    struct daemon_config *config = reader->config;
    if (config->broker_listen.size_bytes == 0) {
        for (unsigned i = CONFIG_broker_listen + 1; i <= CONFIG_broker_keep_alive; i++) {
            if (reader->there[i]) {
                return wrong(reader,
                             "%s is there without broker_listen: say where it listens, or "
                             "take it out",
                             keys[i].name);
            }
        }
        return true;
    }
    const char *users = config->path[CONFIG_broker_users];
    if (users[0] != '\0' &&
        !user_file_read(users, &config->users, reader->error, CONFIG_ERROR_BYTES)) {
        return false;
    }
    config->broker = (struct broker_config){
        .durable = config->number[CONFIG_broker_durable] != 0,
        .connections_max = u32(config, CONFIG_broker_connections),
        .sessions_max = u32(config, CONFIG_broker_sessions),
        .subscriptions_max = u32(config, CONFIG_broker_subscriptions),
        .messages_max = u32(config, CONFIG_broker_messages),
        .copies_max = u32(config, CONFIG_broker_copies),
        .retained_max = u32(config, CONFIG_broker_retained),
        .queue_max = u32(config, CONFIG_broker_queue),
        .session_expiry_max_s =
            (uint32_t)(config->number[CONFIG_broker_session_expiry] / SECOND_US),
        .keep_alive_max_s = (uint16_t)(config->number[CONFIG_broker_keep_alive] / SECOND_US),
        .receive_maximum = MQTT_INFLIGHT_MAX,
        .users = config->users.users,
        .user_count = config->users.count};
    return true;
}

bool daemon_config_tls(const struct daemon_config *config, struct tls_files *files)
{
    *files = (struct tls_files){.authority = config->path[CONFIG_tls_authority],
                                .certificate = config->path[CONFIG_tls_certificate],
                                .key = config->path[CONFIG_tls_key],
                                .revoked = config->path[CONFIG_tls_revoked]};
    return files->authority[0] != '\0';
}

/* All of it or nothing, and it can be opened: a node never goes on in the clear by mistake. */
static bool check_tls(struct reader *reader)
{
    struct tls_files files;
    struct tls tls;
    const bool any = daemon_config_tls(reader->config, &files) || files.certificate[0] != '\0' ||
                     files.key[0] != '\0' || files.revoked[0] != '\0';
    if (!any) {
        return true;
    }
    if (files.authority[0] == '\0' || files.certificate[0] == '\0' || files.key[0] == '\0') {
        return wrong(reader, "tls_authority, tls_certificate and tls_key go together: give all of "
                             "them, or none for links in the clear");
    }
    if (!tls_open(&tls, &files, reader->error, CONFIG_ERROR_BYTES)) {
        return false;
    }
    tls_free(&tls);
    return true;
}

bool daemon_config_descriptors(const struct daemon_config *config, char *error)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)config->number[CONFIG_sessions] + LINKS_SPARE + FILES_BESIDE;
    if (config->broker_listen.size_bytes > 0) {
        needed += (rlim_t)config->number[CONFIG_broker_connections] + LINKS_SPARE;
    }
    if (config->role == EVIDENCE_OF_DEVICE || getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur >= needed) {
        return true;
    }
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    if (limit.rlim_cur >= needed && setrlimit(RLIMIT_NOFILE, &limit) == 0) {
        return true;
    }
    snprintf(
        error, CONFIG_ERROR_BYTES,
        "links and files may need %u descriptors, and the system grants %u: lower `sessions`%s, "
        "or raise the limit (ulimit -Hn, LimitNOFILE of systemd)",
        (unsigned)needed, (unsigned)limit.rlim_max,
        config->broker_listen.size_bytes > 0 ? " or `broker_connections`" : "");
    return false;
}

static bool finish(struct reader *reader, const struct port_crypto *crypto)
{
    struct daemon_config *config = reader->config;
    const uint32_t bit = role_bit(config->role);
    for (unsigned i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct key *key = &keys[i];
        const bool needed =
            has_number(key) ? key->kind == COUNT && key->standard < key->min : key->min == 1;
        if ((key->roles & bit) != 0 && needed && !reader->there[i]) {
            return wrong(reader, "there is no line `%s = ...`: %s", key->name, key->doc);
        }
    }
    if ((bit & OF_SENDERS) != 0 &&
        config->number[CONFIG_backoff_base] > config->number[CONFIG_backoff_cap]) {
        return wrong(reader, "backoff_base is above backoff_cap: lower it");
    }
    if (!check_tls(reader) || !daemon_config_descriptors(config, reader->error)) {
        return false;
    }
    switch (config->role) {
    case EVIDENCE_OF_DEVICE:
        return build_device(reader, crypto);
    case EVIDENCE_OF_GATEWAY:
        return build_gateway(reader, crypto) && build_broker(reader);
    case EVIDENCE_OF_CLOUD:
        return build_cloud(reader, crypto);
    }
    return false;
}

uint32_t daemon_config_id(const struct daemon_config *config)
{
    return u32(config, CONFIG_id);
}

void daemon_config_header(const struct daemon_config *config, struct evidence_header *header)
{
    *header = (struct evidence_header){.role = config->role, .node = u32(config, CONFIG_id)};
    switch (config->role) {
    case EVIDENCE_OF_DEVICE:
        header->window = config->device.window;
        header->outbox = config->device.outbox_max;
        header->reserve = config->device.reserve;
        header->sample_us = config->device.sample_every_us;
        break;
    case EVIDENCE_OF_GATEWAY:
        header->queue = config->gateway.queue_max;
        break;
    case EVIDENCE_OF_CLOUD:
        header->window = config->cloud.window;
        break;
    }
}

void daemon_config_help(enum evidence_role role, FILE *file)
{
    static const char *const kinds[] = {"NUMBER", "TIME", "PATH", "ADDRESS", "KEY", "PEER"};
    for (unsigned i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct key *key = &keys[i];
        char standard[32] = "";
        if ((key->roles & role_bit(role)) == 0) {
            continue;
        }
        const bool needed = has_number(key) ? key->standard < key->min : key->min == 1;
        if (has_number(key) && !needed) {
            print_value(key, standard_of(key), standard, sizeof standard);
        }
        fprintf(file, "  %-18s %-8s %s%s%s%s\n", key->name, kinds[key->kind], key->doc,
                needed                ? " (must be there)"
                : standard[0] != '\0' ? " ("
                                      : "",
                needed ? "" : standard, needed || standard[0] == '\0' ? "" : ")");
    }
}
