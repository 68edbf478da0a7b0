//! A restore after a company's provider took somebody away: the link that the backup has opens nothing (rules H4, H17).

use super::*;

#[tokio::test]
async fn h17_h4_who_was_unlinked_since_the_backup_does_not_come_back_by_a_restore() {
    let mut ground = Ground::open("", "").await;
    let gone = ground.post(user(ANN, "00uA")).await.id().to_owned();
    let stays = ground.post(user(BOB, "00uB")).await.id().to_owned();
    ground.logged_in("ann").await;
    ground.logged_in("bob").await;
    let run = |ground: &Ground, arguments: &[&str], status: i32| {
        let (ended, out, err) = ground.gateway.command(arguments);
        assert_eq!(ended.code(), Some(status), "{arguments:?}: {out}{err}");
        format!("{out}{err}")
    };
    let backup = ground.gateway.directory().join("backup").to_str().expect("text").to_owned();
    run(&ground, &["backup", &backup], 0);
    assert_eq!(ground.delete(&gone).await.status, 204);
    let links = async |ground: &Ground, id: &str| {
        ground.store().identities_of(AccountId::parse(id).expect("an id")).await.expect("links").len()
    };
    assert_eq!((links(&ground, &gone).await, links(&ground, &stays).await), (0, 1));

    ground.world.gateway.stop();
    let said = run(&ground, &["restore", &backup, "--replace"], 1);
    assert!(said.contains("scim.user_deleted"), "{said}");
    assert_eq!(links(&ground, &gone).await, 1, "the backup has it");
    let code = said.split("--open ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a code").to_owned();
    run(&ground, &["restore", "--open", &code], 0);
    ground.world.gateway.launch();
    ground.world.gateway.wait_ready();
    let agent = ground.browser();
    let page = ground.log_in(&agent, "ann", &ground.url("trello", "/page")).await;
    assert!(page.status.is_client_error() && page.text().contains("not active"), "{}", page.describe());
    assert!(ground.who(&agent, "trello").await.is_none());
    assert_eq!(ground.account(&gone).await.status, AccountStatus::Deactivated);
    // The provider itself brings nobody back by saying the name again, and who was never touched comes as before.
    let again = ground.post(user(ANN, "00uA")).await;
    assert!(again.status != 201 || again.id() != gone, "{} {}", again.status, again.body);
    let agent = ground.browser();
    ground.log_in(&agent, "ann", &ground.url("trello", "/page")).await;
    assert_eq!(ground.account(&gone).await.status, AccountStatus::Deactivated);
    ground.logged_in("bob").await;
}
