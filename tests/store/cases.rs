//! The port's definition: what every store must do. Each case gets an empty store.

use super::fixtures::*;
use fedgate::kernel::event::{AboutPerson, leaf_hash};
use fedgate::kernel::journal::{
    Batch, Change, CheckpointRow, DomainRow, KeyRow, MarkKind, PolicyRow, ReplayMark, Revocation,
};
use fedgate::kernel::model::{
    AccountStatus, DirectoryRow, Grant, LinkedBy, Personal, ProductAccountState, Scope, Since, Thumbprint, TokenLabel,
};
use fedgate::kernel::values::{
    AppName, DirectoryId, DomainName, OrgName, PolicyName, ProductAccountId, ProductName, ProductSessionId, SessionKey,
    Timestamp,
};
use fedgate::store::{Conflict, NotCommitted, Store, Taken, Touch};
use std::sync::Arc;
use std::time::Duration;

pub type AnyStore = Arc<dyn Store>;

/// Commits from eight threads at once; how many came through, and what the others met.
fn race(store: &AnyStore, batch: impl Fn(u8) -> Batch) -> (usize, Vec<NotCommitted>) {
    let start = Arc::new(std::sync::Barrier::new(8));
    let threads: Vec<_> = (1..=8)
        .map(|number| {
            let (store, start, batch) = (Arc::clone(store), Arc::clone(&start), batch(number));
            std::thread::spawn(move || {
                start.wait();
                block_on(store.commit(batch))
            })
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let won = results.iter().filter(|result| result.is_ok()).count();
    (won, results.into_iter().filter_map(Result::err).collect())
}

fn check_race(store: &AnyStore, batch: impl Fn(u8) -> Batch, conflict: Conflict) {
    let (won, lost) = race(store, batch);
    assert_eq!(won, 1);
    assert_eq!(lost, vec![NotCommitted::Conflict(conflict); 7]);
}

pub async fn a_mark_is_taken_once(store: AnyStore) {
    let state = mark(1, now());
    assert_eq!(store.take_once(state.clone()).await, Ok(Taken::First));
    assert_eq!(store.take_once(state.clone()).await, Ok(Taken::Again));
    // Kinds never collide.
    let handover = ReplayMark { kind: MarkKind::Handover, ..state };
    assert_eq!(store.take_once(handover).await, Ok(Taken::First));
}

pub async fn of_racing_marks_one_is_first(store: AnyStore) {
    let batch = |_| Batch { marks: vec![mark(1, now())], ..Batch::default() };
    check_race(&store, batch, Conflict::Taken(MarkKind::State));
}

pub async fn of_racing_links_one_is_made(store: AnyStore) {
    store.commit(changes((1..=8).map(|n| Change::CreateAccount(account(n))))).await.unwrap();
    check_race(&store, |n| changes([Change::Link(link(1, "ann", n))]), Conflict::Identity);
}

pub async fn of_racing_product_accounts_one_is_made(store: AnyStore) {
    store.commit(changes([Change::CreateAccount(account(1))])).await.unwrap();
    let batch = |n| changes([Change::CreateProductAccount(product_account(n, 1))]);
    check_race(&store, batch, Conflict::ProductAccount);
}

/// Every way to lose, on the same world; each batch also holds one of everything, and nothing of it may be found later.
pub async fn a_batch_that_conflicts_leaves_nothing(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let (acme, other) = (OrgName::parse("acme").unwrap(), OrgName::parse("other").unwrap());
    let domain = |org: &OrgName| DomainRow {
        domain: DomainName::parse("acme.com").unwrap(),
        org: org.clone(),
        claimed_at: now(),
        mac: [3; 32],
    };
    let policy = PolicyRow {
        org: acme.clone(),
        name: PolicyName::default(),
        fingerprint: [1; 32],
        epoch: 2,
        changed_at: now(),
        since: Since::new(),
        mac: [4; 32],
    };
    let key = KeyRow { kind: "audit".to_owned(), generation: 1, sealed: vec![1], created_at: now() };
    let directory = |n| DirectoryRow {
        id: DirectoryId::from_bytes(bytes(n)),
        name: "acme".to_owned(),
        fingerprint: [1; 32],
        created_at: now(),
    };
    let assert_address =
        |sub: &str| Change::AssertAddress { product: product(), email: email("ann@acme.com"), sub: sub.to_owned() };
    let mut before = changes([
        Change::Link(link(1, "ann", 1)),
        assert_address("fg_1"),
        Change::PutDomain(domain(&acme)),
        Change::PutPolicy(policy.clone()),
        Change::PutKey(key.clone()),
        Change::RegisterDirectory(directory(1)),
    ]);
    before.marks.push(mark(1, now()));
    store.commit(before).await.unwrap();

    let same_sub = fedgate::kernel::model::ProductAccount { sub: "fg_1".to_owned(), ..product_account(9, 3) };
    let old_epoch = fedgate::kernel::model::LoginSession { account_epoch: 0, ..login_session(9, 1) };
    let foreign_parent = product_session(9, 1, 2);
    let rows: Vec<(&str, Change, Conflict)> = vec![
        ("account id", Change::CreateAccount(account(1)), Conflict::Row),
        ("account to update", Change::UpdateAccount(account(9)), Conflict::Row),
        ("account to switch", Change::SetAccountStatus(person(9), AccountStatus::Deleted), Conflict::Row),
        ("product, account", Change::CreateProductAccount(product_account(9, 1)), Conflict::ProductAccount),
        ("product, sub", Change::CreateProductAccount(same_sub), Conflict::ProductAccount),
        ("no such person", Change::CreateProductAccount(product_account(9, 9)), Conflict::Row),
        ("identity", Change::Link(link(1, "ann", 2)), Conflict::Identity),
        ("account, directory", Change::Link(link(1, "bob", 1)), Conflict::Identity),
        ("address", assert_address("fg_2"), Conflict::Address),
        ("login session", Change::CreateLoginSession(login_session(1, 1)), Conflict::Row),
        ("epoch has risen", Change::CreateLoginSession(old_epoch), Conflict::Ended),
        ("no such parent", Change::CreateProductSession(product_session(9, 9, 1)), Conflict::Ended),
        ("another's parent", Change::CreateProductSession(foreign_parent), Conflict::Ended),
        ("product session", Change::CreateProductSession(product_session(1, 1, 1)), Conflict::Row),
        ("ask of none", Change::AskBefore { session: login(9), product: product(), ask: true }, Conflict::Ended),
        ("directory", Change::RegisterDirectory(directory(2)), Conflict::Row),
        ("another's domain", Change::PutDomain(domain(&other)), Conflict::Row),
        ("no such domain", Change::DropDomain(DomainName::parse("b.com").unwrap()), Conflict::Row),
        ("policy epoch", Change::PutPolicy(policy), Conflict::Row),
        ("key", Change::PutKey(key), Conflict::Row),
        ("no such key", Change::DropKey { kind: "audit".to_owned(), generation: 7 }, Conflict::Row),
    ];
    for (what, change, conflict) in rows {
        let mut batch = changes([Change::PutSetting { name: "left".to_owned(), value: vec![1] }, change]);
        batch.marks.push(mark(2, now()));
        batch.revocations.push(Revocation::Keys);
        batch.events.push(event(1));
        check_leaves_nothing(&store, what, batch, conflict).await;
    }
    // The last mark of a batch is as good as its first.
    let mut batch = Batch { marks: vec![mark(2, now()), mark(1, now())], ..Batch::default() };
    batch.events.push(event(1));
    check_leaves_nothing(&store, "mark", batch, Conflict::Taken(MarkKind::State)).await;
    assert_eq!(store.take_once(mark(2, now())).await, Ok(Taken::First));
}

async fn check_leaves_nothing(store: &AnyStore, what: &str, batch: Batch, conflict: Conflict) {
    assert_eq!(store.commit(batch).await, Err(NotCommitted::Conflict(conflict)), "{what}");
    assert_eq!(store.setting("left").await.unwrap(), None, "{what}");
    assert_eq!(store.feed(0).await.unwrap().rows, [], "{what}");
    assert_eq!(store.log_size().await.unwrap(), 0, "{what}");
    assert_eq!(store.log(0, 9).await.unwrap(), [], "{what}");
}

pub async fn people_read_back_as_written(store: AnyStore) {
    let mut people = vec![account(1), account(2), account(3), account(4)];
    people[1] = fedgate::kernel::model::Account {
        status: AccountStatus::PendingDelete(Timestamp::from_seconds(99)),
        email: None,
        email_verified: false,
        email_proved_at: None,
        name: None,
        last_login_at: Some(now()),
        ..account(2)
    };
    people[2].status = AccountStatus::Deleted;
    people[3].status = AccountStatus::Deactivated;
    store.commit(changes(people.iter().cloned().map(Change::CreateAccount))).await.unwrap();
    for one in &people {
        assert_eq!(store.account(one.id).await.unwrap().as_ref(), Some(one));
    }
    // Tombstones included (rule H2).
    let found = store.accounts_by_email(&email("ann@acme.com")).await.unwrap();
    assert_eq!(found, [people[0].clone(), people[2].clone(), people[3].clone()]);
    let moved = fedgate::kernel::model::Account {
        email: Some(email("ann@b.com")),
        last_login_at: Some(now()),
        status: AccountStatus::Deleted,
        epoch: 77,
        ..account(1)
    };
    store.commit(changes([Change::UpdateAccount(moved.clone())])).await.unwrap();
    let expected = fedgate::kernel::model::Account { status: AccountStatus::Active, epoch: 1, ..moved };
    assert_eq!(store.account(person(1)).await.unwrap(), Some(expected));
    assert_eq!(store.account(person(9)).await.unwrap(), None);
}

pub async fn links_and_product_accounts_read_back_as_written(store: AnyStore) {
    store.commit(changes((1..=5).map(|n| Change::CreateAccount(account(n))))).await.unwrap();
    let states = [
        ProductAccountState::Local,
        ProductAccountState::Migrating,
        ProductAccountState::Linked,
        ProductAccountState::Merged(ProductAccountId::from_bytes(bytes(3))),
        ProductAccountState::Closed,
    ];
    for (number, state) in (1..).zip(states) {
        let row = fedgate::kernel::model::ProductAccount { state, off: number == 2, ..product_account(number, number) };
        store.commit(changes([Change::CreateProductAccount(row.clone())])).await.unwrap();
        assert_eq!(store.product_account(&product(), person(number)).await.unwrap(), Some(row.clone()));
        assert_eq!(store.product_account_by_sub(&product(), &row.sub).await.unwrap(), Some(row.clone()));
        assert_eq!(
            store.product_account_by_sub(&product(), &row.sub.to_uppercase()).await.unwrap(),
            None,
            "byte for byte"
        );
        assert_eq!(store.product_account_by_id(row.id).await.unwrap(), Some(row));
    }
    let first = link(1, "Ann\u{e9}", 1);
    let mut second = link(2, "ann", 1);
    (second.by, second.suspended) = (LinkedBy::Authority, true);
    let mut third = link(3, "10493", 1);
    third.by = LinkedBy::Import;
    let links = [&first, &second, &third].map(|link| Change::Link(link.clone()));
    store.commit(changes(links)).await.unwrap();
    assert_eq!(store.identity(&first.key).await.unwrap(), Some(first.clone()));
    assert_eq!(store.identities_of(person(1)).await.unwrap(), [first.clone(), second, third]);
    // Byte for byte, and within its directory and source only (rule C1).
    for other in [link(2, "Ann\u{e9}", 1), link(1, "ANN\u{c9}", 1), link(1, "Anne\u{301}", 1)] {
        assert_eq!(store.identity(&other.key).await.unwrap(), None);
    }
    let same = || Change::AssertAddress { product: product(), email: email("ann@acme.com"), sub: "fg_1".to_owned() };
    store.commit(changes([same(), same()])).await.unwrap();
    assert_eq!(store.asserted_sub(&product(), &email("ann@acme.com")).await.unwrap(), Some("fg_1".to_owned()));
    let elsewhere = ProductName::parse("video").unwrap();
    let sub = product_account(1, 1).sub;
    assert_eq!(store.product_account_by_sub(&elsewhere, &sub).await.unwrap(), None);
    assert_eq!(store.asserted_sub(&elsewhere, &email("ann@acme.com")).await.unwrap(), None);
}

/// Rule H16: of two uses of one refresh token one is first, on whichever node.
pub async fn h16_an_apps_session_turns_once_from_where_it_stands(store: AnyStore) {
    let people = [Change::CreateAccount(account(1)), Change::CreateProductAccount(product_account(1, 1))];
    store.commit(changes(people)).await.unwrap();
    let at = now();
    let grant = |turn: u32| Grant {
        app: AppName::parse("phone").unwrap(),
        bound_to: Some(Thumbprint([8; 32])),
        turn,
        turned_at: at.plus(HOUR * turn),
    };
    let mut session = login_session(1, 1);
    (session.grant, session.last_seen) = (Some(Box::new(grant(0))), at);
    store.commit(changes([Change::CreateLoginSession(session.clone())])).await.unwrap();
    assert_eq!(store.login_session_by_id(session.id).await.unwrap(), Some(session.clone()));
    let turned = |from, turn| {
        let (session, grant) = (session.id, grant(turn));
        changes([Change::TurnGrant { session, from, grant, mac: [u8::try_from(turn).unwrap(); 32] }])
    };
    store.commit(turned(0, 1)).await.unwrap();
    (session.grant, session.mac, session.last_seen) = (Some(Box::new(grant(1))), [1; 32], at.plus(HOUR));
    assert_eq!(store.login_session_by_id(session.id).await.unwrap(), Some(session.clone()));
    for from in [0, 2] {
        check_leaves_nothing(&store, "turned already", turned(from, 2), Conflict::State).await;
    }
    // A browser's session has no refresh token.
    store.commit(changes([Change::CreateLoginSession(login_session(2, 1))])).await.unwrap();
    let of_browser = Change::TurnGrant { session: login(2), from: 0, grant: grant(1), mac: [1; 32] };
    check_leaves_nothing(&store, "a browser's", changes([of_browser]), Conflict::State).await;
    store.commit(changes([Change::EndLoginSession(session.id)])).await.unwrap();
    check_leaves_nothing(&store, "ended", turned(1, 2), Conflict::Ended).await;
}

/// Its secret is not in the row; what it may do is.
pub async fn a_personal_tokens_session_reads_back_as_written(store: AnyStore) {
    store.commit(changes([Change::CreateAccount(account(1))])).await.unwrap();
    for (number, scope) in [(1, Scope::Read), (2, Scope::Full)] {
        let mut session = login_session(number, 1);
        let label = TokenLabel::parse("build \"server\" é").unwrap();
        session.personal = Some(Box::new(Personal { label, scope }));
        store.commit(changes([Change::CreateLoginSession(session.clone())])).await.unwrap();
        assert_eq!(store.login_session_by_id(session.id).await.unwrap(), Some(session));
    }
}

pub async fn sessions_read_back_as_written(store: AnyStore) {
    let people = [Change::CreateAccount(account(1)), Change::CreateProductAccount(product_account(1, 1))];
    store.commit(changes(people)).await.unwrap();
    // Past every limit: the kernel judges that, the store only knows what was ended.
    let mut first = login_session(1, 1);
    (first.abs_at, first.last_seen, first.created_at) = (Timestamp::from_seconds(1), Timestamp::from_seconds(1), now());
    let mut second = login_session(2, 1);
    (second.provider_session, second.logout_hint, second.ask_before) = (None, None, Vec::new());
    second.name_key = None;
    second.created_at = now().plus(HOUR);
    let child = product_session(3, 1, 1);
    let batch = [
        Change::CreateLoginSession(first.clone()),
        Change::CreateLoginSession(second.clone()),
        Change::CreateProductSession(child.clone()),
    ];
    store.commit(changes(batch)).await.unwrap();
    assert_eq!(store.login_session(&first.key).await.unwrap(), Some(first.clone()));
    assert_eq!(store.login_session_by_id(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.login_sessions_of(person(1)).await.unwrap(), [second, first.clone()], "newest first");
    // By its directory's name for the person, and by no other directory's (rule H5).
    assert_eq!(store.login_sessions_named(first.directory, &[1; 32]).await.unwrap(), [first.clone()]);
    assert_eq!(store.login_sessions_named(DirectoryId::from_bytes([2; 16]), &[1; 32]).await.unwrap(), []);
    assert_eq!(store.login_sessions_named(first.directory, &[2; 32]).await.unwrap(), []);
    assert_eq!(store.product_session(&child.key).await.unwrap(), Some(child.clone()));
    assert_eq!(store.product_session_by_id(child.id).await.unwrap(), Some(child.clone()));
    let mut later = product_session(4, 2, 1);
    later.created_at = now().plus(HOUR);
    store.commit(changes([Change::CreateProductSession(later.clone())])).await.unwrap();
    assert_eq!(store.product_sessions_of(person(1)).await.unwrap(), [later, child], "newest first");
    assert_eq!(store.product_sessions_of(person(2)).await.unwrap(), [], "nobody else's");
    assert_eq!(store.product_session(&SessionKey([8; 32])).await.unwrap(), None);
}

pub async fn the_gateways_own_rows_read_back_as_written(store: AnyStore) {
    let at = now();
    let org = OrgName::parse("acme").unwrap();
    let domain =
        DomainRow { domain: DomainName::parse("acme.com").unwrap(), org: org.clone(), claimed_at: at, mac: [3; 32] };
    let policy = |epoch| PolicyRow {
        org: org.clone(),
        name: PolicyName::default(),
        fingerprint: [epoch; 32],
        epoch: epoch.into(),
        changed_at: at,
        since: Since::from([("sso".to_owned(), at), ("amr mfa".to_owned(), Timestamp::from_seconds(7))]),
        mac: [epoch; 32],
    };
    let key = |generation| KeyRow { kind: "audit".to_owned(), generation, sealed: vec![0, 255], created_at: at };
    let directory = DirectoryRow {
        id: DirectoryId::from_bytes(bytes(1)),
        name: "acme/okta".to_owned(),
        fingerprint: [2; 32],
        created_at: at,
    };
    let note =
        |size, second, note: &str| CheckpointRow { size, at: Timestamp::from_seconds(second), note: note.to_owned() };
    let setting = |value: &[u8]| Change::PutSetting { name: "swept".to_owned(), value: value.to_vec() };
    let batch = [
        Change::PutDomain(domain.clone()),
        Change::PutDomain(domain.clone()),
        Change::PutPolicy(policy(1)),
        Change::PutPolicy(policy(2)),
        Change::PutKey(key(2)),
        Change::PutKey(key(1)),
        Change::RegisterDirectory(directory.clone()),
        Change::PutCheckpoint(note(5, 2, "five")),
        Change::PutCheckpoint(note(3, 1, "three")),
        Change::PutCheckpoint(note(5, 3, "five again")),
        setting(b"1"),
        setting(b"2"),
    ];
    store.commit(changes(batch)).await.unwrap();
    assert_eq!(store.domains().await.unwrap(), std::slice::from_ref(&domain));
    assert_eq!(store.policies().await.unwrap(), [policy(2)]);
    assert_eq!(store.keys().await.unwrap(), [key(1), key(2)], "oldest generation first");
    assert_eq!(store.directories().await.unwrap(), [directory]);
    assert_eq!(store.checkpoints().await.unwrap(), [note(3, 1, "three"), note(5, 3, "five again")]);
    assert_eq!(store.newest_checkpoint().await.unwrap(), Some(note(5, 3, "five again")));
    let signs = |generation, size| changes([Change::MaySign { kind: key(1).kind, generation, size }]);
    store.commit(signs(2, 5)).await.unwrap();
    let lost = || Err(NotCommitted::Conflict(Conflict::Row));
    assert_eq!(store.commit(signs(2, 4)).await.map(|_| ()), lost(), "more was stated before");
    assert_eq!(store.commit(signs(3, 5)).await.map(|_| ()), lost(), "there is no such key");
    assert_eq!(store.setting("swept").await.unwrap().as_deref(), Some(&b"2"[..]));
    let replace = |was: Option<&[u8]>, value: &[u8]| {
        let was = was.map(<[u8]>::to_vec);
        changes([Change::ReplaceSetting { name: "replaced".to_owned(), was, value: value.to_vec() }])
    };
    let lost = Err(NotCommitted::Conflict(Conflict::Row));
    assert_eq!(store.commit(replace(Some(b"1"), b"2")).await.map(|_| ()), lost, "there is none");
    store.commit(replace(None, b"1")).await.unwrap();
    assert_eq!(store.commit(replace(None, b"2")).await.map(|_| ()), lost, "there is one by now");
    assert_eq!(store.commit(replace(Some(b"0"), b"2")).await.map(|_| ()), lost, "another one");
    store.commit(replace(Some(b"1"), b"2")).await.unwrap();
    assert_eq!(store.setting("replaced").await.unwrap().as_deref(), Some(&b"2"[..]));
    let drops = [Change::DropKey { kind: "audit".to_owned(), generation: 1 }, Change::DropDomain(domain.domain)];
    store.commit(changes(drops)).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [key(2)]);
    assert_eq!(store.domains().await.unwrap(), []);
}

pub async fn ending_a_login_session_ends_its_children(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let mut batch = Batch::default();
    batch.end_login_session(login(1));
    store.commit(batch.clone()).await.unwrap();
    check_live(&store, &[2], &[2]).await;
    // A logout must not fail because another was faster.
    store.commit(batch).await.unwrap();
    let child = Change::CreateProductSession(product_session(7, 1, 1));
    assert_eq!(store.commit(changes([child])).await, Err(NotCommitted::Conflict(Conflict::Ended)));
    let mut batch = Batch::default();
    batch.end_product_session(ProductSessionId::from_bytes(bytes(2)));
    store.commit(batch).await.unwrap();
    check_live(&store, &[2], &[]).await;
}

pub async fn login_sessions_are_read_page_by_page(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let ids = async |after, limit| {
        let page = store.login_sessions(after, limit).await.unwrap();
        page.into_iter().map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 9).await, [login(1), login(2)]);
    assert_eq!(ids(None, 1).await, [login(1)]);
    assert_eq!(ids(Some(login(1)), 1).await, [login(2)]);
    assert!(ids(Some(login(2)), 1).await.is_empty());
}

async fn check_live(store: &AnyStore, logins: &[u8], products: &[u8]) {
    for number in 1..=2 {
        let found = store.login_session(&SessionKey([number; 32])).await.unwrap().is_some();
        assert_eq!(found, logins.contains(&number), "login session {number}");
        let found = store.product_session(&SessionKey([number; 32])).await.unwrap().is_some();
        assert_eq!(found, products.contains(&number), "product session {number}");
    }
}

pub async fn a_status_change_raises_the_epoch_and_ends_sessions(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let mut batch = Batch::default();
    batch.set_account_status(person(1), AccountStatus::Deactivated);
    store.commit(batch).await.unwrap();
    let found = store.account(person(1)).await.unwrap().unwrap();
    assert_eq!((found.status, found.epoch), (AccountStatus::Deactivated, 2));
    check_live(&store, &[], &[]).await;
    // A login that was decided before the change comes too late.
    let late = Change::CreateLoginSession(login_session(5, 1));
    assert_eq!(store.commit(changes([late])).await, Err(NotCommitted::Conflict(Conflict::Ended)));
}

pub async fn a_product_asks_until_it_is_told_not_to(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let video = ProductName::parse("video").unwrap();
    let ask = |ask, product| Change::AskBefore { session: login(1), product, ask };
    let batch = [ask(true, video.clone()), ask(true, video.clone()), ask(false, product())];
    store.commit(changes(batch)).await.unwrap();
    assert_eq!(store.login_session_by_id(login(1)).await.unwrap().unwrap().ask_before, [video]);
}

pub async fn the_feed_is_ordered_and_complete(store: AnyStore) {
    let all = [
        Revocation::LoginSession(login(1)),
        Revocation::ProductSession(ProductSessionId::from_bytes(bytes(2))),
        Revocation::Account(person(3)),
        Revocation::ProviderSession { directory: DirectoryId::from_bytes(bytes(4)), sid: "a sid".to_owned() },
        Revocation::Organization(OrgName::parse("acme").unwrap()),
        Revocation::Product(product()),
        Revocation::Keys,
        Revocation::Phases,
    ];
    assert_eq!(store.feed(0).await.unwrap().cursor, 0);
    for revocation in &all {
        store.commit(Batch { revocations: vec![revocation.clone()], ..Batch::default() }).await.unwrap();
    }
    let feed = store.feed(0).await.unwrap();
    assert_eq!(feed.rows.iter().map(|row| row.revocation.clone()).collect::<Vec<_>>(), all);
    assert!(feed.rows.is_sorted_by_key(|row| row.seq) && feed.rows.last().is_some_and(|last| last.seq == feed.cursor));
    let tail = store.feed(feed.rows[4].seq).await.unwrap();
    assert_eq!((tail.rows.as_slice(), tail.cursor), (&feed.rows[5..], feed.cursor));
    let end = store.feed(u64::MAX).await.unwrap();
    assert_eq!((end.rows.len(), end.cursor), (0, feed.cursor));
    assert!(end.now.since(feed.now) < HOUR && end.now >= feed.rows[0].at);
    // Swept rows do not set the cursor back, and positions are never given again.
    store.sweep(now().plus(25 * HOUR)).await.unwrap();
    let swept = store.feed(0).await.unwrap();
    assert_eq!((swept.rows.len(), swept.cursor), (0, feed.cursor));
    store.commit(Batch { revocations: vec![Revocation::Keys], ..Batch::default() }).await.unwrap();
    assert_eq!(store.feed(feed.cursor).await.unwrap().rows.len(), 1);
}

pub async fn the_nudge_comes_after_the_row_is_visible(store: AnyStore) {
    let nudge = store.nudge();
    let commit = store.commit(Batch { revocations: vec![Revocation::Keys], ..Batch::default() });
    let reader = async {
        tokio::time::timeout(Duration::from_secs(5), nudge.notified()).await.expect("a nudge");
        store.feed(0).await.unwrap().rows.len()
    };
    let (seen, committed) = tokio::join!(reader, commit);
    committed.unwrap();
    assert_eq!(seen, 1);
    // Nothing that is no revocation nudges.
    let quiet = store.nudge();
    while tokio::time::timeout(Duration::from_millis(20), quiet.notified()).await.is_ok() {}
    store.commit(Batch { events: vec![event(1)], ..Batch::default() }).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), quiet.notified()).await.is_err());
}

