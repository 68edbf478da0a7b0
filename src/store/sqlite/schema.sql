-- Version 1. Times are milliseconds since 1970; ids are 16 bytes; 64-bit counts are kept bit for bit.

CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), high_water INTEGER NOT NULL) STRICT;
INSERT INTO clock VALUES (1, 0);

CREATE TABLE account (
    id BLOB PRIMARY KEY,
    status TEXT NOT NULL,
    delete_at INTEGER,
    email TEXT,
    email_verified INTEGER NOT NULL,
    email_proved_at INTEGER,
    name TEXT,
    epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX account_email ON account (email) WHERE email IS NOT NULL;

CREATE TABLE product_account (
    id BLOB PRIMARY KEY,
    product TEXT NOT NULL,
    account BLOB NOT NULL REFERENCES account (id),
    sub TEXT NOT NULL,
    state TEXT NOT NULL,
    merged_into BLOB,
    off INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (product, account),
    UNIQUE (product, sub)
) STRICT, WITHOUT ROWID;

CREATE TABLE linked_identity (
    directory BLOB NOT NULL,
    source TEXT NOT NULL,
    subject TEXT NOT NULL,
    account BLOB NOT NULL REFERENCES account (id),
    linked_by TEXT NOT NULL,
    linked_at INTEGER NOT NULL,
    suspended INTEGER NOT NULL,
    PRIMARY KEY (directory, source, subject),
    UNIQUE (account, directory)
) STRICT, WITHOUT ROWID;

CREATE TABLE asserted_address (
    product TEXT NOT NULL,
    email TEXT NOT NULL,
    sub TEXT NOT NULL,
    PRIMARY KEY (product, email)
) STRICT, WITHOUT ROWID;

CREATE TABLE login_session (
    id BLOB PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    account BLOB NOT NULL REFERENCES account (id),
    directory BLOB NOT NULL,
    method TEXT NOT NULL,
    amr TEXT NOT NULL,
    groups TEXT NOT NULL,
    auth_time INTEGER NOT NULL,
    browser BLOB NOT NULL,
    provider_session TEXT,
    logout_hint BLOB,
    created_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    idle_millis INTEGER NOT NULL,
    abs_at INTEGER NOT NULL,
    account_epoch INTEGER NOT NULL,
    ask_before TEXT NOT NULL,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_session_account ON login_session (account);
-- None on abs_at, here and below: what expires by its idle limit has to be looked for in all rows anyhow, and every login would pay.

CREATE TABLE product_session (
    id BLOB PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    parent BLOB NOT NULL REFERENCES login_session (id) ON DELETE CASCADE,
    product TEXT NOT NULL,
    host TEXT NOT NULL,
    account BLOB NOT NULL REFERENCES account (id),
    product_account BLOB NOT NULL REFERENCES product_account (id),
    created_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    idle_millis INTEGER NOT NULL,
    abs_at INTEGER NOT NULL,
    account_epoch INTEGER NOT NULL,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX product_session_parent ON product_session (parent);

CREATE TABLE mark (
    kind TEXT NOT NULL,
    digest BLOB NOT NULL,
    keep_until INTEGER NOT NULL,
    PRIMARY KEY (kind, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX mark_keep_until ON mark (keep_until);

-- AUTOINCREMENT: a position is never given twice, also after a sweep emptied the table.
CREATE TABLE revocation (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX revocation_at ON revocation (at);

CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL,
    reference TEXT,
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX event_reference ON event (reference) WHERE reference IS NOT NULL;

CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, at INTEGER NOT NULL, note TEXT NOT NULL) STRICT;

CREATE TABLE directory (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (name, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE TABLE domain (domain TEXT PRIMARY KEY, org TEXT NOT NULL, claimed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE policy (
    org TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE key (
    kind TEXT NOT NULL,
    generation INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (kind, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
