-- What the runs of a database are, a line of text for each row of each table, in an order of its own:
-- two databases say the same lines if they hold the same runs, whoever recorded them, in whatever
-- order. Left out is what may differ: numbers of rows, wall times, memory, who came first (fresh).
--   sqlite3 runs.db < sim/test/rows.sql
WITH r AS (SELECT id, scenario AS s, seed FROM run), line(text) AS (
SELECT json_array('run', run.scenario, run.seed, scenario_hash, question, settings, drawn, verdict, message,
    hash, plan_hash, events, sim_us, ending, live_expectation, commit_id, compiler, type, sqlite, program)
    FROM run JOIN build ON build.id = run.build
UNION ALL SELECT json_array('run_law', s, seed, law, exercised, void, broken) FROM r JOIN run_law ON run = id
UNION ALL SELECT json_array('run_step', s, seed, spec, action, steps) FROM r JOIN run_step ON run = id
UNION ALL SELECT json_array('run_figure', s, seed, figure, value) FROM r JOIN run_figure ON run = id
UNION ALL SELECT json_array('run_probe', s, seed, probe, reached) FROM r JOIN run_probe ON run = id
UNION ALL SELECT json_array('run_fault', s, seed, fault, filed, fired) FROM r JOIN run_fault ON run = id
UNION ALL SELECT json_array('run_coverage', s, seed, kind, count, outcome, hex(keys))
    FROM r JOIN run_coverage ON run = id
UNION ALL SELECT json_array('coverage', kind, key, runs) FROM coverage
UNION ALL SELECT json_array('plan', s, seed, text) FROM r JOIN plan ON run = id
UNION ALL SELECT json_array('shrunk', s, r.seed, failure, faults_before, faults, classes, devices, minimal, shrunk.seed, text)
    FROM r JOIN shrunk ON run = id
UNION ALL SELECT json_array('violation', s, seed, law, what, expected, actual, event, time_us, node, device,
    epoch, counter, check_text) FROM r JOIN violation ON run = id
UNION ALL SELECT json_array('event', s, seed, ordinal, event, time_us, node, kind, a, b, result, counter,
    value, text) FROM r JOIN event ON run = id
)
SELECT text FROM line ORDER BY text;
