//! What is in the store and in the audit log after a crash, and whether the two agree.

use std::collections::{HashMap, HashSet};

use fedgate::kernel::values::ProductSessionId;
use serde_json::Value;

use super::load::Person;
use super::support::gateway::Gateway;

/// Events and rows.
pub struct Books {
    /// `login.succeeded`: login session by account.
    logins: HashMap<String, String>,
    /// `session.created`: account and product by `sid`.
    created: HashMap<String, (String, String)>,
    /// Accounts that logged out everywhere, and (account, product) for one product.
    ended: HashSet<(String, Option<String>)>,
    live_logins: HashSet<String>,
    live_sessions: HashSet<String>,
}

impl Books {
    /// Those of a gateway whose store is a file.
    pub fn read(gateway: &Gateway) -> Self {
        Self::of(gateway, live_sessions(gateway))
    }

    /// Reads them by the operator's own commands, and verifies the log; the product sessions are those of the tables.
    pub fn of(gateway: &Gateway, live_sessions: HashSet<String>) -> Self {
        let (status, verdict, err) = gateway.command(&["audit", "verify"]);
        assert!(status.success() && verdict.contains(": consistent"), "{verdict}{err}");
        let mut books = Self {
            logins: HashMap::new(),
            created: HashMap::new(),
            ended: HashSet::new(),
            live_logins: live_logins(gateway),
            live_sessions,
        };
        let (_, events, err) = gateway.command(&["audit", "search", "--json"]);
        assert_eq!(err, "");
        for line in events.lines() {
            books.enter(&serde_json::from_str(line).expect("an event"));
        }
        books
    }

    fn enter(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let Some(account) = text(&event["subject"]["account"]) else { return };
        match event["action"].as_str() {
            Some("login.succeeded") => {
                let session = text(&event["txn"]).expect("the login session");
                assert_eq!(self.logins.insert(account, session), None, "each person logs in once: {event}");
            }
            Some("session.created") => {
                let sid = text(&event["after"]["sid"]).expect("a sid");
                self.created.insert(sid, (account, text(&event["product"]).expect("a product")));
            }
            Some("session.ended") => {
                self.ended.insert((account, text(&event["product"])));
            }
            _ => {}
        }
    }

    /// No half of anything: state without its event, or an event without its state.
    pub fn agree(&self) {
        let out =
            |account: &String, product: Option<&String>| self.ended.contains(&(account.clone(), product.cloned()));
        for (account, session) in &self.logins {
            let lives = self.live_logins.contains(session);
            assert_eq!(lives, !out(account, None), "login session {session} of {account}");
        }
        for (sid, (account, product)) in &self.created {
            let ended = out(account, None) || out(account, Some(product));
            assert_eq!(self.live_sessions.contains(sid), !ended, "session {sid} of {account} at {product}");
        }
        let known: HashSet<&String> = self.logins.values().collect();
        assert!(self.live_logins.iter().all(|session| known.contains(session)), "a login session without its event");
        assert!(self.live_sessions.iter().all(|sid| self.created.contains_key(sid)), "a session without its event");
    }

    /// What this person was told is recorded.
    pub fn know(&self, person: &Person) {
        assert!(self.logins.contains_key(&person.account), "the login of {} is not recorded", person.account);
        for (product, sid) in &person.sessions {
            let expected = (person.account.clone(), (*product).to_owned());
            assert_eq!(self.created.get(sid), Some(&expected), "session {sid} at {product}");
        }
    }

    pub fn logins(&self) -> usize {
        self.logins.len()
    }
}

fn live_logins(gateway: &Gateway) -> HashSet<String> {
    let (_, listed, err) = gateway.command(&["sessions", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap_or_else(|why| panic!("{why}: {err}"));
    let sessions = listed["sessions"].as_array().expect("a list");
    sessions.iter().map(|session| session["id"].as_str().expect("an id").to_owned()).collect()
}

fn live_sessions(gateway: &Gateway) -> HashSet<String> {
    let store = rusqlite::Connection::open(gateway.directory().join("state/fedgate.db")).expect("the store");
    let mut rows = store.prepare("SELECT id FROM product_session").expect("the table");
    let ids = rows.query_map([], |row| row.get::<_, [u8; 16]>(0)).expect("rows");
    ids.map(|id| ProductSessionId::from_bytes(id.expect("16 bytes")).to_string()).collect()
}
