//! Another address for the account that moves: its paths on the login host, and the words of its pages.

use super::Site;
use super::forms::Fields;
use super::render::form;
use crate::language::Text;
use crate::login::{AddressAsks as Asks, AddressStep, Answer, Form, Manager, Managers, Visitor};
use crate::pages::{AddressCode, AddressOpened, Brand, Href, Link, Local, Name, Notice, WhichAddress};
use crate::web::PageRequest;
use http::StatusCode;

/// Which address.
pub(super) const ADDRESS: &str = "/login/link/address";
/// The digits of the mail.
const CODE: &str = "/login/link/address/code";
/// The mail's link.
const OPENED: &str = "/login/link/address/opened";
/// "This was not me."
const NOT_ME: &str = "/login/link/address/not-me";

impl Site {
    /// Paths that begin with [`ADDRESS`]; none for any other.
    pub(super) async fn on_address(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        (method, path): (&str, &str),
    ) -> Option<Answer> {
        let query = Fields::of_query(request);
        let fields = Fields::of_form(request);
        let sealed = (fields.text("csrf"), fields.text("to"));
        let login = &self.login;
        Some(match (method, path) {
            ("GET" | "HEAD", ADDRESS) => login.ask_address(visitor, query.text("t")).await,
            ("POST", ADDRESS) => login.choose_address(visitor, sealed, fields.text("email")).await,
            ("POST", CODE) => login.mailed_address(visitor, sealed, fields.text("code")).await,
            ("GET" | "HEAD", OPENED) => login.show_address_link(visitor, query.text("token")).await,
            ("POST", OPENED) => login.use_address_link(visitor, sealed).await,
            ("POST", NOT_ME) => login.disown_address(visitor, sealed).await,
            // The page that waits was reloaded or reached by the back button: the login begins where it began.
            ("GET" | "HEAD", CODE) => login.home(visitor).await,
            _ => return None,
        })
    }
}

/// The page. `None` only when an address of ours does not parse.
pub(super) fn page(step: AddressStep, brand: Brand) -> Option<Local> {
    let AddressStep { asks, back } = step;
    let back = Href::parse(&back).ok()?;
    Some(match asks {
        Asks::Which { form: fields, proved, unproved, invalid } => Local::WhichAddress(WhichAddress {
            brand,
            form: form(&fields, ADDRESS)?,
            // Without a proved one there is nothing to go back to.
            back: (!proved.is_empty()).then_some(back),
            proved: proved.iter().map(ToString::to_string).collect(),
            unproved: unproved.iter().map(ToString::to_string).collect(),
            invalid,
        }),
        Asks::Code { form: fields, email, failed } => {
            let another = Href::parse(&back.as_str().replacen("/login/link?", &format!("{ADDRESS}?"), 1)).ok()?;
            Local::AddressCode(AddressCode {
                brand,
                form: form(&fields, CODE)?,
                email: email.to_string(),
                failed,
                another,
            })
        }
        Asks::Opened { go_on, not_me } => {
            let go_on = go_on.map(|fields: Form| form(&fields, OPENED));
            Local::AddressOpened(AddressOpened {
                brand,
                go_on: go_on.map_or(Some(None), |form| form.map(Some))?,
                not_me: form(&not_me, NOT_ME)?,
            })
        }
        Asks::Ended => Local::Notice(Notice {
            brand,
            status: StatusCode::OK.as_u16(),
            title: Text::of("said-ended"),
            text: Text::of("said-ended-text"),
            next: Link { label: Text::of("back-to-start"), href: Href::parse("/").ok()? },
        }),
        Asks::AskAdmin(managers) => Local::Notice(ask_admin(brand, &managers, back)),
    })
}

/// MSG-ASK-ADMIN: the kind of manager, its name, and whom to ask (row T20).
fn ask_admin(brand: Brand, managers: &Managers, back: Href) -> Notice {
    let shown = |manager: &Manager| Name::organization(&manager.label).shown();
    // Enterprises are named by the operator alone.
    let configured = |manager: &Manager| Name::configured(&manager.label).shown();
    let by = |id: &'static str, with_contact: &'static str, manager: &Manager| match &manager.contact {
        Some(contact) => Text::of(with_contact).with("contact", contact),
        None => Text::of(id),
    };
    let text = match managers {
        Managers::Both { org, enterprise } => {
            Text::of("address-ask-admin-both").with("org", &shown(org)).with("enterprise", &configured(enterprise))
        }
        Managers::Enterprise(one) => by("address-ask-admin-enterprise", "address-ask-admin-enterprise-contact", one)
            .with("enterprise", &configured(one)),
        Managers::Org(one) => by("address-ask-admin", "address-ask-admin-contact", one).with("org", &shown(one)),
    };
    let (status, title) = (StatusCode::FORBIDDEN.as_u16(), Text::of("ask-admin-title"));
    Notice { brand, status, title, text, next: Link { label: Text::of("back"), href: back } }
}
