-- Sessions that a SAML provider's logout finds by the name that it gave the person.
ALTER TABLE login_session ADD COLUMN name_key BLOB;
CREATE INDEX login_session_name ON login_session (name_key) WHERE name_key IS NOT NULL;
