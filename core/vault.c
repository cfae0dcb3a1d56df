#include "core/vault.h"

#include <string.h>

#include "core/cbor.h"
#include "core/check.h"
#include "core/evidence.h"
#include "core/record_id.h"

enum { KEY_RECORD_BYTES_MAX = 1 + 5 + 5 + (2 + KEY_BYTES), POLICY_RECORD_BYTES_MAX = 1 + 5 + 9 };

_Static_assert((uint32_t)KEY_RECORD_BYTES_MAX <= RECORD_OTHERS_BYTES_MAX,
               "the outbox keeps it free");

enum { SAY_STAGED = 0, SAY_IN_FORCE = 1 };

static enum err load_key(struct vault *vault, const struct store *store, const struct port *port);
static enum err load_next(struct vault *vault, const struct store *store, const struct port *port);
static enum err load_policy(struct vault *vault, const struct store *store,
                            const struct port *port);
static enum err key_read(const struct vault *vault, const struct store *store,
                         const struct port *port, uint64_t record, struct key_pair *pair,
                         uint32_t *generation) MUST_USE;
static enum err key_put(const struct vault *vault, struct store *store, const struct port *port,
                        uint64_t record, const struct key_pair *pair) MUST_USE;
static void say(const struct vault *vault, const struct port *port, struct evidence evidence);

enum err vault_load(struct vault *vault, const struct store *store, const struct port *port,
                    const struct vault_config *config)
{
    CHECK(config->epoch >= 1);
    memset(vault, 0, sizeof *vault);
    vault->config = *config;
    vault->keys = config->factory;
    enum err err = load_key(vault, store, port);
    if (err == ERR_OK) {
        err = load_next(vault, store, port);
    }
    if (err == ERR_OK) {
        err = load_policy(vault, store, port);
    }
    if (err != ERR_OK) {
        return err;
    }
    say(vault, port,
        (struct evidence){
            .kind = EVIDENCE_ROTATE, .counter = vault->generation, .value = SAY_IN_FORCE});
    say(vault, port, (struct evidence){.kind = EVIDENCE_POLICY, .counter = vault->policy});
    return ERR_OK;
}

enum err vault_stage(struct vault *vault, struct store *store, const struct port *port)
{
    if (vault->staged) {
        return ERR_OK;
    }
    if (vault->generation == UINT32_MAX) {
        return ERR_RANGE;
    }
    struct key_pair pair;
    enum err err = port->entropy(port->ctx, pair.seed, sizeof pair.seed);
    if (err == ERR_OK) {
        err = port->crypto.public_key(port->crypto.ctx, &pair);
    }
    if (err == ERR_OK) {
        err = key_put(vault, store, port, RECORD_KEY_NEXT, &pair);
    }
    if (err != ERR_OK) {
        return err;
    }
    vault->next = pair;
    vault->staged = true;
    say(vault, port,
        (struct evidence){
            .kind = EVIDENCE_ROTATE, .counter = vault->generation + 1, .value = SAY_STAGED});
    return ERR_OK;
}

enum err vault_switch(struct vault *vault, struct store *store, const struct port *port)
{
    if (!vault->staged) {
        return ERR_DENIED;
    }
    const enum err err = key_put(vault, store, port, RECORD_KEY, &vault->next);
    if (err != ERR_OK) {
        return err;
    }
    vault->keys = vault->next;
    vault->generation++;
    vault->staged = false;
    memset(&vault->next, 0, sizeof vault->next);
    (void)store_forget(store, RECORD_KEY_NEXT); /* it is below the generation now: not durable */
    say(vault, port,
        (struct evidence){
            .kind = EVIDENCE_ROTATE, .counter = vault->generation, .value = SAY_IN_FORCE});
    return ERR_OK;
}

