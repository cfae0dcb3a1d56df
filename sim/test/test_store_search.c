/* Goal: no sequence of power cuts, however long, loses a record of the store or lets one change its
 * mind, on every flash part of sim/parts. Method: breadth first over crash images. Each image is
 * mounted with every answer that its uncertain bits may give (each first read of a piece of them
 * forks; it answers alike until the next cut), goes on with puts, and is cut at each flash
 * operation in each canonical way; what remains is the next image. Images that differ in nothing
 * but numbers that only grow are one. The search ends when there is no new image.
 */
#include "core/store.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/crc32.h"
#include "core/store_inside.h"
#include "core/test/test.h"
#include "sim/flash.h"
#include "sim/hash.h"
#include "sim/part.h"

enum {
    SECTORS = 3,
    SECTOR_BYTES_MAX = 256,
    SLOTS = 1 << 20,     /* of the set of images; a power of two */
    IMAGES_MAX = 120000, /* of one part; a search that needs more does not close */
    CHOICES_MAX = 12,    /* pieces of one boot that fork */
    PIECE_BYTES = 32,    /* of frames, that answer alike */
    IDS = 2,
    VERSIONS = 2,
    POSITIONS = IDS * VERSIONS, /* of the script: put after put */
    PUTS = 2,                   /* of one boot */
    RECORD_BYTES_MAX = 256,
    UNITS_MAX = 5, /* of a program that is cut at each of them */
    NUMBERS_MAX = 96,
    PROBES_MAX = 64,
    MAGIC = 0x4c57424f,
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* What the application knows. */
struct mind {
    bool formatted;
    uint32_t position; /* puts that are acked, modulo POSITIONS */
    bool known[IDS];   /* put once */
    bool in_flight;    /* the put at position was cut: it is there or not */
};

struct image {
    struct flash *flash;
    struct mind mind;
};

struct choice {
    uint32_t offset, size_bytes;
    enum flash_reading reading;
};

static struct {
    struct flash *flash;
    struct mind mind;
    struct choice choices[CHOICES_MAX];
    uint32_t choice_count; /* of this boot so far */
    uint32_t choice_fixed; /* that are given; those behind start anew */
} rig;

static struct {
    uint64_t met[SLOTS][2];  /* images as they are */
    uint64_t seen[SLOTS][2]; /* those that differ in more than numbers */
    struct image queue[IMAGES_MAX];
    uint32_t count, done;
    bool full;
    uint64_t cuts, boots, lost_forks, poisoned;
} search;

static struct part part;
static struct port port;
static struct store store;
static uint32_t record_bytes; /* as large as they may be: two or three to a sector */

/* ---- Pieces of a sector, as store_frame.c says ----------------------------------------------- */

static uint32_t header_bytes(void)
{
    return store_first_frame(&port);
}

/* The piece around this byte, in the flash. */
static struct choice piece_at(uint32_t offset)
{
    const uint32_t sector_bytes = port.flash.sector_bytes;
    const uint32_t sector = offset - offset % sector_bytes;
    const uint32_t at = offset % sector_bytes;
    const uint32_t first = header_bytes();
    if (at < first) {
        return (struct choice){sector, first, FLASH_READS_ERASED};
    }
    const uint32_t from = first + (at - first) / PIECE_BYTES * PIECE_BYTES;
    const uint32_t left = sector_bytes - from;
    return (struct choice){sector + from, left < PIECE_BYTES ? left : PIECE_BYTES,
                           FLASH_READS_ERASED};
}

/* ---- The key of an image: all that decides, and nothing that only grows ---------------------- */

struct numbers {
    uint64_t values[NUMBERS_MAX];
    uint32_t count;
};

static struct numbers sectors_seen, records_seen;

static void number_add(struct numbers *numbers, uint64_t value)
{
    uint32_t i = 0;
    while (i < numbers->count && numbers->values[i] < value) {
        i++;
    }
    if (i < numbers->count && numbers->values[i] == value) {
        return;
    }
    EXPECT(numbers->count < NUMBERS_MAX);
    memmove(&numbers->values[i + 1], &numbers->values[i],
            (numbers->count - i) * sizeof numbers->values[0]);
    numbers->values[i] = value;
    numbers->count++;
}

static uint32_t number_rank(const struct numbers *numbers, uint64_t value)
{
    uint32_t i = 0;
    while (i < numbers->count && numbers->values[i] != value) {
        i++;
    }
    return i;
}

static uint64_t get(const uint8_t *bytes, uint32_t size_bytes)
{
    uint64_t value = 0;
    for (uint32_t i = size_bytes; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

/* A sector as it reads when uncertain bits all answer erased, or all programmed. */
static void view_make(const struct flash_sector *sector, bool programmed, uint8_t *view)
{
    const uint8_t erased = port.flash.erased_value;
    memcpy(view, sector->cells, port.flash.sector_bytes);
    for (uint32_t i = 0; sector->uncertain != NULL && i < port.flash.sector_bytes; i++) {
        const uint8_t answer = programmed ? (uint8_t)~erased : erased;
        const uint8_t mask = sector->uncertain[i];
        view[i] = (uint8_t)((view[i] & ~mask) | (answer & mask));
    }
}

static bool header_valid(const uint8_t *view)
{
    return get(view, 4) == MAGIC && get(view + header_bytes() - 4, 4) == crc32(0, view, 24);
}

/* The bytes of the frame here, 0 if there is none under this sequence. */
static uint32_t frame_valid(const uint8_t *view, uint32_t at, uint64_t sequence)
{
    const uint32_t room = port.flash.sector_bytes - at;
    if (room < STORE_FRAME_FIELDS_BYTES + record_bytes || get(view + at + 4, 4) != record_bytes) {
        return 0;
    }
    uint8_t bytes[8];
    for (uint32_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(sequence >> (8 * i));
    }
    const uint32_t crc = crc32(crc32(0, bytes, sizeof bytes), view + at + 4,
                               STORE_FRAME_FIELDS_BYTES - 4 + record_bytes);
    return get(view + at, 4) == crc ? store_frame_bytes(&port, record_bytes) : 0;
}

/* First without a hash, to collect the numbers; then with one, to say their ranks. */
static void view_walk(struct hash *hash, const uint8_t *view)
{
    const uint64_t sequence = header_valid(view) ? get(view + 8, 8) : 0;
    for (uint32_t i = 0; sequence != 0 && i < 2; i++) { /* and what it replaces */
        const uint64_t number = get(view + 8 + 8 * i, 8);
        number_add(&sectors_seen, number);
        if (hash != NULL) {
            hash_u32(hash, number_rank(&sectors_seen, number));
        }
    }
    const uint32_t unit = port.flash.program_bytes;
    uint32_t at = store_first_frame(&port);
    while (at < port.flash.sector_bytes) {
        uint32_t size_bytes = 0;
        uint64_t under = 0;
        for (uint32_t i = 0; size_bytes == 0 && i <= sectors_seen.count; i++) {
            const bool last = i == sectors_seen.count;
            under = last ? (i == 0 ? 1 : sectors_seen.values[i - 1] + 1) : sectors_seen.values[i];
            size_bytes = frame_valid(view, at, under);
        }
        if (size_bytes == 0) {
            at += unit;
            continue;
        }
        const uint64_t record = get(view + at + 8, 8);
        number_add(&records_seen, record);
        if (hash != NULL) {
            hash_u32(hash, at);
            hash_u32(hash, number_rank(&sectors_seen, under));
            hash_u32(hash, number_rank(&records_seen, record));
            hash_bytes(hash, view + at + 16, 8 + record_bytes);
        }
        at += size_bytes;
    }
}

/* What a unit is, whatever it says. */
static uint32_t unit_class(const struct flash_sector *sector, uint32_t at)
{
    const uint32_t unit = port.flash.program_bytes;
    const uint8_t erased = port.flash.erased_value;
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
    const bool counted = part.profile.program_once || part.profile.program_limit > 0;
    return blank | zero << 1 | doubt << 2 | begun << 3 | all << 4 | poison << 5 |
           (counted ? (uint32_t)sector->programs[at / unit] << 6 : 0);
}

/* Of a header that is valid for nobody: blank for those who read erased, or programmed; torn. */
static uint32_t header_class(const struct flash_sector *sector, const uint8_t *erased,
                             const uint8_t *programmed)
{
    bool doubt = false, poison = false;
    for (uint32_t i = 0; i < header_bytes(); i++) {
        doubt = doubt || (sector->uncertain != NULL && sector->uncertain[i] != 0);
        poison =
            poison || (sector->poison != NULL && sector->poison[i / port.flash.program_bytes] != 0);
    }
    return store_is_erased(&port, erased, header_bytes()) |
           (uint32_t)store_is_erased(&port, programmed, header_bytes()) << 1 |
           (uint32_t)doubt << 2 | (uint32_t)poison << 3;
}

static uint64_t mind_code(const struct mind *mind)
{
    uint64_t code = mind->position;
    code = code * 2 + mind->formatted;
    code = code * 2 + mind->in_flight;
    for (uint32_t i = 0; i < IDS; i++) {
        code = code * 2 + mind->known[i];
    }
    return code;
}

static void image_key(const struct flash *flash, const struct mind *mind, uint64_t key[2])
{
    static uint8_t views[2][SECTORS][1 << 12];
    struct hash hash;
    hash_init(&hash, true, false);
    sectors_seen.count = records_seen.count = 0;
    for (uint32_t i = 0; i < 2 * SECTORS; i++) {
        view_make(flash->sectors[i / 2], i % 2 == 1, views[i % 2][i / 2]);
    }
    for (uint32_t round = 0; round < 2; round++) { /* headers name what frames stand under */
        for (uint32_t i = 0; i < 2 * SECTORS; i++) {
            if (header_valid(views[0][i / 2]) || header_valid(views[1][i / 2])) {
                view_walk(NULL, views[i % 2][i / 2]);
            }
        }
    }
    for (uint32_t i = 0; i < 2 * SECTORS; i++) {
        if (header_valid(views[0][i / 2]) || header_valid(views[1][i / 2])) {
            hash_u32(&hash, i);
            view_walk(&hash, views[i % 2][i / 2]);
        }
    }
    for (uint32_t i = 1; i < sectors_seen.count; i++) { /* the next number, or a later one? */
        hash_u32(&hash, sectors_seen.values[i] - sectors_seen.values[i - 1] == 1);
    }
    for (uint32_t i = 0; i < SECTORS; i++) {
        const bool valid = header_valid(views[0][i]) || header_valid(views[1][i]);
        if (!valid) { /* it is erased before it is read again; all that counts is whether at mount
                       */
            hash_u32(&hash, 0x100 | header_class(flash->sectors[i], views[0][i], views[1][i]));
            continue;
        }
        for (uint32_t at = 0; at < port.flash.sector_bytes; at += port.flash.program_bytes) {
            hash_u32(&hash, unit_class(flash->sectors[i], at));
        }
    }
    hash_u64(&hash, mind_code(mind));
    hash_digest(&hash, key);
    hash_free(&hash);
}

/* ---- Images ---------------------------------------------------------------------------------- */

/* Adds the key; false: it was there. A full set forgets, which costs time alone. */
static bool set_add(uint64_t set[SLOTS][2], const uint64_t key[2])
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint64_t *slot = set[((uint32_t)key[0] + i) % SLOTS];
        if (slot[0] == key[0] && slot[1] == key[1]) {
            return false;
        }
        if ((slot[0] | slot[1]) == 0 || i == PROBES_MAX) {
            slot[0] = key[0];
            slot[1] = key[1];
            return true;
        }
    }
    return true;
}

/* Power is gone, and this is left. Takes the flash. */
static void offer(struct flash *flash)
{
    const struct mind mind = rig.mind;
    search.cuts++;
    uint64_t key[2];
    flash_hash(flash, key);
    key[1] += mind_code(&mind);
    bool fresh = set_add(search.met, key);
    if (fresh) {
        image_key(flash, &mind, key);
        fresh = set_add(search.seen, key);
    }
    search.full = search.full || (fresh && search.count == IMAGES_MAX);
    if (!fresh || search.count == IMAGES_MAX) {
        flash_drop(flash);
        return;
    }
    search.queue[search.count++] = (struct image){flash, mind};
}

static struct flash *snapshot(void)
{
    struct flash *flash = flash_snapshot(rig.flash);
    EXPECT(flash != NULL);
    return flash;
}

/* What is in the cache now: lost, kept, one of it, all but one. */
static void offer_cached(void)
{
    static const enum flash_tear tears[] = {FLASH_TEAR_NONE, FLASH_TEAR_WEAK};
    const uint32_t count = rig.flash->pending_count;
    const uint64_t all = count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    for (uint32_t i = 0; i < 2 * count + 2; i++) {
        const uint64_t one = i < 2 ? 0 : UINT64_C(1) << (i - 2) / 2;
        for (uint32_t tear = 0; tear < 2; tear++) {
            for (uint32_t units = 0; units < 2; units++) {
                struct flash *flash = snapshot();
                flash_power_cut(flash, i % 2 == 0 ? one : all & ~one,
                                (struct flash_cut){units, tears[tear]});
                offer(flash);
            }
        }
    }
}

static void offer_programs(uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    static const enum flash_tear tears[] = {
        FLASH_TEAR_NONE,    FLASH_TEAR_FIRST_BYTE,      FLASH_TEAR_ALL_BUT_LAST_BYTE,
        FLASH_TEAR_ONE_BIT, FLASH_TEAR_ALL_BUT_ONE_BIT, FLASH_TEAR_WEAK};
    const uint32_t units = size_bytes / port.flash.program_bytes;
    for (uint32_t done = 0; done < units; done++) {
        const bool chosen = done < 2 || done == units / 2 || done + 1 == units;
        if (units > UNITS_MAX && !chosen) {
            continue; /* a frame, or single bytes: the ends and the middle */
        }
        for (uint32_t i = 0; i < sizeof tears / sizeof tears[0]; i++) {
            struct flash *flash = snapshot();
            EXPECT_EQUAL(flash_program_cut(flash, offset, bytes, size_bytes,
                                           (struct flash_cut){done, tears[i]}),
                         ERR_OK);
            offer(flash);
        }
    }
}

static void offer_erases(uint32_t offset)
{
    for (uint32_t block = 0; block < flash_block_count(rig.flash, offset); block++) {
        for (uint32_t tear = 0; tear < FLASH_ERASE_TEAR_COUNT; tear++) {
            struct flash *flash = snapshot();
            EXPECT_EQUAL(flash_erase_cut(flash, offset, block, (enum flash_erase_tear)tear),
                         ERR_OK);
            offer(flash);
        }
    }
}

/* ---- The port -------------------------------------------------------------------------------- */

static enum flash_reading reading_of(struct choice piece)
{
    uint32_t i = 0;
    while (i < rig.choice_count && rig.choices[i].offset != piece.offset) {
        i++;
    }
    if (i == CHOICES_MAX) {
        search.lost_forks++;
        return FLASH_READS_MIXED;
    }
    if (i == rig.choice_count) {
        piece.reading = i < rig.choice_fixed ? rig.choices[i].reading : FLASH_READS_ERASED;
        rig.choices[i] = piece;
        rig.choice_count++;
    }
    return rig.choices[i].reading;
}

static enum err rig_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    (void)ctx;
    for (uint32_t done = 0; done < size_bytes;) {
        const struct choice piece = piece_at(offset + done);
        const uint32_t room = piece.offset + piece.size_bytes - (offset + done);
        const uint32_t size = size_bytes - done < room ? size_bytes - done : room;
        const bool poisoned = flash_is_poisoned(rig.flash, offset + done, size);
        const bool forks = flash_is_uncertain(rig.flash, offset + done, size) &&
                           (part.profile.ecc == FLASH_ECC_NONE ||
                            (poisoned && part.profile.ecc == FLASH_ECC_GARBAGE));
        const enum flash_reading reading = forks ? reading_of(piece) : FLASH_READS_ERASED;
        search.poisoned += poisoned;
        const enum err err = flash_read_as(rig.flash, offset + done, bytes + done, size, reading);
        if (err != ERR_OK) {
            return err;
        }
        done += size;
    }
    return ERR_OK;
}

