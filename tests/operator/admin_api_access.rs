//! A product's own word on its users beside a company's (T37, behaviour §3.7): two managers, neither above the other.

use super::*;

const ACCESS: &str = "/products/trello/access";

impl Scene {
    async fn put(&self, token: &str, body: Value) -> Answer {
        self.call(Some(token), &Method::PUT, ACCESS, Some(body), None).await
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
