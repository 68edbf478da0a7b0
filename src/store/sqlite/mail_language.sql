-- The language that a person last logged in with; none for who has not since.

CREATE TABLE mail_language (
    account BLOB PRIMARY KEY REFERENCES account (id),
    language TEXT NOT NULL
) STRICT, WITHOUT ROWID;