static enum err rig_program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    (void)ctx;
    if (rig.flash->durable == NULL) {
        offer_programs(offset, bytes, size_bytes);
    }
    EXPECT_EQUAL(flash_program(rig.flash, offset, bytes, size_bytes), ERR_OK);
    if (rig.flash->durable == NULL) {
        offer(snapshot());
    } else {
        offer_cached();
    }
    return ERR_OK;
}

static enum err rig_erase(void *ctx, uint32_t offset)
{
    (void)ctx;
    if (rig.flash->durable == NULL) {
        offer_erases(offset);
    }
    EXPECT_EQUAL(flash_erase(rig.flash, offset), ERR_OK);
    if (rig.flash->durable == NULL) {
        offer(snapshot());
    } else {
        offer_cached();
    }
    return ERR_OK;
}

static enum err rig_sync(void *ctx)
{
    (void)ctx;
    flash_sync(rig.flash);
    return ERR_OK;
}

/* ---- One boot -------------------------------------------------------------------------------- */

static void record_fill(uint8_t bytes[RECORD_BYTES_MAX], uint32_t position)
{
    for (uint32_t i = 0; i < record_bytes; i++) {
        bytes[i] = (uint8_t)(0x35 + 7 * position + 29 * i);
    }
}

static bool record_is(const uint8_t *bytes, uint32_t position)
{
    uint8_t wanted[RECORD_BYTES_MAX];
    record_fill(wanted, position % POSITIONS);
    return memcmp(bytes, wanted, record_bytes) == 0;
}

