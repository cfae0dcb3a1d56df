/* The bounds of core/limits.h, shrunk so that what is rare there is common here: full outboxes and
 * queues, wrapped rings, links that say "later", counters that run out of their reserve. Sizes of
 * what is encoded stay, because the formats do. */
#ifndef BROWNOUT_CORE_LIMITS_H
#define BROWNOUT_CORE_LIMITS_H

#define ENVELOPE_BYTES_MAX    384u
#define FORWARD_BYTES_MAX     640u
#define MQTT_PACKET_BYTES_MAX 768u /* the smallest that holds a forward */
#define MQTT_STRING_BYTES_MAX 32u
#define MQTT_INFLIGHT_MAX     2u
#define MQTT_REQUESTS_MAX     2u
#define LINK_SEND_BYTES_MAX   768u /* one packet of the largest size, and no second */

#define STORE_RECORD_BYTES_MAX 448u
#define STORE_RECORDS_MAX      16u
#define STORE_SECTORS_MAX      16u

#define OUTBOX_MAX          8u
#define COUNTER_SPAN_MAX    64u
#define RESERVE_MAX         4u
#define WINDOW_BITS_MAX     16u
#define DEVICE_GATEWAYS_MAX 2u

#define BROKER_TEXT_BYTES_MAX 32u
#define BROKER_POOL_MAX       65536u
#define BROKER_SESSIONS_MAX   8u
#define SERVER_SESSIONS_MAX   8u
#define SERVER_DEVICES_MAX    64u
#define GATEWAY_QUEUE_MAX     16u
#define SERVER_RELEASES_MAX   4u

#define MANIFEST_ENVELOPE_BYTES_MAX 224u
#define MANIFEST_DEPENDENCIES_MAX   4u
#define COMPONENTS_MAX              2u
#define SECURITY_LEAP_MAX           4u

#include "core/limits_check.h"

#endif
