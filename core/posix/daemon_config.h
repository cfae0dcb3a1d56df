/* The configuration of a daemon: a file of `key = value` lines.
 *
 *   # a comment; blank lines are passed over
 *   id = 7
 *   sample_every = 60s
 *   gateway = 2 192.0.2.10:7002
 *
 * Each key comes once, but for `gateway` of a device, which may come DEVICE_GATEWAYS_MAX times.
 * Times are whole numbers with us, ms, s, m, h or d. Paths that do not begin with / are relative to
 * the file's own folder. What is wrong is told with file, line and what to do. A line has
 * CONFIG_LINE_BYTES_MAX bytes at the most, a file CONFIG_LINES_MAX lines.
 */
#ifndef BROWNOUT_CORE_POSIX_DAEMON_CONFIG_H
#define BROWNOUT_CORE_POSIX_DAEMON_CONFIG_H

#include <stdio.h>

#include "core/device.h"
#include "core/posix/evidence_line.h"
#include "core/posix/links.h"
#include "core/posix/user_file.h"
#include "core/server/cloud.h"
#include "core/server/gateway.h"

enum {
    CONFIG_LINE_BYTES_MAX = 512,
    CONFIG_LINES_MAX = 1000,
    CONFIG_PATH_BYTES = 1024,
    CONFIG_ERROR_BYTES = 2048,
};

/* Whose key it is. */
enum { OF_DEVICE = 1, OF_GATEWAY = 2, OF_CLOUD = 4, OF_SERVERS = 6, OF_SENDERS = 3, OF_ALL = 7 };

/* X(name, roles, KIND, default, min, max, "doc")
 * COUNT: a number. TIME: microseconds. FILE_NAME, PLACE, HEX, PEER: no number; here min 1 says that
 * the key must be there. A COUNT whose default is below its min must be there as well. */
