-- Accounts that were put aside (B21), until nobody can bring them back any more.

CREATE TABLE quarantine (
    account BLOB PRIMARY KEY REFERENCES account (id),
    email TEXT NOT NULL,
    product TEXT NOT NULL,
    by_account BLOB NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    kept BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX quarantine_until ON quarantine (until);
