//! What an agent was shown, and the way it came there.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::html::{self, Form};

/// One request of a journey.
#[derive(Clone, Debug)]
pub struct Hop {
    pub method: Method,
    pub url: Url,
    pub status: StatusCode,
    /// `Sec-Fetch-Site` as sent.
    pub fetch_site: &'static str,
    /// The `Cookie` header as sent.
    pub cookie: Option<String>,
    /// The `Set-Cookie` lines of the answer; those the jar refused are `false`.
    pub set_cookies: Vec<(String, bool)>,
    /// Whether the answer told the browser to forget (`Clear-Site-Data`).
    pub cleared: bool,
}

impl Hop {
    /// Names of the cookies that this answer set.
    pub fn set_names(&self) -> Vec<&str> {
        self.set_cookies.iter().filter_map(|(line, _)| line.split('=').next()).map(str::trim).collect()
    }
}

/// A document or another answer, at the end of its redirects.
#[derive(Clone, Debug)]
pub struct Page {
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trace: Vec<Hop>,
}

impl Page {
    pub fn html(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What a person reads.
    pub fn text(&self) -> String {
        html::text(&self.html())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.describe()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn forms(&self) -> Vec<Form> {
        html::forms(&self.html())
    }

    /// The first form that has this field, or whose action contains the text.
    pub fn form(&self, wanted: &str) -> Form {
        self.forms()
            .into_iter()
            .find(|form| {
                form.fields.iter().chain(&form.buttons).any(|(name, _)| name == wanted) || form.action.contains(wanted)
            })
            .unwrap_or_else(|| panic!("no form with {wanted}: {}", self.describe()))
    }

    /// Every URL of the journey, this page's last, as `METHOD status host path`.
    pub fn journey(&self) -> Vec<String> {
        self.trace.iter().map(|hop| format!("{} {} {}", hop.method, hop.status.as_u16(), short(&hop.url))).collect()
    }

    /// For the message of a failed assertion.
    pub fn describe(&self) -> String {
        let text: String = self.text().chars().take(600).collect();
        format!("{} at {}\n  {}\n{text}", self.status, self.url, self.journey().join("\n  "))
    }
}

fn short(url: &Url) -> String {
    format!("{}{}", url.host_str().unwrap_or_default(), url.path())
}
