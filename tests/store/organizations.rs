//! Organizations at run time, roles and tokens: what every store must do with them.

use super::cases::AnyStore;
use super::fixtures::*;
use fedgate::kernel::event::AuditEvent;
use fedgate::kernel::journal::{
    AdminChange, ApiToken, Batch, Change, OrganizationChange, OrganizationHead, OrganizationVersion, Reach, Role,
    RolePin,
};
use fedgate::kernel::model::Account;
use fedgate::kernel::values::{ApiTokenId, DomainName, EnterpriseName, OrgName, ProductName, SessionKey, Timestamp};
use fedgate::store::{Conflict, NotCommitted};

fn org(name: &str) -> OrgName {
    OrgName::parse(name).unwrap()
}

fn version(name: &str, version: u32) -> OrganizationVersion {
    OrganizationVersion {
        org: org(name),
        version,
        at: Timestamp::from_seconds(version.into()),
        by: "it@acme.com".to_owned(),
        what: format!("change {version}"),
        document: (version != 3).then(|| format!("{{\"label\":\"{version}\"}}")),
        mac: [7; 32],
    }
}

fn put(version: OrganizationVersion) -> Change {
    Change::Organization(OrganizationChange::PutVersion(version))
}

fn pin(number: u8, email_of: &str) -> RolePin {
    RolePin {
        role: Role::Admin,
        reach: Reach::Org(org("acme")),
        email: email(email_of),
        account: person(number),
        at: Timestamp::from_seconds(5),
        mac: [8; 32],
    }
}

fn token(number: u8) -> ApiToken {
    ApiToken {
        id: ApiTokenId::from_bytes(bytes(number)),
        key: SessionKey([number; 32]),
        owner: person(1),
        label: "sync".to_owned(),
        scopes: vec!["orgs:read".to_owned(), "people:write".to_owned()],
        reach: if number == 1 { Reach::Org(org("acme")) } else { bigco() },
        networks: vec!["10.0.0.0/8".to_owned()],
        created_at: now(),
        expires_at: now().plus(HOUR),
        last_used: None,
        mac: [9; 32],
    }
}

fn bigco() -> Reach {
    Reach::Enterprise(ProductName::parse("trello").unwrap(), EnterpriseName::parse("bigco").unwrap())
}

pub async fn versions_of_an_organization_are_kept_and_none_is_written_over(store: AnyStore) {
    for number in 1..=3 {
        store.commit(changes([put(version("acme", number))])).await.unwrap();
    }
    store.commit(changes([put(version("globex", 1))])).await.unwrap();
    // Not one that is there, not one that leaves a gap: whoever decided on an older version decides again.
    for number in [1, 3, 5] {
        let refused = store.commit(changes([put(version("acme", number))])).await;
        assert_eq!(refused, Err(NotCommitted::Conflict(Conflict::Row)), "{number}");
    }
    assert_eq!(store.newest_versions().await.unwrap(), [version("acme", 3), version("globex", 1)]);
    assert_eq!(store.organization_version(&org("acme"), 2).await.unwrap(), Some(version("acme", 2)));
    assert_eq!(store.organization_version(&org("acme"), 4).await.unwrap(), None);
    let older = store.organization_versions(&org("acme"), 3, 1).await.unwrap();
    assert_eq!(older, [version("acme", 2)]);
    assert_eq!(store.organization_versions(&org("acme"), u32::MAX, 10).await.unwrap().len(), 3);
}

pub async fn h3_a_role_is_taken_up_once(store: AnyStore) {
    store.commit(changes([1, 2].map(|n| Change::CreateAccount(account(n))))).await.unwrap();
    store.commit(changes([Change::Admin(AdminChange::PinRole(pin(1, "it@acme.com")))])).await.unwrap();
    let again = store.commit(changes([Change::Admin(AdminChange::PinRole(pin(2, "it@acme.com")))])).await;
    assert_eq!(again, Err(NotCommitted::Conflict(Conflict::Row)), "another person by the same address");
    let nobody = store.commit(changes([Change::Admin(AdminChange::PinRole(pin(3, "x@acme.com")))])).await;
    assert!(nobody.is_err(), "nobody has that account");
    assert_eq!(store.role_pins().await.unwrap(), [pin(1, "it@acme.com")]);
    assert_eq!(store.role_pins_of(person(1)).await.unwrap(), [pin(1, "it@acme.com")]);
    // The same address may have roles over several things.
    let [everywhere, enterprise] = [
        RolePin { role: Role::Operator, reach: Reach::Everywhere, ..pin(2, "it@acme.com") },
        RolePin { role: Role::Enterprise, reach: bigco(), ..pin(2, "it@acme.com") },
    ];
    for pin in [&everywhere, &enterprise] {
        store.commit(changes([Change::Admin(AdminChange::PinRole(pin.clone()))])).await.unwrap();
    }
    let mut found = store.role_pins_of(person(2)).await.unwrap();
    found.sort_by_key(|pin| pin.reach.code());
    assert_eq!(found, [everywhere, enterprise]);
    assert_eq!(store.role_pins_of(person(4)).await.unwrap(), []);
}

