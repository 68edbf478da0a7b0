//! Checkpoints as C2SP `tlog-checkpoint` in a `signed-note` with Ed25519 keys: text that people can read and mail.
//!
//! ```text
//! id.example.com/audit
//! 1234
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//! time 2026-11-22T02:00:00.000Z
//! node one 1234 CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — id.example.com/audit Az3grlgt…
//! ```
//!
//! The lines after the root are extensions: the time, the head of each node's chain (rule H13, cross-linking), and in the last
//! statement of a key its successor.

use super::tree::sha256;
use crate::kernel::values::Timestamp;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::DateTime;
use std::fmt;
use std::sync::Arc;

/// Longer notes are refused: room for a roster of thousands of nodes.
const LONGEST: usize = 1 << 20;

/// Not a checkpoint, or signed by nobody who is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("that is not a signed checkpoint")]
pub struct NotACheckpoint;

/// Not `NAME+KEYID+KEY`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("that is not a verifier key; one looks like id.example.com/audit+1a2b3c4d+AQ…")]
pub struct NotAKey;

/// The public half of a key that signs checkpoints. `Display` is the C2SP verifier key, `NAME+KEYID+KEY`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct VerifyingKey {
    name: String,
    public: [u8; 32],
}

impl VerifyingKey {
    /// A key by its name, the log's origin, and its 32 bytes.
    ///
    /// # Errors
    /// [`NotAKey`] for a name that is empty or holds spaces, control characters or `+`.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NotAKey> {
        let fits = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+');
        if fits { Ok(Self { name: name.to_owned(), public }) } else { Err(NotAKey) }
    }

    /// Reads what `Display` writes.
    ///
    /// # Errors
    /// [`NotAKey`] for anything else, and when the key id is another key's.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NotAKey);
        };
        let key = STANDARD.decode(key).map_err(|_| NotAKey)?;
        let Some((1, public)) = key.split_first() else { return Err(NotAKey) };
        let key = Self::new(name, public.try_into().map_err(|_| NotAKey)?)?;
        if key.id_hex() == id { Ok(key) } else { Err(NotAKey) }
    }

    /// The name, which is also the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256 over name, newline, 0x01 and key (C2SP signed-note).
    pub fn id(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = sha256(&[self.name.as_bytes(), b"\n\x01", &self.public]);
        [a, b, c, d]
    }

    fn id_hex(&self) -> String {
        self.id().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[1], self.public.as_slice()].concat());
        write!(f, "{}+{}+{key}", self.name, self.id_hex())
    }
}

/// Makes the Ed25519 signature over a text.
pub type Sign = Arc<dyn Fn(&[u8]) -> [u8; 64] + Send + Sync>;

/// Who signs checkpoints now. The secret half stays where it was made: it comes as a function.
#[derive(Clone)]
pub struct Signer {
    key: VerifyingKey,
    sign: Sign,
}

impl Signer {
    /// A signer with the Ed25519 key `public`, called `name`: the log's origin, the same for all of its keys.
    ///
    /// # Errors
    /// [`NotAKey`] when the name cannot stand in a note.
    pub fn new(name: &str, public: [u8; 32], sign: Sign) -> Result<Self, NotAKey> {
        Ok(Self { key: VerifyingKey::new(name, public)?, sign })
    }

    /// Its public half.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The note over a statement.
    pub fn note(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.text(&self.key.name);
        let signature = [self.key.id().as_slice(), &(self.sign)(text.as_bytes())].concat();
        format!("{text}\n\u{2014} {} {}\n", self.key.name, STANDARD.encode(signature))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.key)
    }
}

/// What a checkpoint states.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree over them.
    pub root: [u8; 32],
    /// When it was signed.
    pub at: Timestamp,
    /// The heads of all nodes' chains: name, size, root.
    pub nodes: Vec<(String, u64, [u8; 32])>,
    /// The key that signs from here on; then this is the last statement of its signer (rule H13).
    pub successor: Option<VerifyingKey>,
}

impl Checkpoint {
    fn text(&self, origin: &str) -> String {
        let root = STANDARD.encode(self.root);
        let mut text = format!("{origin}\n{}\n{root}\ntime {}\n", self.size, self.at);
        for (name, size, root) in &self.nodes {
            text += &format!("node {name} {size} {}\n", STANDARD.encode(root));
        }
        if let Some(successor) = &self.successor {
            text += &format!("successor {successor}\n");
        }
        text
    }