/* Whole, and the version that was acked last; of the put in flight the old one or the new one,
 * which settles it. */
static void judge(void)
{
    struct mind *mind = &rig.mind;
    const uint32_t position = mind->position;
    bool went = false;
    for (uint32_t id = 0; id < IDS; id++) {
        uint8_t bytes[RECORD_BYTES_MAX];
        uint32_t size_bytes = sizeof bytes;
        const enum err err = store_get(&store, &port, id, bytes, &size_bytes);
        EXPECT(err == ERR_OK || err == ERR_NOT_FOUND);
        EXPECT(err == ERR_NOT_FOUND || size_bytes == record_bytes);
        const bool flies = mind->in_flight && position % IDS == id;
        const uint32_t back = (position + IDS - 1 - id) % IDS + 1; /* to its last put */
        const bool is_new = flies && err == ERR_OK && record_is(bytes, position);
        const bool is_old =
            mind->known[id] && err == ERR_OK && record_is(bytes, position + POSITIONS - back);
        const bool is_none = !mind->known[id] && err == ERR_NOT_FOUND;
        if (!is_new && !is_old && !is_none) {
            printf("   record %u at position %u%s: error %d\n", id, position,
                   flies ? " in flight" : "", err);
        }
        EXPECT(is_new || is_old || is_none);
        went = went || is_new;
    }
    EXPECT_EQUAL(rig.flash->counts.discipline, 0);
    if (went) {
        mind->known[position % IDS] = true;
        mind->position = (position + 1) % POSITIONS;
    }
    mind->in_flight = false;
}

