//! A product's own word on its users beside a company's (T37, behaviour §3.7): two managers, neither above the other.

use super::*;

const ACCESS: &str = "/products/trello/access";

impl Scene {
    async fn put(&self, token: &str, body: Value) -> Answer {
        self.send(token, ACCESS, body).await
    }

    async fn send(&self, token: &str, path: &str, body: Value) -> Answer {
        let method = if path.ends_with("move-requests") { Method::POST } else { Method::PUT };
        self.call(Some(token), &method, path, Some(body), None).await
    }

    /// Whether this browser is let in at a product now, logging in where that is all it takes.
    async fn enters(&self, agent: &UserAgent, product: &str) -> bool {
        let url = self.gateway.url(product, "/");
        let page = agent.visit(&url).await;
        page.status == 200 && page.url.as_str() == url
    }
}

#[tokio::test]
async fn t37_a_product_and_a_company_each_keep_out_and_neither_undoes_the_other() {
    let loom = Upstream::start();
    let scene = Scene::start_with(|file| file.product("loom", &loom.url(), ""));
    let (ann, _) = scene.log_in("ann@acme.example.test").await;
    assert!(scene.enters(&ann, "loom").await);
    let sub = ann.visit(&scene.gateway.url("trello", "/.fedgate/session")).await.json()["sub"].clone();
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let company = scene.token("it@acme.example.test", Some("acme"), ALL).await;
    let id = account(&scene, &company, "acme", "ann@acme.example.test").await;
    let path = format!("/organizations/acme/people/{id}");

    // The product closes itself: there she is out within a second, elsewhere nothing has changed.
    let off = scene.put(&operator, json!({ "sub": sub, "off": true })).await;
    assert_eq!((off.status, &off.body["off"], &off.body["account"]), (StatusCode::OK, &json!(true), &json!(id)));
    let took = scene.until(&ann, false).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(scene.enters(&ann, "loom").await, "her session at another product goes on");
    assert_eq!(scene.read(&company, &path).await.body["status"], "active", "the account is not the product's");
    let fresh = scene.gateway.agent(&[&scene.op.ca_file()]);
    let page = fresh.visit(&scene.gateway.url("trello", "/")).await;
    let page = fresh.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
    assert!(page.text().contains("not active"), "her company's word does not open it: {}", page.describe());
    // Again is no mistake.
    assert_eq!(scene.put(&operator, json!({ "sub": sub, "off": true })).await.status, 200);

    // The company switches the account off, and on again: what the product closed stays closed.
    scene.write(&company, Method::POST, &format!("{path}/deactivate"), Value::Null, &path).await;
    assert!(!scene.enters(&ann, "loom").await);
    let on = scene.put(&operator, json!({ "sub": sub, "off": false })).await;
    assert_eq!(on.body["off"], false, "the product opens itself while the company keeps her out");
    assert!(!scene.enters(&ann, "trello").await);
    scene.put(&operator, json!({ "sub": sub, "off": true })).await;
    scene.write(&company, Method::POST, &format!("{path}/reactivate"), Value::Null, &path).await;
    let (again, _) = scene.log_in_at("ann@acme.example.test", "loom").await;
    assert!(scene.enters(&again, "loom").await);
    assert!(!scene.enters(&again, "trello").await);
    scene.put(&operator, json!({ "sub": sub, "off": false })).await;
    assert!(scene.enters(&again, "trello").await);

    // Nothing else of her is a product's to say, and nobody but its operators says it.
    for body in [
        json!({ "sub": sub, "off": false, "email": "ann@elsewhere.example.test" }),
        json!({ "sub": sub, "off": false, "status": "deactivated" }),
        json!({ "sub": sub }),
    ] {
        let refused = scene.put(&operator, body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    }
    assert_eq!(scene.read(&company, &path).await.body["email"], "ann@acme.example.test");
    let refused = scene.put(&company, json!({ "sub": sub, "off": true })).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::FORBIDDEN, &json!("role")));
    let read = format!("{ACCESS}?sub={}", sub.as_str().expect("text"));
    let reads = scene.call(Some(&company), &Method::GET, &read, None, None);
    assert_eq!(reads.await.status, StatusCode::FORBIDDEN);
    let nobody = scene.put(&operator, json!({ "sub": "nobody", "off": true })).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND, "{}", nobody.body);
    let shown = scene.read(&operator, &read).await.body;
    assert_eq!((&shown["off"], &shown["product"]), (&json!(false), &json!("trello")));

    let (_, out, _) = scene.gateway.command(&["audit", "search", "--person", "ann@acme.example.test", "--json"]);
    assert!(!out.is_empty());
    let log = scene.gateway.command(&["audit", "search", "--json"]).1;
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = events.iter().filter(|event| event["action"] == "access.removed").collect();
    assert_eq!(told.len(), 2, "once for each change");
    let event = told[0];
    assert_eq!((&event["product"], &event["subject"]["account"]), (&json!("trello"), &json!(id)));
    assert_eq!(event["actor"]["address"], "ops@acme.example.test");
}

