-- Version 3: what a batch may cost and has cost, what a person set while it ran, which results were reused,
-- what was found about results, and what was to be told to whom.

-- What each attempt reserved of a budget; without a budget it has no row. What it costs follows from this and
-- from the state and the steps of the attempt.
CREATE TABLE spending (
    item       INTEGER NOT NULL,
    k          INTEGER NOT NULL,
    reserved   INTEGER NOT NULL,                -- the most that it was expected to cost, in micro-dollars
    step_price INTEGER NOT NULL,                -- of each step, in micro-dollars
    PRIMARY KEY (item, k)
) STRICT, WITHOUT ROWID;

-- The steps of the runs of each batch that have ended, kept by the trigger below.
CREATE TABLE steps_taken (
    batch INTEGER PRIMARY KEY REFERENCES batches (pk),
    runs  INTEGER NOT NULL,                     -- those whose steps are known
    steps INTEGER NOT NULL
) STRICT;

INSERT INTO steps_taken
SELECT i.batch, count(*), sum(a.steps) FROM attempts a JOIN items i ON i.pk = a.item
WHERE a.steps IS NOT NULL GROUP BY i.batch;

CREATE TRIGGER attempts_took_steps AFTER UPDATE OF steps ON attempts
    WHEN old.steps IS NULL AND new.steps IS NOT NULL BEGIN
    INSERT INTO steps_taken SELECT batch, 1, new.steps FROM items WHERE pk = new.item
        ON CONFLICT DO UPDATE SET runs = runs + 1, steps = steps + excluded.steps;
END;

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
    kind     TEXT NOT NULL,                     -- same_answer
    evidence TEXT NOT NULL,
    at       REAL NOT NULL,
    PRIMARY KEY (item, k, kind)
) STRICT, WITHOUT ROWID;

-- Notifications of a batch: one row for each that a target is to get.
CREATE TABLE notifications (
    pk      INTEGER PRIMARY KEY,
    batch   INTEGER NOT NULL REFERENCES batches (pk),
    event   TEXT NOT NULL,                      -- finished, halted, stopped, held
    target  TEXT NOT NULL,                      -- as the manifest names it: never an address that holds a secret
    state   TEXT NOT NULL,                      -- what it is about: another end like it tells nothing new
    held    TEXT NOT NULL,                      -- the attempts that it says are held, as JSON
    body    TEXT NOT NULL,                      -- as JSON
    at      REAL NOT NULL,
    tries   INTEGER NOT NULL DEFAULT 0,
    sent_at REAL,
    error   TEXT                                -- why the last try failed
) STRICT;

CREATE INDEX notifications_of ON notifications (batch, target);

-- By when they ended, for the rate of a batch: without it, a status of a million items reads them all.
CREATE INDEX items_ended ON items (batch, changed_at)
    WHERE status IN ('succeeded', 'failed', 'cancelled') AND wanted = 1;
