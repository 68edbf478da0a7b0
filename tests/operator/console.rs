//! The console from outside: who enters, who sees whom, and that nothing is changed by who only reads.

use super::*;
use crate::support::html::tags;
use crate::support::totp;
use fedgate::admin::console::PAGES;
use fedgate::kernel::local::Seed;

impl Scene {
    fn id(&self, path: &str) -> String {
        self.gateway.url("id", path)
    }

    /// Logs in, adds an app as a second step.
    async fn with_step(&self, email: &str) -> (UserAgent, Seed) {
        let (agent, _) = self.log_in(email).await;
        let page = agent.visit(&self.id("/account/steps")).await;
        let page = agent.submit(&page, "act", &[("act", "add")]).await;
        let app = totp::seed(&page);
        let shown = agent.submit(&page, "code", &[("code", &totp::first(&app))]).await;
        assert_eq!(shown.status, 200, "{}", shown.describe());
        (agent, app)
    }

    /// Goes through the console's door.
    async fn enter(&self, email: &str) -> UserAgent {
        let (agent, app) = self.with_step(email).await;
        let home = agent.visit(&self.id("/")).await;
        assert!(home.html().contains("&#x2f;admin&#x2f;"), "{email}: {}", home.describe());
        let page = self.prove(&agent, &app).await;
        assert_eq!(page.url.as_str(), self.id("/admin/"), "{email}: {}", page.describe());
        assert!(page.text().contains("Console"), "{email}: {}", page.describe());
        agent
    }

    async fn prove(&self, agent: &UserAgent, app: &Seed) -> Page {
        let page = agent.visit(&self.id("/admin/")).await;
        assert!(page.text().contains("a login of just now"), "{}", page.describe());
        let page = agent.submit(&page, "/admin/prove", &[]).await;
        assert!(page.text().contains("One more step"), "{}", page.describe());
        agent.submit(&page, "code", &[("code", &totp::second(app))]).await
    }

    /// The account's page, found as people do.
    async fn person_page(&self, agent: &UserAgent, email: &str) -> Page {
        let found = agent.visit(&self.id(&format!("/admin/people?q={}", email.replace('@', "%40")))).await;
        let html = found.html();
        let link = tags(&html).into_iter().filter_map(|tag| tag.attribute("href").map(ToOwned::to_owned));
        let link = link.map(|link| link.replace("&#x2f;", "/")).find(|link| link.starts_with("/admin/people/"));
        agent.visit(&self.id(&link.unwrap_or_else(|| panic!("{email}: {}", found.describe())))).await
    }
}

#[tokio::test]
async fn m19_h1_the_console_opens_to_a_role_with_a_login_of_just_now_and_a_second_step() {
    let scene = Scene::start();
    let nobody = scene.gateway.agent(&[&scene.op.ca_file()]);
    let page = nobody.visit(&scene.id("/admin/")).await;
    assert!(page.forms().iter().any(|form| form.action.contains("/login/identify")), "{}", page.describe());
    // A member of the company is told nothing, whatever is there.
    let (ann, _) = scene.log_in("ann@acme.example.test").await;
    for path in ["/admin/", "/admin/people", "/admin/nothing", "/admin"] {
        let page = ann.visit(&scene.id(path)).await;
        assert_eq!(page.status, 404, "{path}: {}", page.describe());
        assert!(!page.text().contains("Audit log"), "{path}: {}", page.describe());
    }
    let home = ann.visit(&scene.id("/")).await;
    assert!(!home.html().contains("&#x2f;admin&#x2f;"), "{}", home.describe());
    // An admin without a second step adds one first, and with one is still asked for it.
    let (agent, _) = scene.log_in("it@acme.example.test").await;
    let page = agent.visit(&scene.id("/admin/")).await;
    assert_eq!(page.status, 403);
    assert!(page.text().contains("You need a second step"), "{}", page.describe());
    let (agent, app) = scene.with_step("it@acme.example.test").await;
    for path in ["/admin/", "/admin/people?q=acme.example.test"] {
        let page = agent.visit(&scene.id(path)).await;
        assert!(page.text().contains("a login of just now"), "{path}: {}", page.describe());
        assert!(!page.text().contains("ann@acme.example.test"), "{path}: {}", page.describe());
    }
    let page = scene.prove(&agent, &app).await;
    assert_eq!(page.url.as_str(), scene.id("/admin/"), "{}", page.describe());
    // It keeps to the rules of every page of the login host.
    let policy = page.headers.get("content-security-policy").expect("a policy").to_str().expect("text");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.headers["cache-control"], "no-store");
}

/// What somebody gets: the status, or which door they stand before.
fn outcome(page: &Page) -> String {
    match () {
        () if page.forms().iter().any(|form| form.action.contains("/login/identify")) => "login".to_owned(),
        () if page.forms().iter().any(|form| form.action.contains("/admin/prove")) => "prove".to_owned(),
        () => page.status.as_u16().to_string(),
    }
}

