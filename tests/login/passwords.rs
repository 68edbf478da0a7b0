//! Passwords that a product keeps here: typed at its own door, good there alone, silent about who exists.

use fedgate::kernel::journal::{Batch, Change, CredentialChange};
use fedgate::kernel::local::{StoredPassword, Typed};
use fedgate::kernel::model::{Address, PasswordCredential};
use fedgate::kernel::values::{EmailAddress, Timestamp};

use crate::doors::{Doors, PASSWORD};
use crate::support::page::Page;
use crate::world::SESSION;

/// A page without what differs from form to form.
pub fn face(page: &Page, typed: &str) -> String {
    let mut html = page.html().replace(typed, "ADDRESS");
    for form in page.forms() {
        for (name, value) in form.fields {
            // The picker comes back by the handle that the form was posted with: sealed too, and always as long.
            if let Some((_, sealed)) = value.split_once("?to=").filter(|_| name == "back") {
                html = html.replace(sealed, &format!("SEALED {}", sealed.len()));
            }
            if (name == "csrf" || name == "to") && !value.is_empty() {
                html = html.replace(&value, "SEALED");
            }
        }
    }
    // The way to a passkey is sealed anew for each page, always as long.
    while let Some((before, rest)) = html.split_once("?start=A") {
        let (sealed, after) = rest.split_once('"').expect("the end of a link");
        html = format!("{before}?START {}\"{after}", sealed.len());
    }
    format!("{} {html}", page.status)
}

#[tokio::test]
async fn t04_a_local_password_is_typed_at_the_products_door_and_opens_that_product_alone() {
    let doors = Doors::open("", "").await;
    let record = doors.person("ann@gmail.example.test").await;
    let ann = doors.agent();
    let asked = doors.identify(&ann, "ann@gmail.example.test").await;
    assert!(asked.url.as_str().starts_with(&doors.url("trello", "/")), "never the login host: {}", asked.describe());
    let inside = ann.submit(&asked, "password", &[("password", PASSWORD)]).await;
    assert_eq!(inside.url.as_str(), doors.url("trello", "/page"), "{}", inside.describe());
    assert_eq!(doors.trello.last("/page").head.first("x-fedgate-user"), Some(record.sub.as_str()));
    // No login session for the browser: the login host set no session, and the next product asks again.
    let login_host = "id.example.test";
    assert!(ann.cookies(login_host).iter().all(|cookie| cookie.name != SESSION), "no session cookie there");
    assert!(!doors.is_inside(&ann, "loom").await);
    assert!(doors.is_inside(&ann, "trello").await);
    // The imported hash is gone once its owner has logged in: only argon2id is left.
    let store = &doors.node.login.world().store;
    let mut stored = store.password(record.id).await.unwrap().unwrap();
    for _ in 0..100 {
        if stored.generation == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        stored = store.password(record.id).await.unwrap().unwrap();
    }
    assert!(stored.generation == 2 && !stored.stored.is_wrapped(), "stored anew");
    assert_eq!(doors.log_in(&doors.agent(), "ann@gmail.example.test", PASSWORD).await.status, 200);
    doors.close().await;
}

#[tokio::test]
async fn h18_a_stranger_a_known_person_and_a_wrong_password_look_the_same() {
    let doors = Doors::open("", "").await;
    doors.person("ann@gmail.example.test").await;
    doors.make("new@gmail.example.test", None).await;
    let mut identified = Vec::new();
    let mut refused = Vec::new();
    let mut reset = Vec::new();
    for typed in ["ann@gmail.example.test", "new@gmail.example.test", "who@gmail.example.test"] {
        let agent = doors.agent();
        let page = doors.identify(&agent, typed).await;
        identified.push(face(&page, typed));
        let wrong = agent.submit(&page, "password", &[("password", "not-the-password")]).await;
        refused.push(face(&wrong, typed));
        let asked = agent.submit(&page, "/.fedgate/reset", &[]).await;
        reset.push(face(&asked, typed));
    }
    for faces in [&identified, &refused, &reset] {
        assert!(faces.iter().all(|face| *face == faces[0]), "{faces:#?}");
    }
    assert!(refused[0].contains("That didn’t work"), "{}", refused[0]);
    assert_eq!(doors.letters("who@gmail.example.test"), 0);
    doors.close().await;
}

