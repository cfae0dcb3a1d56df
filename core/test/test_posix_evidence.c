/* Goal: what a daemon writes is read back as it was, and nothing else is: neither garbage nor a
 * line that is almost one; a torn last line is the log's end, and is cut off by the next life.
 * Method: lines that this test prints, changes byte by byte, and cuts at each length. */
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/posix/evidence_log.h"
#include "core/test/posix_folder.h"
#include "core/test/test.h"

static const char *why;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static const struct evidence_header header = {.role = EVIDENCE_OF_DEVICE,
                                              .node = 7,
                                              .window = 64,
                                              .outbox = 256,
                                              .reserve = 32,
                                              .sample_us = 1000000};

static struct evidence_line line_of(uint32_t kind)
{
    return (struct evidence_line){.time_us = UINT64_MAX,
                                  .step = 3,
                                  .kind = kind,
                                  .device = UINT32_MAX,
                                  .epoch = 1,
                                  .counter = UINT64_MAX,
                                  .value = 0,
                                  .body = {1, UINT64_MAX}};
}

static bool same(const struct evidence_line *left, const struct evidence_line *right)
{
    return left->time_us == right->time_us && left->step == right->step &&
           left->kind == right->kind && left->device == right->device &&
           left->epoch == right->epoch && left->counter == right->counter &&
           left->value == right->value && left->body[0] == right->body[0] &&
           left->body[1] == right->body[1];
}

static bool parses(const char *text)
{
    struct evidence_line line;
    return evidence_line_parse(text, strlen(text), &line, &why);
}

static void each_kind_comes_back_as_it_was_written(void)
{
    char text[EVIDENCE_LINE_BYTES_MAX];
    for (uint32_t kind = 0; kind < EVIDENCE_WORD_END; kind++) {
        struct evidence_line line = line_of(kind), read;
        for (int body = 0; body < 2; body++) {
            const uint32_t size = evidence_line_print(&line, text);
            EXPECT_EQUAL(text[size - 1], '\n');
            EXPECT(evidence_line_parse(text, size - 1, &read, &why));
            EXPECT(same(&line, &read));
            line.body[0] = line.body[1] = 0;
        }
    }
    EXPECT(evidence_word(EVIDENCE_WORD_END) == NULL);
    EXPECT_EQUAL(EVIDENCE_WORD_UP, EVIDENCE_COUNT);
}

static void a_line_has_one_form(void)
{
    EXPECT(parses("1 0 SIGN 3 1 2 0 -"));
    EXPECT(!parses("01 0 SIGN 3 1 2 0 -"));
    EXPECT(!parses("1  0 SIGN 3 1 2 0 -"));
    EXPECT(!parses(" 1 0 SIGN 3 1 2 0 -"));
    EXPECT(!parses("1 0 SIGN 3 1 2 0 - "));
    EXPECT(!parses("1 0 SIGN 3 1 2 0"));
    EXPECT(!parses("1 0 sign 3 1 2 0 -"));
    EXPECT(!parses("1 0 UP 3 1 2 0 -"));
    EXPECT(!parses("1 0 SIGN 4294967296 1 2 0 -"));
    EXPECT(!parses("1 0 SIGN 3 1 18446744073709551616 0 -"));
    EXPECT(!parses("1 0 SIGN 3 1 2 -1 -"));
    EXPECT(!parses("1 0 SIGN 3 1 2 0 00000000000000000000000000000000"));
    EXPECT(!parses("1 0 SIGN 3 1 2 0 0000000000000001000000000000000G"));
    EXPECT(!parses("1 0 SIGN 3 1 2 0 000000000000000100000000000000AB"));
    EXPECT(!parses(""));
}

/* What is read after a change is never the line that was written. */
static void no_changed_byte_goes_unseen(void)
{
    char text[EVIDENCE_LINE_BYTES_MAX];
    const struct evidence_line line = line_of(EVIDENCE_SIGN);
    const uint32_t size = evidence_line_print(&line, text) - 1;
    for (uint32_t at = 0; at < size; at++) {
        const char before = text[at];
        for (int byte = 0; byte < 256; byte++) {
            struct evidence_line read;
            text[at] = (char)byte;
            EXPECT(text[at] == before || !evidence_line_parse(text, size, &read, &why) ||
                   !same(&line, &read));
        }
        text[at] = before;
    }
}

