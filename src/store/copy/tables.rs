//! The tables that a copy knows, in the one order in which each row finds the rows that it refers to; their columns come from the
//! stores themselves.
//!
//! A table of either store that is neither here nor in [`LEFT_OUT`] stops every copy, and `tests/store/copy.rs` before that: a new
//! table is a line here.

use super::super::sql::value::Kind;
use super::CopyFault;

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in both stores.
    pub name: &'static str,
    /// Its rows' order: the primary key, or every column where there is none.
    pub key: &'static [&'static str],
    /// Rows that are held at once: fewer where one row may be a whole document.
    at_once: usize,
}

impl Table {
    /// Rows that are held at once.
    pub(in crate::store) fn at_once(&self) -> usize {
        self.at_once
    }
}

/// Rows of a usual table that are held at once: some 100 kB, and a round trip to a server costs little beside them.
const MANY: usize = 500;
/// Rows that are held at once where one may be of hundreds of kilobytes.
const FEW: usize = 16;

const fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key, at_once: MANY }
}

const fn documents(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key, at_once: FEW }
}

/// All that travel; who is referred to comes before those who refer to it.
pub const TABLES: &[Table] = &[
    table("clock", &["one"]),
    table("account", &["id"]),
    table("product_account", &["id"]),
    table("linked_identity", &["directory", "source", "subject"]),
    table("asserted_address", &["product", "email"]),
    table("login_session", &["id"]),
    table("product_session", &["id"]),
    table("mark", &["kind", "digest"]),
    table("revocation", &["seq"]),
    table("event", &["position"]),
    table("event_about", &["about", "position"]),
    table("checkpoint", &["size"]),
    table("directory", &["id"]),
    table("domain", &["domain"]),
    table("password", &["product_account"]),
    table("key", &["kind", "generation"]),
    documents("setting", &["name"]),
    table("policy", &["org", "name"]),
    table("factor", &["id"]),
    table("recovery_code", &["account", "code"]),
    table("mailbox_proof", &["id"]),
    table("address", &["product_account", "email"]),
    table("attempt", &["bucket"]),
    documents("outbox", &["id"]),
    table("outbox_recent", &["key", "at"]),
    table("outbox_dropped", &["one"]),
    table("domain_proof", &["org", "domain"]),
    documents("organization_version", &["org", "version"]),
    table("organization_head", &["org"]),
    table("role_pin", &["role", "org", "email"]),
    table("api_token", &["id"]),
    table("removed_alias", &["product", "email"]),
    table("deletion", &["account"]),
    table("profile_push", &["product_account"]),
    table("migration", &["id"]),
    table("tombstone", &["key"]),
    documents("quarantine", &["account"]),
    table("mail_language", &["account"]),
    table("scim_user", &["directory", "account"]),
    table("scim_group", &["id"]),
    table("scim_member", &["scim_group", "account"]),
    table("relinking", &["id"]),
    table("relinked", &["relinking", "account"]),
    table("provider_grant", &["login_session"]),
];

/// What a store has of its own and never travels: the server's count of its layouts, and the transactions by which it orders its
/// revocations. The table `writer`, a lock, has no column, and SQLite's own tables are not ours.
pub const LEFT_OUT: &[(&str, Option<&str>)] = &[("layout", None), ("revocation", Some("xid"))];

/// Tables in which an empty store has a row.
pub(super) const NEVER_EMPTY: &[&str] = &["clock", "outbox_dropped"];

/// A column as its store describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Column {
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub(in crate::store) kind: Kind,
}

/// A table with the columns that both stores have, by name.
#[derive(Clone, Debug)]
pub(in crate::store) struct Plan {
    pub table: Table,
    pub columns: Vec<(String, Kind)>,
}

impl Plan {
    /// The columns' names, quoted: `key` and `by` are words of SQL elsewhere.
    pub fn names(&self) -> String {
        let quoted: Vec<String> = self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        quoted.join(", ")
    }

    /// Reads all rows in the key's order, which is the order of bytes in both stores.
    pub fn select(&self) -> String {
        let key: Vec<String> = self.table.key.iter().map(|name| format!("\"{name}\"")).collect();
        format!("SELECT {} FROM \"{}\" ORDER BY {}", self.names(), self.table.name, key.join(", "))
    }
}

fn travels(column: &Column) -> bool {
    !LEFT_OUT.iter().any(|(table, name)| *table == column.table && name.is_none_or(|name| name == column.name))
}

/// What is copied between two stores that look like this.
///
/// # Errors
/// They have other tables or columns than this program knows, or not the same ones.
pub(super) fn plan(from: &[Column], to: &[Column]) -> Result<Vec<Plan>, CopyFault> {
    for column in from.iter().chain(to).filter(|column| travels(column)) {
        if !TABLES.iter().any(|table| table.name == column.table) {
            return Err(CopyFault::Layout(format!("the table {}, which this program does not know", column.table)));
        }
    }
    TABLES.iter().map(|table| of_table(*table, from, to)).collect()
}

fn of_table(table: Table, from: &[Column], to: &[Column]) -> Result<Plan, CopyFault> {
    let of = |columns: &[Column]| {
        let own = columns.iter().filter(|column| column.table == table.name && travels(column));
        let mut own: Vec<(String, Kind)> = own.map(|column| (column.name.clone(), column.kind)).collect();
        own.sort_by(|one, other| one.0.cmp(&other.0));
        own
    };
    let (columns, theirs) = (of(from), of(to));
    let has_key = table.key.iter().all(|name| columns.iter().any(|(column, _)| column == name));
    if columns != theirs || !has_key {
        return Err(CopyFault::Layout(format!("other columns of {} in one of them", table.name)));
    }
    Ok(Plan { table, columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Column> {
        let column = |table: &Table, name: &&str| Column {
            table: table.name.to_owned(),
            name: (*name).to_owned(),
            kind: Kind::Bytes,
        };
        TABLES.iter().flat_map(|table| table.key.iter().map(move |name| column(table, name))).collect()
    }

    #[test]
    fn stores_that_do_not_look_alike_are_not_copied() {
        assert_eq!(plan(&all(), &all()).unwrap().len(), TABLES.len());
        let check = |change: fn(&mut Vec<Column>), named: &str| {
            for changed in [0, 1] {
                let mut ends = [all(), all()];
                change(&mut ends[changed]);
                let why = plan(&ends[0], &ends[1]).unwrap_err().to_string();
                assert!(why.contains(named), "{why}");
            }
        };
        check(|columns| columns[0].table = "stranger".to_owned(), "stranger");
        check(|columns| columns[1].name = "other".to_owned(), "account");
        check(|columns| columns[1].kind = Kind::Int, "account");
        check(|columns| columns.retain(|column| column.table != "key"), "key");
        let own = |table: &str, name: &str| Column { table: table.to_owned(), name: name.to_owned(), kind: Kind::Int };
        let mut server = all();
        server.extend([own("layout", "version"), own("revocation", "xid")]);
        assert!(plan(&all(), &server).is_ok(), "what is a store's own stays where it is");
    }
}
