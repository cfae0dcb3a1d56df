#include "core/mqtt/receiver.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"

void mqtt_receiver_init(struct mqtt_receiver *receiver, uint16_t receive_maximum)
{
    CHECK(receive_maximum >= 1);
    CHECK(receive_maximum <= MQTT_INFLIGHT_MAX);
    memset(receiver, 0, sizeof *receiver);
    receiver->receive_maximum = receive_maximum;
}

static struct mqtt_arrival *arrival_find(struct mqtt_receiver *receiver, uint16_t packet_id,
                                         uint8_t qos)
{
    for (uint32_t index = 0; index < receiver->count; index++) {
        struct mqtt_arrival *arrival = &receiver->arrivals[index];
        if (arrival->packet_id == packet_id && arrival->qos == qos) {
            return arrival;
        }
    }
    return NULL;
}

static void arrival_remove(struct mqtt_receiver *receiver, const struct mqtt_arrival *arrival)
{
    const uint32_t index = (uint32_t)(arrival - receiver->arrivals);
    CHECK(index < receiver->count);
    receiver->count--;
    memmove(receiver->arrivals + index, receiver->arrivals + index + 1,
            (receiver->count - index) * sizeof receiver->arrivals[0]);
    receiver->arrivals[receiver->count] = (struct mqtt_arrival){0};
}

static void arrival_add(struct mqtt_receiver *receiver, struct mqtt_arrival arrival)
{
    CHECK(receiver->count < MQTT_ARRIVALS_MAX);
    receiver->arrivals[receiver->count++] = arrival;
}

bool mqtt_arrival_owned(const struct mqtt_arrival *arrival)
{
    return arrival->qos == 2 &&
           (arrival->state == MQTT_ARRIVAL_ACCEPTED ||
            (arrival->state == MQTT_ARRIVAL_ANSWERED && arrival->reason < MQTT_UNSPECIFIED_ERROR));
}

enum err mqtt_receiver_restore(struct mqtt_receiver *receiver, uint16_t packet_id)
{
    if (packet_id == 0 || arrival_find(receiver, packet_id, 2) != NULL) {
        return ERR_CORRUPT;
    }
    if (receiver->count == MQTT_ARRIVALS_MAX) {
        return ERR_FULL;
    }
    arrival_add(receiver, (struct mqtt_arrival){
                              .packet_id = packet_id, .qos = 2, .state = MQTT_ARRIVAL_ACCEPTED});
    return ERR_OK;
}

void mqtt_receiver_disconnected(struct mqtt_receiver *receiver)
{
    for (uint32_t index = receiver->count; index > 0; index--) {
        struct mqtt_arrival *arrival = &receiver->arrivals[index - 1];
        arrival->counted = false;
        if (mqtt_arrival_owned(arrival)) {
            arrival->state = MQTT_ARRIVAL_ACCEPTED;
        } else if (arrival->qos == 1 || arrival->state == MQTT_ARRIVAL_ANSWERED) {
            arrival_remove(receiver, arrival);
        }
    }
}

void mqtt_receiver_discard(struct mqtt_receiver *receiver)
{
    mqtt_receiver_init(receiver, receiver->receive_maximum);
}

static bool room_left(const struct mqtt_receiver *receiver)
{
    uint32_t counted = 0;
    for (uint32_t index = 0; index < receiver->count; index++) {
        counted += receiver->arrivals[index].counted;
    }
    return counted < receiver->receive_maximum && receiver->count < MQTT_ARRIVALS_MAX;
}

/* QoS 2, and not the first time [MQTT-4.3.3-10]. */
static uint8_t publish_again(struct mqtt_receiver *receiver, const struct mqtt_arrival *found)
{
    struct mqtt_arrival arrival = *found;
    if (arrival.counted && arrival.state != MQTT_ARRIVAL_ACCEPTED) {
        return MQTT_SUCCESS; /* its PUBREC is still to come, and answers this one as well */
    }
    arrival_remove(receiver, found);
    if (!arrival.counted && !room_left(receiver)) {
        arrival_add(receiver, arrival);
        return MQTT_RECEIVE_MAXIMUM_EXCEEDED;
    }
    arrival.counted = true;
    if (arrival.state == MQTT_ARRIVAL_ACCEPTED) {
        arrival.state = MQTT_ARRIVAL_ANSWERED;
        arrival.reason = MQTT_SUCCESS;
    }
    arrival_add(receiver, arrival);
    return MQTT_SUCCESS;
}

