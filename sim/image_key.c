#include "sim/image_key.h"

#include <stdlib.h>
#include <string.h>

#include "core/big_endian.h"
#include "core/cbor.h"
#include "core/check.h"
#include "core/cose.h"
#include "core/crc32.h"
#include "core/message.h"
#include "core/record_id.h"
#include "core/store.h"
#include "sim/hash.h"
#include "sim/map.h"

enum {
    TOKENS_MAX = 16384,         /* of one key */
    FACTS_TOKENS_MAX = 4 << 20, /* of all sectors that are remembered; then all are forgotten */
    HEADER_MAGIC = 0x4c57424f,  /* what core/store_frame.c writes */
    HEADER_FIELDS_BYTES = 24,
    FRAME_FIELDS_BYTES = 24,
    STATE_BYTES = 20, /* of the outbox's state record */
    ANYTHING = 0x616e79,
};

struct token {
    uint32_t kind; /* enum key_kind */
    uint64_t value;
};

/* What one sector adds to a key, remembered by its digest. */
struct facts {
    uint32_t first, count; /* of the tokens */
    bool tainted;
};

struct image_key {
    struct flash_profile profile;
    struct slot_layout layout;
    uint32_t header_bytes; /* of a sector of a store */
    uint32_t count;
    struct token tokens[TOKENS_MAX];
    struct map map; /* digest of a sector, to its facts */
    struct facts *facts;
    uint32_t facts_count, facts_capacity;
    struct token *known;
    uint32_t known_count;
    uint8_t *views[2]; /* of a sector: uncertain bits all erased, all programmed */
    bool *whole;       /* of each byte of it: in a valid header or frame of the first view */
};

static void sector_tokens(struct image_key *key, const struct flash_sector *sector, bool boot);
static void add(struct image_key *key, uint32_t kind, uint64_t value);

struct image_key *image_key_create(const struct flash_profile *profile,
                                   const struct slot_layout *layout)
{
    struct image_key *key = calloc(1, sizeof *key);
    const struct flash_geometry *geometry = &profile->geometry;
    const uint32_t unit = geometry->program_bytes;
    const uint32_t fields = (HEADER_FIELDS_BYTES + 4 + unit - 1) / unit * unit;
    CHECK(key != NULL);
    key->profile = *profile;
    key->layout = *layout;
    key->header_bytes = fields > 2 * unit ? fields : 2 * unit;
    map_init(&key->map);
    key->facts_capacity = 1 << 12;
    key->facts = malloc(key->facts_capacity * sizeof *key->facts);
    key->known = malloc(FACTS_TOKENS_MAX * sizeof *key->known);
    key->views[0] = malloc(2 * (size_t)geometry->sector_bytes);
    key->whole = malloc(geometry->sector_bytes * sizeof *key->whole);
    CHECK(key->facts != NULL && key->known != NULL && key->views[0] != NULL && key->whole != NULL);
    key->views[1] = key->views[0] + geometry->sector_bytes;
    return key;
}

void image_key_free(struct image_key *key)
{
    if (key != NULL) {
        map_free(&key->map);
        free(key->facts);
        free(key->known);
        free(key->views[0]);
        free(key->whole);
        free(key);
    }
}

/* ---- What a sector of a store says ----------------------------------------------------------- */