#define CONFIG_KEY_LIST(X)                                                                         \
    X(id, OF_ALL, COUNT, 0, 1, UINT32_MAX, "number of this node")                                  \
    X(state, OF_ALL, FILE_NAME, 0, 1, 0, "folder that this node alone writes; made if missing")    \
    X(keys, OF_ALL, FILE_NAME, 0, 1, 0,                                                            \
      "file with `seed` (and, of a device, `secret`): 64 hexadecimal digits each; mode 0600")      \
    X(tls_authority, OF_ALL, FILE_NAME, 0, 0, 0,                                                   \
      "PEM: who signs the certificates of the fleet; with it each link is TLS 1.3, both ends "     \
      "verified; empty: links are in the clear")                                                   \
    X(tls_certificate, OF_ALL, FILE_NAME, 0, 0, 0,                                                 \
      "PEM: of this node; it names node-N.brownout, N being its number")                           \
    X(tls_key, OF_ALL, FILE_NAME, 0, 0, 0, "PEM: of the certificate")                              \
    X(tls_revoked, OF_ALL, FILE_NAME, 0, 0, 0, "PEM: list of revoked certificates; empty: none")   \
    X(evidence, OF_ALL, FILE_NAME, 0, 0, 0, "evidence log, for brownout judge; empty: none")       \
    X(evidence_bytes_max, OF_ALL, COUNT, 1073741824, 65536, UINT64_C(1) << 50,                     \
      "the log ends when it is so long, and says so")                                              \
    X(metrics, OF_ALL, FILE_NAME, 0, 0, 0,                                                         \
      "Prometheus text, written anew every metrics_every, as node_exporter's textfile collector "  \
      "reads it; empty: none")                                                                     \
    X(metrics_every, OF_ALL, TIME, 10000000, 100000, 86400000000, "period of the metrics file")    \
    X(clock_step_max, OF_ALL, TIME, 1000000, 1000, 86400000000,                                    \
      "a jump of the wall clock beyond it is an alert")                                            \
    X(sensor, OF_DEVICE, FILE_NAME, 0, 1, 0, "file whose first number is a reading")               \
    X(cloud_id, OF_DEVICE, COUNT, 1, 1, UINT32_MAX, "number of the cloud")                         \
    X(cloud_key, OF_DEVICE, HEX, 0, 1, 0, "the cloud's public key: 64 hexadecimal digits")         \
    X(gateway, OF_DEVICE, PEER, 0, 1, 0, "number and address of a gateway: 2 192.0.2.10:7002")     \
    X(cloud, OF_GATEWAY, PEER, 0, 1, 0, "number and address of the cloud: 1 192.0.2.1:7001")       \
    X(listen, OF_SERVERS, PLACE, 0, 1, 0, "address to take links at: 0.0.0.0:7002")                \
    X(devices, OF_SERVERS, FILE_NAME, 0, 1, 0,                                                     \
      "registry: a line `number public_key` for each device, ascending; a cloud's has the secret " \
      "behind it, and mode 0600")                                                                  \
    X(gateways, OF_CLOUD, FILE_NAME, 0, 1, 0,                                                      \
      "registry: a line `number public_key` for each gateway")                                     \
    X(sample_every, OF_DEVICE, TIME, 60000000, 100000, 86400000000, "period of readings")          \
    X(reserve, OF_DEVICE, COUNT, 32, 1, RESERVE_MAX, "counters reserved by one flash write")       \
    X(outbox, OF_DEVICE, COUNT, OUTBOX_MAX, 1, OUTBOX_MAX, "unacked readings kept")                \
    X(window, OF_DEVICE | OF_CLOUD, COUNT, 64, 1, WINDOW_BITS_MAX,                                 \
      "replay window in bits; a device's is at most the cloud's")                                  \
    X(flash_sectors, OF_DEVICE, COUNT, 32, 4, STORE_SECTORS_MAX, "sectors of the flash file")      \
    X(flash_sector_bytes, OF_DEVICE, COUNT, 4096, 1024, 65536, "bytes of a sector")                \
    X(ack_timeout, OF_DEVICE, TIME, 180000000, 1000000, 86400000000,                               \
      "reconnect when the cloud has not acked for so long")                                        \
    X(tenant, OF_GATEWAY, COUNT, 1, 0, UINT32_MAX, "policy tag")                                   \
    X(policy_version, OF_GATEWAY, COUNT, 1, 0, UINT32_MAX, "policy tag")                           \
    X(queue, OF_GATEWAY, COUNT, 1024, 1, GATEWAY_QUEUE_MAX, "messages in custody")                 \
    X(share, OF_GATEWAY, COUNT, 256, 1, GATEWAY_QUEUE_MAX, "messages of one device in custody")    \
    X(sessions, OF_SERVERS, COUNT, 128, 1, SERVER_SESSIONS_MAX, "sessions at once")                \
    X(links_from_address, OF_SERVERS, COUNT, 0, 0, BROKER_SESSIONS_MAX,                            \
      "links from one address at once, an IPv6 one's /64; 0: as many as there is place for")       \
    X(backoff_base, OF_SENDERS, TIME, 1000000, 1000, 3600000000, "first reconnect delay, at most") \
    X(backoff_cap, OF_SENDERS, TIME, 120000000, 1000, 86400000000, "reconnect delay, at most")     \
    X(keep_alive, OF_SENDERS, TIME, 60000000, 1000000, 65535000000, "MQTT keep alive, in seconds") \
    X(watchdog, OF_ALL, TIME, 120000000, 0, 86400000000, "reset unless fed for so long; 0: none")  \
    X(broker_listen, OF_GATEWAY, PLACE, 0, 0, 0,                                                   \
      "address of a broker for any MQTT 5 client of the site: 0.0.0.0:1883; empty: none")          \
    X(broker_tls, OF_GATEWAY, COUNT, 1, 0, 1,                                                      \
      "1: TLS as on the other links, if those have it; 0: in the clear")                           \
    X(broker_users, OF_GATEWAY, FILE_NAME, 0, 0, 0,                                                \
      "file with a line `name password` for each user of the broker, mode 0600; empty: anyone "    \
      "may "                                                                                       \
      "connect")                                                                                   \
    X(broker_durable, OF_GATEWAY, COUNT, 1, 0, 1,                                                  \
      "1: sessions and retained messages outlive the process (broker.db in `state`); 0: not")      \
    X(broker_connections, OF_GATEWAY, COUNT, 1024, 1, BROKER_SESSIONS_MAX, "clients at once")      \
    X(broker_sessions, OF_GATEWAY, COUNT, 2048, 1, BROKER_SESSIONS_MAX,                            \
      "sessions, connected or not")                                                                \
    X(broker_subscriptions, OF_GATEWAY, COUNT, 8192, 1, BROKER_POOL_MAX, "of all sessions")        \
    X(broker_messages, OF_GATEWAY, COUNT, 8192, 1, BROKER_POOL_MAX, "messages held, of 1 kB each") \
    X(broker_copies, OF_GATEWAY, COUNT, 16384, 1, BROKER_POOL_MAX,                                 \
      "copies of messages, waiting or in flight, of all sessions")                                 \
    X(broker_retained, OF_GATEWAY, COUNT, 1024, 1, BROKER_POOL_MAX, "retained messages")           \
    X(broker_queue, OF_GATEWAY, COUNT, 1024, 1, BROKER_POOL_MAX,                                   \
      "copies that wait for one session; one more is dropped and counted")                         \
    X(broker_session_expiry, OF_GATEWAY, TIME, 86400000000, 0, 31536000000000,                     \
      "a session outlives its connection for so long at the most")                                 \
    X(broker_keep_alive, OF_GATEWAY, TIME, 0, 0, 65535000000,                                      \
      "MQTT keep alive that clients get at the most, in seconds; 0: as they like")