    /// Reads a note that one of `keys` signed, and says which. Signatures of others are passed over, as C2SP asks.
    ///
    /// # Errors
    /// [`NotACheckpoint`] when it does not read, or none of the keys signed it.
    pub fn open<'k>(note: &str, keys: &'k [VerifyingKey]) -> Result<(Self, &'k VerifyingKey), NotACheckpoint> {
        if note.len() > LONGEST {
            return Err(NotACheckpoint);
        }
        let (body, signatures) = note.split_once("\n\n").ok_or(NotACheckpoint)?;
        let text = format!("{body}\n");
        let origin = body.lines().next().ok_or(NotACheckpoint)?;
        let key = signatures.lines().find_map(|line| {
            let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            let signature = STANDARD.decode(signature).ok()?;
            let (id, signature) = signature.split_at_checked(4)?;
            keys.iter()
                .find(|key| key.name == name && key.name == origin && key.id() == id && key.verifies(&text, signature))
        });
        Ok((Self::read(body)?, key.ok_or(NotACheckpoint)?))
    }

    /// Reads the statement without asking who signed it: for sorting notes before they are opened.
    pub(super) fn read(body: &str) -> Result<Self, NotACheckpoint> {
        let mut lines = body.split("\n\n").next().unwrap_or_default().lines().skip(1);
        let size = number(lines.next().ok_or(NotACheckpoint)?)?;
        let root = hash(lines.next().ok_or(NotACheckpoint)?)?;
        let mut checkpoint = Self { size, root, at: Timestamp::from_millis(0), nodes: Vec::new(), successor: None };
        for line in lines {
            match line.split_once(' ') {
                Some(("time", time)) => {
                    let time = DateTime::parse_from_rfc3339(time).map_err(|_| NotACheckpoint)?;
                    checkpoint.at = Timestamp::from_millis(time.timestamp_millis());
                }
                Some(("node", node)) => {
                    let mut parts = node.splitn(3, ' ');
                    let (Some(name), Some(size), Some(root)) = (parts.next(), parts.next(), parts.next()) else {
                        return Err(NotACheckpoint);
                    };
                    checkpoint.nodes.push((name.to_owned(), number(size)?, hash(root)?));
                }
                Some(("successor", key)) => {
                    checkpoint.successor = Some(VerifyingKey::parse(key).map_err(|_| NotACheckpoint)?);
                }
                // Extensions of later versions are signed over and mean nothing here.
                _ => {}
            }
        }
        Ok(checkpoint)
    }
}

/// A decimal number in its one spelling.
fn number(text: &str) -> Result<u64, NotACheckpoint> {
    let number: u64 = text.parse().map_err(|_| NotACheckpoint)?;
    if number.to_string() == text { Ok(number) } else { Err(NotACheckpoint) }
}

fn hash(text: &str) -> Result<[u8; 32], NotACheckpoint> {
    STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(NotACheckpoint)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

    pub(in super::super) fn signer(seed: u8) -> Signer {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        let sign = move |text: &[u8]| pair.sign(text).as_ref().try_into().unwrap();
        Signer::new("id.example.com/audit", public, Arc::new(sign)).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        let at = Timestamp::from_seconds(1_800_000_000);
        let nodes = vec![("one".to_owned(), 7, [2; 32])];
        Checkpoint { size: 7, root: [1; 32], at, nodes, successor: Some(signer(2).key().clone()) }
    }

    #[test]
    fn a_note_opens_with_its_key_only() {
        let note = signer(1).note(&checkpoint());
        let keys = [signer(3).key().clone(), signer(1).key().clone()];
        assert_eq!(Checkpoint::open(&note, &keys), Ok((checkpoint(), &keys[1])));
        assert_eq!(Checkpoint::open(&note, &keys[..1]), Err(NotACheckpoint));
    }

    #[test]
    fn a_changed_note_does_not_open() {
        let note = signer(1).note(&checkpoint());
        let keys = [signer(1).key().clone()];
        for (from, to) in [("\n7\n", "\n8\n"), ("2027", "2028"), ("node one", "node two"), ("successor", "predecessor")]
        {
            let changed = note.replacen(from, to, 1);
            assert_ne!(changed, note);
            assert_eq!(Checkpoint::open(&changed, &keys), Err(NotACheckpoint), "{from} -> {to}");
        }
        let cut = note.rsplit_once('\u{2014}').unwrap().0;
        assert_eq!(Checkpoint::open(cut, &keys), Err(NotACheckpoint));
    }

    #[test]
    fn a_verifier_key_has_one_spelling() {
        // The example of the C2SP signed-note specification's reference implementation (golang.org/x/mod/sumdb/note).
        let known = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(VerifyingKey::parse(known).unwrap().to_string(), known);
        for bad in ["", "a+b", "a b+c74f20a3+AQ", &known.replace("c7", "c8"), &known.replace("+A", "+B")] {
            assert_eq!(VerifyingKey::parse(bad), Err(NotAKey), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(\\PC{0,20}\n){0,6}(\n— \\PC{0,20} [A-Za-z0-9+/]{0,100}\n)?") {
            let keys = [signer(1).key().clone()];
            proptest::prop_assert_eq!(Checkpoint::open(&text, &keys), Err(NotACheckpoint));
        }
    }
}
