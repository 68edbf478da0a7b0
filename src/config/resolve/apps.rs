//! `[[product.NAME.app]]`: the product's own apps.

use super::Reader;
use super::values::{each, label_of};
use crate::config::file::{App as Written, At, File, Product};
use crate::config::finding::Code;
use crate::kernel::model::{App, Redirect};
use crate::kernel::values::AppName;
use url::Url;

impl Reader<'_> {
    /// The apps of a product, each under a name of its own.
    pub(super) fn apps(&mut self, place: &str, written: &At<Product>) -> Vec<App> {
        let mut found: Vec<App> = Vec::new();
        for one in written.app.iter().flat_map(|listed| listed.iter()) {
            let Some(app) = self.app(place, one) else { continue };
            if found.iter().any(|other| other.name == app.name) {
                let what = format!("{place} has two apps {:?}", app.name.as_str());
                self.say.error(Code::NameTwice, one.span(), what, "give each app an id of its own");
            } else {
                found.push(app);
            }
        }
        found
    }

    fn app(&mut self, place: &str, written: &At<Written>) -> Option<App> {
        let place = format!("{place} app");
        let (Some(id), Some(listed)) = (&written.id, &written.redirect) else {
            let (key, write) = match written.id {
                None => ("id", "write id = \"phone\": the app\u{2019}s client_id"),
                Some(_) => ("redirect", "write redirect = [\"com.example.board:/login\"]"),
            };
            self.missing(written.span(), &place, key, write);
            return None;
        };
        let name = self.name(id, AppName::parse)?;
        let mut redirects = Vec::new();
        for text in listed.iter() {
            match Redirect::parse(text) {
                Ok(redirect) => redirects.push(redirect),
                Err(fault) => {
                    let write = "write \"https://app.example.com/login\", \"com.example.board:/login\" or \"http://127.0.0.1/login\"";
                    self.say.error(Code::Redirect, text.span(), format!("{:?}: {fault}", text.as_str()), write);
                }
            }
        }
        if listed.is_empty() {
            let write = "write redirect = [\"com.example.board:/login\"]";
            self.say.error(Code::Redirect, listed.span(), "an app without a redirect gets no answer", write);
        }
        let label = self.label(&written.label, || label_of(name.as_str()));
        Some(App { name, label, redirects })
    }

    /// What a product serves on its own hosts can read their addresses, so no answer for an app goes there (rule H16).
    pub(super) fn own_redirects(&mut self, file: &File) {
        let apps = file.product.0.iter().flat_map(|(_, product)| product.app.iter().flat_map(|listed| listed.iter()));
        for text in apps.flat_map(|app| each(&app.redirect)) {
            let host = Url::parse(text).ok().filter(|url| url.scheme() == "https");
            let host = host.as_ref().and_then(Url::host_str);
            if host.is_some_and(|host| self.hosts.iter().any(|(origin, _)| origin.host() == host)) {
                let what = format!(
                    "{:?} is served by this gateway: what the product sends there could read the answer",
                    text.as_str()
                );
                let write = "write an address on a host that only the app has claimed, or \"com.example.board:/login\"";
                self.say.error(Code::Redirect, text.span(), what, write);
            }
        }
    }
}
