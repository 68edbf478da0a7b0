//! How long what ended at one node stays open: 1,000 streams of 500 people, one of each person at each node, who log out one after the
//! other at nodes taken in turns. The clock runs from the request to log out until the later of the two streams has ended, so it
//! includes the commit. Measured, not judged by each run: it takes minutes.
//!
//! `cargo test --test operator two_nodes_measured:: -- --ignored --nocapture --test-threads 1`

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::cluster::{Cluster, Nudges};
use super::ground::log_in;
use super::revocation::{end_of_socket, socket};
use super::server::Server;
use super::support::agent::UserAgent;
use super::support::clock::timed;
use super::support::websocket::WebSocket;

const PEOPLE: usize = 500;
/// Browsers that log in at once.
const AT_ONCE: usize = 8;
/// What is promised of all.
const WORST: Duration = Duration::from_secs(1);

struct Person {
    agent: UserAgent,
    sockets: Vec<WebSocket>,
}

/// Logs in whoever has the next number, until all are in.
async fn enter(cluster: Rc<Cluster>, people: Rc<RefCell<Vec<Person>>>, next: Rc<Cell<usize>>) {
    loop {
        let number = next.replace(next.get() + 1);
        if number >= PEOPLE {
            return;
        }
        let agent = cluster.agent();
        let page = log_in(&agent, &cluster.url("trello", "/"), &format!("person-{number}")).await;
        assert_eq!(page.status, 200, "{}", page.describe());
        people.borrow_mut().push(Person { agent, sockets: Vec::new() });
    }
}

/// Everybody, with a stream at each node.
async fn everybody(cluster: &Rc<Cluster>) -> Vec<Person> {
    let (people, next) = (Rc::new(RefCell::default()), Rc::new(Cell::default()));
    cluster.spreader.alternate(true);
    let entering: Vec<_> = (0..AT_ONCE)
        .map(|_| tokio::task::spawn_local(enter(Rc::clone(cluster), Rc::clone(&people), Rc::clone(&next))))
        .collect();
    for one in entering {
        one.await.expect("all came in");
    }
    cluster.spreader.alternate(false);
    let mut people = people.take();
    for node in [0, 1] {
        cluster.to(node);
        for person in &mut people {
            person.sockets.push(socket(&person.agent, &cluster.url("trello", "/live")).await);
        }
    }
    people
}

/// From the request until the later stream has ended.
async fn end(cluster: &Cluster, person: &mut Person) -> Duration {
    let asked = person.agent.visit(&cluster.url("id", "/logout")).await;
    let [one, other] = &mut person.sockets[..] else { panic!("a stream at each node") };
    let leave = person.agent.submit(&asked, "/logout", &[]);
    let ends = timed(async { tokio::join!(end_of_socket(one), end_of_socket(other)) });
    let (said, (_, took)) = tokio::join!(leave, ends);
    assert_eq!(said.status, 200, "{}", said.describe());
    took
}

async fn measure(nudges: Nudges, p99: Duration) {
    let cluster = Rc::new(Cluster::start(Server::shared(), nudges));
    let mut people = everybody(&cluster).await;
    let mut took = Vec::with_capacity(people.len());
    for (number, person) in people.iter_mut().enumerate() {
        cluster.to(number % 2);
        took.push(end(&cluster, person).await);
    }
    took.sort();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    println!(
        "nudges {nudges:?}: {} streams on 2 nodes: p50 {:?}, p99 {:?}, worst {:?}",
        2 * took.len(),
        at(50),
        at(99),
        at(100)
    );
    assert!(at(99) < p99 && at(100) < WORST, "p99 {:?}, worst {:?}", at(99), at(100));
}

#[tokio::test]
#[ignore = "a measurement of a minute"]
async fn the_last_of_a_thousand_streams_with_nudges() {
    tokio::task::LocalSet::new().run_until(measure(Nudges::Come, Duration::from_millis(250))).await;
}

#[tokio::test]
#[ignore = "a measurement of minutes"]
async fn the_last_of_a_thousand_streams_without_nudges() {
    tokio::task::LocalSet::new().run_until(measure(Nudges::AreLost, Duration::from_millis(400))).await;
}
