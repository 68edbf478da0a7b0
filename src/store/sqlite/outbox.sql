-- Mail that waits, what was sent lately (for limits), and what limits held back.

CREATE TABLE outbox (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    parameters TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    fault TEXT NOT NULL DEFAULT '',
    dead_at INTEGER
) STRICT, WITHOUT ROWID;
-- What dies first goes first: a code has minutes, news have days.
CREATE INDEX outbox_due ON outbox (until, due_at) WHERE dead_at IS NULL;
CREATE INDEX outbox_dead ON outbox (dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE outbox_recent (key TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE INDEX outbox_recent_key ON outbox_recent (key, at);
CREATE INDEX outbox_recent_at ON outbox_recent (at);

CREATE TABLE outbox_dropped (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL) STRICT;
INSERT INTO outbox_dropped VALUES (1, 0);
