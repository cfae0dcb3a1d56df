#include "sim/node.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/node_memory.h"
#include "sim/operation.h"

enum { POISON_BYTES = 4099 /* prime: no stride repeats */ };

/* The node whose step is under way: check_failed() has no other way to know. One thread, one world
 * at a time steps. */
static struct node *stepping_node;

void node_check_failed(const char *file, int line, const char *what)
{
    struct node *node = stepping_node;
    if (node == NULL || !node->stepping) {
        return;
    }
    if (node->fall == NODE_STANDS) {
        operation_check_text(node, file, line, what);
    }
    operation_leave(node);
}

bool node_up(const struct node *node)
{
    return node->memory != NULL;
}

bool node_arm(struct node *node, uint32_t entry)
{
    if (node->trigger_count == NODE_TRIGGERS_MAX) {
        return false;
    }
    node->triggers[node->trigger_count++] =
        (struct node_trigger){entry, node->stage->plan->entries[entry].nth};
    return true;
}

/* SQLite's generator is one for the process: reset, it draws anew from the stepping node's stream.
 */
static void enter(struct node *node, uint64_t now_us)
{
    node->start_us = now_us;
    node->elapsed_us = operation_charges(node)->step_us;
    node->calls = node->dead_calls = 0;
    node->fall = NODE_STANDS;
    node->fall_entry = PLAN_ANY;
    node->reset_asked = false;
    node->said_boot = false;
    node->in_disk = false;
    node->stepping = true;
    stepping_node = node;
    if (node->disk != NULL) {
        disk_set_current(node->disk);
        disk_reset_randomness();
    }
}

static enum node_fall depart(struct node *node)
{
    node->stepping = false;
    stepping_node = NULL;
    if (node->disk != NULL) {
        disk_set_current(NULL);
    }
    node->busy_until_us = node_instant(node);
    if (node->stage->check_text[0] != '\0' && node->fall == NODE_STANDS) {
        node->fall = NODE_PROCESS_DIED;
    }
    return node->fall;
}

/* Fresh RAM holds anything: a block of noise of this boot, over and over. */
static void poison(struct node *node)
{
    uint8_t *bytes = node->memory;
    const size_t block = node->memory_bytes < POISON_BYTES ? node->memory_bytes : POISON_BYTES;
    struct random_stream stream = {random_at(node->poison_key, node->boots), 0};
    random_bytes(&stream, bytes, (uint32_t)block);
    for (size_t at = block; at < node->memory_bytes; at += block) {
        const size_t left = node->memory_bytes - at;
        memcpy(bytes + at, bytes, left < block ? left : block);
    }
}

enum node_fall node_boot(struct node *node, uint64_t now_us)
{
    CHECK(node->memory == NULL);
    node->boots++;
    node->running = SLOT_NONE;
    node->told_outbox = false;
    node->told_answers = 0;
    node->memory = malloc(node->memory_bytes);
    CHECK(node->memory != NULL);
    poison(node);
    node->watchdog_at_us = UINT64_MAX;
    enter(node, now_us);
    if (setjmp(node->escape) == 0) {
        node->role->init(node->memory, node->config, &node->port);
    }
    return depart(node);
}

enum node_fall node_step(struct node *node, uint64_t now_us, const struct event *event)
{
    CHECK(node->memory != NULL);
    enter(node, now_us);
    if (setjmp(node->escape) == 0) {
        node->role->step(node->memory, &node->port, event);
    }
    return depart(node);
}

void node_fall(struct node *node, enum node_fall fallen, uint64_t key)
{
    if (node->disk != NULL) {
        node->disk->faults.dead = true;
    }
    if (node->memory != NULL && node->role->drop != NULL) {
        node->role->drop(node->memory);
    }
    free(node->memory);
    node->memory = NULL;
    if (node->disk != NULL) {
        node->disk->faults.dead = false;
        if (fallen == NODE_PROCESS_DIED) {
            disk_crash(node->disk);
        } else if (fallen == NODE_DISK_LOST) {
            disk_erase(node->disk);
        } else {
            disk_power_loss(node->disk, key);
        }
    }
    node_memory_fall(node, fallen, key);
    node->watchdog_at_us = UINT64_MAX;
    node->timer_generation++;
    node->watchdog_generation++;
    node->busy_until_us = 0;
}
