//! A product's people, imported beside the gateway that serves them.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::clock::Deadline;
use super::support::configuration::Configuration;
use super::support::gateway::{Gateway, program};
use super::support::upstream::Upstream;

const PASSWORD: &str = "wharf-cobalt-82-lantern";
/// Its bcrypt hash, as a product would bring it.
const HASH: &str = "$2b$05$abcdefghijklmnopqrstuuusFrNF7KJFsgMs/u3icgjXQPsxLjnlW";

struct Scene {
    gateway: Gateway,
    trello: Upstream,
}

impl Scene {
    /// `trello` keeps passwords here; a company holds acme.example.test and does not ask for single sign-on.
    fn start() -> Self {
        let trello = Upstream::start();
        let provider = "oidc = \"https://127.0.0.1:9\"\nclient_id = \"google\"\nclient_auth = \"none\"";
        let file = Configuration::new()
            .product(
                "trello",
                &trello.url(),
                "passwords = \"here\"\ndoors = { login = [\"/in\"], reset = [\"/forgot\"] }",
            )
            .product("loom", &trello.url(), "")
            .organization("acme", "acme.example.test", "https://127.0.0.1:9", "a secret")
            .table("[org.acme.policy]\nsso = \"off\"")
            .table("[[product.trello.enterprise]]\nname = \"bigco\"")
            .table(&format!("[third_party.google]\nlabel = \"Google\"\n{provider}"));
        Self { gateway: Gateway::start(&file), trello }
    }

    fn file(&self, name: &str, rows: &[Value]) -> PathBuf {
        let path = self.gateway.directory().join(name);
        let mut file = std::fs::File::create(&path).expect("a file");
        for row in rows {
            match row {
                Value::String(text) => writeln!(file, "{text}").expect("written"),
                row => writeln!(file, "{row}").expect("written"),
            }
        }
        path
    }

    fn import(&self, path: &std::path::Path, more: &[&str]) -> (Option<i32>, String, String) {
        let mut arguments = vec!["import", path.to_str().expect("text"), "--product", "trello"];
        arguments.extend(more);
        let (status, out, err) = self.gateway.command(&arguments);
        (status.code(), out, err)
    }

    fn people(&self) -> i64 {
        let store = rusqlite::Connection::open(self.gateway.directory().join("state/fedgate.db")).expect("the store");
        store.query_row("SELECT count(*) FROM account", [], |row| row.get(0)).expect("counted")
    }
}

fn lines(path: &std::path::Path, ending: &str) -> Vec<Value> {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    let text = std::fs::read_to_string(&name).expect("outcomes");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}"))).collect()
}

fn codes(lines: &[Value]) -> Vec<(&str, &str)> {
    let text = |line: &'_ Value, member: &str| -> &'static str {
        String::leak(line[member].as_str().unwrap_or("-").to_owned())
    };
    lines.iter().map(|line| (text(line, "outcome"), text(line, "code"))).collect()
}

