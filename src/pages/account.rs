//! The account page: what the account is, who manages it, where it is logged in.

use super::href::Href;
use super::name::{Name, legible};
use super::page::{Brand, Form, Person};
use super::utc::Utc;
use super::view;
use crate::kernel::values::Device as Seen;
use crate::language::Text;
use minijinja::{Value, context};

/// Everything about a person's own account. Its form posts `act`: `others`, or `end` and a session's id.
#[derive(Clone, Debug)]
pub struct Account {
    /// The product on whose host it stands; none on the login host.
    pub brand: Option<Brand>,
    /// Whose.
    pub person: Person,
    /// What it is: finished sentences.
    pub statements: Vec<Statement>,
    /// Where it is changed, the first drawn as the main one.
    pub ways: Vec<AccountWay>,
    /// Products, and whether each still has a password of its own.
    pub products: Vec<(Name, bool)>,
    /// Logins that open it, and since when.
    pub logins: Vec<(Name, Utc)>,
    /// Where it is logged in, this session first.
    pub sessions: Vec<Device>,
    /// How many more sessions there are than are shown.
    pub more: usize,
    /// The form of the sessions' buttons.
    pub form: Form,
    /// Where this session is ended.
    pub logout: Href,
    /// Back to the product, or to the login host's own page.
    pub back: Href,
    /// Sessions were ended a moment ago.
    pub ended: bool,
}

/// What stands at the head of the page.
#[derive(Clone, Debug)]
pub enum Statement {
    /// MSG-LINKED.
    Linked(Name),
    /// MSG-MANAGED and MSG-ASK-ADMIN; an admin's address, masked.
    Managed(Name, Option<String>),
    /// A product's own password, good there alone.
    Local(Name),
    /// MSG-UPDATE: the move to this provider, and whether it must be.
    Move(Name, bool),
    /// Who is asked at a login.
    By(Name),
    /// The product's enterprise says who of its people may enter the product.
    Enterprise(Name),
    /// It asks the person to move to this provider.
    AskedToMove(Name, String),
    /// Our own second step is required, and there is none.
    SecondStepMissing,
}

/// A way on from the page.
#[derive(Clone, Debug)]
pub struct AccountWay {
    /// Begins with a verb.
    pub label: Text,
    /// Where.
    pub href: Href,
}

/// A session as its person sees it.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its id.
    pub id: String,
    /// The browser, coarsely; none where it said nothing.
    pub seen_as: Option<Seen>,
    /// The app whose session it is; none: a browser's.
    pub app: Option<Name>,
    /// Products that are open in it.
    pub products: Vec<Name>,
    /// What it was logged in by.
    pub by: By,
    /// When.
    pub since: Utc,
    /// When it was last used.
    pub last_seen: Utc,
    /// Whether it is the one that asks.
    pub this: bool,
}

/// What a session was begun with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum By {
    /// What has a message of its own, by its id: a password, a passkey.
    Words(&'static str),
    /// A provider.
    Provider(Name),
}

impl By {
    fn value(&self) -> Value {
        match self {
            Self::Words(id) => view::said(&Text::of(id)),
            Self::Provider(name) => Value::from(name.shown()),
        }
    }
}

impl Device {
    fn name(&self) -> Text {
        if let Some(app) = &self.app {
            return Text::of("device-app").with("app", &app.shown());
        }
        match self.seen_as.map(Seen::parts) {
            None => Text::of("device-none"),
            Some((None, None)) => Text::of("device-unknown"),
            Some((None, Some(system))) => Text::of("device-browser").with("system", system),
            Some((Some(browser), None)) => Text::of("device-alone").with("browser", browser),
            Some((Some(browser), Some(system))) => {
                Text::of("device-known").with("browser", browser).with("system", system)
            }
        }
    }
}

impl Account {
    pub(super) fn values(&self) -> Value {
        let device = |device: &Device| {
            context! {
                id => device.id.as_str(), name => view::said(&device.name()), by => device.by.value(), this => device.this,
                products => device.products.iter().map(Name::shown).collect::<Vec<_>>().join(", "),
                since => device.since.0, since_machine => device.since.machine(),
                seen => device.last_seen.0, seen_machine => device.last_seen.machine(),
            }
        };
        let product = |(name, local): &(Name, bool)| context! { name => name.shown(), local };
        let login = |(name, since): &(Name, Utc)| {
            context! { name => name.shown(), since => since.0, machine => since.machine() }
        };
        context! {
            person => view::person(&self.person),
            statements => self.statements.iter().map(Statement::values).collect::<Vec<_>>(),
            ways => self.ways.iter().map(|way| context! { label => view::said(&way.label), href => way.href.as_str() })
                .collect::<Vec<_>>(),
            products => self.products.iter().map(product).collect::<Vec<_>>(),
            logins => self.logins.iter().map(login).collect::<Vec<_>>(),
            sessions => self.sessions.iter().map(device).collect::<Vec<_>>(),
            others => self.more > 0 || self.sessions.iter().any(|device| !device.this),
            more => self.more, form => view::form(&self.form), logout => self.logout.as_str(),
            back => self.back.as_str(), ended => self.ended,
        }
    }
}

impl Statement {
    fn values(&self) -> Value {
        let (kind, name, more) = match self {
            Self::Linked(name) => ("linked", name.shown(), None),
            Self::Managed(name, contact) => ("managed", name.shown(), contact.as_deref().map(legible)),
            Self::Local(name) => ("local", name.shown(), None),
            Self::Move(name, must) => ("move", name.shown(), must.then(String::new)),
            Self::By(name) => ("by", name.shown(), None),
            Self::Enterprise(name) => ("enterprise", name.shown(), None),
            Self::AskedToMove(name, provider) => ("asked-to-move", name.shown(), Some(provider.clone())),
            Self::SecondStepMissing => ("second-step", String::new(), None),
        };
        context! { kind, name, more }
    }
}