pub async fn the_log_has_one_position_per_event_in_commit_order(store: AnyStore) {
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                let commit = async |number| {
                    let events = vec![event(number), event(number + 1)];
                    store.commit(Batch { events, ..Batch::default() }).await.unwrap()
                };
                block_on(async {
                    let mut sizes = Vec::new();
                    for step in 0..20 {
                        sizes.push((thread * 100 + step * 2, commit(thread * 100 + step * 2).await.log_size));
                    }
                    sizes
                })
            })
        })
        .collect();
    let sizes: Vec<(u64, u64)> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let log = store.log(0, 1000).await.unwrap();
    assert_eq!(store.log_size().await.unwrap(), 160);
    assert!(log.iter().map(|event| event.position).eq(0..160));
    for (number, size) in sizes {
        // A batch's events stand together, in its order, right below the size that it was told.
        for place in [0, 1] {
            let at = usize::try_from(size - 2 + place).unwrap();
            let reference = event(number + place).reference.unwrap();
            assert!(String::from_utf8_lossy(&log[at].bytes).contains(&reference), "{number} at {at}");
        }
    }
    let hashes: Vec<_> = log.iter().map(|event| leaf_hash(&event.bytes)).collect();
    assert_eq!(store.leaf_hashes(0, 160).await.unwrap(), hashes);
    assert_eq!(store.leaf_hashes(3, 5).await.unwrap(), &hashes[3..5]);
    assert_eq!(store.log(158, 9).await.unwrap(), &log[158..]);
    assert_eq!(store.log(3, 2).await.unwrap(), &log[3..5]);
}

