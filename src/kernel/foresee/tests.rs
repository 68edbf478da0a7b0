//! What is foreseen is what happens: person by person, for an organization of five thousand.

use super::*;
use crate::kernel::admit::world::*;
use crate::kernel::model::{Account, AccountStatus, Sso};
use crate::kernel::values::Network;

/// One of five thousand: what the store knows, and what only the world knows.
struct Person {
    typed: String,
    known: Vec<Candidate>,
    /// Whether the company's provider has them, in truth.
    at_provider: bool,
    /// The providers at which they have an account, besides the company's.
    elsewhere: Vec<u8>,
}

/// The states that a company's people are in, over and over, each with and without an identity at the provider.
fn person(number: u32) -> Person {
    let (state, at_provider) = (number % 14, !(number / 14).is_multiple_of(3));
    let typed = format!("p{number}@d.com");
    let mut account = Account { id: crate::kernel::values::AccountId::from_bytes(id_of(number)), ..account(9, &typed) };
    let linked = |account: &Account, at: u8| candidate(account, Some(ProductAccountState::Linked), &[at]);
    let known = match state {
        // Nobody knows them yet.
        0 => Vec::new(),
        1 => vec![linked(&account, D)],
        2 => vec![linked(&account, ISSUER)],
        3 => vec![linked(&account, GOOGLE)],
        4 => vec![candidate(&account, Some(ProductAccountState::Local), &[])],
        5 => vec![candidate(&account, None, &[ISSUER])],
        6 => vec![linked(&Account { status: AccountStatus::Deactivated, ..account }, D)],
        7 => vec![linked(&Account { email_verified: false, ..account }, ISSUER)],
        8 => vec![linked(&Account { last_login_at: None, email_proved_at: None, ..account }, ISSUER)],
        // Two accounts on one address.
        9 => {
            let other = Account {
                id: crate::kernel::values::AccountId::from_bytes(id_of(number + 1_000_000)),
                ..account.clone()
            };
            vec![linked(&account, ISSUER), linked(&other, GOOGLE)]
        }
        // Another identity of the same directory, and one of a former employer.
        10 => vec![candidate(&account, Some(ProductAccountState::Linked), &[D, ISSUER])],
        11 => vec![linked(&account, C)],
        // A second address at an organization that enforces.
        12 => {
            let mut two = linked(&account, ISSUER);
            two.further = vec![email("other@a.com")];
            vec![two]
        }
        _ => {
            account.status = AccountStatus::Deleted;
            vec![linked(&account, D)]
        }
    };
    let elsewhere = known.iter().flat_map(|one| &one.identities).map(|link| link.key.directory.to_bytes()[0]);
    let elsewhere = elsewhere.filter(|at| *at != D).collect();
    Person { typed, known, at_provider, elsewhere }
}

fn id_of(number: u32) -> [u8; 16] {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn candidate(account: &Account, state: Option<ProductAccountState>, at: &[u8]) -> Candidate {
    Candidate {
        account: account.clone(),
        identities: at.iter().map(|at| link(account, *at, "s")).collect(),
        product_account: state.map(|state| record(account, state)),
        further: Vec::new(),
        enrolled: false,
    }
}

fn question<'a>(catalog: &'a Catalog, product: &'a Product, person: &'a Person) -> Question<'a> {
    Question { now: NOW, catalog, product, typed: &person.typed, people: &person.known, taken: None, client: None }
}

/// What really happens when this person tries a door: a proof of theirs, judged and decided as a login's is.
fn tries(catalog: &Catalog, product: &Product, person: &Person, at: u8, method: Method) -> bool {
    let directory = id(at);
    let own = |one: &&Candidate| one.identities.iter().any(|link| link.key.directory == directory);
    let who = person.known.iter().find(own);
    let account = who.map(|one| one.account.clone());
    let mut case = match (method, person.known.first()) {
        (Method::Password, Some(one)) => Case::local(method, at, &one.account, ProductAccountState::Local),
        (Method::Password, None) => return false,
        _ => Case::stranger(at, Some(&person.typed)),
    };
    if method != Method::Password {
        case.linked = account.map(|account| LinkFact { link: link(&account, at, "s"), account: Some(account) });
        case.candidates = person.known.clone();
        case.product_account = who.and_then(|one| one.product_account.clone());
        case.further = who.map(|one| one.further.clone()).unwrap_or_default();
    } else {
        case.product_account = person.known.first().and_then(|one| one.product_account.clone());
    }
    (case.catalog, case.product) = (catalog.clone(), Some(product.clone()));
    matches!(case.decide().outcome, Outcome::Session(_) | Outcome::Link(_) | Outcome::Create(_))
}

/// The doors that the person has in truth, and whether each opens.
fn reality(catalog: &Catalog, product: &Product, person: &Person) -> Vec<(u8, bool)> {
    let mut doors: Vec<(u8, Method)> = person.elsewhere.iter().map(|at| (*at, method(*at))).collect();
    if person.at_provider {
        doors.push((D, Method::OrgSso));
    }
    doors.push((LOCAL, Method::Password));
    doors.into_iter().map(|(at, method)| (at, tries(catalog, product, person, at, method))).collect()
}

