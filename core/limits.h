/* Every bound of core, with its unit and its reason.
 * A configuration may ask for less, never for more. The preset `tiny` puts another limits.h first
 * on the include path (core/test/tiny), so that full queues and wrapped rings are common.
 */
#ifndef BROWNOUT_CORE_LIMITS_H
#define BROWNOUT_CORE_LIMITS_H

#define ENVELOPE_BYTES_MAX    384u /* one COSE_Sign1 of a device: 64 signature + about 90 payload */
#define FORWARD_BYTES_MAX     640u /* a gateway's envelope around a device's */
#define MQTT_PACKET_BYTES_MAX 1024u /* whole packet: Maximum Packet Size */
#define MQTT_STRING_BYTES_MAX 64u   /* topics, client ids and authentication methods */
#define MQTT_INFLIGHT_MAX     32u   /* QoS 1 messages unacknowledged, each way (Receive Maximum) */
#define MQTT_REQUESTS_MAX     8u    /* SUBSCRIBEs and UNSUBSCRIBEs unanswered */
#define LINK_SEND_BYTES_MAX   4096u /* bytes held back for a link that says "later" */

#define STORE_RECORD_BYTES_MAX 448u /* payload of one record: an envelope and its frame */
#define STORE_RECORDS_MAX      320u /* live records: outbox, reserve, epoch, floor */
#define STORE_SECTORS_MAX      64u  /* sectors that a store may span */

#define OUTBOX_MAX          256u  /* unacked readings that a device keeps */
#define COUNTER_SPAN_MAX    4096u /* newest minus oldest unacked counter; skips of reserves count */
#define RESERVE_MAX         1024u /* counters reserved by one flash write */
#define WINDOW_BITS_MAX     256u  /* replay window; also bits of an acknowledgement */
#define DEVICE_GATEWAYS_MAX 8u    /* gateways that a device may roam between */

#define BROKER_TEXT_BYTES_MAX 128u   /* client ids, topics and filters of any client */
#define BROKER_POOL_MAX       65536u /* subscriptions, messages, copies, retained messages */
#define BROKER_SESSIONS_MAX   16384u /* connections, and sessions, of a broker at once */
#define SERVER_SESSIONS_MAX   512u   /* sessions of a gateway or a cloud at once */
#define SERVER_DEVICES_MAX    4096u  /* devices in a registry */
#define GATEWAY_QUEUE_MAX     8192u  /* messages in custody */
#define SERVER_RELEASES_MAX   16u    /* releases that a cloud has to offer at once */

#define MANIFEST_ENVELOPE_BYTES_MAX 224u /* 124 of manifest, 84 around; two fit 512 of flash */
#define MANIFEST_DEPENDENCIES_MAX   4u   /* components that an image may rely on */
#define COMPONENTS_MAX              8u   /* components that a device may have */
#define SECURITY_LEAP_MAX           64u  /* levels by which an image may raise the security floor */

#include "core/limits_check.h" /* what must hold between them */

#endif
