-- Profiles that products hear of: the newest version, and the newest that the product has.

CREATE TABLE profile_push (
    product_account BLOB PRIMARY KEY REFERENCES product_account (id),
    version INTEGER NOT NULL,
    told INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    fault TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX profile_push_due_at ON profile_push (due_at) WHERE told < version;
