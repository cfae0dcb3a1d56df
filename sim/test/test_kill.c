/* Goal: who kills a sweep at any instant loses nothing that was finished. Method: the real command
 * sweeps into one database and is killed 20 times at drawn instants; each time the file opens, is
 * whole, has all rows of every run in it, and none of the runs that it had before is gone. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/random.h"
#include "sim/world.h"

enum { KILLS = 20, INSTANT_MAX_US = 400000, SKIPPED = 77 };

static char folder[] = "/tmp/brownout_kill_XXXXXX";
static char scenario[64], database_path[64];
static const char *program;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static pid_t start_sweep(const char *runs, const char *seed)
{
    const pid_t pid = fork();
    if (pid == 0) {
        const int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        execl(program, program, "sweep", scenario, "--runs", runs, "--seed-start", seed, "--db",
              database_path, "--crypto", "ideal", (char *)NULL);
        _exit(127);
    }
    EXPECT(pid > 0);
    return pid;
}

static long long ask(const char *sql)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    EXPECT_EQUAL(sqlite3_open_v2(database_path, &database, SQLITE_OPEN_READWRITE, "unix"),
                 SQLITE_OK);
    EXPECT_EQUAL(sqlite3_busy_timeout(database, 10000), SQLITE_OK);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(database));
        exit(1);
    }
    const long long answer =
        sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return answer;
}

/* Every run has its rows, all of them, and no row is without its run. */
static void expect_whole(void)
{
    static const struct {
        const char *table;
        int rows;
    } tables[] = {{"run_law", LAW_COUNT},
                  {"run_fault", EFFECT_COUNT},
                  {"run_probe", PROBE_COUNT},
                  {"run_figure", FIGURE_COUNT}};
    EXPECT_EQUAL(ask("SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    EXPECT_EQUAL(ask("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char sql[200];
        snprintf(sql, sizeof sql,
                 "SELECT count(*) FROM run WHERE (SELECT count(*) FROM %s WHERE run = run.id) <> "
                 "%d",
                 tables[i].table, tables[i].rows);
        EXPECT_EQUAL(ask(sql), 0);
    }
    EXPECT_EQUAL(ask("SELECT count(*) FROM run WHERE verdict = 'fail' AND NOT EXISTS "
                     "(SELECT 1 FROM plan WHERE run = run.id)"),
                 0);
}

static void a_killed_sweep_loses_nothing_that_was_finished(void)
{
    const uint64_t key = random_key(1, "kill");
    long long before = 0;
    for (unsigned i = 0; i < KILLS; i++) {
        char seed[24];
        int status;
        const uint64_t instant_us = random_at(key, i) % INSTANT_MAX_US;
        const struct timespec instant = {0, (long)instant_us * 1000};
        snprintf(seed, sizeof seed, "%u", i * 1000);
        const pid_t pid = start_sweep("100000", seed);
        nanosleep(&instant, NULL);
        EXPECT_EQUAL(kill(pid, SIGKILL), 0);
        EXPECT_EQUAL(waitpid(pid, &status, 0), pid);
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        if (access(database_path, F_OK) != 0 || ask("SELECT count(*) FROM sqlite_schema") == 0) {
            continue; /* killed before there was a database */
        }
        expect_whole();
        const long long runs = ask("SELECT count(*) FROM run");
        EXPECT(runs >= before);
        before = runs;
    }
}

static void the_file_serves_on(void)
{
    const long long before =
        access(database_path, F_OK) == 0 && ask("SELECT count(*) FROM sqlite_schema") > 0
            ? ask("SELECT count(*) FROM run")
            : 0;
    int status;
    const pid_t pid = start_sweep("5", "1");
    EXPECT_EQUAL(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status));
    EXPECT_EQUAL(WEXITSTATUS(status), 0);
    expect_whole();
    EXPECT_EQUAL(ask("SELECT count(*) FROM run"), before + 5);
}

static void write_scenario(void)
{
    FILE *file = fopen(scenario, "w");
    EXPECT(file != NULL);
    fputs("-- Is a short run recorded whole?\n"
          "return {\n"
          "  fleet = { devices = 2, gateways = 1 },\n"
          "  run = { duration = \"2m\", heal = \"10m\" },\n"
          "  faults = { link_reset = \"1m\" },\n"
          "}\n",
          file);
    EXPECT_EQUAL(fclose(file), 0);
}

static void remove_folder(void)
{
    char path[400];
    struct dirent *entry;
    DIR *files = opendir(folder);
    EXPECT(files != NULL);
    while ((entry = readdir(files)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path); /* "." and ".." stay */
    }
    closedir(files);
    EXPECT_EQUAL(rmdir(folder), 0);
}

int main(void)
{
    program = getenv("BROWNOUT");
    if (program == NULL) {
        program = "build/brownout";
    }
    if (access(program, X_OK) != 0) {
        printf("skipped: there is no %s; build it, or name it in BROWNOUT\n", program);
        return SKIPPED;
    }
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(scenario, sizeof scenario, "%s/short.lua", folder);
    snprintf(database_path, sizeof database_path, "%s/runs.db", folder);
    write_scenario();
    RUN(a_killed_sweep_loses_nothing_that_was_finished);
    RUN(the_file_serves_on);
    remove_folder();
    return 0;
}
