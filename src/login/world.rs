//! What every login works on, and who asks.

use super::cookies::{self, Cookies, CrossSite};
use super::local::{Bench, Breached, Shares, Slots};
use super::shadow::Shadow;
use super::tally::Tally;
use super::ticket::{Aim, TARGET_LIFE, Target, sha256};
use crate::accounts::Adapters;
use crate::audit::Sampler;
use crate::clock::Clock;
use crate::entropy::random;
use crate::idp::Providers;
use crate::idp::saml::SamlProviders;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::model::{Catalog, Directory, Product};
use crate::kernel::values::{EventId, Language, Origin, Timestamp, Wishes};
use crate::keys::{Kek, Keys, Purpose};
use crate::orgs::lockout::{is_locked_out, is_of_file};
use crate::orgs::{DraftOrg, Enrolled, Fault, Mode, Orgs};
use crate::store::{Store, Unavailable};
use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::net::IpAddr;
use std::sync::Arc;

/// What an aim is bound to besides its purpose.
const AIM: &[u8] = b"aim";

/// Everything that logins share. `Send + Sync`, one per process.
pub struct World {
    /// What is durable.
    pub store: Arc<dyn Store>,
    /// What opens the stored keys when they were rotated.
    pub kek: Kek,
    /// What seals, signs and finds.
    pub keys: Keys,
    /// What is configured; replaced by a reload.
    pub catalog: ArcSwap<Catalog>,
    /// The file in force, and how organizations' documents are laid over it.
    pub orgs: Orgs,
    /// The configuration in shadow.
    pub shadow: Shadow,
    /// The providers, asked and cached.
    pub providers: Providers,
    /// What products are asked about their own accounts.
    pub adapters: Adapters,
    /// Those of them that speak SAML.
    pub saml: SamlProviders,
    /// The time.
    pub clock: Clock,
    /// Which refusals of strangers are written whole (rule M15).
    pub sampler: Arc<Sampler>,
    /// Metrics.
    pub tally: Tally,
    /// Where passwords are hashed.
    pub bench: Bench,
    /// When answers leave that must not tell who exists.
    pub slots: Arc<Slots>,
    /// How many of a product's people log in by password.
    pub shares: Shares,
    /// The operator's list of breached passwords.
    pub breached: Option<Arc<Breached>>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The request's cookies.
    pub cookies: Cookies,
    /// Address, through trusted proxies only.
    pub client: IpAddr,
    /// What the browser calls itself, cut to 256 characters.
    pub user_agent: Option<String>,
    /// The request's id.
    pub request_id: String,
    /// Read once per request.
    pub now: Timestamp,
    /// The language of the answer: the request's wishes led to it, and nothing of an account.
    pub language: Language,
    /// What the request asks for, the most wanted first.
    pub wishes: Wishes,
    /// Where the same page can be asked for again; none where that would not be the same.
    pub back: Option<String>,
}

/// The login host's browser cookie: its value, and whether it must be set.
pub(super) struct Browser {
    pub value: String,
    pub fresh: bool,
}

impl Browser {
    /// The one the browser has, or a new one.
    pub(super) fn of(visitor: &Visitor) -> Self {
        match visitor.cookies.one(cookies::BROWSER).filter(|value| value.len() == 22) {
            Some(value) => Self { value: value.to_owned(), fresh: false },
            None => Self { value: URL_SAFE_NO_PAD.encode(random::<16>()), fresh: true },
        }
    }

    /// What a login session remembers of it.
    pub(super) fn digest(&self) -> [u8; 16] {
        let mut digest = [0; 16];
        digest.copy_from_slice(&sha256(self.value.as_bytes())[..16]);
        digest
    }

    /// The cookie, where it must be set.
    pub(super) fn cookie(&self) -> Option<String> {
        self.fresh.then(|| cookies::set(cookies::BROWSER, &self.value, None, CrossSite::Lax))
    }
}

impl World {
    /// Builds the catalog again from the file and the store, where somebody changed an organization. What they changed is
    /// recorded already.
    ///
    /// # Errors
    /// [`Fault`]: the store or its keys; the old catalog goes on.
    pub async fn rebuild(&self) -> Result<(), Fault> {
        let _turn = self.orgs.turn().await;
        let ground = (self.store.as_ref(), &self.kek);
        let enrolled = self.orgs.enrol(ground, &self.orgs.floor(), Mode::Follow, self.clock.now()).await?;
        let version = self.catalog.load().version + 1;
        self.tell_lockouts(&enrolled).await;
        self.orgs.put_effective(&enrolled);
        self.catalog.store(Arc::new(enrolled.catalog(version)));
        self.saml.forget_all_but(&self.catalog.load().directories);
        self.rebuild_shadow().await;
        Ok(())
    }

