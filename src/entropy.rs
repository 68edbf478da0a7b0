//! The one source of random bytes: aws-lc-rs's generator. Everything below the shell gets random bytes as arguments.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

/// Random bytes.
///
/// # Panics
/// When the operating system's generator fails, which aws-lc treats as fatal: a gateway without randomness must not run.
#[expect(clippy::disallowed_methods, reason = "this is the one source of random bytes")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(random::<32>(), random::<32>());
    }
}