uint8_t mqtt_receiver_publish(struct mqtt_receiver *receiver, const struct mqtt_packet *packet,
                              enum mqtt_arrived *arrived)
{
    CHECK(packet->type == MQTT_PUBLISH);
    CHECK(packet->qos <= 2);
    *arrived = MQTT_ARRIVED_NEW;
    if (packet->qos == 0) {
        return MQTT_SUCCESS;
    }
    const struct mqtt_arrival *found = arrival_find(receiver, packet->packet_id, packet->qos);
    if (found != NULL && packet->qos == 2) {
        *arrived = MQTT_ARRIVED_AGAIN;
        return publish_again(receiver, found);
    }
    if (found != NULL) { /* sent again on a live connection [MQTT-4.4.0-1], or not unused */
        return MQTT_PROTOCOL_ERROR;
    }
    if (!room_left(receiver)) {
        return MQTT_RECEIVE_MAXIMUM_EXCEEDED;
    }
    struct mqtt_arrival arrival = {.packet_id = packet->packet_id,
                                   .qos = packet->qos,
                                   .state = MQTT_ARRIVAL_PENDING,
                                   .counted = true};
    const uint8_t other_qos = packet->qos == 1 ? 2 : 1;
    if (arrival_find(receiver, packet->packet_id, other_qos) != NULL) {
        arrival.state = MQTT_ARRIVAL_ANSWERED; /* section 3.4.2.1: the two ends differ */
        arrival.reason = MQTT_PACKET_IDENTIFIER_IN_USE;
        *arrived = MQTT_ARRIVED_AGAIN;
    }
    arrival_add(receiver, arrival);
    return MQTT_SUCCESS;
}

bool mqtt_receiver_answer(struct mqtt_receiver *receiver, uint16_t packet_id, uint8_t qos,
                          uint8_t reason)
{
    struct mqtt_arrival *arrival = arrival_find(receiver, packet_id, qos);
    if (arrival == NULL || arrival->state != MQTT_ARRIVAL_PENDING) {
        return false;
    }
    if (arrival->counted) {
        arrival->state = MQTT_ARRIVAL_ANSWERED;
        arrival->reason = reason;
    } else if (reason >= MQTT_UNSPECIFIED_ERROR) { /* should it come again, it is new */
        arrival_remove(receiver, arrival);
    } else {
        arrival->state = MQTT_ARRIVAL_ACCEPTED;
    }
    return true;
}

/* The first that came on this connection and is not acknowledged, or count. */
static uint32_t first_open(const struct mqtt_receiver *receiver)
{
    uint32_t index = 0;
    while (index < receiver->count && (!receiver->arrivals[index].counted ||
                                       receiver->arrivals[index].state == MQTT_ARRIVAL_ACCEPTED)) {
        index++;
    }
    return index;
}

bool mqtt_receiver_due(const struct mqtt_receiver *receiver, struct mqtt_arrival *next)
{
    const uint32_t index = first_open(receiver);
    if (index == receiver->count || receiver->arrivals[index].state != MQTT_ARRIVAL_ANSWERED) {
        return false;
    }
    *next = receiver->arrivals[index];
    return true;
}

void mqtt_receiver_acked(struct mqtt_receiver *receiver)
{
    const uint32_t index = first_open(receiver);
    CHECK(index < receiver->count);
    struct mqtt_arrival *arrival = &receiver->arrivals[index];
    CHECK(arrival->state == MQTT_ARRIVAL_ANSWERED);
    if (arrival->qos == 1 || arrival->reason >= MQTT_UNSPECIFIED_ERROR) { /* [MQTT-4.3.3-9] */
        arrival_remove(receiver, arrival);
    } else {
        arrival->state = MQTT_ARRIVAL_ACCEPTED;
    }
}

uint8_t mqtt_receiver_release(struct mqtt_receiver *receiver, uint16_t packet_id)
{
    const struct mqtt_arrival *arrival = arrival_find(receiver, packet_id, 2);
    if (arrival == NULL) {
        return MQTT_PACKET_IDENTIFIER_NOT_FOUND;
    }
    if (arrival->state != MQTT_ARRIVAL_ACCEPTED) {
        return MQTT_PROTOCOL_ERROR;
    }
    arrival_remove(receiver, arrival); /* the next with this identifier is new [MQTT-4.3.3-12] */
    return MQTT_SUCCESS;
}