/// Posts a form of a page of ours to another path: what somebody does who knows how our forms look.
async fn post(scene: &Scene, agent: &UserAgent, path: &str, act: &str) -> Page {
    let mut home = agent.visit(&scene.id("/")).await;
    let form = "action=\"&#x2f;logout\"";
    if !home.html().contains(form) {
        // Nobody is logged in: the first form that there is.
        home.body = home.html().replace("&#x2f;login&#x2f;identify", path).into();
    }
    home.body = home.html().replace(form, &format!("action=\"{path}\"")).into();
    agent.submit(&home, path, &[("act", act)]).await
}

#[tokio::test]
async fn m19_every_page_of_the_console_answers_each_kind_of_person_as_the_table_says() {
    let scene = Scene::start();
    scene.log_in("ann@acme.example.test").await;
    let operator = scene.enter("ops@acme.example.test").await;
    let path = scene.person_page(&operator, "ann@acme.example.test").await.url.path().to_owned();
    // In another browser: the session alone opens nothing.
    let (unproved, _) = scene.log_in("ops@acme.example.test").await;
    let kinds = [
        ("nobody", scene.gateway.agent(&[&scene.op.ca_file()])),
        ("member", scene.log_in("bob@acme.example.test").await.0),
        ("operator", operator),
        ("unproved", unproved),
        ("auditor", scene.enter("soc@acme.example.test").await),
        ("org-auditor", scene.enter("aud@acme.example.test").await),
        ("support", scene.enter("desk@acme.example.test").await),
        ("foreign", scene.enter("it@globex.example.test").await),
        ("enterprise", scene.log_in("boss@globex.example.test").await.0),
        ("admin", scene.enter("it@acme.example.test").await),
    ];
    let mut table = format!("{:<45}", "");
    for (kind, _) in &kinds {
        write!(table, " {kind:>11}").expect("text");
    }
    for page in PAGES {
        write!(table, "\n{:<45}", format!("{} {}", page.method, page.path)).expect("text");
        let filled =
            page.path.replace("/admin/people/{account}", &path).replace("{ref}", "0000-0000").replace("{org}", "acme");
        for (_, agent) in &kinds {
            let answer = match page.method {
                "GET" => agent.visit(&scene.id(&filled)).await,
                _ => post(&scene, agent, &filled, "all").await,
            };
            assert!(!answer.status.is_server_error(), "{} {filled}: {}", page.method, answer.describe());
            write!(table, " {:>11}", outcome(&answer)).expect("text");
        }
    }
    insta::assert_snapshot!("console", table);
}

#[tokio::test]
async fn m19_an_auditor_reads_a_time_line_and_only_who_administers_the_person_ends_their_sessions() {
    let scene = Scene::start();
    let (ann, _) = scene.log_in("ann@acme.example.test").await;
    let auditor = scene.enter("soc@acme.example.test").await;
    let page = scene.person_page(&auditor, "ann@acme.example.test").await;
    for word in ["login.succeeded", "trello", "org_sso", "127.0.0.1", "Success", "Where this person is logged in"] {
        assert!(page.text().contains(word), "{word}: {}", page.describe());
    }
    let sessions = format!("{}/sessions", page.url.path());
    assert!(!page.html().contains("End all"), "an auditor changes nothing: {}", page.describe());
    let own = scene.enter("aud@acme.example.test").await;
    let seen = own.visit(page.url.as_str()).await;
    assert!(seen.text().contains("login.succeeded"), "{}", seen.describe());
    let log = own.visit(&scene.id("/admin/log?person=Ann%40ACME.example.test")).await;
    assert!(log.text().contains("login.succeeded"), "however it is written: {}", log.describe());
    // Another organization's admin, and its own auditor, change nothing; the other one does not even see her.
    let foreign = scene.enter("it@globex.example.test").await;
    assert_eq!(foreign.visit(page.url.as_str()).await.status, 404);
    let found = foreign.visit(&scene.id("/admin/people?q=ann%40acme.example.test")).await;
    assert!(found.text().contains("Nobody was found"), "{}", found.describe());
    let log = foreign.visit(&scene.id("/admin/log?person=ann%40acme.example.test")).await;
    assert!(log.text().contains("Nothing was found"), "{}", log.describe());
    for agent in [&auditor, &own, &foreign] {
        let refused = post(&scene, agent, &sessions, "all").await;
        assert_eq!(refused.status, 404, "{}", refused.describe());
    }
    scene.until(&ann, true).await;
    // Her own admin ends them, within a second, and the log says who did.
    let admin = scene.enter("it@acme.example.test").await;
    let page = scene.person_page(&admin, "ann@acme.example.test").await;
    let page = admin.submit(&page, &sessions, &[("act", "all")]).await;
    assert!(page.text().contains("those sessions") || page.text().contains("Those sessions"), "{}", page.describe());
    let took = scene.until(&ann, false).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    let (_, events, _) = scene.gateway.command(&["audit", "search", "--json"]);
    let ended = events.lines().find(|line| line.contains("revoked-by-admin")).expect("an event");
    assert!(ended.contains("it@acme.example.test") && ended.contains("\"person\""), "{ended}");
    assert!(page.text().contains("session.ended"), "{}", page.describe());
    // A form of another browser, and one without the cookie that comes with our pages, change nothing.
    let (ann, _) = scene.log_in("ann@acme.example.test").await;
    let forged = admin.visit(page.url.as_str()).await;
    admin.forget(|cookie| cookie.name.contains("acts"));
    let turned = admin.submit(&forged, &sessions, &[("act", "all")]).await;
    assert_eq!(turned.url.path(), "/admin/", "{}", turned.describe());
    scene.until(&ann, true).await;
}

