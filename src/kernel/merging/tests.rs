use super::*;
use crate::kernel::admit::world::{A, DAY, GOOGLE, ISSUER, NOW, account, catalog, email, id, product, record};
use crate::kernel::model::{Adapter, AdapterKey, Enterprise};
use crate::kernel::values::EnterpriseName;
use std::time::Duration;

/// Ann, who comes by the issuer, and the account with a password that has her address.
struct Two {
    catalog: Catalog,
    product: Product,
    survivor: (Account, ProductAccount, Vec<EmailAddress>, bool),
    loser: (Account, ProductAccount, Vec<EmailAddress>, bool),
    email: EmailAddress,
    directory: DirectoryId,
    opened: Opened,
    owner: Option<OwnerProof>,
    has_more: bool,
}

impl Two {
    fn of(address: &str) -> Self {
        let (survivor, loser) = (account(1, "old@ann.example"), account(2, address));
        let adapter = Adapter {
            url: "https://board.example".to_owned(),
            key: AdapterKey::parse(&"k".repeat(32)).unwrap(),
            timeout: Adapter::TIMEOUT,
            reset_url: None,
        };
        let records = [(&survivor, ProductAccountState::Linked), (&loser, ProductAccountState::Local)]
            .map(|(account, state)| record(account, state));
        let [first, second] = records;
        Self {
            catalog: catalog(),
            product: Product { adapter: Some(adapter), ..product() },
            owner: Some(OwnerProof::new(loser.id, second.id, loser.epoch, None)),
            survivor: (survivor, first, vec![email("old@ann.example")], false),
            loser: (loser, second, vec![email(address)], false),
            email: email(address),
            directory: id(ISSUER),
            opened: Opened { now: NOW, auth_time: NOW, stepped_at: None },
            has_more: false,
        }
    }

    fn sides(&self) -> Sides<'_> {
        fn side((account, record, proved, enrolled): &(Account, ProductAccount, Vec<EmailAddress>, bool)) -> Side<'_> {
            Side { account, record, proved, enrolled: *enrolled }
        }
        Sides {
            catalog: &self.catalog,
            product: &self.product,
            email: &self.email,
            directory: self.directory,
            survivor: side(&self.survivor),
            loser: side(&self.loser),
            has_more: self.has_more,
        }
    }

    fn merge(&self) -> Result<Merge, Refusal> {
        merge(&self.sides(), self.opened, self.owner)
    }
}

fn two(change: impl FnOnce(&mut Two)) -> Two {
    let mut two = Two::of("ann@ann.example");
    change(&mut two);
    two
}

#[test]
fn l10_two_accounts_are_one_persons_if_the_provider_says_the_others_proved_address() {
    let check = |change: fn(&mut Two), expected| assert_eq!(overlap(&two(change).sides()), expected);
    check(|_| {}, Overlap::Offered);
    check(|two| two.loser.1.state = ProductAccountState::Migrating, Overlap::Offered);
    // What was never proved is anybody's (§4 #2).
    check(|two| two.loser.2.clear(), Overlap::None);
    check(|two| two.email = email("bob@ann.example"), Overlap::None);
    check(|two| two.loser.1.state = ProductAccountState::Linked, Overlap::None);
    check(|two| two.loser.1.state = ProductAccountState::Closed, Overlap::None);
    check(|two| two.survivor.1.state = ProductAccountState::Local, Overlap::None);
    check(|two| two.loser.1.account = two.survivor.0.id, Overlap::None);
    check(|two| two.product.adapter = None, Overlap::Blocked(Blocked::Product));
    check(|two| two.has_more = true, Overlap::Blocked(Blocked::Elsewhere));
    let member = |two: &mut Two, merging| {
        let name = EnterpriseName::parse("bigco").unwrap();
        two.loser.1.enterprise = Some(name.clone());
        two.product.enterprises = vec![Enterprise { name, label: "Big".to_owned(), admins: Vec::new(), merging }];
    };
    assert_eq!(overlap(&two(|two| member(two, true)).sides()), Overlap::Offered);
    assert_eq!(overlap(&two(|two| member(two, false)).sides()), Overlap::Blocked(Blocked::Enterprise));
    // L12: whether the other one is active is told after its proof alone.
    check(|two| two.loser.0.status = AccountStatus::Deactivated, Overlap::Offered);
}

#[test]
fn l10_a_company_keeps_its_peoples_accounts_unless_its_own_directory_opened_the_other_one() {
    let check = |address: &str, directory, proved: &[&str], expected| {
        let mut two = Two::of(address);
        two.directory = id(directory);
        two.survivor.2.extend(proved.iter().map(|text| email(text)));
        assert_eq!(overlap(&two.sides()), expected, "{address} {directory} {proved:?}");
    };
    let blocked = Overlap::Blocked(Blocked::Managed);
    check("ann@a.com", ISSUER, &[], blocked);
    check("ann@a.com", GOOGLE, &["ann.lee@a.com"], blocked);
    check("ann@a.com", A, &[], Overlap::Offered);
    // c offers single sign-on and d has none: their own people may come as they do.
    check("ann@c.com", ISSUER, &[], blocked);
    check("ann@c.com", ISSUER, &["ann.lee@c.com"], Overlap::Offered);
    check("ann@d.com", A, &["ann@a.com"], blocked);
}

#[test]
fn l10_h1_nothing_is_merged_without_a_fresh_proof_of_both_sides() {
    let check = |change: fn(&mut Two), expected: Result<(), Refusal>| {
        assert_eq!(two(change).merge().map(|_| ()), expected);
    };
    let late = |seconds| NOW.minus(Duration::from_secs(seconds));
    assert_eq!(PROOF_LIFE, Duration::from_secs(600));
    check(|_| {}, Ok(()));
    check(|two| two.owner = None, Err(Refusal::LocalProof));
    check(|two| two.loser.0.epoch += 1, Err(Refusal::LocalProof));
    check(
        |two| two.owner = Some(OwnerProof::new(two.survivor.0.id, two.survivor.1.id, 1, Some(NOW))),
        Err(Refusal::LocalProof),
    );
    check(|two| two.loser.3 = true, Err(Refusal::LocalProof));
    check(|two| two.survivor.3 = true, Err(Refusal::SecondStep));
    check(|two| two.loser.0.status = AccountStatus::Deactivated, Err(Refusal::Inactive));
    check(|two| two.loser.1.off = true, Err(Refusal::Inactive));
    check(|two| two.survivor.1.off = true, Err(Refusal::Inactive));
    check(|two| two.has_more = true, Err(Refusal::Conflict));
    check(|two| two.loser.1.state = ProductAccountState::Linked, Err(Refusal::Conflict));
    for (age, expected) in [(600, Ok(())), (601, Err(Refusal::StaleProof))] {
        let mut two = Two::of("ann@ann.example");
        two.opened.auth_time = late(age);
        assert_eq!(two.merge().map(|_| ()), expected, "{age}");
    }
    let mut stepped = Two::of("ann@ann.example");
    stepped.survivor.3 = true;
    stepped.opened.stepped_at = Some(NOW.minus(DAY));
    assert_eq!(stepped.merge().map(|_| ()), Err(Refusal::SecondStep), "yesterday's step");
    stepped.opened.stepped_at = Some(late(60));
    let merged = stepped.merge().unwrap();
    assert_eq!(merged.line().to(), ProductAccountState::Merged(stepped.survivor.1.id));
    assert_eq!((merged.survivor(), merged.loser()), (&stepped.survivor.1, &stepped.loser.1));
}
