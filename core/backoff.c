#include "core/backoff.h"

#include <stddef.h>

#include "core/big_endian.h"
#include "core/check.h"

static uint64_t ceiling_us(const struct backoff *backoff);

void backoff_init(struct backoff *backoff, uint64_t base_us, uint64_t cap_us)
{
    CHECK(backoff != NULL);
    CHECK(base_us >= 1 && cap_us >= base_us);
    CHECK(cap_us < UINT64_MAX);
    *backoff = (struct backoff){.base_us = base_us, .cap_us = cap_us, .attempt = 0};
}

enum err backoff_next(struct backoff *backoff, const struct port *port, uint64_t *delay_us)
{
    CHECK(backoff != NULL);
    CHECK(delay_us != NULL);
    uint8_t bytes[8];
    const enum err err = port->entropy(port->ctx, bytes, sizeof bytes);
    if (err != ERR_OK) {
        return err;
    }
    const uint64_t draw = big_endian_get(bytes, sizeof bytes);
    /* The bias of the remainder is below ceiling / 2^64: nothing for delays of minutes. */
    const uint64_t ceiling = ceiling_us(backoff);
    *delay_us = draw % (ceiling + 1);
    if (ceiling < backoff->cap_us) {
        backoff->attempt++;
    }
    return ERR_OK;
}

void backoff_reset(struct backoff *backoff)
{
    CHECK(backoff != NULL);
    backoff->attempt = 0;
}

/* min(cap, base * 2^attempt), without overflow. */
static uint64_t ceiling_us(const struct backoff *backoff)
{
    CHECK(backoff->base_us >= 1);
    if (backoff->attempt >= 64 || backoff->base_us > backoff->cap_us >> backoff->attempt) {
        return backoff->cap_us;
    }
    return backoff->base_us << backoff->attempt;
}