static uint64_t get(const uint8_t *bytes, uint32_t size_bytes)
{
    uint64_t value = 0;
    for (uint32_t i = size_bytes; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

static void view_make(const struct image_key *key, const struct flash_sector *sector,
                      bool programmed, uint8_t *view)
{
    const uint32_t sector_bytes = key->profile.geometry.sector_bytes;
    const uint8_t erased = key->profile.geometry.erased_value;
    const uint8_t answer = programmed ? (uint8_t)~erased : erased;
    memcpy(view, sector->cells, sector_bytes);
    for (uint32_t i = 0; sector->uncertain != NULL && i < sector_bytes; i++) {
        const uint8_t mask = sector->uncertain[i];
        view[i] = (uint8_t)((view[i] & ~mask) | (answer & mask));
    }
}

static bool header_valid(const struct image_key *key, const uint8_t *view)
{
    return get(view, 4) == HEADER_MAGIC &&
           get(view + key->header_bytes - 4, 4) == crc32(0, view, HEADER_FIELDS_BYTES);
}

/* The bytes of the frame here; 0 if there is none. */
static uint32_t frame_valid(const struct image_key *key, const uint8_t *view, uint32_t at)
{
    const uint32_t room = key->profile.geometry.sector_bytes - at;
    const uint32_t unit = key->profile.geometry.program_bytes;
    if (room < FRAME_FIELDS_BYTES) {
        return 0;
    }
    const uint64_t size = get(view + at + 4, 4);
    const uint64_t frame = (FRAME_FIELDS_BYTES + size + unit - 1) / unit * unit;
    if (size == 0 || size > STORE_RECORD_BYTES_MAX || frame > room) {
        return 0;
    }
    const uint32_t crc =
        crc32(crc32(0, view + 8, 8), view + at + 4, FRAME_FIELDS_BYTES - 4 + (uint32_t)size);
    return get(view + at, 4) == crc ? (uint32_t)frame : 0;
}

/* A counter counts by its rank, and by the bytes that it takes in a message. */
static void add_counter(struct image_key *key, uint64_t value)
{
    add(key, KEY_COUNTER, value);
    add(key, KEY_PLAIN,
        value < 24         ? 0u
        : value < 1u << 8  ? 1u
        : value < 1u << 16 ? 2u
        : value >> 32 == 0 ? 3u
                           : 4u);
}

static void plain_bytes(struct image_key *key, const void *bytes, uint32_t size_bytes)
{
    uint64_t digest[2];
    hash_once(bytes, size_bytes, digest);
    add(key, KEY_PLAIN, digest[0]);
}

/* A key pair or a policy: its epoch, and the rest. */
static void vault_record(struct image_key *key, const uint8_t *record, uint32_t size_bytes)
{
    struct cbor_reader reader;
    uint8_t head[16] = {0}; /* the epoch takes at most five bytes after the array's one */
    cbor_read(&reader, record, size_bytes);
    cbor_get_array(&reader, record[0] & 0x1f);
    add(key, KEY_EPOCH, cbor_get_uint(&reader));
    const uint32_t epoch_bytes = size_bytes < 2      ? 0
                                 : record[1] < 0x18  ? 1
                                 : record[1] == 0x18 ? 2
                                 : record[1] == 0x19 ? 3
                                                     : 5;
    head[0] = record[0];
    plain_bytes(key, head, sizeof head);
    const uint32_t skipped = 1 + epoch_bytes < size_bytes ? 1 + epoch_bytes : size_bytes;
    plain_bytes(key, record + skipped, size_bytes - skipped);
}

/* A reading's bytes follow from its counter. */
static void reading_record(struct image_key *key, const uint8_t *record, uint32_t size_bytes)
{
    struct cose_sign1 parsed;
    struct telemetry telemetry;
    if (cose_parse(record, size_bytes, &parsed) == ERR_OK &&
        message_read_telemetry(&parsed, &telemetry) == ERR_OK) {
        add(key, KEY_EPOCH, telemetry.epoch);
        add_counter(key, telemetry.counter);
    } else {
        plain_bytes(key, record, size_bytes);
    }
}

static void record_tokens(struct image_key *key, uint64_t id, const uint8_t *record,
                          uint32_t size_bytes, bool boot)
{
    add(key, KEY_PLAIN, id);
    if (!boot && id == RECORD_STATE && size_bytes == STATE_BYTES) {
        add(key, KEY_EPOCH, big_endian_get(record, 4));
        add_counter(key, big_endian_get(record + 4, 8));
        add_counter(key, big_endian_get(record + 12, 8));
    } else if (!boot && (id == RECORD_KEY || id == RECORD_KEY_NEXT || id == RECORD_POLICY)) {
        vault_record(key, record, size_bytes);
    } else if (!boot && id >= RECORD_READING) {
        reading_record(key, record, size_bytes);
    } else {
        plain_bytes(key, record, size_bytes);
    }
}

static void mark_whole(struct image_key *key, const uint8_t *view, uint32_t at, uint32_t size_bytes)
{
    if (view == key->views[0]) {
        memset(key->whole + at, true, size_bytes * sizeof key->whole[0]);
    }
}

static void view_tokens(struct image_key *key, const uint8_t *view, bool boot)
{
    const bool valid = header_valid(key, view);
    add(key, KEY_PLAIN, valid);
    if (!valid) {
        return;
    }
    mark_whole(key, view, 0, key->header_bytes);
    add(key, boot ? KEY_BOOT_SECTOR : KEY_APP_SECTOR, get(view + 8, 8));
    add(key, boot ? KEY_BOOT_SECTOR : KEY_APP_SECTOR, get(view + 16, 8));
    for (uint32_t at = key->header_bytes; at < key->profile.geometry.sector_bytes;) {
        const uint32_t frame_bytes = frame_valid(key, view, at);
        if (frame_bytes > 0) {
            add(key, KEY_PLAIN, at);
            add(key, boot ? KEY_BOOT_RECORD : KEY_APP_RECORD, get(view + at + 8, 8));
            record_tokens(key, get(view + at + 16, 8), view + at + FRAME_FIELDS_BYTES,
                          (uint32_t)get(view + at + 4, 4), boot);
            mark_whole(key, view, at, frame_bytes);
        }
        at += frame_bytes > 0 ? frame_bytes : key->profile.geometry.program_bytes;
    }
}

/* What a unit is, whatever it says. What is whole was counted with what it says: how its bytes look
 * would tell images apart that are one. */
static uint8_t unit_class(const struct image_key *key, const struct flash_sector *sector,
                          uint32_t at)
{
    const uint32_t unit = key->profile.geometry.program_bytes;
    const uint8_t erased = key->profile.geometry.erased_value;
    uint32_t blank = 1, zero = 1, doubt = 0, begun = 1, all = 1;
    for (uint32_t i = at; i < at + unit; i++) {
        const uint8_t mask = sector->uncertain == NULL ? 0 : sector->uncertain[i];
        blank &= sector->cells[i] == erased;
        zero &= (sector->cells[i] ^ erased) == 0xff;
        doubt |= mask != 0;
        begun &= (mask ^ sector->cells[i] ^ erased) == 0;
        all &= mask == 0xff;
    }
    const uint32_t poison = sector->poison == NULL ? 0 : sector->poison[at / unit];
    const bool counted = key->profile.program_once || key->profile.program_limit > 0;
    const uint32_t programs = counted ? sector->programs[at / unit] & 3u : 0;
    if (key->whole[at] && doubt == 0 && poison == 0) {
        return (uint8_t)(programs << 6);
    }
    return (uint8_t)(blank | zero << 1 | doubt << 2 | begun << 3 | all << 4 | poison << 5 |
                     programs << 6);
}

/* A sector that is not of the log: what its header looks like decides what is done to it. */
static void torn_tokens(struct image_key *key, const struct flash_sector *sector)
{
    const uint32_t unit = key->profile.geometry.program_bytes;
    const uint8_t erased = key->profile.geometry.erased_value;
    uint32_t doubt = 0, poison = 0, blank[2] = {1, 1};
    for (uint32_t i = 0; i < key->header_bytes; i++) {
        blank[0] &= key->views[0][i] == erased;
        blank[1] &= key->views[1][i] == erased;
        doubt |= sector->uncertain != NULL && sector->uncertain[i] != 0;
        poison |= sector->poison != NULL && sector->poison[i / unit] != 0;
    }
    add(key, KEY_PLAIN, blank[0] | blank[1] << 1 | doubt << 2 | poison << 3);
}

enum { CLASS_BLANK = 1 << 0, CLASS_DOUBT = 1 << 2, CLASS_POISON = 1 << 5 };

/* A frame that for certain is not whole ends its sector: a mount copies what stands before it and
 * erases the rest unseen, so how far the frame came is not told. */
static void forget_torn(const struct image_key *key, uint8_t *classes)
{
    const uint32_t unit = key->profile.geometry.program_bytes;
    const uint32_t units = key->profile.geometry.sector_bytes / unit;
    uint32_t tail = units;
    while (tail > 0 && !key->whole[(tail - 1) * unit]) {
        tail--;
    }
    bool torn = false;
    for (uint32_t i = tail; i < units && i * unit < tail * unit + FRAME_FIELDS_BYTES; i++) {
        torn = torn || (classes[i] & (CLASS_BLANK | CLASS_DOUBT | CLASS_POISON)) == 0;
    }
    for (uint32_t i = tail; torn && i < units; i++) {
        classes[i] &= CLASS_DOUBT | CLASS_POISON;
    }
}

static void sector_tokens(struct image_key *key, const struct flash_sector *sector, bool boot)
{
    const uint32_t sector_bytes = key->profile.geometry.sector_bytes;
    const uint32_t unit = key->profile.geometry.program_bytes;
    memset(key->whole, false, sector_bytes * sizeof key->whole[0]);
    view_tokens(key, key->views[0], boot);
    add(key, KEY_PLAIN, sector->uncertain != NULL);
    if (sector->uncertain != NULL) {
        view_tokens(key, key->views[1], boot);
    }
    if (!header_valid(key, key->views[0]) && !header_valid(key, key->views[1])) {
        torn_tokens(key, sector);
        return;
    }
    uint8_t *classes = key->views[0]; /* the view is not wanted any more */
    for (uint32_t at = 0; at < sector_bytes; at += unit) {
        classes[at / unit] = unit_class(key, sector, at);
    }
    forget_torn(key, classes);
    plain_bytes(key, classes, sector_bytes / unit);
}

/* ---- The key --------------------------------------------------------------------------------- */

static void add(struct image_key *key, uint32_t kind, uint64_t value)
{
    CHECK(key->count < TOKENS_MAX);
    key->tokens[key->count++] = (struct token){kind, value};
}

static void forget_all(struct image_key *key)
{
    map_free(&key->map);
    map_init(&key->map);
    key->facts_count = 0;
    key->known_count = 0;
}

/* A sector of the log, and not certain. */
static bool is_tainted(const struct image_key *key, const struct flash_sector *sector)
{
    const struct flash_geometry *geometry = &key->profile.geometry;
    const bool ecc = key->profile.ecc != FLASH_ECC_NONE;
    const uint8_t *mask = ecc ? sector->poison : sector->uncertain;
    const uint32_t count =
        ecc ? geometry->sector_bytes / geometry->program_bytes : geometry->sector_bytes;
    uint8_t any = 0;
    for (uint32_t i = 0; mask != NULL && i < count; i++) {
        any |= mask[i];
    }
    return any != 0 && (header_valid(key, key->views[0]) || header_valid(key, key->views[1]));
}

/* Add what the sector says, from memory if it was met before. */
static const struct facts *store_sector(struct image_key *key, const struct flash_sector *sector,
                                        bool boot)
{
    const uint64_t name = sector->digest[0] ^ (boot ? UINT64_C(0x626f6f74) : 0);
    const uint32_t found = map_find(&key->map, name);
    if (found != MAP_NONE) {
        const struct facts *facts = &key->facts[found];
        CHECK(key->count + facts->count <= TOKENS_MAX);
        memcpy(&key->tokens[key->count], &key->known[facts->first],
               facts->count * sizeof key->tokens[0]);
        key->count += facts->count;
        return facts;
    }
    const uint32_t first = key->count;
    view_make(key, sector, false, key->views[0]);
    view_make(key, sector, true, key->views[1]);
    const bool tainted = is_tainted(key, sector);
    sector_tokens(key, sector, boot);
    const uint32_t count = key->count - first;
    if (key->known_count + count > FACTS_TOKENS_MAX) {
        forget_all(key);
    }
    if (key->facts_count == key->facts_capacity) {
        key->facts_capacity *= 2;
        key->facts = realloc(key->facts, key->facts_capacity * sizeof *key->facts);
        CHECK(key->facts != NULL);
    }
    memcpy(&key->known[key->known_count], &key->tokens[first], count * sizeof key->tokens[0]);
    key->facts[key->facts_count] = (struct facts){key->known_count, count, tainted};
    key->known_count += count;
    map_put(&key->map, name, key->facts_count++);
    return &key->facts[key->facts_count - 1];
}

static bool within(struct slot_region region, uint32_t sector)
{
    return sector >= region.first_sector && sector < region.first_sector + region.sector_count;
}

void image_key_begin(struct image_key *key)
{
    key->count = 0;
    for (uint32_t kind = 0; kind < KEY_KIND_COUNT; kind++) {
        add(key, kind, 0); /* zero is none, everywhere: its rank is always the same */
    }
}

void image_key_add(struct image_key *key, enum key_kind kind, uint64_t value)
{
    if (kind == KEY_COUNTER) {
        add_counter(key, value);
    } else {
        add(key, kind, value);
    }
}

void image_key_bytes(struct image_key *key, const void *bytes, uint32_t size_bytes)
{
    plain_bytes(key, bytes, size_bytes);
}

static void sector_key(struct image_key *key, const struct flash_sector *sector, uint32_t number)
{
    if (within(key->layout.boot_store, number)) {
        (void)store_sector(key, sector, true);
    } else if (within(key->layout.app_store, number)) {
        (void)store_sector(key, sector, false);
    } else {
        add(key, KEY_PLAIN, sector->digest[0]);
    }
}

void image_key_flash(struct image_key *key, const struct flash *flash, uint64_t masked)
{
    uint64_t digest[2];
    flash_hash(flash, digest); /* brings the digests of its sectors up to date */
    for (uint32_t i = 0; i < flash->sector_count; i++) {
        if (i < KEY_SECTORS_MAX && (masked >> i & 1u) != 0) {
            add(key, KEY_PLAIN, ANYTHING);
            continue;
        }
        sector_key(key, flash->sectors[i], i);
        if (flash->pending_count > 0) { /* in the cache is what these two differ in */
            sector_key(key, flash->durable[i], i);
        }
    }
    for (uint32_t i = 0; i < flash->pending_count; i++) {
        add(key, KEY_PLAIN,
            (uint64_t)flash->pending[i]->offset << 32 | flash->pending[i]->size_bytes);
    }
    add(key, KEY_PLAIN, flash->counters[COUNTER_SECURITY]);
    add(key, KEY_PLAIN, (flash->swap_option ? 1u : 0u) | (flash->swapped ? 2u : 0u));
}

void image_key_store(struct image_key *key, const struct flash *flash, struct slot_region region)
{
    const bool boot = region.first_sector == key->layout.boot_store.first_sector;
    uint64_t digest[2];
    flash_hash(flash, digest);
    for (uint32_t i = 0; i < region.sector_count; i++) {
        (void)store_sector(key, flash->sectors[region.first_sector + i], boot);
    }
}

bool image_key_tainted(struct image_key *key, const struct flash *flash, struct slot_region region)
{
    uint64_t digest[2];
    bool tainted = false;
    flash_hash(flash, digest);
    for (uint32_t i = 0; i < region.sector_count; i++) {
        const bool boot = region.first_sector == key->layout.boot_store.first_sector;
        const struct flash_sector *sector = flash->sectors[region.first_sector + i];
        key->count = 0; /* its tokens are not wanted */
        tainted = store_sector(key, sector, boot)->tainted || tainted;
    }
    return tainted;
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Ascending, each once. */
static uint32_t sort(uint64_t *numbers, uint32_t count)
{
    uint32_t kept = 0;
    qsort(numbers, count, sizeof numbers[0], compare);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || numbers[kept - 1] != numbers[i]) {
            numbers[kept++] = numbers[i];
        }
    }
    return kept;
}

static uint32_t rank(const uint64_t *numbers, uint32_t count, uint64_t value)
{
    uint32_t low = 0, high = count;
    while (low + 1 < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (numbers[middle] <= value) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

void image_key_end(struct image_key *key, uint64_t digest[2])
{
    static uint64_t numbers[KEY_KIND_COUNT][TOKENS_MAX];
    static uint64_t words[TOKENS_MAX];
    uint32_t counts[KEY_KIND_COUNT] = {0};
    uint64_t follow = 0; /* which numbers of sectors follow each other directly */
    for (uint32_t i = 0; i < key->count; i++) {
        const struct token *token = &key->tokens[i];
        if (token->kind != KEY_PLAIN) {
            numbers[token->kind][counts[token->kind]++] = token->value;
        }
    }
    for (uint32_t kind = 0; kind < KEY_KIND_COUNT; kind++) {
        counts[kind] = sort(numbers[kind], counts[kind]);
        const bool sectors = kind == KEY_BOOT_SECTOR || kind == KEY_APP_SECTOR;
        for (uint32_t i = 1; i < counts[kind] && sectors; i++) {
            follow = follow * 2 + (numbers[kind][i] - numbers[kind][i - 1] == 1);
        }
    }
    for (uint32_t i = 0; i < key->count; i++) {
        const struct token *token = &key->tokens[i];
        words[i] = token->kind == KEY_PLAIN
                       ? token->value
                       : (uint64_t)token->kind << 56 |
                             rank(numbers[token->kind], counts[token->kind], token->value);
    }
    words[0] = follow; /* the zero of the first kind says nothing */
    hash_once(words, key->count * (uint32_t)sizeof words[0], digest);
}