const MEMBERS: &str = "/products/trello/enterprises/bigco/members";
const MEMBER_ACCESS: &str = "/products/trello/enterprises/bigco/access";

#[tokio::test]
async fn t37_an_enterprise_keeps_its_own_members_out_of_its_product_and_says_nothing_else() {
    let loom = Upstream::start();
    let scene = Scene::start_with(|file| file.product("loom", &loom.url(), ""));
    let (ann, _) = scene.log_in("ann@acme.example.test").await;
    let (bob, _) = scene.log_in("bob@acme.example.test").await;
    assert!(scene.enters(&ann, "loom").await);
    let told = async |agent: &UserAgent| agent.visit(&scene.gateway.url("trello", "/.fedgate/session")).await.json();
    let (sub, other) = (told(&ann).await["sub"].clone(), told(&bob).await["sub"].clone());
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let company = scene.token("it@acme.example.test", Some("acme"), ALL).await;
    let narrow =
        scene.mint("ops@acme.example.test", Some("trello/bigco"), PEOPLE).expect("an operator's narrower token");
    let bigco = scene.token("boss@globex.example.test", Some("trello/bigco"), PEOPLE).await;
    let smallco = scene.token("lead@globex.example.test", Some("trello/smallco"), PEOPLE).await;
    for (email, place, scopes) in [
        ("boss@globex.example.test", Some("trello/smallco"), PEOPLE),
        ("boss@globex.example.test", None, PEOPLE),
        ("boss@globex.example.test", Some("trello/bigco"), ALL),
        ("it@acme.example.test", Some("trello/bigco"), PEOPLE),
        ("boss@globex.example.test", Some("trello/nobody"), PEOPLE),
        ("boss@globex.example.test", Some("loom/bigco"), PEOPLE),
    ] {
        assert!(scene.mint(email, place, scopes).is_err(), "{email} {place:?}");
    }

    // Nobody takes a token of an enterprise for one without limits.
    let (status, listed, err) = scene.gateway.command(&["token", "list"]);
    assert!(status.success() && listed.matches("trello/bigco").count() == 2, "{listed}{err}");

    // Who is a member is the product's to say.
    let add = json!({ "sub": sub, "member": true });
    for token in [&bigco, &narrow, &company] {
        let refused = scene.send(token, MEMBERS, add.clone()).await;
        assert!(matches!(refused.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{}", refused.body);
    }
    let unknown = scene.send(&bigco, MEMBER_ACCESS, json!({ "sub": sub, "off": true })).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "no member yet: {}", unknown.body);
    let added = scene.send(&operator, MEMBERS, add.clone()).await;
    assert_eq!((added.status, &added.body["enterprise"]), (StatusCode::OK, &json!("bigco")), "{}", added.body);
    assert_eq!(scene.send(&operator, MEMBERS, add).await.status, StatusCode::OK, "again is no mistake");
    let members = scene.read(&bigco, MEMBERS).await.body;
    assert_eq!(members["items"].as_array().map(Vec::len), Some(1), "{members}");
    assert_eq!(
        (&members["items"][0]["sub"], &members["items"][0]["email"], &members["items"][0]["off"]),
        (&sub, &json!("ann@acme.example.test"), &json!(false))
    );
    assert_eq!(told(&ann).await["enterprise"], "Big Company");
    assert_eq!(told(&bob).await["enterprise"], Value::Null);
    assert_eq!(told(&ann).await["managed_by"], "Acme", "the two stand beside each other");

    // It keeps its member out of its product within a second, and of nothing else.
    let off = scene.send(&bigco, MEMBER_ACCESS, json!({ "sub": sub, "off": true })).await;
    assert_eq!((off.status, &off.body["off"]), (StatusCode::OK, &json!(true)), "{}", off.body);
    let took = scene.until(&ann, false).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(scene.enters(&ann, "loom").await && scene.enters(&bob, "trello").await);
    let id = account(&scene, &company, "acme", "ann@acme.example.test").await;
    assert_eq!(scene.read(&company, &format!("/organizations/acme/people/{id}")).await.body["status"], "active");
    assert_eq!(scene.read(&bigco, MEMBERS).await.body["items"][0]["off_by"], "enterprise");
    // Nobody else's member, nobody else's enterprise, and no other word.
    for (token, path, body, status) in [
        (&bigco, MEMBER_ACCESS, json!({ "sub": other, "off": true }), 404),
        (&smallco, MEMBER_ACCESS, json!({ "sub": sub, "off": false }), 404),
        (&company, MEMBER_ACCESS, json!({ "sub": sub, "off": false }), 404),
        (&bigco, ACCESS, json!({ "sub": sub, "off": false }), 403),
        (&bigco, "/products/loom/enterprises/bigco/access", json!({ "sub": sub, "off": true }), 404),
        (&bigco, MEMBER_ACCESS, json!({ "sub": sub, "off": false, "email": "a@b.example" }), 422),
        (&bigco, MEMBER_ACCESS, json!({ "sub": sub, "off": false, "name": "Ann" }), 422),
    ] {
        let refused = scene.send(token, path, body.clone()).await;
        assert_eq!(refused.status.as_u16(), status, "{path} {body}: {}", refused.body);
    }
    for path in [
        "/organizations/acme",
        "/organizations/acme/people",
        "/organizations/globex/people",
        "/products/trello/access?sub=x",
    ] {
        let refused = scene.call(Some(&bigco), &Method::GET, path, None, None).await;
        assert!(matches!(refused.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{path}: {}", refused.body);
    }
    let none = scene.call(Some(&bigco), &Method::GET, "/organizations", None, None).await;
    assert_eq!(none.status, StatusCode::FORBIDDEN);

    // It opens what it closed, and not what the product closed.
    scene.send(&bigco, MEMBER_ACCESS, json!({ "sub": sub, "off": false })).await;
    assert!(scene.enters(&ann, "trello").await);
    scene.put(&operator, json!({ "sub": sub, "off": true })).await;
    let refused = scene.send(&bigco, MEMBER_ACCESS, json!({ "sub": sub, "off": false })).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("closed-by-product")));
    assert!(!scene.enters(&ann, "trello").await);
    scene.put(&operator, json!({ "sub": sub, "off": false })).await;
    assert!(scene.enters(&ann, "trello").await);

    // Nobody moves where nothing is to be moved to, and who left is nobody of it.
    let asked = scene.send(&bigco, "/products/trello/enterprises/bigco/move-requests", json!({ "subs": [sub] })).await;
    assert_eq!((asked.status, &asked.body["code"]), (StatusCode::CONFLICT, &json!("phase-off")), "{}", asked.body);
    scene.send(&operator, MEMBERS, json!({ "sub": sub, "member": false })).await;
    let gone = scene.send(&bigco, MEMBER_ACCESS, json!({ "sub": sub, "off": true })).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "{}", gone.body);
    assert_eq!(told(&ann).await["enterprise"], Value::Null);

    // Every word of it is in the log, with who said it for whom.
    let log = scene.gateway.command(&["audit", "search", "--json"]).1;
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |action: &str| events.iter().filter(|event| event["action"] == action).collect::<Vec<_>>();
    assert_eq!(of("enterprise.member_changed").len(), 2);
    let closed = of("access.removed");
    let by = |event: &&&Value| event["actor"]["address"] == "boss@globex.example.test";
    let by_enterprise: Vec<_> = closed.iter().filter(by).collect();
    assert_eq!((closed.len(), by_enterprise.len()), (2, 1));
    assert_eq!(
        (&by_enterprise[0]["after"]["enterprise"], &by_enterprise[0]["product"]),
        (&json!("bigco"), &json!("trello"))
    );
    let pinned = of("role.pinned");
    assert!(
        pinned.iter().any(|event| event["after"] == json!({ "role": "enterprise", "over": "trello/bigco" })),
        "{pinned:?}"
    );
}

