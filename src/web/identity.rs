//! What a product is told about a person, as header fields that are ready to send.

use crate::kernel::values::Timestamp;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// How many [`IDENTITY_FIELDS`] there are.
pub const FIELDS: usize = 7;

/// The identity fields that every product may receive, besides those that it maps for itself.
pub const IDENTITY_FIELDS: [HeaderName; FIELDS] = [
    HeaderName::from_static("fedgate-assertion"),
    HeaderName::from_static("x-fedgate-user"),
    HeaderName::from_static("x-fedgate-email"),
    HeaderName::from_static("x-fedgate-name"),
    HeaderName::from_static("x-fedgate-account"),
    HeaderName::from_static("x-fedgate-org"),
    HeaderName::from_static("x-fedgate-groups"),
];

/// All of [`IDENTITY_FIELDS`] but the last, which few people have: each has its place in the text.
const PLACES: usize = FIELDS - 1;

static NAMES: [HeaderName; FIELDS] = IDENTITY_FIELDS;

/// Identity header fields, ready to send.
///
/// Laid out for a million of them: one allocation for the text of the usual ones, and no names. They are cut out of the text for
/// each request, which costs a few nanoseconds each and saves 40 bytes. Where nothing shares the text, it needs no count of who does.
#[derive(Debug)]
pub struct Identity {
    /// The values, one after the other, the assertion first.
    text: Bytes,
    /// Where each ends in `text`.
    ends: [u32; PLACES],
    /// The groups, where there are any, and the product's own mapping.
    more: Box<[(HeaderName, HeaderValue)]>,
    /// When the assertion was minted.
    pub minted_at: Timestamp,
}

impl Identity {
    /// Puts the values of [`IDENTITY_FIELDS`] in that order, and the product's own mapping, into fields. An empty value sends no
    /// field, and neither does one that no field can carry.
    ///
    /// `None` when the assertion is no header field's value: a product that reads it must not be asked without it.
    pub fn new(said: &[String; FIELDS], mapped: Vec<(HeaderName, String)>, minted_at: Timestamp) -> Option<Self> {
        let [assertion, short @ .., groups] = said;
        let mut usual = vec![assertion.as_str()];
        usual.extend(short.iter().map(|text| carried(text)));
        let more = NAMES.last().cloned().into_iter().map(|name| (name, groups.clone())).chain(mapped);
        let more = more.filter(|(_, text)| !text.is_empty());
        let more = more.filter_map(|(name, text)| HeaderValue::from_maybe_shared(text).ok().map(|value| (name, value)));
        Self::laid_out(&usual, more.collect(), minted_at)
    }

    fn laid_out(usual: &[&str], more: Box<[(HeaderName, HeaderValue)]>, minted_at: Timestamp) -> Option<Self> {
        usual.first().filter(|assertion| is_carried(assertion))?;
        let (text, ends) = joined(usual)?;
        Some(Self { text: Bytes::from(text), ends, more, minted_at })
    }

    /// The same statement with another assertion; `None` as for [`Self::new`].
    pub fn renewed(&self, assertion: &str, minted_at: Timestamp) -> Option<Self> {
        let kept = self.usual().skip(1).map(|part| std::str::from_utf8(part).ok());
        let usual: Option<Vec<_>> = std::iter::once(Some(assertion)).chain(kept).collect();
        Self::laid_out(&usual?, self.more.clone(), minted_at)
    }

    /// The signed assertion.
    pub fn assertion(&self) -> &[u8] {
        self.usual().next().unwrap_or_default()
    }

    /// All of them: `fedgate-assertion`, `x-fedgate-*`, and the product's own mapping.
    pub fn fields(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let cut = self.said().filter_map(|(name, part)| {
            // Only what a field can carry was laid out; none is lost here.
            HeaderValue::from_maybe_shared(self.text.slice_ref(part)).ok().map(|value| (name.clone(), value))
        });
        cut.chain(self.more.iter().cloned())
    }

    /// The same, name and value after the other, with nothing made for it.
    pub fn each(&self, mut say: impl FnMut(&HeaderName, &[u8])) {
        for (name, part) in self.said() {
            say(name, part);
        }
        for (name, value) in &self.more {
            say(name, value.as_bytes());
        }
    }

    /// The usual ones that are not empty, each under its name.
    fn said(&self) -> impl Iterator<Item = (&'static HeaderName, &[u8])> {
        NAMES.iter().zip(self.usual()).filter(|(_, part)| !part.is_empty())
    }

