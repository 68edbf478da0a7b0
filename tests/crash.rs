//! kill -9 under login load: what was acknowledged is there after the restart, and nothing is there by half.

#[path = "crash/books.rs"]
mod books;
#[expect(dead_code, reason = "shared with the operator's scenes, which use the rest")]
#[path = "operator/cluster.rs"]
mod cluster;
#[expect(dead_code, reason = "shared with the operator's scenes, which use the rest")]
#[path = "operator/ground.rs"]
mod ground;
#[path = "crash/load.rs"]
mod load;
#[expect(dead_code, reason = "only one scene of logins moves its clock")]
#[path = "operator/provider.rs"]
mod provider;
#[expect(dead_code, reason = "shared with the store's suite, which uses the rest")]
#[path = "support/postgres.rs"]
mod server;
#[expect(dead_code, reason = "no test binary uses all of the support")]
mod support;
#[path = "crash/two_nodes.rs"]
mod two_nodes;

use std::rc::Rc;
use std::time::Duration;

use books::Books;
use load::{Crowd, Person, Told, identity};
use provider::LightOp;
use support::clock::{Deadline, timed, unix_seconds};
use support::gateway::Gateway;
use support::upstream::Upstream;

const ROUNDS: usize = 10;
/// Browsers at once.
const AT_ONCE: usize = 8;
/// A kill comes after at least this many logins, so that there is something to lose, and at most [`SPREAD`] later.
const LOGINS: usize = 6;
const SPREAD: u64 = 400;

/// Each round: load, kill, restart, and everything that was told holds.
#[tokio::test]
async fn kill_9_under_login_load_loses_nothing_that_was_acknowledged() {
    // Every agent of a round ends by a panic when its gateway is gone; their backtraces would take longer than the rounds.
    std::panic::set_hook(Box::new(|why| eprintln!("{why}")));
    let (_, took) = timed(tokio::task::LocalSet::new().run_until(rounds())).await;
    println!("{ROUNDS} rounds took {took:?}");
}

async fn rounds() {
    let (op, trello, loom) = (LightOp::start(), Upstream::start(), Upstream::start());
    let mut gateway = Gateway::start(&ground::configuration(&op, &trello, &loom));
    let trusts = vec![gateway.ca_file(), op.ca_file()];
    let crowd = Rc::new(Crowd::new(trusts, gateway.url("trello", "/"), gateway.url("loom", "/")));
    let mut moments = Moments(unix_seconds().unsigned_abs());
    println!("seed {}", moments.0);
    for round in 1..=ROUNDS {
        let before = crowd.people.borrow().len();
        let tasks: Vec<_> = (0..AT_ONCE).map(|_| tokio::task::spawn_local(Rc::clone(&crowd).keep_coming())).collect();
        let patience = Deadline::after(Duration::from_secs(30));
        while crowd.people.borrow().len() < before + LOGINS {
            assert!(!patience.passed(), "too few logins:\n{}", gateway.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(moments.next()).await;
        assert!(tasks.iter().all(|task| !task.is_finished()), "an agent failed before the kill:\n{}", gateway.log());
        gateway.kill();
        for task in tasks {
            let ended = tokio::time::timeout(Duration::from_secs(20), task).await;
            assert!(ended.is_ok_and(|ended| ended.is_err()), "an agent outlived the gateway");
        }
        gateway.restart();
        let books = Books::read(&gateway);
        books.agree();
        let people = crowd.people.borrow().clone();
        for person in &people[before..] {
            books.know(person);
            admits_as_told(&crowd, person).await;
        }
        println!("round {round}: {} acknowledged, {} recorded", people.len(), books.logins());
    }
    // Later crashes took nothing of what earlier rounds had left.
    let books = Books::read(&gateway);
    books.agree();
    let people = crowd.people.borrow().clone();
    for person in &people {
        books.know(person);
        admits_as_told(&crowd, person).await;
    }
}

/// A cookie admits without any step in between, unless its person was told that they are out.
async fn admits_as_told(crowd: &Crowd, person: &Person) {
    for (product, sid) in &person.sessions {
        let url = if *product == "trello" { &crowd.trello } else { &crowd.loom };
        let page = person.agent.visit(url).await;
        let admitted = page.trace.len() == 1 && identity(&page) == Some((person.account.clone(), sid.clone()));
        match person.told {
            Told::Unknown => {}
            Told::Inside => assert!(admitted, "{}: {}", person.account, page.describe()),
            Told::OutEverywhere | Told::OutOfTrello => {
                assert!(identity(&page).is_none(), "{} is out: {}", person.account, page.describe());
            }
        }
    }
}

/// Moments to kill at, spread by a multiplicative generator (Knuth's MMIX); its seed is printed.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((self.0 >> 33) % SPREAD)
    }
}