enum err vault_policy(struct vault *vault, struct store *store, const struct port *port,
                      uint64_t version)
{
    if (version <= vault->policy) {
        return ERR_DENIED;
    }
    uint8_t bytes[POLICY_RECORD_BYTES_MAX];
    uint32_t size_bytes;
    struct cbor_writer writer;
    cbor_write(&writer, bytes, sizeof bytes);
    cbor_put_array(&writer, 2);
    cbor_put_uint(&writer, vault->config.epoch);
    cbor_put_uint(&writer, version);
    enum err err = cbor_finish(&writer, &size_bytes);
    CHECK(err == ERR_OK);
    err = store_put(store, port, RECORD_POLICY, bytes, size_bytes);
    if (err != ERR_OK) {
        return err;
    }
    vault->policy = version;
    say(vault, port, (struct evidence){.kind = EVIDENCE_POLICY, .counter = version});
    return ERR_OK;
}

/* ERR_NOT_FOUND from key_read: the factory's pair is in force. */
static enum err load_key(struct vault *vault, const struct store *store, const struct port *port)
{
    struct key_pair pair;
    uint32_t generation;
    const enum err err = key_read(vault, store, port, RECORD_KEY, &pair, &generation);
    if (err == ERR_OK) {
        vault->keys = pair;
        vault->generation = generation;
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* What was staged before the last switch is over. */
static enum err load_next(struct vault *vault, const struct store *store, const struct port *port)
{
    struct key_pair pair;
    uint32_t generation;
    const enum err err = key_read(vault, store, port, RECORD_KEY_NEXT, &pair, &generation);
    if (err == ERR_OK && generation > vault->generation) {
        vault->next = pair;
        vault->staged = true;
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err load_policy(struct vault *vault, const struct store *store, const struct port *port)
{
    uint8_t bytes[POLICY_RECORD_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    const enum err err = store_get(store, port, RECORD_POLICY, bytes, &size_bytes);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err == ERR_IO ? ERR_IO : ERR_CORRUPT;
    }
    struct cbor_reader reader;
    cbor_read(&reader, bytes, size_bytes);
    cbor_get_array(&reader, 2);
    const uint32_t epoch = cbor_get_u32(&reader);
    const uint64_t version = cbor_get_uint(&reader);
    if (cbor_end(&reader) != ERR_OK) {
        return ERR_CORRUPT;
    }
    vault->policy = epoch == vault->config.epoch ? version : 0;
    return ERR_OK;
}

/* Also ERR_NOT_FOUND: none of this epoch. */
static enum err key_read(const struct vault *vault, const struct store *store,
                         const struct port *port, uint64_t record, struct key_pair *pair,
                         uint32_t *generation)
{
    uint8_t bytes[KEY_RECORD_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    const enum err err = store_get(store, port, record, bytes, &size_bytes);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND || err == ERR_IO ? err : ERR_CORRUPT;
    }
    struct cbor_reader reader;
    cbor_read(&reader, bytes, size_bytes);
    cbor_get_array(&reader, 3);
    const uint32_t epoch = cbor_get_u32(&reader);
    *generation = cbor_get_u32(&reader);
    const uint8_t *seed = cbor_get_bytes(&reader, KEY_BYTES, NULL);
    if (cbor_end(&reader) != ERR_OK || seed == NULL) {
        return ERR_CORRUPT;
    }
    if (epoch != vault->config.epoch) {
        return ERR_NOT_FOUND;
    }
    memcpy(pair->seed, seed, KEY_BYTES);
    return port->crypto.public_key(port->crypto.ctx, pair);
}

/* Of the generation after this one. */
static enum err key_put(const struct vault *vault, struct store *store, const struct port *port,
                        uint64_t record, const struct key_pair *pair)
{
    uint8_t bytes[KEY_RECORD_BYTES_MAX];
    uint32_t size_bytes;
    struct cbor_writer writer;
    cbor_write(&writer, bytes, sizeof bytes);
    cbor_put_array(&writer, 3);
    cbor_put_uint(&writer, vault->config.epoch);
    cbor_put_uint(&writer, (uint64_t)vault->generation + 1);
    cbor_put_bytes(&writer, pair->seed, KEY_BYTES);
    const enum err err = cbor_finish(&writer, &size_bytes);
    CHECK(err == ERR_OK);
    return store_put(store, port, record, bytes, size_bytes);
}

static void say(const struct vault *vault, const struct port *port, struct evidence evidence)
{
    evidence.device = vault->config.device;
    evidence.epoch = vault->config.epoch;
    port->evidence(port->ctx, &evidence);
}
