-- People's own credentials: passwords of product accounts, second steps, mailbox proofs, addresses, counted attempts.

CREATE TABLE password (
    product_account BLOB PRIMARY KEY REFERENCES product_account (id),
    stored TEXT NOT NULL,
    generation INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE factor (
    id BLOB PRIMARY KEY,
    account BLOB NOT NULL REFERENCES account (id),
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    secret BLOB NOT NULL,
    handle BLOB UNIQUE,
    counter INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX factor_account ON factor (account);

CREATE TABLE recovery_code (
    account BLOB NOT NULL REFERENCES account (id),
    code BLOB NOT NULL,
    PRIMARY KEY (account, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE mailbox_proof (
    id BLOB PRIMARY KEY,
    purpose TEXT NOT NULL,
    product TEXT NOT NULL,
    product_account BLOB,
    email TEXT NOT NULL,
    code BLOB NOT NULL,
    link BLOB NOT NULL UNIQUE,
    browser BLOB NOT NULL,
    account_epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    tries_left INTEGER NOT NULL,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mailbox_proof_product_account ON mailbox_proof (product_account) WHERE product_account IS NOT NULL;
CREATE INDEX mailbox_proof_expires_at ON mailbox_proof (expires_at);

-- `product` stands here too, so that an address is one record's at a product.
CREATE TABLE address (
    product_account BLOB NOT NULL REFERENCES product_account (id),
    product TEXT NOT NULL,
    email TEXT NOT NULL,
    verified INTEGER NOT NULL,
    verified_at INTEGER,
    is_primary INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    last_login_at INTEGER,
    PRIMARY KEY (product_account, email),
    UNIQUE (product, email)
) STRICT, WITHOUT ROWID;
CREATE INDEX address_email ON address (email);

CREATE TABLE attempt (bucket BLOB PRIMARY KEY, count INTEGER NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_until ON attempt (until);

CREATE INDEX product_account_state ON product_account (product, state);