static void a_header_of_another_version_or_another_kind_is_refused(void)
{
    char text[EVIDENCE_HEADER_BYTES_MAX];
    struct evidence_header read;
    const uint32_t size = evidence_header_print(&header, text) - 1;
    EXPECT(evidence_header_parse(text, size, &read, &why));
    EXPECT_EQUAL(read.node, header.node);
    EXPECT_EQUAL(read.sample_us, header.sample_us);
    for (uint32_t cut = 0; cut < size; cut++) {
        struct evidence_header part;
        EXPECT(!evidence_header_parse(text, cut, &part, &why) || part.sample_us < header.sample_us);
    }
    memcpy(text, "brownout-evidence 2", 19);
    EXPECT(!evidence_header_parse(text, size, &read, &why));
    EXPECT(strstr(why, "format is not 1") != NULL);
    EXPECT(!evidence_header_parse("SQLite format 3", 15, &read, &why));
}

static void open_log(struct evidence_log *log, uint64_t bytes_max)
{
    char error[512];
    if (!evidence_log_open(log, folder_file("log"), bytes_max, &header, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

static void the_next_life_cuts_off_a_torn_line(void)
{
    struct evidence_log log;
    const struct evidence_line line = line_of(EVIDENCE_SEND);
    size_t whole, size;
    open_log(&log, 1 << 20);
    evidence_log_write(&log, &line);
    evidence_log_close(&log);
    char *text = folder_read("log", &whole);
    for (size_t cut = strcspn(text, "\n") + 1; cut < whole; cut++) {
        EXPECT_EQUAL(truncate(folder_file("log"), (off_t)cut), 0);
        open_log(&log, 1 << 20);
        evidence_log_write(&log, &line);
        evidence_log_close(&log);
        char *again = folder_read("log", &size);
        EXPECT_EQUAL(size, whole);
        EXPECT_EQUAL(memcmp(again, text, whole), 0);
        free(again);
    }
    free(text);
}

static void a_log_of_another_node_and_what_is_none_are_refused(void)
{
    struct evidence_log log;
    struct evidence_header other = header;
    char error[512];
    other.node = 8;
    EXPECT(!evidence_log_open(&log, folder_file("log"), 1 << 20, &other, error, sizeof error));
    EXPECT(strstr(error, "another node") != NULL);
    folder_write("log", "some other file\n");
    EXPECT(!evidence_log_open(&log, folder_file("log"), 1 << 20, &header, error, sizeof error));
    EXPECT(strstr(error, "no evidence log") != NULL);
    EXPECT_EQUAL(unlink(folder_file("log")), 0);
}

static void a_log_keeps_to_its_bound_and_says_so(void)
{
    struct evidence_log log;
    const struct evidence_line line = line_of(EVIDENCE_SEND);
    size_t size, again;
    open_log(&log, EVIDENCE_LOG_BYTES_MIN);
    for (int i = 0; i < 2000; i++) {
        evidence_log_write(&log, &line);
    }
    EXPECT(log.full);
    evidence_log_close(&log);
    char *text = folder_read("log", &size);
    EXPECT(size <= EVIDENCE_LOG_BYTES_MIN);
    EXPECT(strstr(text, " full 0 0 0 0 -\n") == text + size - 16);
    free(text);
    open_log(&log, EVIDENCE_LOG_BYTES_MIN);
    evidence_log_write(&log, &line);
    evidence_log_close(&log);
    free(folder_read("log", &again));
    EXPECT_EQUAL(again, size);
    EXPECT_EQUAL(unlink(folder_file("log")), 0);
}

int main(void)
{
    RUN(each_kind_comes_back_as_it_was_written);
    RUN(a_line_has_one_form);
    RUN(no_changed_byte_goes_unseen);
    RUN(a_header_of_another_version_or_another_kind_is_refused);
    RUN(the_next_life_cuts_off_a_torn_line);
    RUN(a_log_of_another_node_and_what_is_none_are_refused);
    RUN(a_log_keeps_to_its_bound_and_says_so);
    folder_remove();
    return 0;
}
