/* Goal: flash, counters and retained RAM behave as core/port.h says, over lives of a process and
 * boots of a machine, and what is torn or gone is refused rather than begun anew.
 * Method: the files themselves, changed between lives; core's own store on the flash file. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"
#include "core/posix/flash_file.h"
#include "core/posix/state_folder.h"
#include "core/store.h"
#include "core/test/posix_folder.h"
#include "core/test/test.h"

static char error[1024];
static const struct flash_geometry geometry = {
    .sector_bytes = 1024, .sector_count = 4, .program_bytes = 8, .erased_value = 0xFF};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static void open_state(struct state_folder *state)
{
    if (!state_open(state, folder_file("state"), error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

static bool open_flash(struct flash_file *flash, bool *made)
{
    const int folder = open(folder_path(), O_RDONLY | O_DIRECTORY);
    EXPECT(folder >= 0);
    const bool good = flash_file_open(flash, folder, "flash", &geometry, made, error, sizeof error);
    EXPECT_EQUAL(close(folder), 0);
    return good;
}

/* ---- Flash ----------------------------------------------------------------------------------- */

static void program_clears_bits_and_erase_sets_them(void)
{
    struct flash_file flash;
    bool made;
    const uint8_t first[8] = {0xF0, 0xFF, 0, 1, 2, 3, 4, 5}, second[8] = {0x3C, 0x0F, 0xFF};
    uint8_t cells[8];
    EXPECT(open_flash(&flash, &made));
    EXPECT(made);
    EXPECT_EQUAL(flash_file_program(&flash, 1024, first, 8), ERR_OK);
    EXPECT_EQUAL(flash_file_program(&flash, 1024, second, 8), ERR_OK);
    EXPECT_EQUAL(flash_file_read(&flash, 1024, cells, 8), ERR_OK);
    EXPECT_EQUAL(cells[0], 0x30);
    EXPECT_EQUAL(cells[1], 0x0F);
    EXPECT_EQUAL(cells[2], 0);
    EXPECT_EQUAL(flash_file_read(&flash, 1032, cells, 8), ERR_OK);
    EXPECT_EQUAL(cells[0], 0xFF); /* beside it nothing changed */
    EXPECT_EQUAL(flash_file_erase(&flash, 1024), ERR_OK);
    EXPECT_EQUAL(flash_file_read(&flash, 1024, cells, 8), ERR_OK);
    EXPECT_EQUAL(cells[2], 0xFF);
    EXPECT_EQUAL(flash_file_sync(&flash), ERR_OK);
    flash_file_close(&flash);
}

static void what_is_outside_or_misaligned_is_refused(void)
{
    struct flash_file flash;
    bool made;
    uint8_t cells[16] = {0};
    EXPECT(open_flash(&flash, &made));
    EXPECT(!made);
    EXPECT_EQUAL(flash_file_read(&flash, 4096 - 8, cells, 16), ERR_RANGE);
    EXPECT_EQUAL(flash_file_read(&flash, UINT32_MAX, cells, 16), ERR_RANGE);
    EXPECT_EQUAL(flash_file_program(&flash, 4, cells, 8), ERR_RANGE);
    EXPECT_EQUAL(flash_file_program(&flash, 0, cells, 4), ERR_RANGE);
    EXPECT_EQUAL(flash_file_program(&flash, 4096, cells, 8), ERR_RANGE);
    EXPECT_EQUAL(flash_file_erase(&flash, 512), ERR_RANGE);
    EXPECT_EQUAL(flash_file_erase(&flash, 4096), ERR_RANGE);
    flash_file_close(&flash);
}

static void a_file_of_another_size_is_no_such_flash(void)
{
    struct flash_file flash;
    bool made;
    EXPECT_EQUAL(truncate(folder_file("flash"), 4095), 0);
    EXPECT(!open_flash(&flash, &made));
    EXPECT(strstr(error, "has 4095 bytes, and the configured flash has 4096") != NULL);
    EXPECT_EQUAL(unlink(folder_file("flash")), 0);
}

/* ---- Lives ----------------------------------------------------------------------------------- */

static void a_reset_keeps_ram_and_another_boot_of_the_machine_does_not(void)
{
    struct state_folder state;
    uint8_t ram[RETAINED_BYTES];
    memset(ram, 0x5A, sizeof ram);
    open_state(&state);
    EXPECT_EQUAL(state.reason, RESET_POWER_ON);
    EXPECT_EQUAL(state_retain(&state, ram), ERR_OK);
    state_close(&state);
    open_state(&state);
    EXPECT_EQUAL(state.reason, RESET_PROCESS);
    EXPECT_EQUAL(memcmp(state.retained, ram, sizeof ram), 0);
    state_mark_reset(&state, RESET_SOFTWARE);
    state_close(&state);
    open_state(&state);
    EXPECT_EQUAL(state.reason, RESET_SOFTWARE);
    state_mark_reset(&state, RESET_WATCHDOG);
    state_close(&state);
    open_state(&state);
    EXPECT_EQUAL(state.reason, RESET_WATCHDOG);
    EXPECT_EQUAL(memcmp(state.retained, ram, sizeof ram), 0);
    state_close(&state);
    open_state(&state);
    EXPECT_EQUAL(state.reason, RESET_PROCESS); /* the mark was for one life */
    state_close(&state);
    /* The identity of the machine's boot is behind the magic: any other one will do. */
    const int file = open(folder_file("state/retained"), O_RDWR);
    EXPECT(file >= 0);
    EXPECT_EQUAL(pwrite(file, "x", 1, 4), 1);
    EXPECT_EQUAL(close(file), 0);
    open_state(&state);
    EXPECT_EQUAL(state.reason, RESET_POWER_ON);
    EXPECT_EQUAL(state.retained[0], 0);
    state_close(&state);
}

