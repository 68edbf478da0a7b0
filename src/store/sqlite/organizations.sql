-- Organizations at run time, roles and tokens of administrators, and what their lists are read by.

CREATE TABLE organization_version (
    org TEXT NOT NULL,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    what TEXT NOT NULL,
    document TEXT,
    mac BLOB NOT NULL,
    PRIMARY KEY (org, version)
) STRICT, WITHOUT ROWID;

-- Which version is the newest, so that taking a row away brings no older one back.
CREATE TABLE organization_head (
    org TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE role_pin (
    role TEXT NOT NULL,
    org TEXT NOT NULL,
    email TEXT NOT NULL,
    account BLOB NOT NULL REFERENCES account (id),
    at INTEGER NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (role, org, email)
) STRICT, WITHOUT ROWID;
CREATE INDEX role_pin_account ON role_pin (account);

CREATE TABLE api_token (
    id BLOB PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    owner BLOB NOT NULL REFERENCES account (id),
    label TEXT NOT NULL,
    scopes TEXT NOT NULL,
    org TEXT,
    networks TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used INTEGER,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX api_token_expires_at ON api_token (expires_at);

-- People of a domain, page by page; addresses have exactly one @.
CREATE INDEX account_domain ON account (substr(email, instr(email, '@') + 1), id) WHERE email IS NOT NULL;

-- Events of an organization, newest first.
ALTER TABLE event ADD COLUMN org TEXT;
UPDATE event SET org = json_extract(CAST(bytes AS TEXT), '$.org');
CREATE INDEX event_org ON event (org, position) WHERE org IS NOT NULL;
