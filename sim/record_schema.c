/* The run database, version 2. SQLite keeps these comments: `sqlite3 runs.db .schema` shows them.
 *
 * Times are microseconds (_us); simulated ones count from the start of the run. 64-bit counts that
 * have no upper bound are stored as two's complement: -1 is 2^64 - 1. A change of this schema
 * raises RECORD_SCHEMA. */
#include "sim/record_schema.h"

#include <stddef.h>

const char *const record_schema[] = {
    "CREATE TABLE build ( -- a program: with plan and seed it decides a run\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  commit_id TEXT NOT NULL, -- of the source; -dirty: with changes\n"
    "  compiler TEXT NOT NULL,\n"
    "  type TEXT NOT NULL,\n"
    "  sqlite TEXT NOT NULL, -- sqlite3_sourceid(): servers keep their state in it\n"
    "  program TEXT NOT NULL, -- hash of the executable\n"
    "  UNIQUE (commit_id, compiler, type, sqlite, program)\n"
    ") STRICT",
    "CREATE TABLE run ( -- one run; written when it has ended, in one transaction\n"
    "  id INTEGER PRIMARY KEY, -- brownout replay ID\n"
    "  build INTEGER NOT NULL REFERENCES build(id),\n"
    "  recorded_at TEXT NOT NULL, -- UTC\n"
    "  scenario TEXT NOT NULL, -- file, as it was named\n"
    "  scenario_hash TEXT NOT NULL, -- of its bytes\n"
    "  question TEXT NOT NULL, -- its first line\n"
    "  settings TEXT NOT NULL, -- --set: lines of key=value\n"
    "  seed INTEGER NOT NULL,\n"
    "  verdict TEXT NOT NULL, -- pass fail usage nondeterministic harness unknown\n"
    "  message TEXT NOT NULL, -- why it is not a pass\n"
    "  hash TEXT, -- of all that happened; NULL: it did not come to its end\n"
    "  plan_hash TEXT, -- of the plan as it was lived\n"
    "  events INTEGER NOT NULL,\n"
    "  sim_us INTEGER NOT NULL,\n"
    "  wall_us INTEGER NOT NULL,\n"
    "  live_expectation INTEGER NOT NULL -- 1: a Lua function failed, its plan shows nothing\n"
    ") STRICT",
    "CREATE TABLE run_law ( -- every law in every run\n"
    "  run INTEGER NOT NULL REFERENCES run(id),\n"
    "  law TEXT NOT NULL,\n"
    "  exercised INTEGER NOT NULL, -- how often it was put to the test\n"
    "  void INTEGER NOT NULL, -- 1: a fault that struck takes it out where it struck\n"
    "  broken INTEGER NOT NULL,\n"
    "  PRIMARY KEY (run, law)\n"
    ") STRICT, WITHOUT ROWID",
    "CREATE TABLE run_step ( -- every action of a spec that judges runs, in every run\n"
    "  run INTEGER NOT NULL REFERENCES run(id),\n"
    "  spec TEXT NOT NULL,\n"
    "  action TEXT NOT NULL,\n"
    "  steps INTEGER NOT NULL, -- how often the run took it\n"
    "  PRIMARY KEY (run, spec, action)\n"
    ") STRICT, WITHOUT ROWID",
    "CREATE TABLE run_fault ( -- every fault class in every run\n"
    "  run INTEGER NOT NULL REFERENCES run(id),\n"
    "  fault TEXT NOT NULL,\n"
    "  filed INTEGER NOT NULL, -- in the plan\n"
    "  fired INTEGER NOT NULL, -- it really struck\n"
    "  PRIMARY KEY (run, fault)\n"
    ") STRICT, WITHOUT ROWID",
    "CREATE TABLE run_probe ( -- every interesting state in every run\n"
    "  run INTEGER NOT NULL REFERENCES run(id),\n"
    "  probe TEXT NOT NULL,\n"
    "  reached INTEGER NOT NULL, -- times\n"
    "  PRIMARY KEY (run, probe)\n"
    ") STRICT, WITHOUT ROWID",
    "CREATE TABLE run_figure ( -- what was counted in every run\n"
    "  run INTEGER NOT NULL REFERENCES run(id),\n"
    "  figure TEXT NOT NULL,\n"
    "  value INTEGER NOT NULL,\n"
    "  PRIMARY KEY (run, figure)\n"
    ") STRICT, WITHOUT ROWID",
    "CREATE TABLE violation ( -- what broke the law of a failed run\n"
    "  run INTEGER PRIMARY KEY REFERENCES run(id),\n"
    "  law TEXT NOT NULL,\n"
    "  what TEXT NOT NULL, -- the guard or variable that disagrees\n"
    "  expected INTEGER NOT NULL,\n"
    "  actual INTEGER NOT NULL,\n"
    "  event INTEGER NOT NULL, -- brownout replay RUN --until EVENT\n"
    "  time_us INTEGER NOT NULL,\n"
    "  node TEXT NOT NULL,\n"
    "  device TEXT NOT NULL,\n"
    "  epoch INTEGER NOT NULL,\n"
    "  counter INTEGER NOT NULL,\n"
    "  check_text TEXT NOT NULL -- what a failed CHECK said\n"
    ") STRICT",
    "CREATE TABLE plan ( -- of runs that did not pass: all that befell the world\n"
    "  run INTEGER PRIMARY KEY REFERENCES run(id),\n"
    "  text TEXT NOT NULL\n"
    ") STRICT",
    "CREATE TABLE event ( -- all items of a run with --trace, the last ones of a failed run\n"
    "  run INTEGER NOT NULL REFERENCES run(id),\n"
    "  ordinal INTEGER NOT NULL, -- item of the run, from 0\n"
    "  event INTEGER NOT NULL,\n"
    "  time_us INTEGER NOT NULL,\n"
    "  node TEXT NOT NULL,\n"
    "  kind TEXT NOT NULL, -- event operation evidence effect truth\n"
    "  a INTEGER NOT NULL, -- a to value: as struct world_item says\n"
    "  b INTEGER NOT NULL,\n"
    "  result INTEGER NOT NULL,\n"
    "  counter INTEGER NOT NULL,\n"
    "  value INTEGER NOT NULL,\n"
    "  text TEXT NOT NULL, -- the same as a line for people\n"
    "  PRIMARY KEY (run, ordinal)\n"
    ") STRICT, WITHOUT ROWID",

    /* Views: the questions that are asked often. */
    "CREATE VIEW failures AS -- what did not pass, and how to see it again\n"
    "SELECT run.id AS run, verdict, law, scenario, seed, message,\n"
    "  violation.event AS event, recorded_at,\n"
    "  'brownout replay ' || run.id || ' --db '\n"
    "    || (SELECT '''' || replace(file, '''', '''\\''''') || '''' FROM pragma_database_list\n"
    "        WHERE name = 'main') AS replay\n"
    "FROM run LEFT JOIN violation ON violation.run = run.id\n"
    "WHERE verdict <> 'pass' ORDER BY run.id",
    "CREATE VIEW causes AS -- failures that look alike\n"
    "SELECT coalesce(law || ': ' || what, message) AS cause, verdict, count(*) AS runs,\n"
    "  min(run.id) AS first_run\n"
    "FROM run LEFT JOIN violation ON violation.run = run.id\n"
    "WHERE verdict <> 'pass' GROUP BY cause, verdict ORDER BY runs DESC, first_run",
    "CREATE VIEW outcomes AS -- every scenario: how its runs ended\n"
    "SELECT scenario, verdict, count(*) AS runs, count(DISTINCT hash) AS distinct_hashes,\n"
    "  sum(events) AS events, sum(sim_us) / 3600000000 AS simulated_hours\n"
    "FROM run GROUP BY scenario, verdict ORDER BY scenario, verdict",
    "CREATE VIEW laws AS -- every law: how often tested, and in how many runs it held\n"
    "SELECT law, sum(exercised) AS exercised,\n"
    "  sum(exercised > 0 AND NOT void AND NOT broken) AS held,\n"
    "  sum(void AND NOT broken) AS void,\n"
    "  sum(broken) AS broken, sum(exercised = 0) AS not_exercised\n"
    "FROM run_law GROUP BY law ORDER BY law",
    "CREATE VIEW steps AS -- every action of a spec: which has no scenario ever taken?\n"
    "SELECT spec, action, sum(steps) AS steps, sum(steps > 0) AS runs\n"
    "FROM run_step GROUP BY spec, action ORDER BY runs, spec, action",
    "CREATE VIEW faults AS -- every fault class: planned, and really struck\n"
    "SELECT fault, sum(filed) AS filed, sum(fired) AS fired, sum(filed > 0) AS runs_filed,\n"
    "  sum(fired > 0) AS runs_fired\n"
    "FROM run_fault GROUP BY fault ORDER BY fault",
    "CREATE VIEW probes AS -- every interesting state: a sweep wants each to be reached\n"
    "SELECT probe, sum(reached) AS reached, sum(reached > 0) AS runs\n"
    "FROM run_probe GROUP BY probe ORDER BY runs, probe",
    "CREATE VIEW figures AS -- every figure over all runs\n"
    "SELECT figure, sum(value) AS total, min(value) AS least, max(value) AS most,\n"
    "  round(avg(value), 1) AS mean\n"
    "FROM run_figure GROUP BY figure ORDER BY figure",
    "CREATE VIEW per_reading AS -- what one delivered reading costs, run by run\n"
    "SELECT run.id AS run, scenario, accepted.value AS accepted,\n"
    "  round(1.0 * air.value / accepted.value, 2) AS air_bytes,\n"
    "  round(1.0 * signatures.value / accepted.value, 2) AS signatures,\n"
    "  round(1.0 * erases.value / accepted.value, 4) AS flash_erases\n"
    "FROM run\n"
    "JOIN run_figure AS accepted ON accepted.run = run.id AND accepted.figure = 'accepted'\n"
    "  AND accepted.value > 0\n"
    "JOIN run_figure AS air ON air.run = run.id AND air.figure = 'air_bytes'\n"
    "JOIN run_figure AS signatures ON signatures.run = run.id\n"
    "  AND signatures.figure = 'signatures'\n"
    "JOIN run_figure AS erases ON erases.run = run.id AND erases.figure = 'flash_erases'\n"
    "ORDER BY run.id",
    "CREATE VIEW slowest AS -- where the wall time goes\n"
    "SELECT id AS run, scenario, seed, verdict, events, sim_us / 1000000 AS sim_s,\n"
    "  round(wall_us / 1e6, 3) AS wall_s,\n"
    "  CASE WHEN wall_us > 0 THEN events * 1000000 / wall_us END AS events_per_s\n"
    "FROM run ORDER BY wall_us DESC",
    NULL,
};