#[tokio::test]
async fn m20_a_reference_is_explained_to_who_may_read_it() {
    let scene = Scene::start();
    scene.log_in("ann@acme.example.test").await;
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let id = account(&scene, &operator, "acme", "ann@acme.example.test").await;
    let path = format!("/organizations/acme/people/{id}");
    scene.write(&operator, Method::POST, &format!("{path}/deactivate"), Value::Null, &path).await;
    let agent = scene.gateway.agent(&[&scene.op.ca_file()]);
    let page = agent.visit(&scene.gateway.url("trello", "/")).await;
    let page = agent.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
    assert!(page.text().contains("not active"), "{}", page.describe());
    let text = page.text();
    let reference = text.split_whitespace().find(|word| word.len() == 9 && word.chars().nth(4) == Some('-'));
    let reference = reference.expect("a reference");

    let auditor = scene.enter("soc@acme.example.test").await;
    let told = auditor.visit(&scene.id(&format!("/admin/ref/{reference}"))).await;
    assert!(told.text().contains("inactive") && told.text().contains("Rules that were asked"), "{}", told.describe());
    let line = auditor.visit(&scene.id(&format!("/admin/people/{id}"))).await;
    assert!(line.text().contains(reference), "the refusal is in her time line: {}", line.describe());
    // Support reads the one line, and nothing of the person.
    let support = scene.enter("desk@acme.example.test").await;
    let told = support.visit(&scene.id(&format!("/admin/ref/find?ref={}", reference.to_lowercase()))).await;
    assert!(told.text().contains("was refused") && !told.text().contains("ann@acme"), "{}", told.describe());
    // Another organization's admin reads nothing.
    let foreign = scene.enter("it@globex.example.test").await;
    let told = foreign.visit(&scene.id(&format!("/admin/ref/{reference}"))).await;
    assert!(told.text().contains("no event with this reference"), "{}", told.describe());
}

#[tokio::test]
async fn m19_a_role_at_one_organization_is_none_at_another() {
    let scene = Scene::start();
    let (gus, _) = scene.log_in("gus@globex.example.test").await;
    scene.log_in("ines@initech.example.test").await;
    let (ann, _) = scene.log_in("ann@acme.example.test").await;
    // Admin of acme, auditor of globex, nobody at initech.
    let two = scene.enter("two@acme.example.test").await;
    let page = scene.person_page(&two, "gus@globex.example.test").await;
    assert!(page.text().contains("login.succeeded") && !page.html().contains("End all"), "{}", page.describe());
    let refused = post(&scene, &two, &format!("{}/sessions", page.url.path()), "all").await;
    assert_eq!(refused.status, 404, "{}", refused.describe());
    scene.until(&gus, true).await;
    let log = two.visit(&scene.id("/admin/log?action=login.succeeded")).await.text();
    assert!(log.contains("gus@globex.example.test") && log.contains("ann@acme.example.test"), "{log}");
    assert!(!log.contains("ines@initech"), "{log}");
    let all = two.visit(&scene.id("/admin/organizations")).await.text();
    assert!(all.contains("acme") && all.contains("globex") && !all.contains("initech"), "{all}");
    assert_eq!(two.visit(&scene.id("/admin/organizations/initech")).await.status, 404);
    let acme = two.visit(&scene.id("/admin/organizations/acme")).await.text();
    for word in ["acme.example.test", "stated by the operator", "/login/callback/acme", "it@acme.example.test"] {
        assert!(acme.contains(word), "{word}: {acme}");
    }
    let own = scene.person_page(&two, "ann@acme.example.test").await;
    two.submit(&own, &format!("{}/sessions", own.url.path()), &[("act", "all")]).await;
    scene.until(&ann, false).await;
}
