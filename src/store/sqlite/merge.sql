-- An identity moves one record of a product, and may merge others into it or put them aside.

CREATE TABLE migration_kept (
    id BLOB PRIMARY KEY,
    product TEXT NOT NULL,
    product_account BLOB NOT NULL UNIQUE REFERENCES product_account (id),
    cause TEXT NOT NULL,
    directory BLOB NOT NULL,
    source TEXT NOT NULL,
    subject TEXT NOT NULL,
    step TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    committed_at INTEGER,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    fault TEXT
) STRICT, WITHOUT ROWID;
INSERT INTO migration_kept SELECT id, product, product_account, cause, directory, source, subject, step, begun_at, committed_at,
    due_at, attempts, fault FROM migration;
DROP TABLE migration;
ALTER TABLE migration_kept RENAME TO migration;
CREATE INDEX migration_due_at ON migration (due_at) WHERE step <> 'done';
CREATE UNIQUE INDEX migration_target ON migration (product, directory, source, subject) WHERE cause NOT IN ('merge', 'quarantine');
