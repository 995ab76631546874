-- Runs: what was asked for and what came of it. Times are epoch seconds, documents JSON text.
CREATE TABLE IF NOT EXISTS runs (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id        TEXT NOT NULL UNIQUE,
    url           TEXT NOT NULL,
    goal          TEXT NOT NULL,
    goal_folded   TEXT NOT NULL,
    options       TEXT NOT NULL,
    output_schema TEXT,
    origin        TEXT NOT NULL,
    status        TEXT NOT NULL,
    created_at    REAL NOT NULL,
    visible_at    REAL NOT NULL,
    started_at    REAL,
    finished_at   REAL,
    result        TEXT,
    error         TEXT,
    validation    TEXT,
    steps         TEXT
);
CREATE INDEX IF NOT EXISTS runs_alive ON runs (status) WHERE finished_at IS NULL;
CREATE INDEX IF NOT EXISTS runs_created ON runs (created_at);
CREATE INDEX IF NOT EXISTS runs_hidden ON runs (visible_at) WHERE visible_at > created_at;
CREATE INDEX IF NOT EXISTS runs_finished ON runs (finished_at) WHERE finished_at IS NOT NULL;
-- Screenshots (JPEG) of finished runs, by the number of the step.
CREATE TABLE IF NOT EXISTS screenshots (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    step   INTEGER NOT NULL,
    body   BLOB NOT NULL,
    UNIQUE (run_id, step)
);
-- What links to runs are signed with.
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL);
