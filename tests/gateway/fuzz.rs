//! The bodies of the fuzz targets on stable Rust: the seeds, and some thousand mutations of them from a fixed start.

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use std::panic::catch_unwind;
use std::path::Path;

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

#[test]
fn the_fuzz_bodies_hold_on_seeds_and_their_mutations() {
    for (target, body) in bodies::BODIES {
        let seeds = seeds(target);
        assert!(seeds.len() >= 3, "{target} has its seeds");
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let attempt = |input: &[u8]| {
            let held = catch_unwind(|| body(input));
            assert!(held.is_ok(), "{target} fails on {:?}", String::from_utf8_lossy(input));
        };
        seeds.iter().for_each(|seed| attempt(seed));
        for _ in 0..if ["saml", "saml_gate", "saml_judge"].contains(&target) { COSTLY } else { MUTATIONS } {
            let mut input = seeds[numbers.below(seeds.len())].clone();
            for _ in 0..=numbers.below(4) {
                numbers.mutate(&mut input, &seeds);
            }
            attempt(&input);
        }
    }
}
