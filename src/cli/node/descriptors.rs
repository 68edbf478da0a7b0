//! How many files the process may have open. Each connection needs one or two, and the usual soft limit of 1,024 is there for
//! programs that cannot count further; the hard limit is what the machine's owner allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one.
pub(super) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, now = limit.current, "the limit of open files cannot be raised to the hard limit");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let before = getrlimit(Resource::Nofile);
        let most = before.maximum.unwrap_or(u64::MAX).min(1 << 20);
        setrlimit(Resource::Nofile, Rlimit { current: Some(most - 1), ..before }).unwrap();
        raise();
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
    }
}