static void a_counter_never_falls(void)
{
    struct state_folder state;
    open_state(&state);
    EXPECT(state_counters(&state, true, error, sizeof error));
    EXPECT_EQUAL(state.counters[COUNTER_EPOCH], 0);
    EXPECT_EQUAL(state_increment(&state, COUNTER_EPOCH), ERR_OK);
    EXPECT_EQUAL(state_increment(&state, COUNTER_EPOCH), ERR_OK);
    EXPECT_EQUAL(state_increment(&state, COUNTER_SECURITY), ERR_OK);
    state_close(&state);
    open_state(&state);
    EXPECT(state_counters(&state, false, error, sizeof error));
    EXPECT_EQUAL(state.counters[COUNTER_EPOCH], 2);
    EXPECT_EQUAL(state.counters[COUNTER_SECURITY], 1);
    state_close(&state);
}

static void counters_that_are_changed_cut_or_gone_are_refused(void)
{
    struct state_folder state;
    size_t size;
    char *text = folder_read("state/counters", &size);
    open_state(&state);
    for (size_t at = 0; at < size; at++) {
        const char before = text[at];
        text[at] = before == '1' ? '0' : '1';
        folder_write("state/counters", text);
        EXPECT(!state_counters(&state, false, error, sizeof error));
        EXPECT(strstr(error, "damaged") != NULL);
        text[at] = '\0'; /* cut here */
        folder_write("state/counters", text);
        EXPECT(!state_counters(&state, false, error, sizeof error));
        text[at] = before;
    }
    EXPECT_EQUAL(unlink(folder_file("state/counters")), 0);
    EXPECT(!state_counters(&state, false, error, sizeof error));
    EXPECT(strstr(error, "the flash is") != NULL);
    folder_write("state/counters", text);
    EXPECT(state_counters(&state, false, error, sizeof error));
    state_close(&state);
    free(text);
}

static void a_node_runs_once(void)
{
    struct state_folder state;
    int status;
    open_state(&state);
    const pid_t child = fork(); /* a lock is a process's own */
    if (child == 0) {
        struct state_folder second;
        const bool taken = state_open(&second, folder_file("state"), error, sizeof error);
        _exit(taken || strstr(error, "in use by another process") == NULL ? 1 : 0);
    }
    EXPECT(child > 0);
    EXPECT_EQUAL(waitpid(child, &status, 0), child);
    EXPECT_EQUAL(status, 0);
    state_close(&state);
}

/* ---- Core on it ------------------------------------------------------------------------------ */

static enum err read_flash(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    return flash_file_read(ctx, offset, bytes, size_bytes);
}

static enum err program_flash(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    return flash_file_program(ctx, offset, bytes, size_bytes);
}

static enum err erase_flash(void *ctx, uint32_t offset)
{
    return flash_file_erase(ctx, offset);
}

static enum err sync_flash(void *ctx)
{
    return flash_file_sync(ctx);
}

/* Each life puts a record and is left without a word, as a kill would leave it. */
static void a_store_finds_its_records_in_the_next_life(void)
{
    struct flash_file flash;
    struct store store;
    bool made;
    for (uint32_t life = 0; life < 40; life++) {
        EXPECT(open_flash(&flash, &made));
        EXPECT_EQUAL(made, life == 0);
        const struct port port = {.ctx = &flash,
                                  .flash = geometry,
                                  .flash_read = read_flash,
                                  .flash_program = program_flash,
                                  .flash_erase = erase_flash,
                                  .flash_sync = sync_flash};
        if (life == 0) {
            EXPECT_EQUAL(store_format(&store, &port, 0, 4), ERR_OK);
        } else {
            EXPECT_EQUAL(store_mount(&store, &port, 0, 4), ERR_OK);
            EXPECT_EQUAL(store.entry_count, life < 3 ? life : 3);
            EXPECT_EQUAL(store.lost, 0);
        }
        uint8_t bytes[200];
        memset(bytes, (int)life, sizeof bytes);
        EXPECT_EQUAL(store_put(&store, &port, life % 3, bytes, sizeof bytes), ERR_OK);
        flash_file_close(&flash);
    }
}

int main(void)
{
    RUN(program_clears_bits_and_erase_sets_them);
    RUN(what_is_outside_or_misaligned_is_refused);
    RUN(a_file_of_another_size_is_no_such_flash);
    RUN(a_reset_keeps_ram_and_another_boot_of_the_machine_does_not);
    RUN(a_counter_never_falls);
    RUN(counters_that_are_changed_cut_or_gone_are_refused);
    RUN(a_node_runs_once);
    RUN(a_store_finds_its_records_in_the_next_life);
    folder_remove();
    return 0;
}
