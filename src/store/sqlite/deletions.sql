-- Accounts that end for good: the day that is waited for, and what still matches then.

CREATE TABLE deletion (
    account BLOB PRIMARY KEY REFERENCES account (id),
    was TEXT NOT NULL,
    org TEXT,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX deletion_at ON deletion (at);

CREATE TABLE tombstone (
    key BLOB PRIMARY KEY,
    account BLOB NOT NULL REFERENCES account (id)
) STRICT, WITHOUT ROWID;