enum config_key {
#define CONFIG_KEY_ENUM(name, roles, kind, standard, min, max, doc) CONFIG_##name,
    CONFIG_KEY_LIST(CONFIG_KEY_ENUM)
#undef CONFIG_KEY_ENUM
        CONFIG_KEY_COUNT
};

struct daemon_config {
    enum evidence_role role;
    char folder[CONFIG_PATH_BYTES]; /* of the file */
    uint64_t number[CONFIG_KEY_COUNT];
    char path[CONFIG_KEY_COUNT][CONFIG_PATH_BYTES]; /* FILE_NAME, resolved; "": none */
    struct links_address listen;
    struct links_address broker_listen; /* size_bytes 0: there is no broker */
    struct links_peer peers[LINKS_PEERS_MAX];
    uint32_t peer_count;
    struct flash_geometry flash; /* a server's has no sectors */
    /* Of the role: one of them. */
    struct device_config device;
    struct gateway_config gateway;
    struct cloud_config cloud;
    struct registry_entry *devices, *gateways; /* owned; NULL: none */
    struct broker_config broker;               /* beside the role, if broker_listen is there */
    struct user_file users;                    /* owned */
};

/* Read the file and those that it names, and derive public keys by `crypto`. False: `error`
 * (CONFIG_ERROR_BYTES) says where and what to do. To be freed in any case. */
bool daemon_config_read(struct daemon_config *config, enum evidence_role role, const char *path,
                        const struct port_crypto *crypto, char *error);
void daemon_config_free(struct daemon_config *config);

/* What TLS is to be opened with; borrowed from config. False: links are in the clear. */
bool daemon_config_tls(const struct daemon_config *config, struct tls_files *files);

/* Let this process have as many descriptors as its links and its files may need. False: the system
 * does not; `error` (CONFIG_ERROR_BYTES) says what to do. */
bool daemon_config_descriptors(const struct daemon_config *config, char *error);

uint32_t daemon_config_id(const struct daemon_config *config);
/* What the evidence log says of this node. */
void daemon_config_header(const struct daemon_config *config, struct evidence_header *header);
/* The keys of a role, with their defaults, for --help. */
void daemon_config_help(enum evidence_role role, FILE *file);

#endif
