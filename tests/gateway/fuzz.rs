//! The bodies of the fuzz targets on stable Rust: the seeds, and some thousand mutations of them from a fixed start.
//!
//! By hand, one target or all of them for as long as is asked, from another start each time; it prints how often each body ran:
//!
//! ```text
//! FUZZ_TARGET=saml FUZZ_SECONDS=600 FUZZ_SEED=7 cargo test --release --test gateway fuzz::by_hand -- --ignored --nocapture
//! ```

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many mutations of each target's seeds.
const MUTATIONS: usize = 20_000;
/// Likewise where each asks for signatures and private keys.
const COSTLY: usize = 1_000;

/// What grammars are made of; mutations prefer these to arbitrary bytes.
const PIECES: [&[u8]; 22] = [
    b"%2e",
    b"%2F",
    b"%00",
    b"%25",
    b"..",
    "\u{e9}".as_bytes(),
    b";",
    b"/",
    b"\\",
    b"=",
    b", ",
    b"; ",
    b"\r\n",
    b"\n",
    b"\"",
    b"__Host-fedgate",
    b"fedgate",
    b"domain",
    b"public",
    b"\0",
    b"\xff",
    b"?",
];

/// A generator of numbers (xorshift64*): the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit.max(1)
    }

    fn mutate(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(6) {
            0 if at < input.len() => drop(input.remove(at)),
            1 if at < input.len() => input[at] ^= 1 << self.below(8),
            2 => input.insert(at, u8::try_from(self.below(256)).unwrap()),
            3 => input.truncate(at),
            4 => {
                let other = &seeds[self.below(seeds.len())];
                input.extend_from_slice(&other[self.below(other.len())..]);
            }
            _ => drop(input.splice(at..at, PIECES[self.below(PIECES.len())].iter().copied())),
        }
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// One target's inputs: its seeds, and mutations of them that follow from the start.
struct Inputs {
    target: &'static str,
    body: fn(&[u8]),
    seeds: Vec<Vec<u8>>,
    numbers: Numbers,
}

impl Inputs {
    fn of((target, body): bodies::Body, start: u64) -> Self {
        let seeds = seeds(target);
        assert!(seeds.len() >= 3, "{target} has its seeds");
        // The generator stays at zero for ever.
        Self { target, body, seeds, numbers: Numbers(start.max(1)) }
    }

    fn attempt(&self, input: &[u8]) {
        let held = catch_unwind(|| (self.body)(input));
        assert!(held.is_ok(), "{} fails on b\"{}\"", self.target, input.escape_ascii());
    }

    fn mutant(&mut self) -> Vec<u8> {
        let mut input = self.seeds[self.numbers.below(self.seeds.len())].clone();
        for _ in 0..=self.numbers.below(4) {
            self.numbers.mutate(&mut input, &self.seeds);
        }
        input
    }
}

#[test]
fn the_fuzz_bodies_hold_on_seeds_and_their_mutations() {
    for body in bodies::BODIES {
        let mut inputs = Inputs::of(body, 0x9e37_79b9_7f4a_7c15);
        inputs.seeds.iter().for_each(|seed| inputs.attempt(seed));
        let costly = ["saml", "saml_gate", "saml_judge"].contains(&inputs.target);
        for _ in 0..if costly { COSTLY } else { MUTATIONS } {
            let input = inputs.mutant();
            inputs.attempt(&input);
        }
    }
}

/// A number that the caller's environment gives.
fn given(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
#[ignore = "by hand: for FUZZ_SECONDS, 600 if nothing is said, of each target or of FUZZ_TARGET alone"]
#[expect(clippy::disallowed_methods, reason = "it runs for a time")]
fn by_hand() {
    let (seconds, start) = (given("FUZZ_SECONDS", 600), given("FUZZ_SEED", 1));
    let only = std::env::var("FUZZ_TARGET").ok();
    let chosen = bodies::BODIES.into_iter().filter(|(target, _)| only.as_deref().is_none_or(|only| only == *target));
    let mut ran = 0;
    for body in chosen {
        // A small number would leave the generator's first words nearly empty.
        let mut inputs = Inputs::of(body, start.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (begun, mut executions) = (Instant::now(), 0_u64);
        while begun.elapsed() < Duration::from_secs(seconds) {
            for _ in 0..100 {
                let input = inputs.mutant();
                inputs.attempt(&input);
                executions += 1;
            }
        }
        println!("{}: {executions} executions in {seconds} s from {start}, no finding", inputs.target);
        ran += 1;
    }
    assert!(ran > 0, "FUZZ_TARGET={} is no target", only.unwrap_or_default());
}