    async fn is_locked_out(&self, org: &DraftOrg) -> Result<bool, Unavailable> {
        is_locked_out(self.store.as_ref(), org).await
    }

    /// The alarm for each organization that nobody can administer any more but by its own provider, where that was no matter of a change
    /// that somebody confirmed: a domain that was proved may be an admin's (rule H3).
    async fn tell_lockouts(&self, next: &Enrolled) {
        let (before, floor) = (self.orgs.effective(), self.orgs.floor());
        let changed = |org: &&DraftOrg| {
            let was = before.orgs.iter().find(|known| known.name == org.name);
            !is_of_file(&floor, &org.name) && was.is_some_and(|was| was.domains != org.domains)
        };
        for org in next.draft.orgs.iter().filter(changed) {
            let Some(was) = before.orgs.iter().find(|known| known.name == org.name) else { continue };
            match (self.is_locked_out(was).await, self.is_locked_out(org).await) {
                (Ok(false), Ok(true)) => {}
                (Ok(_), Ok(_)) => continue,
                (Err(fault), _) | (_, Err(fault)) => {
                    tracing::error!(%fault, org = %org.name, "whether it is locked out could not be seen");
                    continue;
                }
            }
            tracing::error!(org = %org.name, "E-LOCKOUT: nobody can administer this organization any more but by its provider");
            let now = self.clock.now();
            let mut event =
                AuditEvent::new(EventId::mint(now, random()), now, Action::OrganizationLockout, Outcome::Failure);
            event.org = Some(org.name.to_string());
            event.reason = Some("a domain of its last other admin is its own now".to_owned());
            if let Err(fault) = self.store.commit(Batch { events: vec![event], ..Batch::default() }).await {
                tracing::error!(%fault, org = %org.name, "that could not be recorded");
            }
        }
    }

    /// The product and the host of a target, if the configuration still has both.
    pub(super) fn place(&self, target: &Target) -> Option<(Arc<Product>, Origin)> {
        let catalog = self.catalog.load();
        let product = catalog.products.get(&target.product)?;
        product.hosts.contains(&target.host).then(|| (Arc::clone(product), target.host.clone()))
    }

    /// The product of an aim, for pages.
    pub(super) fn product_of(&self, target: Option<&Target>) -> Option<Arc<Product>> {
        target.and_then(|target| self.place(target)).map(|(product, _)| product)
    }

    /// A directory by our id.
    pub(super) fn directory(&self, id: crate::kernel::values::DirectoryId) -> Option<Arc<Directory>> {
        self.catalog.load().directories.get(&id).cloned()
    }

    /// Seals an aim for a hidden field. It is not bound to the browser: it says no more than a link to `/login/to` may say, and
    /// of fifty tabs that opened at once all but one show a form of an older browser cookie. What acts is bound by `csrf`.
    pub(super) fn seal_aim(&self, target: Option<&Target>, now: Timestamp) -> String {
        let aim = Aim { target: target.cloned(), made_at: now };
        self.seal(Purpose::Aim, AIM, &aim.encode())
    }

    /// Reads a hidden field back. `None`: not ours, or too old.
    pub(super) fn open_aim(&self, text: &str, now: Timestamp) -> Option<Aim> {
        let aim = Aim::decode(&self.unseal(Purpose::Aim, AIM, text)?)?;
        (now.since(aim.made_at) <= TARGET_LIFE).then_some(aim)
    }

    /// Seals bytes as base64url text. What cannot be sealed becomes empty text, which opens nothing.
    pub(super) fn seal(&self, purpose: Purpose, aad: &[u8], bytes: &[u8]) -> String {
        match self.keys.seal(purpose, aad, bytes) {
            Ok(sealed) => URL_SAFE_NO_PAD.encode(sealed),
            Err(fault) => {
                tracing::error!(%fault, ?purpose, "a value could not be sealed");
                String::new()
            }
        }
    }

    /// Opens what [`Self::seal`] wrote; at most 4 KiB.
    pub(super) fn unseal(&self, purpose: Purpose, aad: &[u8], text: &str) -> Option<Vec<u8>> {
        if text.len() > 4096 {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        self.keys.unseal(purpose, aad, &sealed).map(|bytes| bytes.to_vec())
    }

    /// The token of a form on the login host: bound to the browser.
    pub(super) fn csrf(&self, browser: &Browser) -> String {
        self.keys.csrf(browser.value.as_bytes())
    }

    /// Whether a form's token is this browser's.
    pub(super) fn csrf_holds(&self, visitor: &Visitor, token: &str) -> bool {
        visitor
            .cookies
            .one(cookies::BROWSER)
            .filter(|value| value.len() == 22)
            .is_some_and(|value| self.keys.csrf_holds(value.as_bytes(), token))
    }
}
