-- Sessions that are good for one product alone, and our own second step; policies for some people of an organization.
ALTER TABLE login_session ADD COLUMN confined_to TEXT;
ALTER TABLE login_session ADD COLUMN stepped_at INTEGER;

-- A person's records are asked for with each session that is read (rule C3).
CREATE INDEX product_account_account ON product_account (account);

CREATE TABLE policy_named (
    org TEXT NOT NULL,
    name TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    since TEXT NOT NULL,
    PRIMARY KEY (org, name)
) STRICT, WITHOUT ROWID;
INSERT INTO policy_named SELECT org, 'default', fingerprint, epoch, changed_at, '{}' FROM policy;
DROP TABLE policy;
ALTER TABLE policy_named RENAME TO policy;
