//! Paths that ask for a proof of just now (M6, H15): people are led to it, scripts and sockets are told where it is, nobody passes.

use super::support::{World, ok, world};
use fedgate::clock::Clock;
use fedgate::gateway::options::PathRule;
use fedgate::kernel::model::StepUp;
use fedgate::web::LiveSession;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const PAGE: &str = "Sec-Fetch-Mode: navigate";
const SCRIPT: &str = "Sec-Fetch-Mode: cors";
const OWN: &str = "Sec-Fetch-Site: same-origin";

fn asking() -> World {
    world(ok, |_, site| {
        let within = Duration::from_secs(600);
        Arc::make_mut(&mut site.product).step_up = Some(StepUp { paths: vec!["/admin/*".to_owned()], within });
        // However open the file makes them besides.
        site.public.push(PathRule::Below("/admin/".into()));
        site.optional.push(PathRule::Below("/admin/".into()));
    })
}

/// A session whose person proved themselves so many seconds ago.
fn session(world: &World, seed: u8, ago: Option<u64>) -> String {
    let now = Clock::system().now();
    *world.proved_at.lock().unwrap() = ago.map_or(LiveSession::NEVER, |ago| now.minus(Duration::from_secs(ago)));
    format!("Cookie: {}", world.session(seed).1)
}

#[test]
fn m6_a_path_asks_everybody_for_a_proof_of_just_now() {
    let world = asking();
    let (never, old, fresh) = (session(&world, 1, None), session(&world, 2, Some(700)), session(&world, 3, Some(60)));
    assert_eq!(world.ask("GET /admin/users", &[&fresh, PAGE]).status, 200);
    assert_eq!(world.ask("POST /admin/users", &[&fresh, SCRIPT, OWN, "Content-Length: 0"]).status, 200);
    let before = world.seen.bytes.load(Ordering::SeqCst);
    for cookie in [&never, &old] {
        let page = world.ask("GET /admin/users?x=1", &[cookie, PAGE]);
        assert_eq!(page.status, 302);
        assert_eq!(page.one("location"), "/.fedgate/step-up?return_to=/admin/users%3Fx%3D1");
        let form = world.ask("POST /admin/users", &[cookie, PAGE, OWN, "Content-Length: 0"]);
        assert_eq!((form.status, form.one("location")), (303, "/.fedgate/step-up?return_to=/"));
        // H15: what a client declares changes how the refusal looks, never whether.
        for fields in [&[SCRIPT][..], &["Sec-Fetch-Mode: no-cors"], &[], &["Sec-Fetch-Mode: websocket"]] {
            let fields: Vec<&str> = fields.iter().copied().chain([cookie.as_str()]).collect();
            assert_eq!(world.ask("GET /admin/users", &fields).status, 401, "{fields:?}");
        }
        let socket = ["Upgrade: websocket", "Connection: Upgrade", "Origin: https://trello.localhost", cookie.as_str()];
        assert_eq!(world.ask("GET /admin/live", &socket).status, 401);
        let credential = [PAGE, "Authorization: Bearer x", cookie.as_str()];
        assert_eq!(world.ask("GET /admin/users", &credential).status, 401);
        for line in ["GET /ADMIN/users", "GET /admin", "GET /admin;x=1/users", "GET /%2561dmin/users"] {
            assert_eq!(world.ask(line, &[cookie, PAGE]).status, 302, "{line}");
        }
    }
    assert_eq!(world.ask("GET /admin/users", &[PAGE]).one("location"), "/.fedgate/login?return_to=/admin/users");
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), before, "the product saw nothing of it");
    assert_eq!(world.ask("GET /boards", &[&never, PAGE]).status, 200, "other paths ask nothing");
}

#[test]
fn m2_a_path_that_asks_has_no_grace_while_the_store_is_out() {
    let world = asking();
    let fresh = session(&world, 1, Some(60));
    world.sessions.out.store(true, Ordering::SeqCst);
    assert_eq!(world.ask("GET /admin/users", &[&fresh, PAGE]).status, 503);
    assert_eq!(world.ask("GET /boards", &[&fresh, PAGE]).status, 200);
}
