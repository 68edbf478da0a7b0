//! A sample product: small pages that show who is signed in, something to change, a live clock and an activity feed.
//!
//! Owned here: the paths of a product. What a visitor can change is in `shelf.rs`, the streams are in `live.rs`. Deliberately
//! absent: any login of its own; without a good assertion every path but those of [`Product::open`] answers 401.

mod live;
mod shelf;

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use minijinja::context;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::assertion::{Claims, Door};
use super::http::{self, Fields, Response, json, see_other, text};
use super::shell::Shell;
use crate::pages::{Colour, Name};
use shelf::Shelf;

/// What the product is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Lists of cards.
    Board,
    /// Recordings and what people say about them.
    Video,
}

/// What a product must be told about itself.
#[derive(Clone, Debug)]
pub struct Options {
    /// `aud` that its assertions carry: the product's name in the gateway's configuration.
    pub audience: String,
    /// Its name for people.
    pub title: String,
    /// Its colour.
    pub colour: Colour,
    /// The other product's name for people.
    pub sibling_title: String,
    /// The other product's public URL.
    pub sibling_url: String,
}

struct Product {
    kind: Kind,
    options: Options,
    door: Arc<Door>,
    shell: Shell,
    shelf: Shelf,
    stop: CancellationToken,
}

/// Serves a product until `stop`.
pub(super) fn serve(
    listener: TcpListener,
    kind: Kind,
    options: Options,
    door: Arc<Door>,
    stop: CancellationToken,
) -> Result<(), minijinja::Error> {
    let shell = Shell::new(options.colour)?;
    let product = Arc::new(Product { kind, options, door, shell, shelf: Shelf::of(kind), stop: stop.clone() });
    http::serve(listener, stop, move |request| {
        let product = product.clone();
        async move { product.answer(request).await }
    });
    Ok(())
}

impl Product {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        if let Some(response) = self.open(&request) {
            return response;
        }
        match self.door.admit(request.headers(), &self.options.audience).await {
            Ok(person) => self.inside(person, request).await,
            Err(unproved) => text(StatusCode::UNAUTHORIZED, format!("401: {unproved}\n")),
        }
    }

    /// Paths without a person: health, looks, and the echo that shows what arrived.
    fn open(&self, request: &Request<Incoming>) -> Option<Response> {
        match request.uri().path() {
            "/healthz" => Some(text(StatusCode::OK, "ok\n")),
            "/app.css" => Some(self.shell.style(include_str!("../templates/product.css"))),
            "/app.js" => Some(http::answer(
                StatusCode::OK,
                "text/javascript; charset=utf-8",
                include_str!("../templates/app.js"),
            )),
            "/echo" => Some(echo(request)),
            _ => None,
        }
    }

    async fn inside(&self, person: Claims, request: Request<Incoming>) -> Response {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/") => self.front(&person),
            (&Method::POST, "/items") => match Fields::of_body(request.into_body()).await {
                Some(fields) => self.add(&person, &fields),
                None => text(StatusCode::PAYLOAD_TOO_LARGE, "that form is too large\n"),
            },
            (&Method::GET, "/live") => live::clock(request, self.door.clock(), self.stop.clone()),
            (&Method::GET, "/events") => live::feed(self.shelf.recent(), self.shelf.follow(), self.stop.clone()),
            (_, "/" | "/items" | "/live" | "/events") => text(StatusCode::METHOD_NOT_ALLOWED, "not with this method\n"),
            _ => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
        }
    }

    fn front(&self, person: &Claims) -> Response {
        let template = match self.kind {
            Kind::Board => "board.html",
            Kind::Video => "video.html",
        };
        let values = context! {
            title => self.options.title.as_str(),
            initial => Name::configured(&self.options.title).initial(),
            sibling => context! { title => self.options.sibling_title.as_str(), url => self.options.sibling_url.as_str() },
            person => context! {
                name => shown_name(person), email => person.email.as_str(), sub => person.sub.as_str(),
                org => person.org.as_deref(),
                initial => Name::configured(&shown_name(person)).initial(),
            },
            places => self.shelf.places().iter().map(shelf::Place::shown).collect::<Vec<_>>(),
        };
        self.shell.page(StatusCode::OK, template, values)
    }

    fn add(&self, person: &Claims, fields: &Fields) -> Response {
        let place = fields.one("place").and_then(|place| place.parse().ok());
        match (place, fields.one("text")) {
            (Some(place), Some(text)) if self.shelf.add(place, text, &shown_name(person)) => see_other("/"),
            _ => text(StatusCode::BAD_REQUEST, "a place and a text are needed\n"),
        }
    }
}

fn shown_name(person: &Claims) -> String {
    let name = if person.name.is_empty() { &person.email } else { &person.name };
    Name::configured(if name.is_empty() { &person.sub } else { name }).shown()
}

/// The request as it arrived. Header values that are not UTF-8 are shown with replacement characters.
fn echo(request: &Request<Incoming>) -> Response {
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    json(
        StatusCode::OK,
        &json!({ "method": request.method().as_str(), "path": request.uri().to_string(), "headers": headers }),
    )
}
