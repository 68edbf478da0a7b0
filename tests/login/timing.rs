//! Rule H18 measured: whether the moment of an answer tells who exists, by order statistics over pairs of requests that leave
//! together on one HTTP/2 connection.
//!
//! By hand, on a machine with nothing else to do, a quarter of an hour:
//! `cargo test --release --test login h18_order -- --ignored --nocapture`; `PAIRS=1000` is a quick look with a wider bound, `KIND=Linked`
//! measures addresses of one kind. The one of a product that keeps its passwords takes longer: each refusal leaves after the adapter's time.

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

/// Pairs under way at once: their hashes must not fill the queue.
const AT_ONCE: usize = 4;
/// Pairs of one worker for which a form that was shown is used.
const SHOWN_FOR: usize = 500;
/// A bcrypt hash of cost 10 of nobody's password.
const COSTLY: &str = "$2b$10$abcdefghijklmnopqrstuuusFrNF7KJFsgMs/u3icgjXQPsxLjnlW";
/// Wrong passwords that one address may meet in a quarter of an hour.
const TRIES: usize = 10;

fn pairs() -> usize {
    std::env::var("PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

/// A password form that was shown to a browser, for requests by hand.
struct Shown {
    url: Url,
    cookie: String,
    fields: Vec<(String, String)>,
}

impl Shown {
    async fn at(doors: &Doors) -> Self {
        let agent = doors.agent();
        let page = doors.identify(&agent, "known-0@gmail.example.test").await;
        let url = doors.url("trello", "/.fedgate/password");
        let cookie = agent.cookie_header(&url).expect("the browser's cookie");
        let fields = page.form("password").fields.into_iter().filter(|(name, _)| name == "csrf" || name == "to");
        Self { fields: fields.collect(), cookie, url: Url::parse(&url).expect("a URL") }
    }

    fn request(&self, email: &str) -> Request<Full<Bytes>> {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields = fields.chain([("email", email), ("password", "not-the-password")]);
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
async fn known_first(doors: &Arc<Doors>, pairs: usize) -> f64 {
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|worker| {
            let doors = Arc::clone(doors);
            tokio::spawn(async move {
                let agent = doors.agent().with_h2();
                let mut shown = Shown::at(&doors).await;
                let Ok(Connection::H2(sender)) = agent.wire().connect(&shown.url).await else {
                    panic!("no connection")
                };
                let mut first = 0;
                for (done, pair) in (worker..pairs).step_by(AT_ONCE).enumerate() {
                    // A form is good for half an hour.
                    if done % SHOWN_FOR == SHOWN_FOR - 1 {
                        shown = Shown::at(&doors).await;
                    }
                    let answer = |who: &str| {
                        let (mut sender, request) =
                            (sender.clone(), shown.request(&format!("{who}-{}@gmail.example.test", pair / TRIES)));
                        async move {
                            sender.ready().await.expect("a connection");
                            let answer = sender.send_request(request).await.expect("an answer");
                            assert_eq!(answer.status(), 200, "judged, not refused");
                            answer.into_body().collect().await.expect("a page");
                        }
                    };
                    // Which is sent first is a coin's toss, so that order alone says nothing.
                    let heads = random::<1>()[0] & 1 == 0;
                    let known = if heads {
                        tokio::select! { biased; () = answer("known") => true, () = answer("nobody") => false }
                    } else {
                        tokio::select! { biased; () = answer("nobody") => false, () = answer("known") => true }
                    };
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

async fn share_with(kind: Kind, slots: Option<Arc<Slots>>, pairs: usize) -> f64 {
    let extras = Extras { slots, ..Extras::default() };
    let doors = Arc::new(Doors::open_with("", "", extras).await);
    // One is local whatever the kind, and is counted before anybody moves: a stranger is asked for a password.
    doors.make("known-0@gmail.example.test", Some(COSTLY)).await;
    doors.identify(&doors.agent(), "known-0@gmail.example.test").await;
    let now = doors.node.login.world().clock.now();
    for number in 1..=pairs / TRIES {
        let email = format!("known-{number}@gmail.example.test");
        match kind {
            // An imported hash costs what the decoy does not: without slots that shows.
            Kind::Local => drop(doors.make(&email, Some(COSTLY)).await),
            Kind::Removed => {
                let record = doors.make(&format!("kept-{number}@gmail.example.test"), Some(COSTLY)).await;
                doors.moved(&record, &[(&email, true)], now).await;
            }
            Kind::Linked => {
                let record = doors.make(&email, Some(COSTLY)).await;
                doors.moved(&record, &[], now).await;
            }
        }
    }
    known_first(&doors, pairs).await
}

/// The same of a product that keeps its passwords, whose adapter is slower for those it knows, as one is that hashes for them alone.
async fn share_at_product(slots: Option<Arc<Slots>>, pairs: usize) -> f64 {
    let adapter = Adapter::start();
    adapter.be(Manner::Late(120, 0));
    let extras = Extras { slots, ..Extras::default() };
    let doors = Arc::new(Doors::open_at_product_in(&adapter, ", timeout = \"1s\"", extras).await);
    for number in 0..=pairs / TRIES {
        let (email, sub) = (format!("known-{number}@gmail.example.test"), format!("u-{number}"));
        adapter.person(&email, "another password", &sub);
        doors.imported(&email, &sub).await;
    }
    known_first(&doors, pairs).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for a quarter of an hour on a machine with nothing else to do"]
async fn h18_order_tells_nothing_with_slots_and_everything_without() {
    let pairs = pairs();
    let bound = bound(pairs);
    let only = std::env::var("KIND").ok();
    let wanted = |kind: &Kind| only.as_ref().is_none_or(|only| *only == format!("{kind:?}"));
    let kinds: Vec<Kind> = [Kind::Local, Kind::Removed, Kind::Linked].into_iter().filter(wanted).collect();
    assert!(!kinds.is_empty(), "KIND is Local, Removed or Linked");
    for kind in kinds {
        let with = share_with(kind, None, pairs).await;
        println!("of {pairs} pairs the known address ({kind:?}) was first in {:.2} % with slots", with * 100.0);
        assert!((with - 0.5).abs() <= bound, "{kind:?} {with}, bound {bound}");
    }
    sees(share_with(Kind::Local, Some(Arc::new(Slots::of(Duration::ZERO))), pairs).await, bound);
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
