//! Rule H18 measured: whether the moment of an answer tells who exists, by order statistics over pairs of requests that leave
//! together on one HTTP/2 connection.
//!
//! By hand, on a machine with nothing else to do, two hours:
//! `cargo test --release --test login h18_order_tells -- --ignored --nocapture`; `PAIRS=1000` is a quick look with a wider bound,
//! `ASK=Identify` measures one kind of answer and `KIND=Linked` addresses of one kind. The one of a product that keeps its passwords takes longer: each refusal leaves after the adapter's time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fedgate::cli::node::Extras;
use fedgate::entropy::random;
use fedgate::login::local::Slots;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use url::Url;

use crate::doors::Doors;
use crate::support::adapter::{Adapter, Manner};
use crate::support::wire::Connection;

/// What is asked about an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ask {
    /// Whether its password is right, with a wrong one.
    Password,
    /// How its owner logs in.
    Identify,
    /// A mail with a code for a new password.
    Reset,
}

impl Ask {
    /// Pairs under way at once: their hashes must not fill the queue.
    fn at_once(self) -> usize {
        if self == Self::Password { 4 } else { 8 }
    }

    /// Pairs for which one address is used: no more than are answered before tries are held back.
    fn tries(self) -> usize {
        if self == Self::Reset { 3 } else { 10 }
    }

    /// The hash of the known. Only a password is compared with it: no others wait for so many to be wrapped.
    fn hash(self) -> Option<&'static str> {
        (self == Self::Password).then_some(COSTLY)
    }
}

/// Pairs of one worker for which a form that was shown is used.
const SHOWN_FOR: usize = 500;
/// A bcrypt hash of cost 10 of nobody's password.
const COSTLY: &str = "$2b$10$abcdefghijklmnopqrstuuusFrNF7KJFsgMs/u3icgjXQPsxLjnlW";

