/* What must hold between the bounds, whatever their values: part of limits.h, and of the shrunk
 * one of core/test/tiny. */
#ifndef BROWNOUT_CORE_LIMITS_CHECK_H
#define BROWNOUT_CORE_LIMITS_CHECK_H

_Static_assert(ENVELOPE_BYTES_MAX <= STORE_RECORD_BYTES_MAX, "an envelope fits a record");
_Static_assert(ENVELOPE_BYTES_MAX < FORWARD_BYTES_MAX, "a forward wraps an envelope");
_Static_assert(FORWARD_BYTES_MAX + 128u <= MQTT_PACKET_BYTES_MAX, "a forward fits a packet");
_Static_assert(MQTT_PACKET_BYTES_MAX <= LINK_SEND_BYTES_MAX, "a packet fits the send buffer");
_Static_assert(OUTBOX_MAX + 8u <= STORE_RECORDS_MAX, "a full outbox leaves room for state");
_Static_assert(OUTBOX_MAX < COUNTER_SPAN_MAX, "a full outbox fits the span");
_Static_assert(WINDOW_BITS_MAX % 8u == 0u, "a window is whole bytes");

#endif