pub async fn events_are_found_by_reference(store: AnyStore) {
    let events = vec![event(1), event(2), event(257)];
    store.commit(Batch { events: events.clone(), ..Batch::default() }).await.unwrap();
    let reference = events[0].reference.clone().unwrap();
    assert_eq!(store.events_by_reference(&reference).await.unwrap(), [events[0].clone(), events[2].clone()]);
    assert_eq!(store.events_by_reference("7K3M-9QX2").await.unwrap(), []);
}

pub async fn events_are_found_by_the_person_they_are_about(store: AnyStore) {
    let about = |number: u8, email: Option<&str>, account: Option<&str>| {
        let mut event = event(number.into());
        event.subject.email = email.map(str::to_owned);
        event.subject.account = account.map(str::to_owned);
        event.actor = None;
        event
    };
    let (ann, by_account) = (Some("ann@acme.com"), Some("a1"));
    let events = vec![
        about(1, ann, by_account),
        about(2, Some("bob@acme.com"), None),
        about(3, None, by_account),
        about(4, ann, None),
        about(5, None, None),
    ];
    store.commit(Batch { events, ..Batch::default() }).await.unwrap();
    let find = async |person: AboutPerson, before: u64, limit: usize| {
        let found = store.events_about(&person, before, limit).await.unwrap();
        found.iter().map(|logged| logged.position).collect::<Vec<_>>()
    };
    let both = AboutPerson { email: Some("ann@acme.com".to_owned()), account: Some("a1".to_owned()) };
    assert_eq!(find(both.clone(), u64::MAX, 9).await, [3, 2, 0]);
    assert_eq!(find(both.clone(), u64::MAX, 2).await, [3, 2], "the newest of both");
    assert_eq!(find(both.clone(), 3, 9).await, [2, 0]);
    assert_eq!(find(AboutPerson::at("ann@acme.com"), u64::MAX, 9).await, [3, 0]);
    assert_eq!(find(AboutPerson::at("ann@acme.co"), u64::MAX, 9).await, Vec::<u64>::new());
    assert_eq!(find(AboutPerson { email: None, ..both }, u64::MAX, 9).await, [2, 0]);
    assert_eq!(find(AboutPerson::default(), u64::MAX, 9).await, Vec::<u64>::new());
    let logged = store.events_about(&AboutPerson::at("bob@acme.com"), u64::MAX, 1).await.unwrap();
    assert_eq!(logged, store.log(1, 1).await.unwrap());
}

