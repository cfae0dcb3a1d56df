#include "sim/test/cut_port.h"

#include "core/evidence.h"
#include "core/test/test.h"

static bool strikes(struct cut_port *self, enum cut_kind kind);
static enum err port_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes);
static enum err port_program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes);
static enum err port_erase(void *ctx, uint32_t offset);
static enum err port_sync(void *ctx);
static enum err port_counter_read(void *ctx, enum port_counter counter, uint64_t *value);
static enum err port_counter_increment(void *ctx, enum port_counter counter);
static enum err port_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes);
static void port_evidence(void *ctx, const struct evidence *evidence);

void cut_port_set(struct cut_port *self, struct cut cut, uint32_t cut_at, uint64_t read_seed)
{
    self->cut = cut;
    self->cut_at = cut_at;
    self->operations = 0;
    self->dead = false;
    self->reads = (struct random_stream){random_key(read_seed, "reads"), 0};
}

struct port cut_port_of(struct cut_port *self)
{
    return (struct port){
        .ctx = self,
        .flash = self->flash->profile.geometry,
        .flash_read = port_read,
        .flash_program = port_program,
        .flash_erase = port_erase,
        .flash_sync = port_sync,
        .counter_read = port_counter_read,
        .counter_increment = port_counter_increment,
        .entropy = port_entropy,
        .evidence = port_evidence,
    };
}

static bool strikes(struct cut_port *self, enum cut_kind kind)
{
    const bool strikes = !self->dead && self->cut.kind == kind && self->operations == self->cut_at;
    self->dead = self->dead || strikes;
    return strikes;
}

static enum err port_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    struct cut_port *self = ctx;
    if (self->dead) {
        return ERR_IO;
    }
    return flash_read(self->flash, offset, bytes, size_bytes, random_next(&self->reads));
}

static enum err port_program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct cut_port *self = ctx;
    self->operations++;
    if (strikes(self, CUT_TORN)) {
        EXPECT_EQUAL(flash_program_torn(self->flash, offset, bytes, size_bytes, self->cut.fraction,
                                        random_at(self->cut.key, offset)),
                     ERR_OK);
    }
    if (self->dead || strikes(self, CUT_BEFORE)) {
        return ERR_IO;
    }
    EXPECT_EQUAL(flash_program(self->flash, offset, bytes, size_bytes), ERR_OK);
    return strikes(self, CUT_AFTER) ? ERR_IO : ERR_OK;
}

static enum err port_erase(void *ctx, uint32_t offset)
{
    struct cut_port *self = ctx;
    self->operations++;
    if (strikes(self, CUT_TORN)) {
        EXPECT_EQUAL(flash_erase_torn(self->flash, offset, self->cut.fraction,
                                      random_at(self->cut.key, offset)),
                     ERR_OK);
    }
    if (self->dead || strikes(self, CUT_BEFORE)) {
        return ERR_IO;
    }
    EXPECT_EQUAL(flash_erase(self->flash, offset), ERR_OK);
    return strikes(self, CUT_AFTER) ? ERR_IO : ERR_OK;
}

static enum err port_sync(void *ctx)
{
    const struct cut_port *self = ctx;
    return self->dead ? ERR_IO : ERR_OK;
}

static enum err port_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    const struct cut_port *self = ctx;
    *value = flash_counter(self->flash, counter);
    return self->dead ? ERR_IO : ERR_OK;
}

/* A torn increment leaves the old value or the new one. */
static enum err port_counter_increment(void *ctx, enum port_counter counter)
{
    struct cut_port *self = ctx;
    self->operations++;
    if (strikes(self, CUT_TORN)) {
        flash_counter_cut(self->flash, counter, self->cut.key & 1u ? FLASH_NEW : FLASH_OLD);
    }
    if (self->dead || strikes(self, CUT_BEFORE)) {
        return ERR_IO;
    }
    EXPECT_EQUAL(flash_counter_increment(self->flash, counter), ERR_OK);
    return strikes(self, CUT_AFTER) ? ERR_IO : ERR_OK;
}

static enum err port_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct cut_port *self = ctx;
    if (self->dead) {
        return ERR_IO;
    }
    random_bytes(&self->entropy, bytes, size_bytes);
    return ERR_OK;
}

static void port_evidence(void *ctx, const struct evidence *evidence)
{
    (void)ctx;
    (void)evidence;
}
