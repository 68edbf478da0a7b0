//! Small values: durations, sizes, names, addresses, ranges, colours.

use super::Reader;
use crate::config::file::{At, Span, Text, Texts};
use crate::config::finding::Code;
use crate::config::report::hidden;
use crate::gateway::options::Network;
use crate::kernel::values::{EmailAddress, Origin};
use std::net::SocketAddr;
use std::time::Duration;

/// No span in a configuration is longer: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// `15m`, `8h`, `7d`, `30s`.
pub fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let span = Duration::from_secs(digits(text.strip_suffix(unit)?)?.checked_mul(seconds)?);
    (span <= LONGEST).then_some(span)
}

/// `25MiB`, `64KiB`, `100B`: bytes.
pub fn size(text: &str) -> Option<u64> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let (number, unit) = units.iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, bytes)))?;
    digits(number)?.checked_mul(*unit)
}

fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// `#rrggbb`.
pub fn colour(text: &str) -> Option<[u8; 3]> {
    let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let [_, r, g, b] = u32::from_str_radix(hex, 16).ok()?.to_be_bytes();
    Some([r, g, b])
}

/// `trello` → `Trello`, `my-board` → `My board`.
pub fn label_of(name: &str) -> String {
    let spaced = name.replace('-', " ");
    let mut letters = spaced.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The addresses alone.
pub fn bare(written: Vec<(EmailAddress, Span)>) -> Vec<EmailAddress> {
    written.into_iter().map(|(address, _)| address).collect()
}

/// The texts of a list, none for an absent one.
pub fn each(texts: &Texts) -> impl Iterator<Item = &At<String>> {
    texts.iter().flat_map(|list| list.iter())
}

/// The text, if there is one.
pub fn text(text: &Text) -> Option<&str> {
    text.as_ref().map(|text| text.as_str())
}

impl Reader<'_> {
    /// A duration with a default.
    pub(super) fn duration(&mut self, written: &Text, default: Duration) -> Duration {
        let Some(written) = written else { return default };
        duration(written).unwrap_or_else(|| {
            let what = format!("{:?} is not a duration", written.as_str());
            self.say.error(
                Code::Duration,
                written.span(),
                what,
                "write a whole number and a unit: \"15m\", \"8h\", \"7d\"",
            );
            default
        })
    }

    /// An address to listen on; `None` is `off`.
    pub(super) fn address(&mut self, key: &str, written: &Text, default: Option<SocketAddr>) -> Option<SocketAddr> {
        let Some(written) = written else { return default };
        if written.as_str() == "off" {
            return None;
        }
        written.parse().map_err(|_| self.not_an_address(key, written)).ok()
    }

    fn not_an_address(&mut self, key: &str, written: &At<String>) {
        let text = written.as_str();
        let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        let suggestion = match (text.strip_prefix("localhost:"), port) {
            (Some(port), _) => format!("write {key} = \"127.0.0.1:{port}\""),
            (None, Some(port)) => format!("write {key} = \"0.0.0.0:{port}\" or \"127.0.0.1:{port}\""),
            (None, None) => format!("write {key} = \"0.0.0.0:443\" or {key} = \"off\""),
        };
        let what = format!("{text:?} is not an address to listen on: it needs an IP address and a port");
        self.say.error(Code::Address, written.span(), what, suggestion);
    }

    /// Address ranges.
    pub(super) fn networks(&mut self, written: &Texts) -> Vec<Network> {
        let mut networks = Vec::new();
        for range in each(written) {
            match Network::parse(range) {
                Some(network) if network.prefix > 0 => networks.push(network),
                Some(_) => {
                    let what = format!("{:?} is every address there is", range.as_str());
                    self.say.error(Code::Network, range.span(), what, "write the ranges that you mean: \"10.0.0.0/8\"");
                }
                None => {
                    let what = format!("{:?} is not an address range", range.as_str());
                    self.say.error(
                        Code::Network,
                        range.span(),
                        what,
                        "write \"10.0.0.0/8\", \"fd00::/8\" or one address",
                    );
                }
            }
        }
        networks
    }

    /// E-mail addresses.
    pub(super) fn emails(&mut self, written: &Texts) -> Vec<(EmailAddress, Span)> {
        let mut emails = Vec::new();
        for address in each(written) {
            match EmailAddress::parse(address) {
                Ok(email) => emails.push((email, address.span())),
                Err(_) => {
                    let what = format!("{:?} is not an e-mail address", address.as_str());
                    self.say.error(Code::Email, address.span(), what, "write name@domain, such as \"ops@example.com\"");
                }
            }
        }
        emails
    }

    /// A public origin.
    pub(super) fn origin(&mut self, written: &At<String>) -> Option<Origin> {
        Origin::parse(written)
            .map_err(|wrong| {
                let text = written.as_str();
                let bare = text.split_once("://").map_or(text, |(_, rest)| rest).split('/').next().unwrap_or("");
                let write = match Origin::parse(bare) {
                    Ok(origin) => format!("write \"{origin}\": the scheme is always https, and there is no path"),
                    Err(_) => {
                        "write a host name, or a name and a port: \"id.example.com\", \"id.example.com:8443\"".into()
                    }
                };
                self.say.error(
                    Code::Origin,
                    written.span(),
                    format!("{text:?} is not a public origin: {wrong}"),
                    write,
                );
            })
            .ok()
    }

    /// What people read: at most 64 visible characters and no address of a page (rule M26).
    pub(super) fn label(&mut self, written: &Text, default: impl FnOnce() -> String) -> String {
        let Some(written) = written else { return default() };
        let fits = !written.trim().is_empty() && written.chars().count() <= 64 && !written.chars().any(hidden);
        if !fits || written.contains("://") {
            let what = "people could not read this as a name";
            self.say.error(Code::Value, written.span(), what, "write 1 to 64 visible characters without a URL");
        }
        written.trim().to_owned()
    }

    /// A key that must be there.
    pub(super) fn missing(&mut self, span: Span, place: &str, key: &str, write: &str) {
        // A value of the wrong kind was reported already and taken out: it is not missing.
        if !self.misshapen {
            let what = format!("{place} has no `{key}`");
            self.say.error(Code::Missing, span, what, write);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        for (text, seconds) in [("15m", Some(900)), ("8h", Some(28_800)), ("7d", Some(604_800)), ("0m", Some(0))] {
            assert_eq!(duration(text).map(|span| span.as_secs()), seconds, "{text}");
        }
        for text in ["", "m", "15", "15 m", "1.5h", "-1h", "15M", "1h30m", "99999999999999999999d", "4000d", "é"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_a_whole_number_and_a_binary_unit() {
        for (text, bytes) in [("25MiB", Some(26_214_400)), ("1KiB", Some(1024)), ("7B", Some(7)), ("0B", Some(0))] {
            assert_eq!(size(text), bytes, "{text}");
        }
        for text in ["", "25", "25MB", "MiB", "-1B", "1.5MiB", "999999999999GiBB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn a_network_is_an_address_and_a_prefix() {
        assert_eq!(Network::parse("10.0.0.0/8").map(|n| n.prefix), Some(8));
        assert_eq!(Network::parse("::1").map(|n| n.prefix), Some(128));
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "localhost", "10.0.0.0/+8"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_colour_is_six_hex_digits() {
        assert_eq!(colour("#0052cc"), Some([0, 0x52, 0xcc]));
        for text in ["0052cc", "#fff", "#00é2c", "red", "#+052cc"] {
            assert_eq!(colour(text), None, "{text}");
        }
    }
}