#[test]
fn plan_predicts_person_by_person_what_really_happens_to_five_thousand() {
    let product = Product { passwords: Passwords::Here, ..product() };
    let before = catalog();
    let mut after = catalog();
    set_policy(&mut after, "d", |policy| policy.sso = Sso::Enforced);
    let mut counted = std::collections::BTreeMap::new();
    for number in 0..5_000 {
        let person = person(number);
        let (was, is) = (question(&before, &product, &person), question(&after, &product, &person));
        let (was, is) = (foresee(&was), foresee(&is));
        let listed = if person.at_provider { Listed::Yes } else { Listed::No };
        let (knowing, blind) = (outlook(&was, &is, listed), outlook(&was, &is, Listed::Unknown));
        assert_eq!(knowing.moves_to, Some(id(D)), "everybody of the domain moves");
        // A link says that the provider had them; whether it still has them it says at the login.
        let really = reality(&after, &product, &person);
        let enters = really.iter().any(|(_, opens)| *opens);
        let has_link = person.known.iter().flat_map(|one| &one.identities).any(|link| link.key.directory == id(D));
        let sure = person.at_provider || !has_link;
        match knowing.after {
            Certainty::In if sure => assert!(enters, "{number}: {really:?}"),
            Certainty::In => assert_eq!(knowing.identity, Some(Identity::Linked)),
            Certainty::Out(_) => assert!(!enters, "{number}: {really:?} {is:#?}"),
            Certainty::Unknown => panic!("{number}: with an export nothing is unknown"),
        }
        assert!(really.iter().all(|(at, opens)| !opens || *at == D), "{number}: a way round: {really:?}");
        // Without an export the plan says less, and never something else.
        assert!(
            blind.after == knowing.after
                || blind.after == Certainty::Unknown
                || knowing.identity == Some(Identity::Missing)
        );
        assert_eq!(blind.identity == Some(Identity::Unknown), !has_link);
        *counted.entry(format!("{:?} {:?}", knowing.identity.unwrap(), knowing.after)).or_insert(0) += 1;
    }
    assert!(counted.len() > 6, "{counted:#?}");
    assert!(counted.values().all(|count| *count > 50), "{counted:#?}");
}

#[test]
fn what_is_foreseen_of_each_way_is_what_each_door_says() {
    let product = product();
    let catalog = catalog();
    let ann = account(9, "ann@a.com");
    let people = [candidate(&ann, Some(ProductAccountState::Linked), &[A, ISSUER])];
    let person = Person { typed: "ann@a.com".to_owned(), known: people.to_vec(), at_provider: true, elsewhere: vec![] };
    let foresight = foresee(&question(&catalog, &product, &person));
    assert_eq!((foresight.identified.row, foresight.demand), ("A2", Some(Demand::Enforced(id(A)))));
    let verdicts: Vec<_> = foresight.ways.iter().map(|way| (way.directory, way.has_it, way.verdict)).collect();
    let away = Verdict::GoesTo(id(A));
    assert_eq!(
        verdicts,
        [(id(A), true, Verdict::Enters), (id(ISSUER), true, away), (id(GOOGLE), false, away), (id(SLACK), false, away)]
    );
    assert!(foresight.ways.iter().all(|way| way.trace.len() == 16), "{:?}", foresight.ways[0].trace);
    let nobody = Person { typed: "not an address".to_owned(), known: vec![], at_provider: false, elsewhere: vec![] };
    let foresight = foresee(&question(&catalog, &product, &nobody));
    assert_eq!((foresight.identified.row, foresight.ways.len()), ("A1", 0));
}

#[test]
fn m29_networks_turn_nobody_away_who_is_asked_about_from_nowhere() {
    let product = Product { passwords: Passwords::Here, ..product() };
    let open = catalog();
    let mut inside = catalog();
    set_policy(&mut inside, "d", |policy| {
        policy.networks = vec![Network { address: "192.0.2.0".parse().unwrap(), prefix: 24 }];
    });
    let is_about = |foresight: &Foresight| format!("{foresight:?}").contains("Refused(Network)");
    for number in 0..28 {
        let person = person(number);
        let (was, is) = (question(&open, &product, &person), question(&inside, &product, &person));
        let (before, after) = (outlook(&foresee(&was), &foresee(&is), Listed::Yes), foresee(&is));
        assert!(!is_about(&after), "{number}: {after:#?}");
        assert!(!before.is_locked_out(), "{number}: {before:#?}");
        // Linked at the company's own provider, and asked about from elsewhere.
        let away = Question { client: Some("203.0.113.7".parse().unwrap()), ..is };
        assert!(number % 14 != 1 || is_about(&foresee(&away)), "{number}");
    }
}
