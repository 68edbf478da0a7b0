//! `fedgate check --online`: products that say that they check Fedgate-Assertion are tried (rule M22). A request without one and
//! a request with a wrong one must not succeed; whoever reaches a product that lets them could be anybody.
//!
//! Deliberately absent: requests with a right assertion, which would be requests of a person.

use super::Screen;
use super::node::NotStarted;
use super::run::on_runtime;
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::random;
use crate::gateway::options::{Site, Upstream};
use crate::gateway::{Probe, probe};
use crate::kernel::values::Origin;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// How long an upstream may take to answer, connecting included.
const PATIENCE: Duration = Duration::from_secs(5);

/// One upstream, tried.
pub(super) struct Tried {
    product: String,
    upstream: String,
    /// The answers to a request without an assertion and with a wrong one.
    answers: [io::Result<StatusCode>; 2],
}

/// What the two requests lack, in the order of [`Tried::answers`].
const LACKS: [&str; 2] = ["no assertion", "a wrong assertion"];

/// Tries all upstreams of all products that say so.
///
/// # Errors
/// [`NotStarted`] when there is no runtime.
pub(super) fn try_products(config: &Config) -> Result<Vec<Tried>, NotStarted> {
    on_runtime(async {
        let mut sites: Vec<_> = config.gateway.sites.values().filter(|site| site.reach.verifies_assertion).collect();
        sites.sort_by_key(|site| site.product.name.to_string());
        let mut tried = Vec::new();
        for site in sites {
            for upstream in &site.upstreams {
                tried.push(one(site, upstream, &config.login).await);
            }
        }
        Ok(tried)
    })
}

async fn one(site: &Site, upstream: &Upstream, login: &Origin) -> Tried {
    let user = (HeaderName::from_static("x-fedgate-user"), HeaderValue::from_static("fedgate-check"));
    let wrong = forged(site, login).map(|value| (HeaderName::from_static("fedgate-assertion"), value));
    let without = Probe { path: "/", fields: vec![user.clone()], timeout: PATIENCE };
    let with = Probe { fields: std::iter::once(user).chain(wrong).collect(), ..without.clone() };
    let answers = [probe(site, upstream, &without).await, probe(site, upstream, &with).await];
    Tried { product: site.product.name.to_string(), upstream: upstream.to_string(), answers }
}

/// An assertion in which everything but the signature is right.
fn forged(site: &Site, login: &Origin) -> Option<HeaderValue> {
    let now = Clock::system().now().millis() / 1_000;
    let head = json!({ "alg": "ES256", "typ": "fedgate+jwt", "kid": "fedgate-check" });
    let claims = json!({
        "iss": login.url(), "aud": [site.product.name.as_str(), site.host.url()], "host": site.host.to_string(),
        "sub": "fedgate-check", "iat": now, "exp": now + 60,
    });
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let signature = encode(&random::<64>());
    let text = format!("{}.{}.{signature}", encode(head.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    HeaderValue::try_from(text).ok()
}

impl Tried {
    /// Whether it turned both away.
    pub(super) fn is_good(&self) -> bool {
        self.answers.iter().all(|answer| answer.as_ref().is_ok_and(|status| !status.is_success()))
    }

    pub(super) fn json(&self) -> Value {
        let said = |answer: &io::Result<StatusCode>| match answer {
            Ok(status) => json!(status.as_u16()),
            Err(why) => json!(why.to_string()),
        };
        let [without, wrong] = &self.answers;
        json!({
            "product": self.product,
            "upstream": self.upstream,
            "without_assertion": said(without),
            "wrong_assertion": said(wrong),
            "good": self.is_good(),
        })
    }

    pub(super) fn show(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let mark = if self.is_good() { "ok " } else { "BAD" };
        writeln!(screen.out, "  {mark} {:<20} {}", self.product, self.upstream)?;
        for (lacks, answer) in LACKS.iter().zip(&self.answers) {
            match answer {
                Ok(status) if status.is_success() => {
                    let what = "whoever reaches it can be anybody; let it check, or remove verifies_assertion";
                    writeln!(screen.out, "      answers {status} to {lacks}: {what}")?;
                }
                Ok(_) => {}
                Err(why) => writeln!(screen.out, "      could not be tried with {lacks}: {why}")?,
            }
        }
        Ok(())
    }
}