static void boot(void)
{
    struct mind *mind = &rig.mind;
    search.boots++;
    enum err err = store_mount(&store, &port, 0, SECTORS);
    if (mind->formatted || err == ERR_OK) {
        EXPECT_EQUAL(err, ERR_OK);
        EXPECT(!mind->formatted || store.lost == 0);
    }
    if (!mind->formatted && (err != ERR_OK || store.lost > 0)) {
        EXPECT_EQUAL(err, ERR_NOT_FOUND);
        EXPECT_EQUAL(store_format(&store, &port, 0, SECTORS), ERR_OK);
    }
    mind->formatted = true;
    judge();
    for (uint32_t i = 0; i < PUTS; i++) {
        uint8_t bytes[RECORD_BYTES_MAX];
        record_fill(bytes, mind->position);
        mind->in_flight = true;
        EXPECT_EQUAL(store_put(&store, &port, mind->position % IDS, bytes, record_bytes), ERR_OK);
        judge();
    }
}

/* Every answer of uncertain bits, like the digits of a number. */
static void boot_all(const struct image *image)
{
    bool more = true;
    rig.choice_fixed = 0;
    while (more) {
        rig.flash = flash_snapshot(image->flash);
        EXPECT(rig.flash != NULL);
        rig.mind = image->mind;
        rig.choice_count = 0;
        boot();
        flash_drop(rig.flash);
        uint32_t last = rig.choice_count;
        while (last > 0 && rig.choices[last - 1].reading + 1 == FLASH_READING_COUNT) {
            last--;
        }
        more = last > 0;
        rig.choice_fixed = last;
        if (more) {
            rig.choices[last - 1].reading = (enum flash_reading)(rig.choices[last - 1].reading + 1);
        }
    }
}

