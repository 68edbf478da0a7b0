-- Providers' refresh tokens, sealed, beside the login sessions that stand or fall with their answers.

CREATE TABLE provider_grant (
    login_session BLOB PRIMARY KEY REFERENCES login_session (id) ON DELETE CASCADE,
    directory BLOB NOT NULL,
    sealed BLOB NOT NULL,
    turn INTEGER NOT NULL,
    due INTEGER NOT NULL,
    good_at INTEGER NOT NULL,
    lease_by BLOB,
    lease_until INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX provider_grant_due ON provider_grant (due);
