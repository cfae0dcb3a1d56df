/* Goal: every part of the tree can be read, made and worked, the kinds that matter are among them,
 * and each mistake in a part's file is told with file, line and what to do. Method: all files of
 * the folder; and files that this test writes, right in all but one thing. */
#include "sim/part.h"

#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/setting.h"

enum { ERROR_BYTES = 256, TEXT_BYTES = 1024 };

static char path[] = "/tmp/brownout_test_part_XXXXXX";

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT(fclose(file) == 0);
}

static struct part load(const char *spec)
{
    char error[ERROR_BYTES] = "";
    struct part part;
    if (!part_load(spec, &part, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return part;
}

static struct part read_text(const char *text)
{
    write_file(text);
    return load(path);
}

/* The text is refused, and the whole error is "<path>:<message>". */
static void expect_refused(const char *text, const char *message)
{
    char error[ERROR_BYTES] = "", wanted[ERROR_BYTES];
    struct part part;
    write_file(text);
    EXPECT(!part_load(path, &part, error, sizeof error));
    snprintf(wanted, sizeof wanted, "%s:%s", path, message);
    if (strcmp(error, wanted) != 0) {
        fprintf(stderr, "says:    %s\nexpected: %s\n", error, wanted);
    }
    EXPECT(strcmp(error, wanted) == 0);
}

/* Program the whole of a sector in calls of a unit and of more, read it back, erase it. */
static void work(struct flash *flash, uint32_t offset)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    const uint32_t unit = geometry->program_bytes;
    uint8_t *bytes = malloc(geometry->sector_bytes);
    EXPECT(bytes != NULL);
    for (uint32_t i = 0; i < geometry->sector_bytes; i++) {
        bytes[i] = (uint8_t)(i * 31);
    }
    EXPECT_EQUAL(flash_program(flash, offset, bytes, unit), ERR_OK);
    EXPECT_EQUAL(flash_program(flash, offset + unit, bytes + unit, geometry->sector_bytes - unit),
                 ERR_OK);
    EXPECT(flash_erase_at_us(flash, offset) > 0);
    EXPECT(flash_erase_at_us(flash, offset) <= flash_erase_us(flash));
    memset(bytes, 0, geometry->sector_bytes);
    EXPECT_EQUAL(flash_read(flash, offset, bytes, geometry->sector_bytes, 1), ERR_OK);
    for (uint32_t i = 0; i < geometry->sector_bytes; i++) {
        EXPECT_EQUAL(bytes[i], i * 31 & 0xff);
    }
    EXPECT_EQUAL(flash_erase(flash, offset), ERR_OK);
    EXPECT_EQUAL(flash_read(flash, offset, bytes, 1, 1), ERR_OK);
    EXPECT_EQUAL(bytes[0], geometry->erased_value);
    free(bytes);
}

static void every_part_of_the_tree_can_be_made_and_worked(void)
{
    char names[PARTS_MAX][PART_NAME_BYTES], error[ERROR_BYTES];
    uint32_t count;
    EXPECT(part_list(PART_FOLDER, names, &count, error, sizeof error));
    EXPECT(count >= 8);
    for (uint32_t i = 0; i < count; i++) {
        EXPECT(i == 0 || strcmp(names[i - 1], names[i]) < 0);
        const struct part part = load(names[i]);
        EXPECT(strcmp(part.name, names[i]) == 0);
        EXPECT(part.about[0] != '\0');
        EXPECT(part.endurance > 0);
        EXPECT_EQUAL(part.profile.wear_limit, 0); /* faults are asked for by who wants them */
        EXPECT_EQUAL(part.profile.disturb_reads, 0);
        EXPECT_EQUAL(part.profile.retention_us, 0);
        struct flash *flash = flash_create(&part.profile);
        EXPECT(flash != NULL);
        EXPECT(flash_program_us(flash, 1) > 0);
        work(flash, 0);
        work(flash, flash->size_bytes - part.profile.geometry.sector_bytes);
        EXPECT_EQUAL(flash->counts.discipline, 0);
        flash_free(flash);
    }
}

static void the_kinds_that_matter_are_among_them(void)
{
    char names[PARTS_MAX][PART_NAME_BYTES], error[ERROR_BYTES];
    uint32_t count, units = 0, ecc = 0;
    bool zero = false, once = false, blocks = false, slow = false, cache = false, banks = false,
         otp = false, counter = false, twice = false;
    EXPECT(part_list(PART_FOLDER, names, &count, error, sizeof error));
    static const char *const hostile[] = {
        "sim/parts/hostile/ecc-8-fault.part",
        "sim/parts/hostile/ecc-16-garbage.part",
        "sim/parts/hostile/word-twice.part",
    };
    for (uint32_t i = 0; i < count + 3; i++) {
        const struct flash_profile profile =
            load(i < count ? names[i] : hostile[i - count]).profile;
        units |= profile.geometry.program_bytes;
        ecc |= 1u << profile.ecc;
        zero = zero || profile.geometry.erased_value == 0x00;
        once = once || profile.program_once;
        twice = twice || profile.program_limit == 2;
        blocks = blocks || (profile.run_count > 1 &&
                            profile.runs[0].block_bytes != profile.runs[1].block_bytes);
        slow = slow || (profile.page_bytes > 0 && profile.erase_us >= 400000);
        cache = cache || profile.cache_pages > 1;
        banks = banks || profile.dual_bank;
        otp = otp || profile.otp_bytes > 0;
        counter = counter || profile.counter_max > 0;
    }
    EXPECT_EQUAL(units & (1 | 4 | 8 | 32), 1 | 4 | 8 | 32);
    EXPECT_EQUAL(ecc, 0xf);
    EXPECT(zero && once && twice && blocks && slow && cache && banks && otp && counter);
}

static void the_default_part_is_that_of_the_fleet(void)
{
    struct settings settings;
    settings_init(&settings);
    const struct flash_profile profile = load("default").profile;
    EXPECT_EQUAL(profile.geometry.sector_bytes, settings.number[SETTING_flash_sector]);
    EXPECT_EQUAL(profile.geometry.program_bytes, settings.number[SETTING_flash_unit]);
    EXPECT_EQUAL(profile.geometry.erased_value, 0xff);
    EXPECT_EQUAL(profile.program_us, 25);
    EXPECT_EQUAL(profile.erase_us, 45000);
    EXPECT(!profile.program_once && profile.ecc == FLASH_ECC_NONE);
}

#define HEAD "about = test\nsectors = 8 x 4 KiB\nunit = 8\nprogram_time = 40us\nerase_time = 1s\n"

static void every_key_reaches_the_profile(void)
{
    const struct part part = read_text(
        "# all of them\nabout = of all\tkinds # and a comment\n\nsectors = 2x2KiB, 1 x 4 KiB ,"
        "1 x 8192\npresent = 8 KiB\nunit = 4\nerased=0x00\r\nprogram_time = 1ms\n"
        "erase_time = 10ms, 20ms,40ms\nprograms = 1\necc = garbage\npage = 256\ncache = 3\n"
        "banks = 2\notp = 64\ncounter_max = 99\ncounter_time = 3ms\nendurance = 500\n"
        "worn = silent\ndisturb = 1000\nretention = 2d");
    const struct flash_profile *profile = &part.profile;
    EXPECT(strcmp(part.about, "of all\tkinds") == 0);
    EXPECT_EQUAL(profile->geometry.sector_bytes, 8192);
    EXPECT_EQUAL(profile->geometry.sector_count, 2);
    EXPECT_EQUAL(profile->geometry.program_bytes, 4);
    EXPECT_EQUAL(profile->geometry.erased_value, 0x00);
    EXPECT_EQUAL(profile->program_us, 1000);
    EXPECT_EQUAL(profile->erase_us, 40000);
    EXPECT(profile->program_once);
    EXPECT_EQUAL(profile->ecc, FLASH_ECC_GARBAGE);
    EXPECT_EQUAL(profile->page_bytes, 256);
    EXPECT_EQUAL(profile->cache_pages, 3);
    EXPECT(profile->dual_bank);
    EXPECT_EQUAL(profile->otp_bytes, 64);
    EXPECT_EQUAL(profile->counter_max, 99);
    EXPECT_EQUAL(profile->counter_us, 3000);
    EXPECT_EQUAL(part.endurance, 500);
    EXPECT_EQUAL(profile->wear_limit, 500);
    EXPECT_EQUAL(profile->worn, FLASH_BAD_SILENT);
    EXPECT_EQUAL(profile->disturb_reads, 1000);
    EXPECT_EQUAL(profile->retention_us, 2 * UINT64_C(86400000000));
    EXPECT_EQUAL(profile->run_count, 3);
    EXPECT_EQUAL(profile->runs[1].block_bytes, 4096);
    EXPECT_EQUAL(profile->runs[1].block_count, 1);
    EXPECT_EQUAL(profile->runs[1].erase_us, 20000);
    EXPECT_EQUAL(read_text(HEAD "programs = 2").profile.program_limit, 2);
    EXPECT_EQUAL(read_text(HEAD "endurance = 9").profile.wear_limit, 0);
}

static void a_mistake_is_told_with_its_line_and_what_to_do(void)
{
    expect_refused(HEAD "erase_tme = 1s", "6: no key 'erase_tme'; did you mean 'erase_time'?");
    expect_refused("xylophone = 1\n",
                   "1: no key 'xylophone'; a part has 'sectors', 'unit' and others, see sim/parts");
    expect_refused(HEAD "\n# c\nunit = 4", "8: 'unit' is given twice, first in line 3");
    expect_refused(HEAD "unit 8", "6: a line is 'key = value', or a comment after '#'");
    expect_refused(HEAD "ecc =  # none", "6: 'ecc' has no value");
    expect_refused(HEAD "ecc = eror",
                   "6: ecc: 'eror' is none of none, error, fault, garbage; did you mean 'error'?");
    expect_refused(HEAD "endurance = 9\nworn = xxxxxxx",
                   "7: worn: 'xxxxxxx' is none of never, loud, silent");
    expect_refused(HEAD "page = 4 kB", "6: page: '4 kB' is no size; write 8, 4 KiB or 1 MiB");
    expect_refused(HEAD "otp = -1", "6: otp: '-1' is no size; write 8, 4 KiB or 1 MiB");
    expect_refused(HEAD "programs = two", "6: programs: 'two' is no number; write 100 or 0xff");
    expect_refused(HEAD "programs = 256", "6: programs: 256 is outside 0..255");
    expect_refused(HEAD "cache = 65", "6: cache: 65 is outside 1..64");
    expect_refused(HEAD "banks = 3", "6: banks: 3 is outside 1..2");
    expect_refused(HEAD "retention = soon",
                   "6: retention: 'soon' is no duration; write 41us, 85ms or 1s");
    expect_refused(HEAD "counter_time = 0", "6: counter_time: 0 is outside 1..1073741824 us");
    expect_refused("about = x\nunit = 8\n\n", "3: the part ends without 'sectors'");
    expect_refused("", "0: the part ends without 'about'");
}

#define TAIL "program_time = 40us\nerase_time = 1s\nabout = test\n"

static void an_impossible_geometry_is_refused(void)
{
    char text[TEXT_BYTES];
    expect_refused("unit = 12\nsectors = 8 x 4 KiB\n" TAIL, "1: unit: 12 is no power of two");
    expect_refused("unit = 1 KiB\n" TAIL, "1: unit: 1 KiB is outside 1..512");
    expect_refused("unit = 32\nsectors = 8 x 1000\n" TAIL,
                   "2: sectors: a sector of 1000 bytes is not whole units of 32");
    expect_refused("unit = 8\nsectors = 0 x 4 KiB\n" TAIL,
                   "2: sectors: write how many of what size, such as '4 x 16 KiB, 7 x 64 KiB'");
    expect_refused("unit = 8\nsectors = 4 KiB\n" TAIL,
                   "2: sectors: write how many of what size, such as '4 x 16 KiB, 7 x 64 KiB'");
    expect_refused("unit = 8\nsectors = 70000 x 64\n" TAIL, "2: sectors: more than 65536 sectors");
    expect_refused("unit = 8\nsectors = 1025 x 1 MiB\n" TAIL,
                   "2: sectors: a part has at most 1024 MiB");
    expect_refused("unit = 8\nsectors = 4 x 4 KiB, 4 x 8 KiB\nerase_time = 1s, 1s\nprogram_time = "
                   "1us\nabout = x",
                   "2: sectors: sectors differ in size: code sees them alike, say how with "
                   "'present'");
    expect_refused("unit = 8\nsectors = 4 x 4 KiB, 4 x 4 KiB\nerase_time = 1s, 2s\nprogram_time = "
                   "1us\nabout = x",
                   "3: erase_time: sectors of one size have one time");
    expect_refused("unit = 8\nsectors = 2 x 4 KiB, 1 x 8 KiB\npresent = 8 KiB\n" TAIL,
                   "5: erase_time: 1 times for 2 kinds of sectors");
    expect_refused("unit = 8\nsectors = 3 x 4 KiB\npresent = 8 KiB\n" TAIL,
                   "3: present: 12288 bytes are not whole sectors of 8192");
    expect_refused("unit = 8\nsectors = 1 x 4 KiB, 1 x 8 KiB, 1 x 4 KiB\npresent = 8 KiB\n"
                   "program_time = 40us\nerase_time = 1s, 1s, 1s\nabout = test\n",
                   "3: present: the sector of 8192 bytes at offset 4096 does not lie in one of "
                   "8192");
    expect_refused("unit = 8\nsectors = 4 x 8 KiB\npresent = 4 KiB\n" TAIL,
                   "3: present: the sector of 8192 bytes at offset 0 does not lie in one of 4096");
    expect_refused(HEAD "page = 48", "6: page: 48 is no power of two between a unit and a sector");
    expect_refused(HEAD "page = 4", "6: page: 4 is no power of two between a unit and a sector");
    expect_refused(HEAD "page = 8 KiB",
                   "6: page: 8192 is no power of two between a unit and a sector");
    expect_refused(HEAD "cache = 4", "6: cache: a cache is made of pages: give 'page' as well");
    expect_refused(HEAD "ecc = error",
                   "6: ecc: ECC words are programmed once: give 'programs = 1'");
    expect_refused("sectors = 7 x 4 KiB\nunit = 8\nbanks = 2\n" TAIL,
                   "3: banks: 7 sectors do not make two banks");
    expect_refused(HEAD "otp = 8 KiB", "6: otp: whole units, and at most a sector of 4096 bytes");
    expect_refused(HEAD "otp = 12", "6: otp: whole units, and at most a sector of 4096 bytes");
    expect_refused(HEAD "worn = loud", "6: worn: worn after how many erases? give 'endurance'");
    expect_refused(HEAD "erased = 0xfe", "6: erased: erased bytes are 0xff or 0x00");
    memset(text, 'x', 400);
    text[400] = '\0';
    expect_refused(text, "1: a line is at most 254 characters");
}

static void a_part_that_is_not_there_is_told_with_one_that_is(void)
{
    char error[ERROR_BYTES];
    struct part part;
    EXPECT(!part_load("nor_32", &part, error, sizeof error));
    EXPECT(strcmp(error, "no flash part 'nor_32' in sim/parts; did you mean 'nor-32'?") == 0);
    EXPECT(!part_load("zeppelin", &part, error, sizeof error));
    EXPECT(strcmp(error, "no flash part 'zeppelin' in sim/parts") == 0);
    EXPECT(!part_load("./none.part", &part, error, sizeof error));
    EXPECT(strcmp(error, "./none.part: No such file or directory") == 0);
    char names[PARTS_MAX][PART_NAME_BYTES];
    uint32_t count;
    EXPECT(!part_list("no-such-folder", names, &count, error, sizeof error));
    EXPECT(strstr(error, "no-such-folder: No such file") != NULL);
    EXPECT(!part_list("scripts", names, &count, error, sizeof error));
    EXPECT(strcmp(error, "scripts: there is no file *.part in it") == 0);
}

static void a_digest_is_that_of_what_the_profile_says(void)
{
    static const char *const more[] = {"erased = 0x00",
                                       "programs = 1",
                                       "programs = 2",
                                       "programs = 1\necc = error",
                                       "programs = 1\necc = fault",
                                       "page = 64",
                                       "page = 64\ncache = 2",
                                       "page = 64\ncache = 3",
                                       "banks = 2",
                                       "otp = 8",
                                       "counter_max = 7",
                                       "counter_time = 7us",
                                       "endurance = 7\nworn = loud",
                                       "endurance = 7\nworn = silent",
                                       "endurance = 8\nworn = loud",
                                       "disturb = 7",
                                       "retention = 7s",
                                       "present = 8 KiB"};
    enum { COUNT = sizeof more / sizeof more[0] };
    uint64_t digests[COUNT + 1][2];
    for (uint32_t i = 0; i <= COUNT; i++) {
        char text[TEXT_BYTES];
        snprintf(text, sizeof text, HEAD "%s", i < COUNT ? more[i] : "");
        const struct part part = read_text(text);
        part_digest(&part.profile, digests[i]);
        for (uint32_t j = 0; j < i; j++) {
            EXPECT(memcmp(digests[i], digests[j], sizeof digests[i]) != 0);
        }
    }
    const struct part other =
        read_text("erase_time = 1000ms, 1s\nunit = 8 # bytes\nsectors = 3 x 4096, 5 x 4 KiB\n"
                  "program_time = 40us\nabout = another\nendurance = 5\n");
    uint64_t same[2];
    part_digest(&other.profile, same);
    EXPECT(memcmp(same, digests[COUNT], sizeof same) == 0);
}

static void a_part_can_be_made_smaller_and_keeps_its_ways(void)
{
    struct flash_profile profile = load("unequal").profile;
    part_fit(&profile, 4096, 6);
    EXPECT_EQUAL(profile.geometry.sector_bytes, 4096);
    EXPECT_EQUAL(profile.geometry.sector_count, 6);
    struct flash *flash = flash_create(&profile);
    EXPECT(flash != NULL);
    EXPECT_EQUAL(flash_block_count(flash, 0), 4); /* 1, 1/2, 1/2 and 2 KiB */
    EXPECT_EQUAL(flash_block_count(flash, 4096), 1);
    EXPECT_EQUAL(flash_block_count(flash, 5 * 4096), 1);
    EXPECT_EQUAL(flash_erase_at_us(flash, 0), 4 * 700000);
    EXPECT_EQUAL(flash_erase_cut(flash, 0, 1, FLASH_ERASE_TEAR_MIXED), ERR_OK);
    EXPECT(!flash_is_uncertain(flash, 0, 1024));
    EXPECT(flash_is_uncertain(flash, 1024, 512));
    EXPECT(!flash_is_uncertain(flash, 1536, 2560));
    flash_free(flash);
    profile = load("nor-32").profile;
    part_fit(&profile, 1000, 99);
    EXPECT_EQUAL(profile.geometry.sector_bytes, 512);
    EXPECT_EQUAL(profile.geometry.sector_count, 99);
    profile = load("nor-32").profile;
    part_fit(&profile, 1000, UINT32_MAX);
    EXPECT_EQUAL(profile.geometry.sector_count, 4096); /* never larger than it was */
    profile = load("unequal").profile;
    part_fit(&profile, 4096, 99);
    EXPECT_EQUAL(profile.geometry.sector_count, 99);
    flash = flash_create(&profile);
    EXPECT(flash != NULL);
    EXPECT_EQUAL(flash_block_count(flash, 0), 4);
    EXPECT_EQUAL(flash_block_count(flash, 98 * 4096), 1);
    flash_free(flash);
    profile = load("cached").profile;
    part_fit(&profile, 1, 5);
    EXPECT_EQUAL(profile.geometry.sector_bytes, 512); /* a page */
    profile = load("dual-bank").profile;
    part_fit(&profile, UINT32_MAX, UINT32_MAX);
    EXPECT_EQUAL(profile.geometry.sector_count, 64);
    profile = load("dual-bank").profile;
    part_fit(&profile, 256, 5);
    EXPECT_EQUAL(profile.geometry.sector_count, 6); /* two banks */
    EXPECT_EQUAL(profile.otp_bytes, 256);
    flash = flash_create(&profile);
    EXPECT(flash != NULL);
    flash_free(flash);
}

static void expect_one_line_says_it_all(const char *spec)
{
    char text[PART_TEXT_BYTES], again[PART_TEXT_BYTES], error[ERROR_BYTES] = "";
    const struct part part = load(spec);
    struct part back;
    uint64_t before[2], after[2];
    EXPECT(part_print(&part, text, sizeof text));
    if (!part_read(text, &back, error, sizeof error)) {
        fprintf(stderr, "%s\n%s\n", text, error);
        exit(1);
    }
    part_digest(&part.profile, before);
    part_digest(&back.profile, after);
    EXPECT(memcmp(before, after, sizeof before) == 0);
    EXPECT(memcmp(&part.profile.geometry, &back.profile.geometry, sizeof back.profile.geometry) ==
           0);
    EXPECT_EQUAL(part.endurance, back.endurance);
    EXPECT(strcmp(part.name, back.name) == 0);
    EXPECT(part_print(&back, again, sizeof again));
    EXPECT(strcmp(text, again) == 0);
    EXPECT(!part_print(&part, text, 40)); /* no room: nothing rather than a half */
    EXPECT_EQUAL(text[0], '\0');
}

static void a_part_on_one_line_is_the_same_part(void)
{
    char names[PARTS_MAX][PART_NAME_BYTES], error[ERROR_BYTES];
    uint32_t count = 0;
    EXPECT(part_list(PART_FOLDER, names, &count, error, sizeof error));
    for (uint32_t i = 0; i < count; i++) {
        expect_one_line_says_it_all(names[i]);
    }
    expect_one_line_says_it_all("sim/parts/hostile/ecc-8-fault.part");
    expect_one_line_says_it_all("sim/parts/hostile/ecc-16-garbage.part");
    expect_one_line_says_it_all("sim/parts/hostile/word-twice.part");
    write_file("about = all\nsectors = 8 x 512, 3 x 4 KiB\npresent = 4 KiB\nunit = 2\n"
               "erased = 0\nprogram_time = 1ms1us\nerase_time = 1s, 2s\nprograms = 3\n"
               "page = 64\ncache = 7\nbanks = 2\notp = 128\ncounter_max = 77\n"
               "counter_time = 3ms\nendurance = 9\nworn = silent\ndisturb = 1000\n"
               "retention = 90d\n");
    expect_one_line_says_it_all(path);
}

static void a_line_that_is_no_part_is_refused(void)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"sectors=8x4096; unit=8", "is no flash part; write its name"},
        {": sectors=8x4096; unit=8", "is no flash part; write its name"},
        {"x: sectors=8x4096; unit=8", "the part ends without 'program_time'"},
        {"x: sectors=8x4096; unit=7; program_time=1us; erase_time=1ms", "no power of two"},
        {"x: sectors=8x4096; unit=8; program_time=1us; erase_time=1ms; about=y", "given twice"},
        {"x: sectors=8x4096\nunit=8", "is no flash part; write its name"},
        {"x: sectors=8x4096 # unit=8", "is no flash part; write its name"},
        {"a_name_that_is_as_long_as_thirty_two: unit=8", "is no flash part; write its name"},
    };
    char error[ERROR_BYTES];
    struct part part;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT(!part_read(cases[i].line, &part, error, sizeof error));
        if (strstr(error, cases[i].says) == NULL) {
            fprintf(stderr, "%s: %s\n", cases[i].line, error);
        }
        EXPECT(strstr(error, cases[i].says) != NULL);
    }
    EXPECT(part_read("nor-8", &part, error, sizeof error)); /* names are still names */
}

int main(void)
{
    const int file = mkstemp(path);
    EXPECT(file >= 0);
    EXPECT(close(file) == 0);
    RUN(every_part_of_the_tree_can_be_made_and_worked);
    RUN(the_kinds_that_matter_are_among_them);
    RUN(the_default_part_is_that_of_the_fleet);
    RUN(every_key_reaches_the_profile);
    RUN(a_mistake_is_told_with_its_line_and_what_to_do);
    RUN(an_impossible_geometry_is_refused);
    RUN(a_part_that_is_not_there_is_told_with_one_that_is);
    RUN(a_digest_is_that_of_what_the_profile_says);
    RUN(a_part_can_be_made_smaller_and_keeps_its_ways);
    RUN(a_part_on_one_line_is_the_same_part);
    RUN(a_line_that_is_no_part_is_refused);
    EXPECT(unlink(path) == 0);
    return 0;
}
