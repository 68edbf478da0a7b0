//! One store becomes another, from each kind to each kind: with rows in every table, in the order of bytes, and nobody beside.

use super::fixtures::*;
use super::server::{Server, name_of};
use fedgate::clock::Clock;
use fedgate::kernel::journal::{Batch, Change, Revocation};
use fedgate::store::copy::{Copied, CopyFault, LEFT_OUT, Side, TABLES, copy};
use fedgate::store::{self, OpenError, Sqlite, Store};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// A place for a store, and somebody else's way into it.
enum Place {
    File(String),
    Database(String),
}

impl Place {
    fn url(&self) -> &str {
        match self {
            Self::File(url) | Self::Database(url) => url,
        }
    }

    fn file(folder: &Folder, name: &str) -> Self {
        Self::File(format!("sqlite:{}", folder.path().join(name).display()))
    }

    fn database() -> Self {
        Self::Database(Server::shared().database())
    }

    fn open(&self) -> Result<Arc<dyn Store>, OpenError> {
        store::open(self.url(), Path::new("/nowhere"))
    }

    fn connection(&self) -> Connection {
        Connection::open(self.url().trim_start_matches("sqlite:")).unwrap()
    }

    /// Runs statements and returns the first value that the last one finds, as text.
    fn sql(&self, sql: &str) -> String {
        match self {
            Self::Database(url) => Server::shared().psql(name_of(url), sql),
            Self::File(_) => {
                let db = self.connection();
                let (before, last) = sql.rsplit_once(';').unwrap_or(("", sql));
                db.execute_batch(before).unwrap();
                let mut statement = db.prepare(last).unwrap();
                let mut rows = statement.query([]).unwrap();
                let first = rows.next().unwrap().map(|row| row.get::<_, rusqlite::types::Value>(0).unwrap());
                match first {
                    Some(rusqlite::types::Value::Integer(number)) => number.to_string(),
                    Some(rusqlite::types::Value::Text(text)) => text,
                    other => format!("{other:?}"),
                }
            }
        }
    }
}

fn copied(from: &Place, to: &Place) -> Result<Vec<Copied>, CopyFault> {
    copy(from.url(), to.url(), Path::new("/nowhere"), &mut |_, _| Ok(()))
}

/// Each kind of store to each kind.
fn each_way(scene: impl Fn(Place, Place)) {
    for (from, to) in [(false, true), (true, false), (false, false), (true, true)] {
        let folder = Folder::new();
        let place = |server: bool, name: &str| if server { Place::database() } else { Place::file(&folder, name) };
        scene(place(from, "from"), place(to, "to"));
    }
}

/// A column's name, its type, and whether it always holds something.
type Described = (String, String, bool);

/// The tables with their columns, as the file has them.
fn layout() -> Vec<(String, Vec<Described>)> {
    let folder = Folder::new();
    let path = folder.path().join("layout");
    drop(Sqlite::open(&path, Clock::system()).unwrap());
    let db = Connection::open(path).unwrap();
    let columns = |table: &str| {
        let mut statement = db.prepare("SELECT name, type, \"notnull\" OR pk > 0 FROM pragma_table_info(?)").unwrap();
        let found = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        found.map(Result::unwrap).collect()
    };
    TABLES.iter().map(|table| (table.name.to_owned(), columns(table.name))).collect()
}

/// Two rows in every table, the second one with nothing wherever nothing may stand; each refers to rows of the same number, and bytes
/// and text are such that an order by language, by length or by sign is another one.
fn fill(place: &Place) {
    let mut sql = String::new();
    for (table, columns) in layout() {
        if ["clock", "outbox_dropped"].contains(&table.as_str()) {
            continue;
        }
        for number in 1..=2 {
            let value = |(name, kind, required): &Described| match (kind.as_str(), number, required) {
                (_, 2, false) => "NULL".to_owned(),
                // Behind the last one there is no position.
                ("INTEGER", 1, _) if name == "seq" => "7".to_owned(),
                ("INTEGER", 1, _) => i64::MAX.to_string(),
                ("INTEGER", ..) => "-5".to_owned(),
                ("TEXT", ..) => if number == 1 { "'ä \"q\" z'" } else { "'Z'" }.to_owned(),
                _ => match place {
                    Place::File(_) => if number == 1 { "x'00ff'" } else { "x'ff'" }.to_owned(),
                    Place::Database(_) => if number == 1 { "'\\x00ff'::bytea" } else { "'\\xff'::bytea" }.to_owned(),
                },
            };
            let names: Vec<String> = columns.iter().map(|(name, ..)| format!("\"{name}\"")).collect();
            let values: Vec<String> = columns.iter().map(value).collect();
            sql.push_str(&format!("INSERT INTO \"{table}\" ({}) VALUES ({});\n", names.join(","), values.join(",")));
        }
    }
    sql.push_str("UPDATE clock SET high_water = 77; UPDATE outbox_dropped SET count = 78; SELECT 1");
    place.sql(&sql);
}

