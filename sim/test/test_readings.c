/* Goal: readings come out of a CSV file exactly, and what is no table of numbers is refused by
 * line. Method: small files that the test writes, one for each form and each mistake. */
#include "sim/readings.h"

#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"

enum { ERROR_BYTES = 512 };

static char path[] = "/tmp/brownout_test_readings_XXXXXX";

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK %s\n", file, line, what);
    exit(1);
}

static void write_file(const char *text, size_t size_bytes)
{
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    EXPECT(fwrite(text, 1, size_bytes, file) == size_bytes);
    EXPECT(fclose(file) == 0);
}

static struct readings *loaded(const char *text)
{
    char error[ERROR_BYTES] = "";
    write_file(text, strlen(text));
    struct readings *readings = readings_load(path, error, sizeof error);
    if (readings == NULL) {
        fprintf(stderr, "%s\n", error);
    }
    EXPECT(readings != NULL);
    return readings;
}

static void expect_refused(const char *text, size_t size_bytes, const char *word)
{
    char error[ERROR_BYTES] = "";
    write_file(text, size_bytes);
    EXPECT(readings_load(path, error, sizeof error) == NULL);
    if (strstr(error, word) == NULL || strncmp(error, path, strlen(path)) != 0) {
        fprintf(stderr, "expected %s: %s\n", word, error);
        exit(1);
    }
}

static void rows_and_columns_start_again_at_their_end(void)
{
    struct readings *readings = loaded("room, hall ,yard\n20.5,21,-3\n20.25,22,-4\n");
    EXPECT_EQUAL(readings_rows(readings), 2);
    EXPECT_EQUAL(readings_columns(readings), 3);
    EXPECT_EQUAL(readings_at(readings, 0, 0), 20500);
    EXPECT_EQUAL(readings_at(readings, 1, 2), -4000);
    EXPECT_EQUAL(readings_at(readings, 3, 3), 20250);
    EXPECT_EQUAL(readings_at(readings, UINT64_MAX, UINT32_MAX), 20250);
    readings_free(readings);
}

static void a_first_line_of_numbers_is_no_header(void)
{
    struct readings *readings = loaded("1\n2\n3");
    EXPECT_EQUAL(readings_rows(readings), 3);
    EXPECT_EQUAL(readings_at(readings, 2, 7), 3000);
    readings_free(readings);
}

static void decimals_become_thousandths_and_are_rounded(void)
{
    struct readings *readings =
        loaded("0.0004,0.0005,-0.0005,-0.0004,+.5,7.,-0,1.9995,0.00049999999999999999999999\r\n"
               "\r\n"
               "2147483.647,-2147483.647,2147483.6474,0001,1.2,1.23,1.234,1.2344,1.2345\r\n");
    static const int32_t first[] = {0, 1, -1, 0, 500, 7000, 0, 2000, 0};
    static const int32_t second[] = {2147483647, -2147483647, 2147483647, 1000, 1200,
                                     1230,       1234,        1234,       1235};
    EXPECT_EQUAL(readings_rows(readings), 2);
    for (uint32_t i = 0; i < 9; i++) {
        EXPECT_EQUAL(readings_at(readings, 0, i), first[i]);
        EXPECT_EQUAL(readings_at(readings, 1, i), second[i]);
    }
    readings_free(readings);
}

static void what_is_no_number_is_refused_with_its_line_and_column(void)
{
    static const char *const bad[] = {
        "abc",         "",         "1e3", "1.2.3", "0x10",
        "--1",         "-",        ".",   "1 2",   "nan",
        "2147483.648", "-9999999", "1;2", "\"1\"", "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "a,b\n1,2\n3,%s\n", bad[i]);
        expect_refused(text, strlen(text), ":3: column 2: '");
    }
}

static void a_table_of_other_form_is_refused(void)
{
    char *wide = malloc(READINGS_LINE_BYTES_MAX + 16);
    EXPECT(wide != NULL);
    memset(wide, '1', READINGS_LINE_BYTES_MAX + 15);
    expect_refused(wide, READINGS_LINE_BYTES_MAX + 15, ":1: the line is too long");
    for (size_t i = 0; i < READINGS_COLUMNS_MAX; i++) {
        memcpy(wide + 2 * i, "1,", 2);
    }
    wide[2 * READINGS_COLUMNS_MAX] = '1';
    expect_refused(wide, 2 * READINGS_COLUMNS_MAX + 1, ":1: more than 4096 columns");
    free(wide);
    expect_refused("1,2\n3\n", 6, ":2: 1 columns, but the rows before have 2");
    expect_refused("1\n2,3\n", 6, ":2: 2 columns, but the rows before have 1");
    expect_refused("1\n2\0\n3\n", 7, ":2: the line is too long, or holds a zero byte");
    expect_refused("", 0, "there is no reading in it");
    expect_refused("only,a,header\n\n", 15, "there is no reading in it");
}

static void a_file_that_is_not_there_is_named(void)
{
    char error[ERROR_BYTES] = "";
    EXPECT(readings_load("/nonexistent/readings.csv", error, sizeof error) == NULL);
    EXPECT(strstr(error, "/nonexistent/readings.csv: No such file") != NULL);
    EXPECT(readings_load("/", error, sizeof error) ==
           NULL); /* a folder opens, and cannot be read */
    readings_free(NULL);
}

int main(void)
{
    const int file = mkstemp(path);
    EXPECT(file >= 0);
    close(file);
    RUN(rows_and_columns_start_again_at_their_end);
    RUN(a_first_line_of_numbers_is_no_header);
    RUN(decimals_become_thousandths_and_are_rounded);
    RUN(what_is_no_number_is_refused_with_its_line_and_column);
    RUN(a_table_of_other_form_is_refused);
    RUN(a_file_that_is_not_there_is_named);
    unlink(path);
    return 0;
}