pub async fn tokens_read_back_as_written_until_they_end(store: AnyStore) {
    store.commit(changes([Change::CreateAccount(account(1))])).await.unwrap();
    let (first, second) = (token(1), token(2));
    let create = |token: &ApiToken| Change::Admin(AdminChange::CreateToken(token.clone()));
    store.commit(changes([create(&first), create(&second)])).await.unwrap();
    let twin = ApiToken { id: ApiTokenId::from_bytes(bytes(3)), ..first.clone() };
    assert!(store.commit(changes([create(&twin)])).await.is_err(), "the same key");
    assert_eq!(store.api_token(&first.key).await.unwrap(), Some(first.clone()));
    assert_eq!(store.api_tokens(None, 1).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(store.api_tokens(Some(first.id), 9).await.unwrap(), std::slice::from_ref(&second));
    let used = |at| Change::Admin(AdminChange::TokenUsed(second.id, Timestamp::from_seconds(at)));
    store.commit(changes([used(9), used(8)])).await.unwrap();
    let last = store.api_token(&second.key).await.unwrap().unwrap().last_used;
    assert_eq!(last, Some(Timestamp::from_seconds(9)), "newer times win");
    let end = Change::Admin(AdminChange::EndToken(second.id));
    store.commit(changes([end.clone()])).await.unwrap();
    store.commit(changes([end, used(10)])).await.unwrap();
    assert_eq!(store.api_token(&second.key).await.unwrap(), None);
    store.sweep(now().plus(HOUR * 48)).await.unwrap();
    assert_eq!(store.api_tokens(None, 9).await.unwrap(), [], "the expired one is swept");
}

pub async fn a_head_counts_up_by_one(store: AnyStore) {
    let head = |name: &str, version| {
        let head = OrganizationHead { org: OrgName::parse(name).unwrap(), version, mac: [3; 32] };
        changes([Change::Organization(OrganizationChange::PutHead(head))])
    };
    let put = async |name: &str, version| store.commit(head(name, version)).await.is_ok();
    assert!(!put("acme", 2).await, "the first is 1");
    assert!(put("acme", 1).await && put("acme", 2).await && put("globex", 1).await);
    assert!(!put("acme", 2).await && !put("acme", 1).await && !put("acme", 4).await);
    let heads = store.organization_heads().await.unwrap();
    let shown: Vec<_> = heads.iter().map(|head| (head.org.as_str(), head.version, head.mac)).collect();
    assert_eq!(shown, [("acme", 2, [3; 32]), ("globex", 1, [3; 32])]);
}

pub async fn people_of_a_domain_are_read_page_by_page(store: AnyStore) {
    let of = |number: u8, address: &str| Account { email: Some(email(address)), ..account(number) };
    let people = [of(1, "a@acme.com"), of(2, "b@sub.acme.com"), of(3, "c@acme.com"), of(4, "d@notacme.com")];
    let unverified = Account { email_verified: false, ..of(5, "e@acme.com") };
    store.commit(changes(people.iter().chain([&unverified]).cloned().map(Change::CreateAccount))).await.unwrap();
    let domain = DomainName::parse("acme.com").unwrap();
    let ids = |accounts: Vec<Account>| accounts.iter().map(|account| account.id).collect::<Vec<_>>();
    let page = store.accounts_of_domain(&domain, None, 2).await.unwrap();
    assert_eq!(ids(page), [person(1), person(3)]);
    let rest = store.accounts_of_domain(&domain, Some(person(3)), 9).await.unwrap();
    assert_eq!(ids(rest), [person(5)]);
    assert_eq!(store.count_accounts_of_domain(&domain, 9).await.unwrap(), 2, "verified ones");
    assert_eq!(store.count_accounts_of_domain(&domain, 1).await.unwrap(), 1, "no further than asked");
}

pub async fn events_of_an_organization_are_read_backwards(store: AnyStore) {
    let of = |number: u64, name: &str| AuditEvent { org: Some(name.to_owned()), ..event(number) };
    let events = vec![of(1, "acme"), of(2, "globex"), event(3), of(4, "acme")];
    store.commit(Batch { events, ..Batch::default() }).await.unwrap();
    let positions = |before, limit| {
        let store = store.clone();
        async move {
            let found = store.events_of_org(&org("acme"), before, limit).await.unwrap();
            found.iter().map(|event| event.position).collect::<Vec<_>>()
        }
    };
    let newest = positions(u64::MAX, 9).await;
    assert_eq!(newest, [3, 0]);
    assert_eq!(positions(3, 9).await, [0]);
    assert_eq!(positions(u64::MAX, 1).await, [3]);
}