static void search_part(const char *name)
{
    char error[256];
    if (!part_load(name, &part, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    part_fit(&part.profile, SECTOR_BYTES_MAX, SECTORS);
    port = (struct port){
        .flash = part.profile.geometry,
        .flash_read = rig_read,
        .flash_program = rig_program,
        .flash_erase = rig_erase,
        .flash_sync = rig_sync,
    };
    memset(&search, 0, sizeof search);
    record_bytes = store_frame_bytes_max(&port) - STORE_FRAME_FIELDS_BYTES;
    EXPECT(record_bytes <= RECORD_BYTES_MAX);
    struct flash *blank = flash_create(&part.profile);
    EXPECT(blank != NULL);
    rig.mind = (struct mind){0};
    offer(flash_snapshot(blank));
    while (search.done < search.count) {
        const struct image image = search.queue[search.done++];
        boot_all(&image);
        flash_drop(image.flash);
    }
    flash_free(blank);
    printf("   %-12s %5u images, %7llu cuts, %6llu boots%s\n", name, search.count,
           (unsigned long long)search.cuts, (unsigned long long)search.boots,
           search.full ? ", not closed" : ", closed: any number of cuts");
    EXPECT(!search.full);
    EXPECT_EQUAL(search.lost_forks, 0);
    EXPECT(search.count > 100);
    EXPECT((part.profile.ecc == FLASH_ECC_NONE) == (search.poisoned == 0));
}

/* One part of each kind; the others close as well, given as arguments. */
static void no_sequence_of_cuts_breaks_the_store(void)
{
    search_part("cached");
    search_part("nor-32");
    search_part("default");
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        search_part(argv[i]);
    }
    if (argc == 1) {
        RUN(no_sequence_of_cuts_breaks_the_store);
    }
    return 0;
}
