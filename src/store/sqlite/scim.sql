-- Users and groups that directories provision (SCIM). A user that was deleted stays, so that nobody is taken for whoever it was.

CREATE TABLE scim_user (
    directory BLOB NOT NULL REFERENCES directory (id),
    account BLOB NOT NULL REFERENCES account (id),
    user_name TEXT NOT NULL,
    external_id TEXT,
    attributes TEXT NOT NULL,
    active INTEGER NOT NULL,
    off_epoch INTEGER,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    deleted_at INTEGER,
    PRIMARY KEY (directory, account)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX scim_user_name ON scim_user (directory, user_name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX scim_user_external_id ON scim_user (directory, external_id) WHERE deleted_at IS NULL;
CREATE INDEX scim_user_account ON scim_user (account);

CREATE TABLE scim_group (
    id BLOB PRIMARY KEY,
    directory BLOB NOT NULL REFERENCES directory (id),
    name TEXT NOT NULL,
    external_id TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    UNIQUE (directory, name),
    UNIQUE (directory, external_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE scim_member (
    scim_group BLOB NOT NULL REFERENCES scim_group (id) ON DELETE CASCADE,
    account BLOB NOT NULL REFERENCES account (id),
    PRIMARY KEY (scim_group, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX scim_member_account ON scim_member (account);
