-- Records that move to the one account, and addresses that were given up.

CREATE TABLE removed_alias (
    product TEXT NOT NULL,
    email TEXT NOT NULL,
    product_account BLOB NOT NULL REFERENCES product_account (id),
    verified INTEGER NOT NULL,
    removed_at INTEGER NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (product, email)
) STRICT, WITHOUT ROWID;
CREATE INDEX removed_alias_product_account ON removed_alias (product_account);

CREATE TABLE migration (
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
    fault TEXT,
    UNIQUE (product, directory, source, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX migration_due_at ON migration (due_at) WHERE step <> 'done';
