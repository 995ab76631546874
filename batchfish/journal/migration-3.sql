-- Version 3: what a batch may cost and has cost, what a person set while it ran, which results were reused,
-- what was found about results, and what was to be told to whom.

-- The money of each attempt, in micro-dollars. An attempt without a row was sent without a budget.
CREATE TABLE spending (
    item     INTEGER NOT NULL,
    k        INTEGER NOT NULL,
    reserved INTEGER NOT NULL,                  -- the most that it was expected to cost, when it was intended
    settled  INTEGER,                           -- what its run cost; 0: no run; NULL: not known yet
    at       REAL NOT NULL,                     -- when it was intended
    PRIMARY KEY (item, k)
) STRICT, WITHOUT ROWID;

-- What a person set for a batch after it began; the latest row of a name is in force.
CREATE TABLE settings (
    pk    INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL REFERENCES batches (pk),
    name  TEXT NOT NULL,                        -- concurrency, halt, budget, paused
    value TEXT NOT NULL,                        -- as JSON; null: as the manifest has it
    at    REAL NOT NULL
) STRICT;

CREATE INDEX settings_of ON settings (batch, name);

-- Items that succeeded with the result of an item of an earlier batch, without a run of their own.
CREATE TABLE reused_results (
    item   INTEGER PRIMARY KEY REFERENCES items (pk),
    source INTEGER NOT NULL REFERENCES items (pk),
    at     REAL NOT NULL
) STRICT;

-- What was found about the result of an attempt, beside its verdict.
CREATE TABLE findings (
    item     INTEGER NOT NULL,
    k        INTEGER NOT NULL,
    kind     TEXT NOT NULL,                     -- blocked, same_answer
    evidence TEXT NOT NULL,
    at       REAL NOT NULL,
    PRIMARY KEY (item, k, kind)
) STRICT, WITHOUT ROWID;

-- Notifications of a batch: one row for each target and event.
CREATE TABLE notifications (
    pk      INTEGER PRIMARY KEY,
    batch   INTEGER NOT NULL REFERENCES batches (pk),
    event   TEXT NOT NULL,                      -- finished, halted, stopped, held
    target  TEXT NOT NULL,                      -- as the manifest names it: never an address that holds a secret
    body    TEXT NOT NULL,
    at      REAL NOT NULL,
    tries   INTEGER NOT NULL DEFAULT 0,
    sent_at REAL,
    error   TEXT
) STRICT;