fn text_of(place: &Place, table: &str) -> Vec<String> {
    let columns = layout().into_iter().find(|(name, _)| name == table).unwrap().1;
    let of = |(name, kind, _): &Described| match (kind.as_str(), place) {
        ("BLOB", Place::File(_)) => format!("CASE WHEN \"{name}\" IS NULL THEN '-' ELSE lower(hex(\"{name}\")) END"),
        ("BLOB", Place::Database(_)) => format!("coalesce(encode(\"{name}\", 'hex'), '-')"),
        _ => format!("coalesce(CAST(\"{name}\" AS TEXT), '-')"),
    };
    let row = columns.iter().map(of).collect::<Vec<_>>().join(" || '|' || ");
    let first = place.sql(&format!("SELECT {row} FROM \"{table}\" ORDER BY 1 LIMIT 1"));
    let last = place.sql(&format!("SELECT {row} FROM \"{table}\" ORDER BY 1 DESC LIMIT 1"));
    let mut both = vec![first, last];
    both.sort();
    both
}

#[test]
fn every_table_of_either_store_is_known() {
    let (folder, server) = (Folder::new(), Place::database());
    let file = Place::file(&folder, "db");
    for place in [&file, &server] {
        block_on(async { place.open().unwrap().close().await });
    }
    let list = |text: String| text.split(',').map(str::to_owned).collect::<BTreeSet<_>>();
    let own: BTreeSet<String> =
        LEFT_OUT.iter().filter(|(_, column)| column.is_none()).map(|(name, _)| (*name).to_owned()).collect();
    let known: BTreeSet<String> = TABLES.iter().map(|table| table.name.to_owned()).collect();
    assert_eq!(known.len(), TABLES.len());
    let of_file = list(file.sql(
        "SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    ));
    assert_eq!(of_file, known);
    let of_server = list(server.sql("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'"));
    let mut expected: BTreeSet<String> = known.union(&own).cloned().collect();
    expected.insert("writer".to_owned());
    assert_eq!(of_server, expected);
}

#[test]
fn every_row_arrives_as_it_was_whatever_the_stores_are() {
    let digests = std::sync::Mutex::new(Vec::new());
    each_way(|from, to| {
        block_on(async { from.open().unwrap().close().await });
        fill(&from);
        let done = copied(&from, &to).unwrap();
        assert_eq!(
            done.iter().map(|table| table.table).collect::<Vec<_>>(),
            TABLES.iter().map(|table| table.name).collect::<Vec<_>>()
        );
        for table in &done {
            let rows = if ["clock", "outbox_dropped"].contains(&table.table) { 1 } else { 2 };
            assert_eq!(table.rows, rows, "{}", table.table);
            assert_eq!(text_of(&from, table.table), text_of(&to, table.table), "{}", table.table);
        }
        digests.lock().unwrap().push(done);
        block_on(async { to.open().unwrap().close().await });
    });
    let digests = digests.into_inner().unwrap();
    assert!(digests.iter().all(|one| *one == digests[0]), "the same rows have the same digest in each store");
}

/// A store that a gateway could have used: people, sessions, events, revocations, of which the last ones were swept, and keys.
fn lived(place: &Place) {
    block_on(async {
        let store = place.open().unwrap();
        let mut batch = world();
        batch.changes.push(Change::PutKey(fedgate::kernel::journal::KeyRow {
            kind: "audit".to_owned(),
            generation: 1,
            sealed: vec![1, 2, 3],
            created_at: now(),
        }));
        batch.events = (0..1_200).map(event).collect();
        store.commit(batch).await.unwrap();
        for _ in 0..3 {
            store.commit(Batch { revocations: vec![Revocation::Keys], ..Batch::default() }).await.unwrap();
        }
        store.close().await;
    });
    place.sql("DELETE FROM revocation WHERE seq = 3; SELECT 1");
}

#[test]
fn what_was_counted_goes_on_and_sessions_with_it() {
    each_way(|from, to| {
        lived(&from);
        let mut heard = Vec::new();
        let done = copy(from.url(), to.url(), Path::new("/nowhere"), &mut |done, of| {
            heard.push((done, of));
            Ok(())
        });
        done.unwrap();
        let (last, of) = *heard.last().unwrap();
        assert!(last == of && of > 2_400 && heard.is_sorted(), "{last} of {of}");
        block_on(async {
            let store = to.open().unwrap();
            let session = store.login_session(&login_session(1, 1).key).await.unwrap().expect("the session goes on");
            assert_eq!((session.id, session.account), (login(1), person(1)));
            assert_eq!(store.log_size().await.unwrap(), 1_200);
            assert_eq!(
                store.feed(0).await.unwrap().cursor,
                3,
                "the position of a row that was swept is not given again"
            );
            let batch = Batch { events: vec![event(1_200)], revocations: vec![Revocation::Keys], ..Batch::default() };
            assert_eq!(store.commit(batch).await.unwrap().log_size, 1_201);
            let feed = store.feed(2).await.unwrap();
            assert_eq!(feed.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [4]);
            store.close().await;
        });
    });
}

#[test]
fn only_a_store_that_was_used_is_copied_and_only_into_an_empty_one() {
    each_way(|from, to| {
        block_on(async { from.open().unwrap().close().await });
        assert!(matches!(copied(&from, &to), Err(CopyFault::Nothing)));
        lived(&from);
        block_on(async {
            let store = to.open().unwrap();
            store.commit(changes([Change::CreateAccount(account(9))])).await.unwrap();
            store.close().await;
        });
        assert!(matches!(copied(&from, &to), Err(CopyFault::NotEmpty("account"))));
        assert_eq!(to.sql("SELECT count(*) FROM account"), "1", "it is as it was");
        block_on(async { to.open().unwrap().close().await });
        to.sql("DELETE FROM account; SELECT 1");
        copied(&from, &to).unwrap();
        assert!(matches!(copied(&from, &to), Err(CopyFault::NotEmpty(_))), "nor twice");
    });
}

#[test]
fn nobody_else_may_use_either() {
    each_way(|from, to| {
        lived(&from);
        let gateway = from.open().unwrap();
        assert!(matches!(copied(&from, &to), Err(CopyFault::InUse(Side::From))));
        block_on(gateway.close());
        drop(gateway);
        let gateway = to.open().unwrap();
        assert!(matches!(copied(&from, &to), Err(CopyFault::InUse(Side::To))));
        block_on(gateway.close());
        drop(gateway);
        copied(&from, &to).unwrap();
    });
}

#[test]
fn a_copy_that_was_cut_off_is_no_store_and_is_made_anew() {
    each_way(|from, to| {
        lived(&from);
        let cut = copy(from.url(), to.url(), Path::new("/nowhere"), &mut |done, _| {
            if done < 1_000 { Ok(()) } else { Err(std::io::ErrorKind::BrokenPipe.into()) }
        });
        assert!(matches!(cut, Err(CopyFault::Told(_))));
        assert!(matches!(to.open().map(|_| ()), Err(OpenError::Unfinished)), "no gateway starts on it");
        assert_eq!(to.sql("SELECT count(*) FROM event"), "0");
        assert!(matches!(copied(&to, &from), Err(CopyFault::Unfinished)), "nor is it copied on");
        copied(&from, &to).unwrap();
        block_on(async {
            let store = to.open().unwrap();
            assert_eq!(store.log_size().await.unwrap(), 1_200);
            store.close().await;
        });
    });
}

#[test]
fn a_target_that_keeps_something_else_is_not_kept() {
    let folder = Folder::new();
    for to in [Place::file(&folder, "to"), Place::database()] {
        let from = Place::file(&folder, if matches!(to, Place::File(_)) { "from" } else { "other" });
        lived(&from);
        block_on(async { to.open().unwrap().close().await });
        // Whoever owns the target lets something else be written.
        match &to {
            Place::File(_) => to.sql(
                "CREATE TRIGGER other AFTER INSERT ON account BEGIN UPDATE account SET name = 'Eve' WHERE id = new.id; END; SELECT 1",
            ),
            Place::Database(_) => to.sql(
                "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := ''Eve''; RETURN NEW; END';
                 CREATE TRIGGER other BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION other()",
            ),
        };
        assert!(matches!(copied(&from, &to), Err(CopyFault::Differs("account"))));
        assert!(matches!(to.open().map(|_| ()), Err(OpenError::Unfinished)));
    }
}