#[tokio::test]
async fn people_come_in_beside_the_gateway_and_log_in_by_the_password_that_they_had() {
    let scene = Scene::start();
    let rows = [
        json!({ "id": "u-1", "email": "ann@acme.example.test", "email_verified": true, "name": "Ann", "password_hash": HASH }),
        json!({ "id": "u-2", "emails": [
            { "address": "bob@gmail.example.test" },
            { "address": "bob@team.acme.example.test", "verified": true, "primary": true },
        ], "links": [{ "provider": "google", "subject": "10493" }], "status": "off" }),
        Value::String("{\"id\": \"u-3\"".to_owned()),
        json!({ "id": "u-4", "email": "ANN@acme.example.test", "email_verified": true }),
        json!({ "id": "u-5", "email": "eve@example.test", "email_verified": true, "password_hash": "$2b$31$abcdefghijklmnopqrstuuusFrNF7KJFsgMs/u3icgjXQPsxLjnlW" }),
        json!({ "id": "u-6", "email": "fay@example.test", "email_verified": true, "links": [{ "provider": "slack", "subject": "1" }] }),
        json!({ "id": "u-7", "email": "gil@example.test", "email_verified": true, "last_login_at": "2999-01-01T00:00:00Z" }),
        json!({ "id": "u-8", "email": "hal@example.test", "email_verified": true, "links": [{ "provider": "google", "subject": "10493" }] }),
        json!({ "id": "u-1", "email": "ida@example.test", "email_verified": true }),
    ];
    let file = scene.file("people.jsonl", &rows);
    let before = scene.people();
    let (status, out, err) = scene.import(&file, &["--dry-run"]);
    assert_eq!(status, Some(1), "{out}{err}");
    for line in [
        "9 rows: 3 would be imported, 0 there already, 6 refused",
        "refused, address-twice: 1",
        "managed by acme: 1",
        "W-SUBDOMAIN team.acme.example.test: 1 people",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    assert_eq!(scene.people(), before, "nothing was written");
    let dry = lines(&file, ".dry-run.jsonl");
    assert_eq!(
        codes(&dry)[2..7],
        [
            ("refused", "shape"),
            ("refused", "address-twice"),
            ("refused", "hash"),
            ("refused", "provider"),
            ("refused", "time-ahead"),
        ]
    );

    let (status, out, err) = scene.import(&file, &[]);
    assert_eq!(status, Some(1), "{out}{err}");
    assert!(out.contains("2 imported, 0 were there already, 7 refused"), "{out}{err}");
    let outcomes = lines(&file, ".outcomes.jsonl");
    assert_eq!(
        codes(&outcomes),
        [
            ("made", "-"),
            ("made", "-"),
            ("refused", "shape"),
            ("refused", "lost"),
            ("refused", "hash"),
            ("refused", "provider"),
            ("refused", "time-ahead"),
            ("refused", "lost"),
            ("refused", "lost"),
        ]
    );
    assert!(outcomes.iter().zip(1..).all(|(line, number)| line["row"] == number), "{outcomes:?}");
    assert_eq!(scene.people(), before + 2);
    let (_, out, _) = scene.gateway.command(&["audit", "search", "--person", "ann@acme.example.test", "--json"]);
    let event: Value = serde_json::from_str(out.lines().next().expect("an event")).expect("JSON");
    assert_eq!((&event["action"], &event["actor"]["kind"]), (&json!("account.created"), &json!("operator")), "{event}");
    assert!(scene.gateway.command(&["audit", "verify"]).0.success());

    let agent = scene.gateway.agent(&[]);
    let page = agent.visit(&scene.gateway.url("trello", "/page")).await;
    let page = agent.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
    let page = agent.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert_eq!(page.url.as_str(), scene.gateway.url("trello", "/page"), "{}", page.describe());
    assert_eq!(scene.trello.last("/page").head.first("x-fedgate-user"), Some("u-1"));

    // What rows lacked may be there by now: they are tried again, and the others are there.
    let (status, out, err) = scene.import(&file, &[]);
    assert!(status == Some(1) && out.contains("0 imported, 3 were there already, 6 refused"), "{out}{err}");
    assert_eq!(lines(&file, ".outcomes.jsonl").len(), rows.len());

    // A corrected file: who is in stays as they are, the others follow.
    let again = scene.file(
        "again.jsonl",
        &[rows[0].clone(), json!({ "id": "u-5", "email": "eve@example.test", "email_verified": true })],
    );
    let (status, out, err) = scene.import(&again, &["--json"]);
    assert_eq!(status, Some(0), "{out}{err}");
    let said: Value = serde_json::from_str(&out).expect("one object");
    assert_eq!((&said["made"], &said["present"], &said["refused"]), (&json!(1), &json!(1), &json!(0)));
}

#[tokio::test]
async fn a_killed_import_goes_on_and_says_of_each_row_once_what_became_of_it() {
    let scene = Scene::start();
    const PEOPLE: usize = 6_000;
    let rows: Vec<Value> = (0..PEOPLE)
        .map(|number| json!({ "id": format!("u-{number}"), "email": format!("p{number}@example.test"), "email_verified": true }))
        .collect();
    let file = scene.file("many.jsonl", &rows);
    let before = scene.people();
    let mut killed = 0;
    for round in 1..=3 {
        let mut child = program()
            .args(["import", file.to_str().expect("text"), "--product", "trello", "--config"])
            .arg(scene.gateway.config_file())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let deadline = Deadline::after(Duration::from_secs(60));
        let enough = before + i64::from(round) * 1_200;
        while scene.people() < enough && child.try_wait().expect("our own").is_none() {
            assert!(!deadline.passed(), "it goes nowhere");
            std::thread::sleep(Duration::from_millis(3));
        }
        child.kill().expect("our own");
        killed += i32::from(!child.wait().expect("our own").success());
    }
    assert_eq!(killed, 3, "each was killed in the middle");
    assert!(scene.people() < before + PEOPLE as i64, "in the middle");
    let (status, out, err) = scene.import(&file, &[]);
    assert_eq!(status, Some(0), "{out}{err}");
    assert!(
        err.contains("Going on after row") && out.contains("6000 imported, 0 were there already, 0 refused"),
        "{out}{err}"
    );
    assert_eq!(scene.people(), before + PEOPLE as i64);
    let outcomes = lines(&file, ".outcomes.jsonl");
    assert_eq!(outcomes.len(), PEOPLE);
    for (number, line) in (1..).zip(&outcomes) {
        assert_eq!((&line["row"], &line["outcome"]), (&json!(number), &json!("made")), "{line}");
    }
    // The outcomes of an import belong to it, and its own file is none.
    let (status, _, err) = scene.import(&file, &["--outcomes", file.to_str().expect("text")]);
    assert!(status == Some(2) && err.contains("names the file that is imported"), "{err}");
    assert_eq!(std::fs::read_to_string(&file).expect("the file").lines().count(), PEOPLE);
    let elsewhere = scene.gateway.directory().join("elsewhere.jsonl");
    let (status, _, err) = scene.import(&file, &["--outcomes", elsewhere.to_str().expect("text")]);
    assert!(status == Some(2) && err.contains("not the one that the earlier run wrote"), "{err}");
    // Once more changes nothing, and says so.
    let (status, out, _) = scene.import(&file, &[]);
    assert!(status == Some(0) && out.contains("6000 imported"), "{out}");
    assert_eq!(scene.people(), before + PEOPLE as i64);
}

#[tokio::test]
async fn mistake_02_people_whom_nobody_proved_are_not_imported_by_the_dozen_unasked() {
    let scene = Scene::start();
    let rows: Vec<Value> = (0..20)
        .map(|number| json!({ "id": format!("u-{number}"), "email": format!("p{number}@example.test"), "email_verified": number > 1 }))
        .collect();
    let file = scene.file("unproved.jsonl", &rows);
    let before = scene.people();
    let (status, out, err) = scene.import(&file, &[]);
    assert!(status == Some(1) && err.contains("2 of 20 people have no proved address"), "{out}{err}");
    assert_eq!(scene.people(), before);
    let (status, out, err) = scene.import(&file, &["--unverified=prove"]);
    assert!(status == Some(0) && out.contains("20 imported"), "{out}{err}");
    // One in twenty is few enough.
    let file = scene.file("few.jsonl", &[rows[0].clone()].into_iter().chain((30..49).map(|number| {
        json!({ "id": format!("u-{number}"), "email": format!("p{number}@example.test"), "email_verified": true })
    })).collect::<Vec<_>>());
    assert_eq!(scene.import(&file, &[]).0, Some(0));
}

#[tokio::test]
async fn a_csv_file_is_read_by_its_header_and_wrong_ones_are_named() {
    let scene = Scene::start();
    let file = scene.file(
        "people.csv",
        &[
            "id,email,email_verified,name,link.google".into(),
            "u-1,ann@example.test,true,\"Ann \"\"A\"\" Lee, jr\",77".into(),
            "u-2,bob@example.test,true".into(),
            "u-3,cat@example.test,1,,".into(),
        ],
    );
    let (status, out, err) = scene.import(&file, &[]);
    assert!(status == Some(1) && out.contains("2 imported, 0 were there already, 1 refused"), "{out}{err}");
    let wrong = scene.file("wrong.csv", &["id,mail".into(), "u-1,a@example.test".into()]);
    let (status, _, err) = scene.import(&wrong, &[]);
    assert!(status == Some(2) && err.contains("\"mail\" is unknown"), "{err}");
    let open = scene.file("open.csv", &["id,email".into(), Value::String(format!("u-9,\"{}", "x,y\n".repeat(80_000)))]);
    let (status, _, err) = scene.import(&open, &[]);
    assert!(status == Some(2) && err.contains("a quote may be open"), "{err}");
    let (status, _, err) = scene.gateway.command(&["import", "nowhere.jsonl", "--product", "trello"]);
    assert!(status.code() == Some(2) && err.contains("nowhere.jsonl cannot be read"), "{err}");
    let (status, _, err) = scene.gateway.command(&["import", "x.jsonl", "--product", "jira"]);
    assert!(status.code() == Some(2) && err.contains("no [product.jira]"), "{err}");
    // A product that keeps no passwords here has no use for hashes.
    let hashes = scene.file(
        "hashes.jsonl",
        &[json!({ "id": "u-1", "email": "z@example.test", "email_verified": true, "password_hash": HASH })],
    );
    let (status, out, _) = scene.gateway.command(&["import", hashes.to_str().expect("text"), "--product", "loom"]);
    assert!(status.code() == Some(1) && out.contains("hash-not-kept: 1"), "{out}");
}

#[tokio::test]
async fn t37_an_import_says_who_belongs_to_which_enterprise() {
    let scene = Scene::start();
    let rows = [
        "id,email,email_verified,status,enterprise".into(),
        "u-1,ann@example.test,true,,bigco".into(),
        "u-2,bob@example.test,true,off,bigco".into(),
        "u-3,cat@example.test,true,,".into(),
        "u-4,dan@example.test,true,,nobody".into(),
        "u-5,eve@example.test,true,,Big Co".into(),
    ];
    let (status, out, err) = scene.import(&scene.file("members.csv", &rows), &[]);
    assert!(status == Some(1) && out.contains("3 imported, 0 were there already, 2 refused"), "{out}{err}");
    assert!(out.contains("enterprise-unknown: 1") && out.contains("enterprise: 1"), "{out}");
    let database = scene.gateway.directory().join("state/fedgate.db");
    let db = rusqlite::Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).expect("open");
    let mut read =
        db.prepare("SELECT sub, enterprise, off, off_by FROM product_account ORDER BY sub").expect("a statement");
    let found: Vec<(String, Option<String>, bool, Option<String>)> = read
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .expect("rows")
        .map(|row| row.expect("a row"))
        .collect();
    let bigco = || Some("bigco".to_owned());
    assert_eq!(
        found,
        [
            ("u-1".to_owned(), bigco(), false, None),
            ("u-2".to_owned(), bigco(), true, bigco()),
            ("u-3".to_owned(), None, false, None),
        ]
    );
}