#[tokio::test]
async fn t31_a_password_never_passes_by_a_company_that_enforces_sso() {
    let doors = Doors::open("", "").await;
    let record = doors.person("ann@gmail.example.test").await;
    doors.person("bob@acme.example.test").await;
    let to_company = |page: &Page| page.url.as_str().starts_with(&doors.url("id", "/login/to?"));
    // A2: no password page for anybody of the domain.
    for typed in ["bob@acme.example.test", "nobody@acme.example.test"] {
        let page = doors.identify(&doors.agent(), typed).await;
        assert!(to_company(&page), "{}", page.describe());
    }
    // A password posted past the page meets the same.
    let bob = doors.agent();
    let page = doors.identify(&bob, "ann@gmail.example.test").await;
    let page = bob.submit(&page, "password", &[("email", "bob@acme.example.test"), ("password", PASSWORD)]).await;
    assert!(to_company(&page), "{}", page.describe());
    // C3: the private address of somebody whom the company manages by another address. A wrong password tells nothing of it.
    let work = Address {
        product_account: record.id,
        email: EmailAddress::parse("ann@acme.example.test").unwrap(),
        verified: true,
        verified_at: None,
        primary: false,
        added_at: Timestamp::from_seconds(1),
        last_login_at: None,
    };
    let change = Change::Credential(CredentialChange::PutAddress(work));
    let store = &doors.node.login.world().store;
    store.commit(Batch { changes: vec![change], ..Batch::default() }).await.unwrap();
    let ann = doors.agent();
    let page = doors.log_in(&ann, "ann@gmail.example.test", "not-the-password").await;
    assert!(page.text().contains("That didn’t work"), "{}", page.describe());
    let page = ann.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert!(to_company(&page), "{}", page.describe());
    assert!(!doors.is_inside(&ann, "trello").await);
    doors.close().await;
}

#[tokio::test]
async fn m14_a_flood_of_guesses_locks_strangers_out_and_never_the_owner() {
    let doors = Doors::open("", "").await;
    doors.person("ann@gmail.example.test").await;
    let owner = doors.agent();
    assert_eq!(doors.log_in(&owner, "ann@gmail.example.test", PASSWORD).await.status, 200);
    assert_eq!(owner.forget(|cookie| cookie.name == SESSION), 1, "logged out, and the device is still known");
    let thief = doors.agent();
    let mut page = doors.identify(&thief, "ann@gmail.example.test").await;
    for guess in 0..9 {
        page = thief.submit(&page, "password", &[("password", &format!("guess {guess}"))]).await;
    }
    // With the owner's first login these are ten; the next is not judged, though it is right.
    let page = thief.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert_eq!(page.status, 429, "{}", page.describe());
    let page = doors.log_in(&owner, "ann@gmail.example.test", PASSWORD).await;
    assert_eq!(page.url.as_str(), doors.url("trello", "/page"), "{}", page.describe());
    doors.close().await;
}

#[tokio::test]
async fn h12_a_password_that_was_written_to_the_store_by_another_hand_opens_nothing() {
    let doors = Doors::open("", "").await;
    let record = doors.make("ann@gmail.example.test", None).await;
    let planted = PasswordCredential {
        product_account: record.id,
        stored: StoredPassword::of(&Typed::new(PASSWORD.to_owned()).unwrap(), [1; 16]).unwrap(),
        generation: 1,
        set_at: Timestamp::from_seconds(1),
        mac: [7; 32],
    };
    let store = &doors.node.login.world().store;
    let change = Change::Credential(CredentialChange::SetPassword(planted));
    store.commit(Batch { changes: vec![change], ..Batch::default() }).await.unwrap();
    let page = doors.log_in(&doors.agent(), "ann@gmail.example.test", PASSWORD).await;
    assert!(page.text().contains("That didn’t work"), "{}", page.describe());
    let events = store.log(0, 1000).await.unwrap();
    let alarms = events.iter().filter(|event| event.bytes.windows(18).any(|text| text == b"integrity.violated"));
    assert_eq!(alarms.count(), 1);
    doors.close().await;
}

#[tokio::test]
async fn a_product_with_passwords_says_who_may_join() {
    let doors = Doors::open("", "").await;
    let page = doors.agent().visit(&doors.url("trello", "/join")).await;
    assert!(page.text().contains("Use your work address"), "{}", page.describe());
    doors.close().await;
}

#[tokio::test]
async fn a_password_that_is_too_old_opens_the_page_for_a_new_one_and_nothing_else() {
    let doors = Doors::open("", "[people]\npassword = { expire = \"1s\" }").await;
    doors.person("ann@gmail.example.test").await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let ann = doors.agent();
    let page = doors.log_in(&ann, "ann@gmail.example.test", PASSWORD).await;
    assert!(page.text().contains("Choose a new password"), "{}", page.describe());
    assert!(!doors.is_inside(&ann, "trello").await);
    let done = ann.submit(&page, "password", &[("password", "orchid-tumble-44-granite")]).await;
    assert!(done.text().contains("Your password is changed"), "{}", done.describe());
    doors.close().await;
}
