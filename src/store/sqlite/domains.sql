-- Proofs of domains. `holds` is derived from the state, so that one organization at most holds a domain.

CREATE TABLE domain_proof (
    org TEXT NOT NULL,
    domain TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    claim TEXT NOT NULL,
    method TEXT,
    added_at INTEGER NOT NULL,
    seen_at INTEGER,
    verified_at INTEGER,
    claimed_at INTEGER,
    last_ok_at INTEGER,
    failing_since INTEGER,
    due_since INTEGER,
    checked_at INTEGER,
    next_check_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    mac BLOB NOT NULL,
    holds INTEGER NOT NULL,
    is_over INTEGER NOT NULL,
    PRIMARY KEY (org, domain)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX domain_proof_holder ON domain_proof (domain) WHERE holds = 1;
CREATE INDEX domain_proof_due ON domain_proof (next_check_at) WHERE is_over = 0;
