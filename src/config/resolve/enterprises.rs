//! `[[product.NAME.enterprise]]`: companies that bought the product for their people, with admins of their own (row T37).

use super::Reader;
use super::values::{bare, label_of};
use crate::config::file::{At, Product};
use crate::config::finding::Code;
use crate::kernel::model::Enterprise;
use crate::kernel::values::EnterpriseName;

impl Reader<'_> {
    /// The enterprises of a product, each under a name of its own.
    pub(super) fn enterprises(&mut self, place: &str, written: &At<Product>) -> Vec<Enterprise> {
        let mut found: Vec<Enterprise> = Vec::new();
        for one in written.enterprise.iter().flat_map(|listed| listed.iter()) {
            let Some(id) = &one.name else {
                self.missing(one.span(), &format!("{place} enterprise"), "name", "write name = \"bigco\"");
                continue;
            };
            let Some(name) = self.name(id, EnterpriseName::parse) else { continue };
            if found.iter().any(|other| other.name == name) {
                let what = format!("{place} has two enterprises {:?}", name.as_str());
                self.say.error(Code::NameTwice, one.span(), what, "give each enterprise a name of its own");
                continue;
            }
            let admins = self.emails(&one.admins);
            self.mentioned.extend(admins.iter().cloned());
            let label = self.label(&one.label, || label_of(name.as_str()));
            let merging = one.merging.unwrap_or(true);
            found.push(Enterprise { name, label, admins: bare(admins), merging });
        }
        found
    }
}
