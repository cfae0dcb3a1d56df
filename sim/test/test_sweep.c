/* Goal: whatever befalls a sweep (it is killed, its workers are killed, the disk is full, its
 * database is moved away) nothing that was finished is lost, the message says what to do, and
 * --resume comes to the rows of a sweep that nothing befell; so do merged shards, also where one
 * scenario is taken more seldom than another. What must fail fails: the canary, a run that takes
 * too long or too much. Method: the real command, in a folder of its own; rows are compared but for
 * their numbers, times and memory. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/random.h"
#include "sim/world.h"
#include "sim/test/scratch.h"

enum { KILLS = 20, INSTANT_MAX_US = 400000, RUNS = 24, SKIPPED = 77, WORDS_MAX = 20 };

static char folder[] = "/tmp/brownout_sweep_XXXXXX";
static char scenario[64], database_path[64], whole_path[64], said_path[64], two[64];
static const char *program;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* ---- the command ----------------------------------------------------------------------------- */

/* brownout VERB WORDS..., with blanks between; what it says on standard error goes to a file.
 * file_bytes: no file may be larger; 0: any size. */
static pid_t start(const char *words, rlim_t file_bytes)
{
    static char text[1024];
    char *list[WORDS_MAX + 2] = {(char *)(uintptr_t)program};
    unsigned count = 1;
    const pid_t pid = fork();
    if (pid != 0) {
        EXPECT(pid > 0);
        return pid;
    }
    snprintf(text, sizeof text, "%s", words);
    for (char *at = strtok(text, " "); at != NULL && count <= WORDS_MAX; at = strtok(NULL, " ")) {
        list[count++] = at;
    }
    const int nowhere = open("/dev/null", O_WRONLY);
    const int said = open(said_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(nowhere, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    if (file_bytes != 0) {
        const struct rlimit limit = {file_bytes, file_bytes};
        setrlimit(RLIMIT_FSIZE, &limit);
        signal(SIGXFSZ, SIG_IGN);
    }
    execv(program, list);
    _exit(127);
}

static int finish(pid_t pid)
{
    int status;
    EXPECT_EQUAL(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A sweep of the scenario. */
static const char *sweep_words(unsigned runs, unsigned seed, const char *db, const char *more)
{
    static char words[1024];
    snprintf(words, sizeof words, "sweep %s --runs %u --seed-start %u --db %s --crypto ideal %s",
             scenario, runs, seed, db, more);
    return words;
}

static void expect_said(const char *word)
{
    char text[4096];
    FILE *file = fopen(said_path, "r");
    EXPECT(file != NULL);
    const size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    if (strstr(text, word) == NULL) {
        fprintf(stderr, "it does not say '%s', but:\n%s\n", word, text);
        exit(1);
    }
}

static void sleep_us(uint64_t us)
{
    const struct timespec instant = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    nanosleep(&instant, NULL);
}

/* ---- the database ---------------------------------------------------------------------------- */

static void forget(const char *path)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
    char name[128];
    for (unsigned i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, tails[i]);
        unlink(name);
    }
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
        int status;
        const uint64_t instant_us = random_at(key, i) % INSTANT_MAX_US;
        const pid_t pid = start(sweep_words(100000, i * 1000, database_path, ""), 0);
        sleep_us(instant_us);
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
    EXPECT(finish(start(sweep_words(5, 1, database_path, ""), 0)) <= 1);
    expect_whole();
    EXPECT_EQUAL(ask("SELECT count(*) FROM run"), before + 5);
}

/* ---- the same rows in the end ---------------------------------------------------------------- */

static bool is_there(void)
{
    return access(database_path, F_OK) == 0 && ask("SELECT count(*) FROM sqlite_schema") > 0;
}

/* sim/test/rows.sql: what a file says, but for what may differ. */
static sqlite3_stmt *rows_of(const char *path)
{
    static char sql[8192];
    sqlite3 *database;
    sqlite3_stmt *statement;
    FILE *file = fopen("sim/test/rows.sql", "r");
    EXPECT(file != NULL);
    const size_t size = fread(sql, 1, sizeof sql, file);
    EXPECT(size > 0 && size < sizeof sql);
    sql[size] = '\0';
    fclose(file);
    EXPECT_EQUAL(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
    EXPECT_EQUAL(sqlite3_busy_timeout(database, 10000), SQLITE_OK);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) {
        fprintf(stderr, "sim/test/rows.sql: %s\n", sqlite3_errmsg(database));
        exit(1);
    }
    return statement;
}

static void close_rows(sqlite3_stmt *statement)
{
    sqlite3 *database = sqlite3_db_handle(statement);
    sqlite3_finalize(statement);
    EXPECT_EQUAL(sqlite3_close(database), SQLITE_OK);
}

/* NULL: there is none any more. */
static const char *next_row(sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    EXPECT(code == SQLITE_ROW || code == SQLITE_DONE);
    return code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
}

/* Against the sweep that nothing befell. */
static void expect_the_same_rows(long long runs)
{
    expect_whole();
    EXPECT_EQUAL(ask("SELECT count(*) FROM run"), runs);
    sqlite3_stmt *here = rows_of(database_path), *there = rows_of(whole_path);
    const char *left = next_row(here), *right = next_row(there);
    while (left != NULL && right != NULL && strcmp(left, right) == 0) {
        left = next_row(here);
        right = next_row(there);
    }
    if (left != NULL || right != NULL) {
        fprintf(stderr, "here:  %s\nthere: %s\n", left != NULL ? left : "no more",
                right != NULL ? right : "no more");
        exit(1);
    }
    close_rows(here);
    close_rows(there);
}

static void a_sweep_that_nothing_befalls(void)
{
    EXPECT_EQUAL(finish(start(sweep_words(RUNS, 1, whole_path, ""), 0)), 1); /* some fail */
}

static void a_killed_sweep_goes_on(void)
{
    const uint64_t key = random_key(2, "kill");
    forget(database_path);
    for (unsigned i = 0; i < KILLS; i++) {
        int status;
        const pid_t pid = start(sweep_words(RUNS, 1, database_path, "--resume"), 0);
        sleep_us(random_at(key, i) % INSTANT_MAX_US);
        kill(pid, SIGKILL);
        EXPECT_EQUAL(waitpid(pid, &status, 0), pid);
    }
    EXPECT_EQUAL(finish(start(sweep_words(RUNS, 1, database_path, "--resume"), 0)), 1);
    expect_the_same_rows(RUNS);
    const long long last = ask("SELECT max(id) FROM run");
    EXPECT_EQUAL(finish(start(sweep_words(RUNS, 1, database_path, "--resume"), 0)), 1);
    EXPECT_EQUAL(ask("SELECT max(id) FROM run"), last); /* nothing was left to do */
}

/* A child of it, or a child of a child: a lane, or a run. 0: none now. */
static pid_t descendant(pid_t pid, unsigned generation, uint64_t draw)
{
    char path[64], text[1024];
    pid_t list[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    const size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    for (char *at = strtok(text, " \n"); at != NULL && count < 64; at = strtok(NULL, " \n")) {
        list[count++] = (pid_t)strtol(at, NULL, 10);
    }
    if (count == 0) {
        return 0;
    }
    const pid_t child = list[draw % count];
    return generation == 0 ? child : descendant(child, generation - 1, draw / count);
}

/* Twice it is a run: three times the same one would be its result. */
static void killed_workers_are_replaced(void)
{
    const uint64_t key = random_key(3, "kill");
    unsigned killed = 0;
    forget(database_path);
    const pid_t pid = start(sweep_words(RUNS, 1, database_path, "--jobs 2"), 0);
    for (unsigned i = 0; i < KILLS; i++) {
        sleep_us(random_at(key, 2 * i) % (INSTANT_MAX_US / 4));
        const pid_t victim = descendant(pid, i % 10 == 5 ? 1 : 0, random_at(key, 2 * i + 1));
        killed += victim != 0 && kill(victim, SIGKILL) == 0 ? 1 : 0;
    }
    EXPECT_EQUAL(finish(pid), 1);
    EXPECT(killed > 0);
    expect_the_same_rows(RUNS);
}

static void a_full_disk_stops_it_and_it_goes_on(void)
{
    forget(database_path);
    EXPECT_EQUAL(finish(start(sweep_words(RUNS, 1, database_path, ""), 400000)), 4);
    expect_said("is the disk full? Make room");
    EXPECT(ask("SELECT count(*) FROM run") < RUNS);
    EXPECT_EQUAL(finish(start(sweep_words(RUNS, 1, database_path, "--resume"), 0)), 1);
    expect_the_same_rows(RUNS);
}

static void a_database_that_is_moved_away_is_whole(void)
{
    char elsewhere[80];
    snprintf(elsewhere, sizeof elsewhere, "%s.moved", database_path);
    forget(database_path);
    const pid_t pid = start(sweep_words(100000, 1, database_path, ""), 0);
    while (!is_there() || ask("SELECT count(*) FROM run") < 3) {
        sleep_us(20000);
    }
    EXPECT_EQUAL(rename(database_path, elsewhere), 0);
    EXPECT_EQUAL(finish(pid), 4);
    expect_said("was moved away or deleted");
    EXPECT_EQUAL(rename(elsewhere, database_path), 0);
    expect_whole();
    EXPECT(ask("SELECT count(*) FROM run") >= 3);
}

static void merged_shards_are_the_whole(void)
{
    char words[512], shard[80], shards[4][80];
    forget(database_path);
    for (unsigned i = 1; i <= 3; i++) {
        snprintf(shards[i], sizeof shards[i], "%s.%u", database_path, i);
        forget(shards[i]);
        snprintf(shard, sizeof shard, "--shard %u/3", i);
        const int code = finish(start(sweep_words(RUNS, 1, shards[i], shard), 0));
        EXPECT(code == 0 || code == 1);
    }
    for (unsigned again = 0; again < 2; again++) {
        snprintf(words, sizeof words, "merge %s %s %s %s", database_path, shards[3], shards[1],
                 shards[2]);
        EXPECT_EQUAL(finish(start(words, 0)), 0);
        expect_the_same_rows(RUNS);
    }
}

/* ---- which seeds of which file --------------------------------------------------------------- */

enum { SELDOM = 4, ROUNDS = 3 * SELDOM, SEED = 100 };

/* A folder of two scenarios, of which one has all seeds and one every fourth. */
static const char *two_words(const char *db, const char *more)
{
    static char words[512];
    snprintf(words, sizeof words, "sweep %s --runs %d --seed-start %d --db %s --crypto ideal %s",
             two, ROUNDS, SEED, db, more);
    return words;
}

static long long ask_scenario(const char *name, const char *what)
{
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT %s FROM run WHERE scenario LIKE '%%/%s.lua'", what, name);
    return ask(sql);
}

static void a_scenario_that_says_so_is_taken_seldom(void)
{
    forget(database_path);
    EXPECT_EQUAL(finish(start(two_words(database_path, ""), 0)), 0);
    EXPECT_EQUAL(ask_scenario("a", "count(*)"), ROUNDS);
    EXPECT_EQUAL(ask_scenario("b", "count(*)"), ROUNDS / SELDOM);
    EXPECT_EQUAL(ask_scenario("b", "min(seed)"), SEED);
    /* One in each four, and not the same one of them: with four shards each has some. */
    EXPECT_EQUAL(ask_scenario("b", "count(DISTINCT (seed - 100) / 4)"), ROUNDS / SELDOM);
    EXPECT_EQUAL(ask_scenario("b", "count(DISTINCT (seed - 100) % 4)"), ROUNDS / SELDOM);
}

static void a_setting_gives_it_all_seeds(void)
{
    forget(database_path);
    EXPECT_EQUAL(finish(start(two_words(database_path, "--set run.sweep_every=1"), 0)), 0);
    EXPECT_EQUAL(ask_scenario("b", "count(*)"), ROUNDS);
}

static void a_file_that_is_named_has_all_seeds(void)
{
    char words[256];
    forget(database_path);
    snprintf(words, sizeof words, "sweep %s/b.lua --runs 5 --db %s --crypto ideal", two,
             database_path);
    EXPECT_EQUAL(finish(start(words, 0)), 0);
    EXPECT_EQUAL(ask("SELECT count(*) FROM run"), 5);
}

static void its_shards_are_the_whole_and_it_can_go_on(void)
{
    char shard[80], merge[512], shards[4][80];
    forget(whole_path);
    EXPECT_EQUAL(finish(start(two_words(whole_path, ""), 0)), 0);
    for (unsigned i = 1; i <= 3; i++) {
        snprintf(shards[i], sizeof shards[i], "%s.%u", database_path, i);
        forget(shards[i]);
        snprintf(shard, sizeof shard, "--shard %u/3", i);
        EXPECT_EQUAL(finish(start(two_words(shards[i], shard), 0)), 0);
    }
    forget(database_path);
    snprintf(merge, sizeof merge, "merge %s %s %s %s", database_path, shards[2], shards[1],
             shards[3]);
    EXPECT_EQUAL(finish(start(merge, 0)), 0);
    expect_the_same_rows(ROUNDS + ROUNDS / SELDOM);
    forget(database_path);
    snprintf(merge, sizeof merge, "merge %s %s", database_path, shards[2]);
    EXPECT_EQUAL(finish(start(merge, 0)), 0);
    EXPECT_EQUAL(finish(start(two_words(database_path, "--resume"), 0)), 0);
    expect_the_same_rows(ROUNDS + ROUNDS / SELDOM);
}

/* However many runs there are beside each other. */
static void a_guided_sweep_is_a_function_of_its_call(void)
{
    char words[96];
    forget(whole_path);
    forget(database_path);
    for (unsigned jobs = 1; jobs <= 3; jobs += 2) {
        const char *db = jobs == 1 ? whole_path : database_path;
        snprintf(words, sizeof words, "--guide --jobs %u", jobs);
        EXPECT_EQUAL(finish(start(sweep_words(70, 5, db, words), 0)), 1);
    }
    expect_the_same_rows(70);
    EXPECT(ask("SELECT count(*) FROM run WHERE scenario = ''") > 10);
}

/* ---- what must fail -------------------------------------------------------------------------- */

static void a_canary_that_does_not_fail_ends_it(void)
{
    forget(database_path);
    EXPECT_EQUAL(
        finish(
            start(sweep_words(5, 1, database_path, "--set run.duration=1s --set run.heal=0"), 0)),
        4);
    expect_said("the canary did not fail");
}

static void what_takes_too_much_is_ended_and_classed(void)
{
    forget(database_path);
    EXPECT_EQUAL(
        finish(start(
            sweep_words(2, 1, database_path,
                        "--set run.duration=365d --set faults.link_reset.every=0 --timeout 8s"),
            0)),
        5);
    EXPECT_EQUAL(ask("SELECT count(*) FROM run WHERE ending = 'late'"), 2);
#ifndef __SANITIZE_ADDRESS__ /* whose own memory is most of it */
    EXPECT_EQUAL(finish(start(sweep_words(2, 7, database_path,
                                          "--set run.duration=365d --set faults.link_reset.every=0 "
                                          "--set device.sample_every=100ms --memory 40"),
                              0)),
                 5);
    EXPECT_EQUAL(ask("SELECT count(*) FROM run WHERE ending = 'memory'"), 2);
#endif
    EXPECT_EQUAL(ask("SELECT count(*) FROM run WHERE verdict <> 'unknown'"), 0);
}

static void a_probe_that_nothing_reaches_is_said(void)
{
    forget(database_path);
    EXPECT_EQUAL(finish(start(sweep_words(4, 100, database_path, "--probes-after 4"), 0)), 1);
    expect_said("never reached in 4 runs: ");
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
          "  expect = { { \"reconnects\", \"<\", 9 } }, -- some runs fail\n"
          "}\n",
          file);
    EXPECT_EQUAL(fclose(file), 0);
}

static void write_calm(const char *name, const char *how_often)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s.lua", two, name);
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    fprintf(file,
            "-- Is a calm run recorded?\n"
            "return { fleet = { devices = 1 }, duration = \"2m\", heal = \"1m\", %s }\n",
            how_often);
    EXPECT_EQUAL(fclose(file), 0);
}

static void write_two(void)
{
    EXPECT_EQUAL(mkdir(two, 0700), 0);
    write_calm("a", "");
    write_calm("b", "sweep_every = 4");
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
    snprintf(two, sizeof two, "%s/two", folder);
    write_two();
    snprintf(whole_path, sizeof whole_path, "%s/whole.db", folder);
    snprintf(said_path, sizeof said_path, "%s/said", folder);
    RUN(a_killed_sweep_loses_nothing_that_was_finished);
    RUN(the_file_serves_on);
    RUN(a_sweep_that_nothing_befalls);
    RUN(a_killed_sweep_goes_on);
    RUN(killed_workers_are_replaced);
    RUN(a_full_disk_stops_it_and_it_goes_on);
    RUN(a_database_that_is_moved_away_is_whole);
    RUN(merged_shards_are_the_whole);
    RUN(a_scenario_that_says_so_is_taken_seldom);
    RUN(a_setting_gives_it_all_seeds);
    RUN(a_file_that_is_named_has_all_seeds);
    RUN(its_shards_are_the_whole_and_it_can_go_on);
    RUN(a_guided_sweep_is_a_function_of_its_call);
    RUN(a_canary_that_does_not_fail_ends_it);
    RUN(what_takes_too_much_is_ended_and_classed);
    RUN(a_probe_that_nothing_reaches_is_said);
    scratch_remove(two);
    scratch_remove(folder);
    return 0;
}
