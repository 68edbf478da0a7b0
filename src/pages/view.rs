//! From the facts of a page to the values of its template. Every foreign text becomes legible here; escaping is the template's.

use minijinja::{Value, context};

use crate::language::{Speaker, Text};

use super::colour::Colour;
use super::name::{Name, legible};
use super::page::{
    App, Brand, Choice, ConfirmLogout, Email, Fault, Form, Go, Home, Hop, Loop, Lost, Page, Person, Reenter, Reference,
    Refusal, Resend, SignedOut, Submit, There, Towards,
};

/// Longest prefilled address, in characters (RFC 5321 §4.5.3.1.3 allows a path of 256 octets with its brackets).
const LONGEST_ADDRESS: usize = 254;

/// Longest path shown, in characters.
const LONGEST_PATH: usize = 120;

/// A template and what it is filled with.
pub(super) struct View {
    pub template: &'static str,
    pub status: u16,
    pub values: Value,
}

/// The view of a page. `login_host` stands at the foot.
pub(super) fn of(page: &Page, login_host: &str, (speaker, picker): (Speaker, Option<Value>)) -> View {
    let (template, status, brand, values) = match page {
        Page::Email(page) => ("email.html", 200, page.brand.as_ref(), email(page)),
        Page::Choice(page) => ("choice.html", 200, page.brand.as_ref(), choice(page)),
        Page::Hop(page) => ("hop.html", 200, page.brand.as_ref(), hop(page)),
        Page::Submit(page) => ("submit.html", 200, page.brand.as_ref(), submit(page)),
        Page::SignedOut(page) => ("signed_out.html", 200, page.brand.as_ref(), signed_out(page)),
        Page::ConfirmLogout(page) => ("confirm_logout.html", 200, page.brand.as_ref(), confirm_logout(page)),
        Page::Reenter(page) => ("reenter.html", 200, Some(&page.brand), reenter(page)),
        Page::App(page) => ("app.html", 200, Some(&page.brand), app(page)),
        Page::Refusal(page) => ("refusal.html", page.status, page.brand.as_ref(), refusal(page)),
        Page::Loop(page) => ("loop.html", 400, page.brand.as_ref(), looping(page)),
        Page::Fault(page) => ("fault.html", 500, None, fault(page)),
        Page::Home(page) => ("home.html", 200, None, home(page)),
        Page::Resend(page) => ("resend.html", 200, Some(&page.brand), resend(page)),
        Page::Local(page) => {
            let (template, status, values) = page.view();
            (template, status, Some(page.brand()), values)
        }
        Page::Account(page) => ("account.html", 200, page.brand.as_ref(), page.values()),
        Page::Console(page) => ("console.html", page.status, None, page.values()),
        Page::Lost(page) => ("lost.html", 200, Some(&page.brand), lost(page)),
    };
    let frame = context! {
        login_host => legible(login_host), brand => brand.map(mark), picker,
        language => speaker.tag(), direction => speaker.direction(), t => Value::from_object(speaker),
    };
    View { template, status, values: context! { ..values, ..frame } }
}

fn email(page: &Email) -> Value {
    let prefill: String = legible(&page.prefill).chars().take(LONGEST_ADDRESS).collect();
    let passkey = page.passkey.as_ref().map(super::href::Href::as_str);
    context! { form => form(&page.form), prefill, invalid => page.invalid, passkey }
}

fn choice(page: &Choice) -> Value {
    let ways: Vec<Value> = page
        .ways
        .iter()
        .map(|way| {
            let (href, value) = match &way.go {
                Go::Link(href) => (Some(href.as_str()), None),
                Go::Post(value) => (None, Some(value.as_str())),
            };
            context! { name => way.name.shown(), href, value, primary => way.primary }
        })
        .collect();
    context! { form => form(&page.form), email => legible(&page.email), change => page.change.as_str(), ways }
}

fn hop(page: &Hop) -> Value {
    let (towards, provider) = towards(&page.towards);
    context! { towards, provider, href => page.href.as_str() }
}

