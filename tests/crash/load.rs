//! People who log in and out as fast as they can, and what the gateway has acknowledged to each of them.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::ground::log_in;
use super::support::agent::UserAgent;
use super::support::page::Page;

/// What a person was told last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// The product answered.
    Inside,
    /// "You are logged out", everywhere.
    OutEverywhere,
    /// "You are logged out" of trello.
    OutOfTrello,
    /// A logout was asked for and its answer never came: both are right.
    Unknown,
}

/// One person, one login.
#[derive(Clone)]
pub struct Person {
    pub agent: Rc<UserAgent>,
    pub account: String,
    /// Product and `sid` of each session that a product's answer acknowledged.
    pub sessions: Vec<(&'static str, String)>,
    pub told: Told,
}

/// Where people go, and who they were so far.
pub struct Crowd {
    pub trusts: Vec<PathBuf>,
    pub trello: String,
    pub loom: String,
    pub people: RefCell<Vec<Person>>,
    count: RefCell<usize>,
}

impl Crowd {
    pub fn new(trusts: Vec<PathBuf>, trello: String, loom: String) -> Self {
        Self { trusts, trello, loom, people: RefCell::default(), count: RefCell::default() }
    }

    /// Person after person, until the gateway is gone: then the agent panics, which ends the task.
    pub async fn keep_coming(self: Rc<Self>) {
        loop {
            let number = self.count.replace_with(|count| *count + 1);
            self.come(number).await;
        }
    }

    async fn come(&self, number: usize) {
        let trusts: Vec<_> = self.trusts.iter().map(PathBuf::as_path).collect();
        let agent = Rc::new(UserAgent::new(&trusts));
        let page = log_in(&agent, &self.trello, &format!("person-{number}")).await;
        let (account, sid) = identity(&page).unwrap_or_else(|| panic!("no login: {}", page.describe()));
        let sessions = vec![("trello", sid)];
        let person = Person { agent: Rc::clone(&agent), account, sessions, told: Told::Inside };
        self.people.borrow_mut().push(person);
        let place = self.people.borrow().len() - 1;
        match number % 4 {
            1 => {
                let page = agent.visit(&self.loom).await;
                let (_, sid) = identity(&page).unwrap_or_else(|| panic!("no handover: {}", page.describe()));
                self.people.borrow_mut()[place].sessions.push(("loom", sid));
            }
            2 => self.leave(place, "everywhere", Told::OutEverywhere).await,
            3 => self.leave(place, "product", Told::OutOfTrello).await,
            _ => {}
        }
    }

    async fn leave(&self, place: usize, scope: &str, told: Told) {
        let agent = Rc::clone(&self.people.borrow()[place].agent);
        let page = agent.visit(&format!("{}.fedgate/logout", self.trello)).await;
        self.people.borrow_mut()[place].told = Told::Unknown;
        let page = agent.submit(&page, "logout", &[("scope", scope)]).await;
        assert_eq!(page.status, 200, "no logout: {}", page.describe());
        self.people.borrow_mut()[place].told = told;
    }
}

/// Account and `sid` as the product was told them; `None` where no product answered.
pub fn identity(page: &Page) -> Option<(String, String)> {
    let echo: Value = serde_json::from_slice(&page.body).ok().filter(|_| page.status == 200)?;
    let field = |name: &str| {
        let fields = echo["headers"].as_array()?;
        let field =
            fields.iter().find(|field| field[0].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name)))?;
        Some(field[1].as_str()?.to_owned())
    };
    let assertion = field("fedgate-assertion")?;
    let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Some((field("x-fedgate-account")?, claims["sid"].as_str()?.to_owned()))
}
