-- Changes of provider: who may bring links over until when, and which links were.

CREATE TABLE relinking (
    id BLOB PRIMARY KEY,
    org TEXT NOT NULL,
    from_directory BLOB NOT NULL REFERENCES directory (id),
    to_directory BLOB NOT NULL REFERENCES directory (id),
    only_account BLOB,
    opened_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    said_by TEXT NOT NULL,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX relinking_open ON relinking (to_directory, until);

CREATE TABLE relinked (
    relinking BLOB NOT NULL REFERENCES relinking (id),
    account BLOB NOT NULL REFERENCES account (id),
    old_directory BLOB NOT NULL,
    old_source TEXT NOT NULL,
    old_subject TEXT NOT NULL,
    old_by TEXT NOT NULL,
    old_at INTEGER NOT NULL,
    new_directory BLOB NOT NULL,
    new_source TEXT NOT NULL,
    new_subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    undone INTEGER NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (relinking, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX relinked_at ON relinked (at);
