//! What is doubtful is named at each start and at each reload.

use std::time::Duration;

use crate::ground::configuration;
use crate::provider::LightOp;
use crate::support::gateway::Gateway;
use crate::support::upstream::Upstream;

#[tokio::test]
async fn m22_an_upstream_that_others_may_reach_is_named_at_each_start_and_reload() {
    let (op, trello, loom) = (LightOp::start(), Upstream::start(), Upstream::start());
    let file = configuration(&op, &trello, &loom).product("open", "http://192.0.2.1:3000", "");
    let mut gateway = Gateway::start(&file);
    let named = |gateway: &Gateway| gateway.log().matches("W-UPSTREAM-OPEN").count();
    assert_eq!(named(&gateway), 1, "{}", gateway.log());
    gateway.hang_up();
    for _ in 0..200 {
        if named(&gateway) > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(named(&gateway), 2, "{}", gateway.log());
    gateway.restart();
    assert_eq!(named(&gateway), 3, "{}", gateway.log());
}
