-- Version 2: what was compared with the API's listing of runs, and what a person agreed to about it.

-- The last complete comparison of a batch's runs with the listing.
CREATE TABLE comparisons (
    batch    INTEGER PRIMARY KEY REFERENCES batches (pk),
    until    REAL NOT NULL,                     -- runs created before were compared; the server's clock
    unlisted INTEGER NOT NULL                   -- of those, how many more are known here than are listed
) STRICT;

-- Batches of other journals, by name or batch8, whose items a person agreed to pay for again.
CREATE TABLE agreed_strangers (
    name TEXT PRIMARY KEY,
    at   REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Runs whose marker cannot be read, and which a person declared to belong to no item.
CREATE TABLE disowned_runs (
    run_id TEXT PRIMARY KEY,
    at     REAL NOT NULL
) STRICT, WITHOUT ROWID;