fn pairs() -> usize {
    std::env::var("PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

/// A form that was shown to a browser, for requests by hand.
struct Shown {
    ask: Ask,
    url: Url,
    cookie: String,
    fields: Vec<(String, String)>,
}

impl Shown {
    async fn at(doors: &Doors, ask: Ask) -> Self {
        let agent = doors.agent();
        let (page, path, field) = match ask {
            Ask::Password => {
                (doors.identify(&agent, "known-0@gmail.example.test").await, "/.fedgate/password", "password")
            }
            Ask::Identify => (agent.visit(&doors.url("trello", "/page")).await, "/.fedgate/identify", "email"),
            Ask::Reset => (agent.visit(&doors.url("trello", "/forgot")).await, "/.fedgate/reset", "email"),
        };
        let url = doors.url("trello", path);
        let cookie = agent.cookie_header(&url).expect("the browser's cookie");
        let fields = page.form(field).fields.into_iter().filter(|(name, _)| name == "csrf" || name == "to");
        Self { ask, fields: fields.collect(), cookie, url: Url::parse(&url).expect("a URL") }
    }

    fn request(&self, email: &str) -> Request<Full<Bytes>> {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let password = (self.ask == Ask::Password).then_some(("password", "not-the-password"));
        let fields = fields.chain([("email", email)]).chain(password);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let [a, b, c] = random::<3>();
        Request::post(self.url.as_str())
            .header("cookie", &self.cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", self.url.origin().ascii_serialization())
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", format!("10.{a}.{b}.{c}"))
            .body(Full::from(body))
            .expect("a request")
    }
}

/// How often the known address was answered first, of so many pairs.
async fn known_first(doors: &Arc<Doors>, ask: Ask, pairs: usize) -> f64 {
    let workers: Vec<_> = (0..ask.at_once())
        .map(|worker| {
            let doors = Arc::clone(doors);
            tokio::spawn(async move {
                let agent = doors.agent().with_h2();
                let mut shown = Shown::at(&doors, ask).await;
                let Ok(Connection::H2(sender)) = agent.wire().connect(&shown.url).await else {
                    panic!("no connection")
                };
                let mut first = 0;
                for (done, pair) in (worker..pairs).step_by(ask.at_once()).enumerate() {
                    // A form is good for half an hour.
                    if done % SHOWN_FOR == SHOWN_FOR - 1 {
                        shown = Shown::at(&doors, ask).await;
                    }
                    let answer = |who: &str| {
                        let (mut sender, request) = (
                            sender.clone(),
                            shown.request(&format!("{who}-{}@gmail.example.test", pair / ask.tries())),
                        );
                        async move {
                            sender.ready().await.expect("a connection");
                            let answer = sender.send_request(request).await.expect("an answer");
                            assert_eq!(answer.status(), 200, "judged, not refused");
                            answer.into_body().collect().await.expect("a page").to_bytes()
                        }
                    };
                    // Which is sent first is a coin's toss, so that order alone says nothing.
                    let heads = random::<1>()[0] & 1 == 0;
                    let (known, page) = if heads {
                        tokio::select! { biased; page = answer("known") => (true, page), page = answer("nobody") => (false, page) }
                    } else {
                        tokio::select! { biased; page = answer("nobody") => (false, page), page = answer("known") => (true, page) }
                    };
                    let page = String::from_utf8_lossy(&page);
                    assert!(ask != Ask::Reset || page.contains("name=\"code\""), "a mail was asked for: {page}");
                    first += usize::from(known);
                }
                first
            })
        })
        .collect();
    let mut first = 0;
    for worker in workers {
        first += worker.await.expect("no worker panicked");
    }
    #[expect(clippy::cast_precision_loss, reason = "a share of some thousands")]
    let share = first as f64 / pairs as f64;
    share
}

/// What is known of the addresses that a stranger's are measured against.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Accounts with a password of their own.
    Local,
    /// Addresses that an account gave up.
    Removed,
    /// Accounts that moved.
    Linked,
}

async fn share_with(ask: Ask, kind: Kind, slots: Option<Arc<Slots>>, pairs: usize) -> f64 {
    let extras = Extras { slots, ..Extras::default() };
    let doors = Arc::new(Doors::open_with("", "", extras).await);
    // One is local whatever the kind, and is counted before anybody moves: a stranger is asked for a password.
    doors.make("known-0@gmail.example.test", Some(COSTLY)).await;
    doors.identify(&doors.agent(), "known-0@gmail.example.test").await;
    let now = doors.node.login.world().clock.now();
    for number in 1..=pairs / ask.tries() {
        let email = format!("known-{number}@gmail.example.test");
        match kind {
            // An imported hash costs what the decoy does not: without slots that shows.
            Kind::Local => drop(doors.make(&email, ask.hash()).await),
            Kind::Removed => {
                let record = doors.make(&format!("kept-{number}@gmail.example.test"), ask.hash()).await;
                doors.moved(&record, &[(&email, true)], now).await;
            }
            Kind::Linked => {
                let record = doors.make(&email, ask.hash()).await;
                doors.moved(&record, &[], now).await;
            }
        }
    }
    known_first(&doors, ask, pairs).await
}

/// The same of a product that keeps its passwords, whose adapter is slower for those it knows, as one is that hashes for them alone.
async fn share_at_product(slots: Option<Arc<Slots>>, pairs: usize) -> f64 {
    let adapter = Adapter::start();
    adapter.be(Manner::Late(120, 0));
    let extras = Extras { slots, ..Extras::default() };
    let doors = Arc::new(Doors::open_at_product_in(&adapter, ", timeout = \"1s\"", extras).await);
    for number in 0..=pairs / Ask::Password.tries() {
        let (email, sub) = (format!("known-{number}@gmail.example.test"), format!("u-{number}"));
        adapter.person(&email, "another password", &sub);
        doors.imported(&email, &sub).await;
    }
    known_first(&doors, Ask::Password, pairs).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for two hours on a machine with nothing else to do"]
async fn h18_order_tells_nothing_with_slots_and_everything_without() {
    let pairs = pairs();
    let bound = bound(pairs);
    let asks = chosen("ASK", [Ask::Password, Ask::Identify, Ask::Reset]);
    let kinds = chosen("KIND", [Kind::Local, Kind::Removed, Kind::Linked]);
    for ask in asks {
        for kind in &kinds {
            let with = share_with(ask, *kind, None, pairs).await;
            println!(
                "{ask:?}: of {pairs} pairs the known address ({kind:?}) was first in {:.2} % with slots",
                with * 100.0
            );
            assert!((with - 0.5).abs() <= bound, "{ask:?} {kind:?} {with}, bound {bound}");
        }
        // Wrapped hashes are checked for those alone who exist. The other answers cost everybody the same, as far as a coin can tell.
        if ask == Ask::Password {
            sees(share_with(ask, Kind::Local, Some(Arc::new(Slots::of(Duration::ZERO))), pairs).await, bound);
        }
    }
}

/// All of them, or the one that an environment variable names.
fn chosen<T: std::fmt::Debug>(variable: &str, all: [T; 3]) -> Vec<T> {
    let only = std::env::var(variable).ok();
    let found: Vec<T> =
        all.into_iter().filter(|one| only.as_ref().is_none_or(|only| *only == format!("{one:?}"))).collect();
    assert!(!found.is_empty(), "{variable} names none");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for two hours on a machine with nothing else to do"]
async fn h18_order_tells_nothing_of_a_product_that_keeps_its_passwords() {
    let pairs = pairs();
    let bound = bound(pairs);
    let with = share_at_product(None, pairs).await;
    println!("of {pairs} pairs the known address was first in {:.2} % with slots", with * 100.0);
    assert!((with - 0.5).abs() <= bound, "{with}, bound {bound}");
    sees(share_at_product(Some(Arc::new(Slots::of(Duration::ZERO))), pairs).await, bound);
}

/// 50 % ± 1.5 of 10,000 pairs.
fn bound(pairs: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share of some thousands")]
    let bound = 1.5 / (pairs as f64).sqrt();
    bound
}

/// The same measure sees a gateway without slots.
fn sees(without: f64, bound: f64) {
    println!("without slots in {:.2} %; bound 50 ± {:.2} %", without * 100.0, bound * 100.0);
    assert!((without - 0.5).abs() > bound, "the same measure sees a gateway without slots: {without}");
}