pub async fn last_activity_only_moves_forward(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let (later, earlier) = (now().plus(HOUR), now().minus(HOUR));
    let child = ProductSessionId::from_bytes(bytes(1));
    store.touch(vec![Touch::Login(login(1), later), Touch::Product(child, later)]).await.unwrap();
    store.touch(vec![Touch::Login(login(1), earlier), Touch::Product(child, earlier)]).await.unwrap();
    // Ended sessions are skipped, and none comes back.
    store.touch(vec![Touch::Login(login(9), later)]).await.unwrap();
    store.touch(Vec::new()).await.unwrap();
    assert_eq!(store.login_session_by_id(login(1)).await.unwrap().unwrap().last_seen, later);
    assert_eq!(store.product_session_by_id(child).await.unwrap().unwrap().last_seen, later);
    assert_eq!(store.login_session_by_id(login(9)).await.unwrap(), None);
    assert_eq!((store.log_size().await.unwrap(), store.feed(0).await.unwrap().rows.len()), (0, 0));
}

pub async fn a_sweep_takes_what_is_a_day_past_its_time(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let mut batch = Batch { revocations: vec![Revocation::Keys], events: vec![event(1)], ..Batch::default() };
    batch.marks = vec![mark(1, now().plus(HOUR))];
    store.commit(batch).await.unwrap();
    assert_eq!(store.sweep(now().plus(23 * HOUR)).await.unwrap(), 0);
    // 24 h after the idle limit of the product sessions (1 min), and of the revocation.
    assert_eq!(store.sweep(now().plus(24 * HOUR + HOUR / 2)).await.unwrap(), 3);
    check_live(&store, &[1, 2], &[]).await;
    assert_eq!(store.take_once(mark(1, now())).await, Ok(Taken::Again));
    // 24 h after the absolute limit of the login sessions (1 h) and of the mark.
    assert_eq!(store.sweep(now().plus(25 * HOUR + HOUR / 2)).await.unwrap(), 3);
    check_live(&store, &[], &[]).await;
    assert_eq!(store.take_once(mark(1, now())).await, Ok(Taken::First));
    assert_eq!(store.log_size().await.unwrap(), 1, "the log is not swept");
}

pub async fn a_closed_store_answers_unavailable(store: AnyStore) {
    store.close().await;
    store.close().await;
    assert!(matches!(store.commit(Batch::default()).await, Err(NotCommitted::Unavailable(_))));
    assert!(store.take_once(mark(1, now())).await.is_err());
    assert!(store.feed(0).await.is_err() && store.account(person(1)).await.is_err());
    assert!(store.sweep(now()).await.is_err());
}