#[tokio::test]
async fn t37_an_enterprise_asks_members_to_move_once_a_week_and_forces_nobody() {
    let board = Upstream::start();
    let keys = "passwords = \"here\"\nmigration = { phase = \"optional\" }\n\
                [[product.board.enterprise]]\nname = \"bigco\"\nlabel = \"Big Company\"\nadmins = [\"boss@globex.example.test\"]";
    let issuer =
        "[issuer]\nname = \"Example\"\noidc = \"https://127.0.0.1:9\"\nclient_id = \"c\"\nclient_auth = \"none\"";
    let scene = Scene::start_with(|file| file.product("board", &board.url(), keys).table(issuer));
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let bigco = scene.token("boss@globex.example.test", Some("board/bigco"), PEOPLE).await;
    let members = "/products/board/enterprises/bigco/members";
    for (sub, verified, member) in [("ann", true, true), ("bob", false, true), ("cid", true, false)] {
        let email = format!("{sub}@somewhere.example.test");
        let person = json!({ "email": email, "verified": verified, "sub": sub });
        let made = scene.call(Some(&operator), &Method::POST, "/products/board/accounts", Some(person), None).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        if member {
            let added = scene.send(&operator, members, json!({ "sub": sub, "member": true })).await;
            assert_eq!(added.status, StatusCode::OK, "{}", added.body);
        }
    }
    let ask = "/products/board/enterprises/bigco/move-requests";
    let said = scene.send(&bigco, ask, json!({ "subs": ["ann", "bob", "cid", "dan"] })).await;
    let nobody = json!([]);
    assert_eq!(
        said.body,
        json!({ "asked": ["ann"], "without_letter": ["bob"], "unknown": ["cid", "dan"], "moved": nobody, "asked_before": nobody }),
        "{}",
        said.status
    );
    let again = scene.send(&bigco, ask, json!({ "subs": ["ann"] })).await;
    assert_eq!((&again.body["asked"], &again.body["asked_before"]), (&nobody, &json!(["ann"])));
    for wrong in [json!({ "subs": [] }), json!({ "subs": vec!["x"; 201] }), json!({ "subs": ["ann"], "force": true })] {
        assert_eq!(scene.send(&bigco, ask, wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    // One letter, to the proved address; nobody is moved and every password is as it was.
    let outbox = scene.gateway.directory().join("state/outbox");
    let letters = || {
        let files = std::fs::read_dir(&outbox).into_iter().flatten().flatten();
        let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.filter(|text| text.contains("asks you to move your Board login")).collect::<Vec<_>>()
    };
    eventually("a letter", Duration::from_secs(10), || letters().len() == 1).await;
    assert!(letters()[0].contains("To: ann@somewhere.example.test"), "{}", letters()[0]);
    let listed = scene.read(&bigco, members).await.body;
    let items = listed["items"].as_array().expect("a list");
    assert!(items.iter().all(|item| item["state"] == "local" && item["asked_at"].is_string()), "{listed}");
    let log = scene.gateway.command(&["audit", "search", "--json"]).1;
    let told = log.lines().filter(|line| line.contains("migration.asked")).count();
    assert_eq!(told, 2, "ann and bob");
}
