//! Passkeys in the real browser: its own WebAuthn, our script under our policy, a virtual authenticator.

use fedgate::kernel::journal::{Batch, Change, CredentialChange};

use crate::doors::{Doors, PASSWORD};
use crate::support::browser::{Browser, Person};

const ANN: &str = "ann@gmail.example.test";
const ASK: &str = "#passkey-ask:not([hidden])";

/// At the product's door, as a stranger.
async fn door(doors: &Doors, person: &Person<'_>) {
    let view = person.open(&doors.url("trello", "/page")).await;
    assert!(view.url.starts_with(&doors.url("trello", "/.fedgate/sign-in")), "{view:?}");
}

async fn by_password(doors: &Doors, person: &Person<'_>) {
    door(doors, person).await;
    person.fill(&[("[name=email]", ANN)]).await;
    person.press("form:has([name=email]) [type=submit]").await;
    person.until("[name=password]").await;
    person.fill(&[("[name=password]", PASSWORD)]).await;
    person.press("form:has([name=password]) [type=submit]").await;
}

#[tokio::test]
async fn a_passkey_is_enrolled_used_after_the_password_used_alone_and_removed() {
    let doors = Doors::open("", "").await;
    let record = doors.person(ANN).await;
    let browser = Browser::start(&[&doors.ca_file()]);
    let ann = browser.person("ann");
    ann.authenticator(true).await;
    let inside = doors.url("trello", "/page");

    by_password(&doors, &ann).await;
    ann.until_at(&inside).await;
    ann.open(&doors.url("trello", "/.fedgate/security")).await;
    ann.fill(&[("[name=current]", PASSWORD)]).await;
    ann.press("[name=act][value=passkey]").await;
    ann.until(ASK).await;
    ann.assert_sound("passkey enrol").await;
    ann.fill(&[("[name=label]", "My laptop")]).await;
    ann.press(ASK).await;
    let view = ann.until(".codes").await;
    assert!(view.url.starts_with(&doors.url("id", "/login/passkey/new")), "{view:?}");
    ann.assert_sound("recovery codes of a passkey").await;
    let made = ann.authenticator(true).await;
    assert_eq!(made.iter().map(|one| &one["rpId"]).collect::<Vec<_>>(), ["id.example.test"], "the login host's name");
    let view = ann.open(&doors.url("trello", "/.fedgate/security")).await;
    assert!(view.text.contains("My laptop"), "{view:?}");
    ann.assert_sound("security with a passkey").await;
    logout(&doors, &ann).await;

    by_password(&doors, &ann).await;
    let view = ann.until("form[action='/.fedgate/step/passkey']").await;
    assert!(!view.url.starts_with(&inside), "{view:?}");
    ann.assert_sound("second step with a passkey").await;
    ann.press("form[action='/.fedgate/step/passkey'] [type=submit]").await;
    ann.until(ASK).await;
    ann.assert_sound("passkey second").await;
    ann.press(ASK).await;
    ann.until_at(&inside).await;
    logout(&doors, &ann).await;

    // Alone, by the button; nobody is at the device before.
    ann.authenticator(false).await;
    door(&doors, &ann).await;
    ann.press("a[href*='/login/passkey']").await;
    ann.until(ASK).await;
    ann.assert_sound("passkey first").await;
    ann.authenticator(true).await;
    ann.press(ASK).await;
    ann.until_at(&inside).await;
    logout(&doors, &ann).await;

    // Alone, out of the address field: the browser offers it by itself, and the device answers.
    door(&doors, &ann).await;
    ann.press("a[href*='/login/passkey']").await;
    ann.until_at(&inside).await;
    logout(&doors, &ann).await;

    // Taken away: the authenticator still has it, and it opens nothing.
    let store = &doors.node.login.world().store;
    let factor = store.factors_of(record.account).await.expect("the store").remove(0);
    let drop = Change::Credential(CredentialChange::DropFactor(record.account, factor.id));
    store.commit(Batch { changes: vec![drop], ..Batch::default() }).await.expect("dropped");
    ann.authenticator(false).await;
    door(&doors, &ann).await;
    ann.press("a[href*='/login/passkey']").await;
    ann.until(ASK).await;
    ann.authenticator(true).await;
    ann.press(ASK).await;
    let view = ann.until("main > .error[role=alert]").await;
    assert!(view.text.contains("That passkey didn’t work here"), "{view:?}");
    let view = ann.open(&inside).await;
    assert!(!view.url.starts_with(&inside), "{view:?}");
    doors.close().await;
}

async fn logout(doors: &Doors, person: &Person<'_>) {
    person.open(&doors.url("trello", "/.fedgate/logout")).await;
    person.press("form[action='/.fedgate/logout'] [type=submit]").await;
    let view = person.open(&doors.url("trello", "/page")).await;
    assert!(view.url.starts_with(&doors.url("trello", "/.fedgate/sign-in")), "logged out: {view:?}");
}