    fn usual(&self) -> impl Iterator<Item = &[u8]> {
        let at = |end: u32| usize::try_from(end).unwrap_or(usize::MAX);
        let begins = std::iter::once(0).chain(self.ends.iter().map(move |end| at(*end)));
        begins.zip(&self.ends).map(move |(begin, end)| self.text.get(begin..at(*end)).unwrap_or_default())
    }
}

/// All of it in one text, exactly as large as it must be: what was left over would be kept for as long as the session.
fn joined(usual: &[&str]) -> Option<(String, [u32; PLACES])> {
    let mut text = String::with_capacity(usual.iter().map(|text| text.len()).sum::<usize>());
    let mut ends = [0; PLACES];
    for (end, one) in ends.iter_mut().zip(usual) {
        text.push_str(one);
        *end = u32::try_from(text.len()).ok()?;
    }
    Some((text, ends))
}

/// A value that no field can carry is left out, as an empty one is.
fn carried(text: &str) -> &str {
    if is_carried(text) { text } else { "" }
}

fn is_carried(text: &str) -> bool {
    HeaderValue::from_bytes(text.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(identity: &Identity) -> Vec<(String, String)> {
        let text = |value: HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
        let mut each = Vec::new();
        identity.each(|name, value| each.push((name.as_str().to_owned(), String::from_utf8(value.to_vec()).unwrap())));
        let fields: Vec<_> = identity.fields().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        assert_eq!(each, fields, "both ways say the same");
        fields
    }

    fn check(said: [&str; 7], mapped: &[(&'static str, &str)], expected: &[(&str, &str)]) {
        let owned = |(name, text): &(&'static str, &str)| (HeaderName::from_static(name), (*text).to_owned());
        let mapped = mapped.iter().map(owned).collect();
        let identity = Identity::new(&said.map(str::to_owned), mapped, Timestamp::from_seconds(1)).unwrap();
        let pairs = |list: &[(&str, &str)]| -> Vec<_> {
            list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        assert_eq!(shown(&identity), pairs(expected));
        let renewed = identity.renewed("another one", Timestamp::from_seconds(2)).unwrap();
        let mut anew = pairs(expected);
        anew[0].1 = "another one".to_owned();
        assert_eq!((shown(&renewed), renewed.minted_at), (anew, Timestamp::from_seconds(2)));
        assert_eq!((renewed.assertion(), identity.assertion()), (b"another one".as_slice(), said[0].as_bytes()));
    }

    #[test]
    fn what_is_said_is_sent_and_what_is_empty_or_cannot_be_carried_is_not() {
        let all = ["a.b.c", "u", "ann@acme.com", "Ann Bücher", "acc", "acme", "x,y"];
        let names = IDENTITY_FIELDS.map(|name| name.as_str().to_owned());
        let sent: Vec<_> = names.iter().map(String::as_str).zip(all).collect();
        check(all, &[], &sent);
        let with_mapping: Vec<_> = sent.iter().copied().chain([("x-auth", "u")]).collect();
        check(all, &[("x-auth", "u"), ("x-empty", ""), ("x-bad", "a\nb")], &with_mapping);
        check(["a.b.c", "", "", "", "", "", ""], &[], &[("fedgate-assertion", "a.b.c")]);
        let expected = [("fedgate-assertion", "a.b.c"), ("x-fedgate-email", "e"), ("x-fedgate-account", "acc")];
        check(["a.b.c", "", "e", "a\r\nb", "acc", "", "\n"], &[], &expected);
        let broken = ["a\nb", "u", "", "", "", "", ""].map(str::to_owned);
        assert!(Identity::new(&broken, vec![], Timestamp::from_seconds(1)).is_none());
        // Who comes with a token of the product's own is said nothing of.
        let nothing = Identity::new(&Default::default(), vec![], Timestamp::from_seconds(1)).unwrap();
        assert_eq!(shown(&nothing), []);
    }

    #[test]
    fn nothing_is_kept_but_what_is_sent() {
        let short = ["u".repeat(17), "e".repeat(31), String::new(), "c".repeat(26), String::new()];
        let assertion = "a".repeat(700);
        let [user, email, name, account, org] = short.each_ref().map(String::as_str);
        let (text, ends) = joined(&[&assertion, user, email, name, account, org]).unwrap();
        assert_eq!((text.len(), text.capacity(), ends), (774, 774, [700, 717, 748, 748, 774, 774]));
        assert!(size_of::<Identity>() <= 80, "{}", size_of::<Identity>());
    }
}