fn submit(page: &Submit) -> Value {
    let (towards, provider) = towards(&page.towards);
    context! {
        towards,
        provider,
        action => page.action.as_str(),
        field => page.field,
        message => page.message.as_str(),
        relay_state => page.relay_state.as_deref(),
        script => Value::from_safe_string(super::render::SUBMIT.to_owned()),
    }
}

fn towards(towards: &Towards) -> (&'static str, Option<String>) {
    match towards {
        Towards::Provider(name) => ("provider", Some(name.shown())),
        Towards::Product => ("product", None),
        Towards::Review => ("review", None),
        Towards::Logout => ("logout", None),
    }
}

fn signed_out(page: &SignedOut) -> Value {
    let there = page.there.as_ref().map(|(provider, there)| {
        let state = match there {
            There::Over => "over",
            There::Partly => "partly",
            There::Unknown => "unknown",
        };
        context! { provider => provider.shown(), state }
    });
    context! { again => page.again.as_str(), everywhere => page.everywhere.as_ref().map(form), there }
}

fn confirm_logout(page: &ConfirmLogout) -> Value {
    context! { person => person(&page.person), form => form(&page.form), stay => page.stay.as_str() }
}

fn reenter(page: &Reenter) -> Value {
    context! { person => person(&page.person), form => form(&page.form), other => page.other.as_str() }
}

fn app(page: &App) -> Value {
    context! { app => page.app.shown(), person => person(&page.person), form => form(&page.form) }
}

fn refusal(page: &Refusal) -> Value {
    let actions: Vec<Value> =
        page.actions.iter().map(|link| context! { label => said(&link.label), href => link.href.as_str() }).collect();
    context! {
        title => said(&page.title),
        what => said(&page.what),
        can_do => said(&page.can_do),
        ask => said(&page.ask),
        reference => reference(&page.reference),
        actions,
    }
}

fn looping(page: &Loop) -> Value {
    context! { again => page.again.as_str(), reference => reference(&page.reference) }
}

fn fault(page: &Fault) -> Value {
    context! { reference => reference(&page.reference) }
}

fn home(page: &Home) -> Value {
    let products: Vec<Value> = page
        .products
        .iter()
        .map(|product| context! { mark => mark(&product.brand), href => product.href.as_str() })
        .collect();
    let emergency = page.emergency.as_ref().map(|href| href.as_str());
    let console = page.console.as_ref().map(|href| href.as_str());
    context! { person => person(&page.person), products, emergency, console, account => page.account.as_str(), logout => form(&page.logout) }
}

fn resend(page: &Resend) -> Value {
    let path: String = legible(&page.path).chars().take(LONGEST_PATH).collect();
    context! {
        form => form(&page.form), method => legible(&page.method), path, size => page.size,
        at => page.at.0, machine => page.at.machine(), failed => page.failed,
    }
}

fn lost(page: &Lost) -> Value {
    context! { what => said(&page.what), can_do => said(&page.can_do), back => page.back.as_str() }
}

/// A message for a template's speaker.
pub(super) fn said(text: &Text) -> Value {
    Value::from_object(text.clone())
}

pub(super) fn form(form: &Form) -> Value {
    context! { action => form.action.as_str(), csrf => form.csrf.as_str(), to => form.to.as_str() }
}

/// The name is left out where it only repeats the address.
pub(super) fn person(person: &Person) -> Value {
    let name = Name::configured(&person.name);
    let name = if name.bare().is_empty() || name.bare() == person.email { None } else { Some(name) };
    let initial = name.clone().unwrap_or_else(|| Name::configured(&person.email)).initial();
    context! { name => name.map(|name| name.shown()), email => legible(&person.email), initial }
}

fn reference(reference: &Reference) -> Value {
    context! { code => legible(&reference.code), at => reference.at.0, machine => reference.at.machine() }
}

/// The product's tile. The icon's colours stand without `#`, which a data URL would take for a fragment.
fn mark(brand: &Brand) -> Value {
    let colour = brand.colour.unwrap_or_else(|| Colour::of_name(brand.name.bare()));
    let (tile, ink) = (colour.to_string(), colour.ink().to_string());
    context! {
        name => brand.name.shown(), initial => brand.name.initial(),
        tile_digits => tile.trim_start_matches('#'), ink_digits => ink.trim_start_matches('#'), tile => &tile, ink => &ink,
    }
}
