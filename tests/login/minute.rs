//! What time does to a login under way. The browser's clock cannot move the gateway's, so the library is put together here in the
//! test's own process, served as ever, and asked at the moment of the test's choice.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fedgate::cli::node::{Extras, Node};
use fedgate::config::{Machine, read};
use fedgate::kernel::values::{DirectoryName, Language, Origin, ProductName, Timestamp, Wishes};
use fedgate::login::{Answer, Cookies, ProductHost, Step, Visitor};
use http::HeaderMap;
use url::Url;

use crate::support::agent::UserAgent;
use crate::world::{ACME, SESSION, World, location, sign_in, step};

async fn start(world: &World) -> Node {
    let file = world.gateway.config_file();
    let text = std::fs::read_to_string(&file).expect("the file");
    let (config, report) = read(&text, &file, &Machine);
    let config = config.unwrap_or_else(|| panic!("{}", report.plain()));
    Node::start(config, Extras::default()).await.expect("it starts")
}

/// This browser, at this moment, with the cookies that it would send to the URL.
fn visitor(agent: &UserAgent, url: &str, now: Timestamp) -> Visitor {
    let mut fields = HeaderMap::new();
    let cookies = agent.cookie_header(url).expect("cookies");
    fields.insert("cookie", cookies.parse().expect("a header value"));
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Visitor {
        cookies: Cookies::of(&fields),
        client,
        user_agent: None,
        request_id: "r".to_owned(),
        now,
        language: Language::english(),
        wishes: Wishes::default(),
        back: None,
    }
}

fn gave_session(answer: &Answer) -> bool {
    answer.cookies.iter().any(|line| line.starts_with(&format!("{SESSION}=")) && !line.contains("Max-Age=0"))
}

#[tokio::test]
async fn handover_a_code_lives_a_minute() {
    let world = World::prepare("", |file, _| file).await;
    let node = start(&world).await;
    let ann = world.logged_in("ann").await;
    let url = world.code(&ann, "loom").await;
    let code = Url::parse(&url).expect("a URL").query_pairs().next().expect("a code").1.into_owned();
    let (login, now) = (&node.login, node.login.world().clock.now());
    let host = Origin::parse(&format!("loom.example.test:{}", world.gateway.ports().https)).expect("an origin");
    let product = login.world().catalog.load().products[&ProductName::parse("loom").expect("a name")].clone();
    let at = ProductHost { product, host, cookie_domain: None };
    // The late one first: it must not even spend the code.
    for (seconds, enters) in [(62, false), (3_700, false), (50, true), (51, false)] {
        let visitor = visitor(&ann, &url, now.plus(Duration::from_secs(seconds)));
        let answer = login.finish_at_product(&visitor, &at, &code).await;
        assert_eq!(gave_session(&answer), enters, "after {seconds} s: {answer:?}");
    }
}

#[tokio::test]
async fn h10_a_login_under_way_lives_ten_minutes() {
    let world = World::prepare("", |file, _| file).await;
    let node = start(&world).await;
    for (seconds, enters) in [(601, false), (590, true)] {
        let ann = world.browser();
        let form = world.to_provider(&ann, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
        let reply = reply(&ann, &world, form).await;
        let query = Url::parse(&reply).expect("a URL").query().expect("a reply").to_owned();
        let now = node.login.world().clock.now();
        let visitor = visitor(&ann, &reply, now.plus(Duration::from_secs(seconds)));
        let acme = DirectoryName::of_org(fedgate::kernel::values::OrgName::parse("acme").expect("a name"), "main");
        let answer = node.login.finish(&visitor, &acme.expect("a name"), query.as_bytes()).await;
        if enters {
            // The provider's own clock did not move: what was in time is judged further, and found from the past.
            assert!(!matches!(answer.step, Step::AskEmail(_)), "{answer:?}");
        } else {
            assert!(matches!(answer.step, Step::AskEmail(_)) && !gave_session(&answer), "{answer:?}");
        }
    }
}

/// Signs in at the provider and stops at the address that leads back.
async fn reply(agent: &UserAgent, world: &World, form: crate::support::page::Page) -> String {
    let callback = world.url("id", "/login/callback/acme");
    // A browser that loses its way just before the reply: its cookies are kept aside.
    let pending = agent.cookies("id.example.test");
    agent.forget(|cookie| cookie.name.starts_with("__Host-fedgate-in-"));
    let page = sign_in(agent, form, "ann").await;
    let hop = page.trace.iter().find(|hop| hop.url.as_str().starts_with(&callback)).expect("a reply");
    for cookie in pending {
        agent.plant(cookie);
    }
    hop.url.to_string()
}

/// A login session past the login's limits asks for a login, however the browser kept its cookie.
#[tokio::test]
async fn handover_a_login_session_ends_by_its_own_limits() {
    let world =
        World::prepare("", |file, _| file.table("[org.acme.policy]\nsession = { idle = \"1h\", absolute = \"8h\" }"))
            .await;
    let node = start(&world).await;
    let ann = world.logged_in("ann").await;
    let to = location(&step(&ann, &world.url("loom", "/.fedgate/login?return_to=%2F")).await);
    let now = node.login.world().clock.now();
    for (seconds, enters) in [(3_590, true), (3_610, false), (8 * 3_600 + 5, false)] {
        let visitor = visitor(&ann, &to, now.plus(Duration::from_secs(seconds)));
        let answer = node.login.enter(&visitor, target(&to), "", None).await;
        assert_eq!(matches!(answer.step, Step::Go(_)), enters, "after {seconds} s: {answer:?}");
    }
}

/// A path that asks for a proof of just now: a provider's login session that is older goes there again, with `max_age`.
#[tokio::test]
async fn m6_a_step_up_asks_the_provider_anew() {
    let world = World::prepare("", |file, _| file).await;
    let node = start(&world).await;
    let ann = world.logged_in("ann").await;
    let to = location(&step(&ann, &world.url("loom", "/.fedgate/login?return_to=%2F")).await);
    let now = node.login.world().clock.now();
    for (seconds, asks) in [(100, false), (650, true)] {
        let visitor = visitor(&ann, &to, now.plus(Duration::from_secs(seconds)));
        let fresh = Some(Duration::from_secs(600));
        let answer = node.login.enter(&visitor, target(&to), "", fresh).await;
        match answer.step {
            Step::Go(to) => assert!(!asks && to.contains("/.fedgate/finish?code="), "after {seconds} s: {to}"),
            Step::Leave { url, .. } => {
                assert!(
                    asks && url.contains("max_age=600") && url.contains("prompt=login"),
                    "after {seconds} s: {url}"
                );
            }
            other => panic!("after {seconds} s: {other:?}"),
        }
    }
}

fn target(to: &str) -> fedgate::login::Target {
    let url = Url::parse(to).expect("a URL");
    let text = |name: &str| url.query_pairs().find(|(known, _)| known == name).expect("there").1.into_owned();
    let challenge = fedgate_challenge(&text("c"));
    fedgate::login::Target {
        product: ProductName::parse(&text("product")).expect("a name"),
        host: Origin::parse(&text("host")).expect("an origin"),
        challenge,
        again: 0,
    }
}

fn fedgate_challenge(text: &str) -> [u8; 32] {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64url");
    bytes.try_into().expect("32 bytes")
}
