//! M23: the key-encryption key is replaced while two processes serve. Nobody notices, and when the old one is gone nothing in the store
//! opens by it.

use super::cluster::{Cluster, Nudges};
use super::ground::log_in;
use super::server::Server;
use super::support::gateway::Gateway;

const NEXT: &str = "6b";

/// Writes these lines in place of the file's about the key.
fn keys(node: &mut Gateway, lines: &str) {
    let text = std::fs::read_to_string(node.config_file()).expect("a file");
    let kept = text.lines().filter(|line| !line.starts_with("key_file") && !line.starts_with("next_key_file"));
    let text = std::iter::once(lines).chain(kept).collect::<Vec<_>>().join("\n");
    std::fs::write(node.config_file(), text).expect("a file");
}

fn ask(cluster: &Cluster, sql: &str) -> String {
    Server::shared().psql(cluster.database(), sql)
}

/// Every sealed row: kind, generation, bytes in hexadecimal.
fn rows(cluster: &Cluster) -> Vec<[String; 3]> {
    let sql = "SELECT kind || ' ' || generation || ' ' || encode(sealed, 'hex') FROM key ORDER BY kind, generation";
    let said = ask(cluster, sql);
    let row = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().expect("three");
    said.lines().filter(|line| !line.is_empty()).map(row).collect()
}

#[tokio::test]
async fn m23_the_key_encryption_key_is_replaced_while_both_serve_and_the_old_one_opens_nothing() {
    let mut cluster = Cluster::start(Server::shared(), Nudges::Come);
    let page = cluster.url("trello", "/");
    let ann = cluster.agent();
    assert_eq!(log_in(&ann, &page, "ann").await.status, 200);
    let folder = tempfile::tempdir().expect("a folder");
    let next = folder.path().join("next").display().to_string();
    std::fs::write(&next, NEXT.repeat(32)).expect("a file");
    let old = std::fs::read_to_string(cluster.nodes[0].config_file()).expect("a file");
    let old = old.lines().find(|line| line.starts_with("key_file")).expect("a line").to_owned();

    let (status, out, err) = cluster.nodes[0].command(&["keys", "rotate", "--kek"]);
    assert!(!status.success() && format!("{out}{err}").contains("next_key_file"), "{out}{err}");
    let before = rows(&cluster);
    for node in [0, 1] {
        cluster.to(1 - node);
        keys(&mut cluster.nodes[node], &format!("{old}\nnext_key_file = {next:?}"));
        cluster.nodes[node].restart();
    }
    assert_eq!(rows(&cluster), before, "nothing is sealed anew before it is said");
    let (status, out, err) = cluster.nodes[0].command(&["keys", "rotate", "--kek"]);
    assert!(status.success() && out.contains("without next_key_file"), "{out}{err}");
    let after = rows(&cluster);
    let is_there = |row: &[String; 3]| after.iter().any(|other| other[2] == row[2]);
    assert!(after.len() == before.len() && !before.iter().any(is_there), "each row is another");
    for node in [0, 1] {
        cluster.to(node);
        assert_eq!(log_in(&cluster.agent(), &page, "ann").await.status, 200, "at node {node}:\n{}", cluster.log());
    }
    // Keys made from now on are under the new one, first at the process that was told by the other.
    for node in [1, 0] {
        let (status, out, err) = cluster.nodes[node].command(&["keys", "rotate", "--kind", "cookie"]);
        assert!(status.success(), "{out}{err}");
    }
    for node in [0, 1] {
        cluster.to(1 - node);
        keys(&mut cluster.nodes[node], &format!("key_file = {next:?}"));
        cluster.nodes[node].restart();
        cluster.to(node);
        let seen = ann.visit(&page).await;
        assert_eq!((seen.status.as_u16(), seen.trace.len()), (200, 1), "node {node}: {}", seen.describe());
        assert_eq!(log_in(&cluster.agent(), &page, "ann").await.status, 200, "at node {node}:\n{}", cluster.log());
    }

    // Whoever has the old key and writes into the store brings nothing back.
    let looks = ["migrate", "status", "--product", "trello"];
    let (_, out, err) = cluster.nodes[0].command(&looks);
    assert!(!format!("{out}{err}").contains("does not open"), "{out}{err}");
    let [kind, generation, sealed] = before.iter().find(|row| row[0] == "assertion").expect("a key");
    let put = format!(
        "UPDATE key SET sealed = decode('{sealed}', 'hex') WHERE kind = '{kind}' AND generation = {generation}"
    );
    ask(&cluster, &put);
    assert!(rows(&cluster).iter().any(|row| row[2] == *sealed), "it is there");
    let (status, out, err) = cluster.nodes[0].command(&looks);
    assert!(!status.success() && format!("{out}{err}").contains("does not open"), "{out}{err}");
}
