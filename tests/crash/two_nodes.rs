//! Two processes over one PostgreSQL, both under login load, and kill -9 of one of them: the other serves on, and what either had
//! acknowledged is there. Each hop of a login goes to the other node than the one before it.
//!
//! `cargo test --test crash two_nodes:: -- --ignored --nocapture` runs the twenty rounds.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use fedgate::kernel::values::ProductSessionId;
use tokio::task::JoinHandle;

use super::books::Books;
use super::cluster::{Cluster, Nudges};
use super::load::Crowd;
use super::server::Server;
use super::support::clock::{Deadline, unix_seconds};
use super::support::upstream::Upstream;
use super::{AT_ONCE, LOGINS, Moments, admits_as_told};

/// What one node ends is over at the other (README).
const PROMISED: Duration = Duration::from_secs(1);

#[tokio::test]
async fn kill_9_of_one_node_under_load_loses_nothing_that_either_acknowledged() {
    tokio::task::LocalSet::new().run_until(rounds(2)).await;
}

#[tokio::test]
#[ignore = "two minutes; by hand and before a release"]
async fn kill_9_of_one_node_under_load_twenty_times() {
    tokio::task::LocalSet::new().run_until(rounds(20)).await;
}

async fn rounds(count: usize) {
    // Who is cut off ends by a panic; their backtraces would take longer than the rounds.
    std::panic::set_hook(Box::new(|why| eprintln!("{why}")));
    let (server, loom) = (Server::start(), Upstream::start());
    let url = loom.url();
    let mut cluster =
        Cluster::start_with(&server, Nudges::Come, |configuration, _| configuration.product("loom", &url, ""));
    let trusts = cluster.nodes.iter().map(|node| node.ca_file()).chain([cluster.op.ca_file()]).collect();
    let crowd = Rc::new(Crowd::new(trusts, cluster.url("trello", "/"), cluster.url("loom", "/")));
    let mut moments = Moments(unix_seconds().unsigned_abs());
    println!("seed {}", moments.0);
    for round in 1..=count {
        let (victim, before) = (round % 2, crowd.people.borrow().len());
        cluster.spreader.alternate(true);
        let tasks = come(&crowd);
        until(&crowd, before + LOGINS, &cluster).await;
        tokio::time::sleep(moments.next()).await;
        assert!(tasks.iter().all(|task| !task.is_finished()), "an agent failed before the kill:\n{}", cluster.log());
        cluster.nodes[victim].kill();
        cluster.spreader.alternate(false);
        cluster.to(1 - victim);
        leave(tasks).await;
        // The other serves on, at once.
        let then = crowd.people.borrow().len();
        let tasks = come(&crowd);
        until(&crowd, then + LOGINS, &cluster).await;
        assert!(tasks.iter().all(|task| !task.is_finished()), "the other did not serve on:\n{}", cluster.log());
        leave(tasks).await;
        cluster.nodes[victim].launch();
        cluster.nodes[victim].wait_ready();
        tokio::time::sleep(PROMISED).await;
        agree(&cluster, &server, &crowd, before).await;
        println!("round {round}: {} acknowledged", crowd.people.borrow().len());
    }
    // Later crashes took nothing of what earlier rounds had left.
    agree(&cluster, &server, &crowd, 0).await;
}

fn come(crowd: &Rc<Crowd>) -> Vec<JoinHandle<()>> {
    (0..AT_ONCE).map(|_| tokio::task::spawn_local(Rc::clone(crowd).keep_coming())).collect()
}

/// Whoever is still coming stays away from here on.
async fn leave(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.abort();
        let _cut_off = task.await;
    }
}

async fn until(crowd: &Crowd, logins: usize, cluster: &Cluster) {
    let patience = Deadline::after(Duration::from_secs(30));
    while crowd.people.borrow().len() < logins {
        assert!(!patience.passed(), "too few logins:\n{}", cluster.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Rows, events and what people were told are one story, at whichever node they ask.
async fn agree(cluster: &Cluster, server: &Server, crowd: &Crowd, from: usize) {
    let books = Books::of(&cluster.nodes[0], live_sessions(cluster, server));
    books.agree();
    let people = crowd.people.borrow().clone();
    for (place, person) in people.iter().enumerate().skip(from) {
        books.know(person);
        cluster.to(place % 2);
        admits_as_told(crowd, person).await;
    }
}

fn live_sessions(cluster: &Cluster, server: &Server) -> HashSet<String> {
    let ids = server.psql(cluster.database(), "SELECT encode(id, 'hex') FROM product_session");
    let byte = |id: &str, at: usize| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).expect("hexadecimal");
    let session = |id: &str| ProductSessionId::from_bytes(std::array::from_fn(|at| byte(id, at))).to_string();
    ids.lines().map(session).collect()
}
