//! `body_spool` and `version`: what is kept of a request whose session has just expired (rule H9).

use super::Reader;
use super::values::size;
use crate::config::file::Product;
use crate::config::finding::Code;
use crate::gateway::options::BodySpool;

/// The longest release that anybody writes.
const VERSION: usize = 100;

impl Reader<'_> {
    /// Both keys.
    pub(super) fn body_spool(&mut self, written: &Product) -> BodySpool {
        let mut spool = BodySpool::default();
        if let Some(limit) = &written.body_spool {
            match size(limit) {
                _ if limit.as_str() == "off" => spool.limit = 0,
                Some(bytes) if bytes <= BodySpool::MOST => spool.limit = bytes,
                Some(_) => {
                    let what = format!("{} is more than can be kept of one request", limit.as_str());
                    self.say.error(Code::Size, limit.span(), what, "write at most body_spool = \"25MiB\"");
                }
                None => {
                    let what = format!("{:?} is not a size", limit.as_str());
                    let write = "write a whole number and a unit: \"1MiB\", \"64KiB\", or \"off\"";
                    self.say.error(Code::Size, limit.span(), what, write);
                }
            }
        }
        if let Some(version) = &written.version {
            if version.is_empty() || version.len() > VERSION {
                let what = format!("a version has 1 to {VERSION} characters");
                self.say.error(Code::Value, version.span(), what, "write the product's release: version = \"2026.11\"");
            }
            spool.version = Some(version.to_string());
        }
        spool
    }
}
