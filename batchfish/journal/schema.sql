-- Version 1 of the journal. Times are epoch seconds unless the column says otherwise.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    pk                  INTEGER PRIMARY KEY,
    name                TEXT NOT NULL UNIQUE,   -- in full: with its period or its number
    period              TEXT,                   -- 2026-11-24, 2026-W48 …; NULL without periods
    number              INTEGER NOT NULL,       -- counts the batches of one name and period
    batch8              TEXT NOT NULL UNIQUE,   -- what every marker of the batch begins with
    base_url            TEXT NOT NULL,          -- the API it belongs to; `local:` for the local agent
    fingerprint_version INTEGER NOT NULL,
    manifest            TEXT NOT NULL,          -- resolved, as JSON, without its rows
    manifest_path       TEXT NOT NULL,
    markers             TEXT NOT NULL CHECK (markers IN ('untested', 'proven', 'off')),
    begun_at            REAL NOT NULL,
    ended_at            REAL,
    exit_code           INTEGER                 -- of the run that finished it; NULL until then
) STRICT;

-- The request fields that many items share (schema, profile …), each kept once.
CREATE TABLE requests (
    pk     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    body   TEXT NOT NULL
) STRICT;

CREATE TABLE items (
    pk          INTEGER PRIMARY KEY,
    batch       INTEGER NOT NULL REFERENCES batches (pk),
    key         TEXT NOT NULL,                  -- identity: fingerprint and occurrence
    fingerprint BLOB NOT NULL,
    occurrence  INTEGER NOT NULL,
    id          TEXT NOT NULL,                  -- a label for people
    row         INTEGER NOT NULL,               -- where it stands in the manifest, from 1
    url         TEXT NOT NULL,
    goal        TEXT NOT NULL,                  -- rendered, without marker
    request     INTEGER NOT NULL REFERENCES requests (pk),
    inputs      TEXT NOT NULL,                  -- the row's variables, as JSON
    status      TEXT NOT NULL DEFAULT 'queued',
    reason      TEXT,
    message     TEXT,
    k           INTEGER NOT NULL DEFAULT 0,
    follows     INTEGER NOT NULL DEFAULT 0,
    attempts    INTEGER NOT NULL DEFAULT 0,
    unpaid      INTEGER NOT NULL DEFAULT 0,
    refused     INTEGER NOT NULL DEFAULT 0,
    refused_at  REAL,
    due_at      REAL NOT NULL DEFAULT 0,
    wanted      INTEGER NOT NULL DEFAULT 1,     -- stands in the manifest now
    cancel_wish INTEGER NOT NULL DEFAULT 0,
    retry_wish  INTEGER NOT NULL DEFAULT 0,
    changed_at  REAL NOT NULL DEFAULT 0,
    UNIQUE (batch, key)
) STRICT;

CREATE INDEX items_due ON items (batch, due_at, row) WHERE status = 'queued' AND wanted = 1;
CREATE INDEX items_begun ON items (batch) WHERE k > 0;
CREATE INDEX items_id ON items (batch, id);
CREATE INDEX items_in_order ON items (batch, row) WHERE wanted = 1;

CREATE TABLE attempts (
    item             INTEGER NOT NULL REFERENCES items (pk),
    k                INTEGER NOT NULL,
    marker           TEXT NOT NULL,             -- literally as sent
    state            TEXT NOT NULL,
    key_id           TEXT NOT NULL,
    body_sha256      TEXT NOT NULL,
    intended_at      REAL NOT NULL,
    intended_boot    REAL NOT NULL,             -- boot-time seconds
    boot_id          TEXT NOT NULL,
    server_date      REAL,
    given_up_at      REAL,                      -- boot-time seconds
    given_up_boot_id TEXT,
    cause            TEXT,
    run_id           TEXT UNIQUE,
    created_at       REAL,
    run_status       TEXT,
    started_at       REAL,
    finished_at      REAL,
    steps            INTEGER,
    error_code       TEXT,
    error_message    TEXT,
    streaming_url    TEXT,
    PRIMARY KEY (item, k)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_open ON attempts (state)
    WHERE state IN ('submitting', 'unanswered', 'running', 'held');

CREATE INDEX attempts_accepted ON attempts (key_id, intended_at) WHERE run_id IS NOT NULL;

-- Results byte for byte, before anyone parses them.
CREATE TABLE results (
    item            INTEGER NOT NULL,
    k               INTEGER NOT NULL,
    raw             BLOB NOT NULL,
    is_whole_answer INTEGER NOT NULL,           -- the answer could not be sliced: these are all its bytes
    PRIMARY KEY (item, k),
    FOREIGN KEY (item, k) REFERENCES attempts (item, k)
) STRICT;

-- Counts by status, kept by the triggers below in the transaction of each change.
CREATE TABLE counts (
    batch  INTEGER NOT NULL,
    status TEXT NOT NULL,
    wanted INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (batch, status, wanted)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER items_counted AFTER INSERT ON items BEGIN
    INSERT INTO counts VALUES (new.batch, new.status, new.wanted, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER items_recounted AFTER UPDATE OF status, wanted ON items
    WHEN old.status <> new.status OR old.wanted <> new.wanted BEGIN
    UPDATE counts SET n = n - 1 WHERE batch = old.batch AND status = old.status AND wanted = old.wanted;
    INSERT INTO counts VALUES (new.batch, new.status, new.wanted, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;

-- What cost, or may have cost, more than it should.
CREATE TABLE money_events (
    pk      INTEGER PRIMARY KEY,
    at      REAL NOT NULL,
    item    INTEGER NOT NULL REFERENCES items (pk),
    k       INTEGER NOT NULL,
    message TEXT NOT NULL
) STRICT;

-- Table files that this journal wrote, so that it replaces no other.
CREATE TABLE outputs (
    path   TEXT PRIMARY KEY,
    mark   TEXT NOT NULL,
    at     REAL NOT NULL
) STRICT, WITHOUT ROWID;
