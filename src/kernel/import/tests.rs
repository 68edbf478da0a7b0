use super::*;
use proptest::prelude::*;

fn row(text: &str) -> ImportRow {
    read_json(text).unwrap_or_else(|fault| panic!("{fault}: {text}"))
}

fn code(text: &str) -> &'static str {
    read_json(text).map(|row| row.sub).expect_err(text).code()
}

fn live(emails: &str) -> String {
    let row = row(&format!(r#"{{"id": "u-1", "emails": {emails}}}"#));
    row.live().expect("it has an address").email.to_string()
}

#[test]
fn a_row_says_what_it_says_and_nothing_more() {
    let short = row(r#"{"id": "u-1", "email": " Ann@ACME.com", "email_verified": true, "password_hash": "$2b$12$x"}"#);
    let [address] = short.addresses.as_slice() else { panic!("one address") };
    assert_eq!((address.email.as_str(), address.verified, address.primary), ("ann@acme.com", true, true));
    assert_eq!(short.hash.as_ref().map(Hash::reveal), Some("$2b$12$x"));
    assert!(!format!("{short:?}").contains("$2b"), "a hash is never shown");
    let bare = row(r#"{"id": "u-1", "email": "ann@acme.com"}"#);
    assert!(
        !bare.addresses[0].verified && bare.is_unverified() && !bare.off && bare.hash.is_none(),
        "not said is not proved"
    );
    let whole = row(
        r#"{"id": "u-1", "emails": [{"address": "a@x.com", "verified": true, "verified_at": "2020-01-02T03:04:05Z", "primary": true,
           "added_at": "2019-01-02T03:04:05+01:00", "last_login_at": "2021-01-02T03:04:05Z"}, {"address": "b@x.com"}],
           "name": "Ann", "status": "off", "enterprise": "bigco", "links": [{"provider": "google", "subject": "1"}], "last_login_at": "2021-01-02T03:04:05Z"}"#,
    );
    assert_eq!(whole.enterprise.as_ref().map(EnterpriseName::as_str), Some("bigco"));
    assert!(whole.off && whole.addresses.len() == 2 && whole.links.len() == 1);
    assert_eq!(whole.addresses[0].added_at, Some(Timestamp::from_seconds(1_546_394_645)));
    // The short form's address is the primary one, unless another says so.
    let both = row(r#"{"id": "u-1", "email": "a@x.com", "emails": [{"address": "b@x.com", "primary": true}]}"#);
    assert_eq!(
        both.addresses.iter().filter(|address| address.primary).map(|one| one.email.as_str()).collect::<Vec<_>>(),
        ["b@x.com"]
    );
}

#[test]
fn each_mistake_has_its_code() {
    let many: Vec<String> = (0..=MOST_ADDRESSES).map(|number| format!(r#"{{"address": "a{number}@x.com"}}"#)).collect();
    let rows = [
        ("", "shape"),
        ("[]", "shape"),
        (r#"{"id": "u-1"}"#, "no-address"),
        (r#"{"id": "", "email": "a@x.com"}"#, "id"),
        ("{\"id\": \"a\\u0000\", \"email\": \"a@x.com\"}", "id"),
        (r#"{"id": 7, "email": "a@x.com"}"#, "shape"),
        (r#"{"id": "u", "email": "a@x.com", "email_verified": "true"}"#, "shape"),
        (r#"{"id": "u", "email": "a@x.com", "verified": true}"#, "shape"),
        (r#"{"id": "u", "id": "v", "email": "a@x.com"}"#, "shape"),
        (r#"{"id": "u", "email": "a@x.com", "enterprise": "Big Co"}"#, "enterprise"),
        (r#"{"id": "u", "email": "a at x.com"}"#, "address"),
        (r#"{"id": "u", "email": "ä@x.com"}"#, "address"),
        (r#"{"id": "u", "email": "A@x.com", "emails": [{"address": "a@X.com"}]}"#, "address-twice"),
        (
            r#"{"id": "u", "emails": [{"address": "a@x.com", "primary": true}, {"address": "b@x.com", "primary": true}]}"#,
            "primaries",
        ),
        (r#"{"id": "u", "email": "a@x.com", "last_login_at": "yesterday"}"#, "time"),
        (r#"{"id": "u", "email": "a@x.com", "links": [{"provider": "g", "subject": ""}]}"#, "link"),
        (
            r#"{"id": "u", "email": "a@x.com", "links": [{"provider": "g", "subject": "1"}, {"provider": "g", "subject": "2"}]}"#,
            "link",
        ),
        (r#"{"id": "u", "email": "a@x.com", "status": "gone"}"#, "shape"),
    ];
    for (text, expected) in rows {
        assert_eq!(code(text), expected, "{text}");
    }
    assert_eq!(code(&format!(r#"{{"id": "u", "emails": [{}]}}"#, many.join(","))), "no-address");
    assert_eq!(code(&format!(r#"{{"id": "u", "email": "a@x.com", "password_hash": "{}"}}"#, "x".repeat(1025))), "hash");
    assert_eq!(code(&"x".repeat(LONGEST_ROW + 1)), "too-long");
    // What stands in a row with a mistake is not repeated: it may be a hash in the wrong place.
    let shown = read_json(r#"{"id": "u", "email": "a@x.com", "status": "$2b$12$secret"}"#).unwrap_err().to_string();
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn the_address_is_picked_alike_each_time() {
    let rows = [
        // The proved primary one.
        (
            r#"[{"address": "a@x.com", "verified": true, "last_login_at": "2025-01-01T00:00:00Z"}, {"address": "b@x.com", "verified": true, "primary": true}]"#,
            "b@x.com",
        ),
        // An unproved primary one gives way to a proved one.
        (r#"[{"address": "a@x.com", "primary": true}, {"address": "b@x.com", "verified": true}]"#, "b@x.com"),
        // The one that was used last; then the one that was proved last; then the oldest; then bytewise.
        (
            r#"[{"address": "a@x.com", "verified": true, "last_login_at": "2024-01-01T00:00:00Z"}, {"address": "b@x.com", "verified": true, "last_login_at": "2025-01-01T00:00:00Z"}, {"address": "c@x.com", "verified": true}]"#,
            "b@x.com",
        ),
        (
            r#"[{"address": "a@x.com", "verified": true, "verified_at": "2024-01-01T00:00:00Z"}, {"address": "b@x.com", "verified": true, "verified_at": "2025-01-01T00:00:00Z"}]"#,
            "b@x.com",
        ),
        (
            r#"[{"address": "a@x.com", "verified": true, "added_at": "2024-01-01T00:00:00Z"}, {"address": "b@x.com", "verified": true, "added_at": "2023-01-01T00:00:00Z"}, {"address": "c@x.com", "verified": true}]"#,
            "b@x.com",
        ),
        (r#"[{"address": "b@x.com", "verified": true}, {"address": "a@x.com", "verified": true}]"#, "a@x.com"),
        // Ties of times too.
        (
            r#"[{"address": "b@x.com", "verified": true, "last_login_at": "2025-01-01T00:00:00Z"}, {"address": "a@x.com", "verified": true, "last_login_at": "2025-01-01T00:00:00Z"}]"#,
            "a@x.com",
        ),
        // None is proved.
        (r#"[{"address": "a@x.com"}, {"address": "b@x.com", "primary": true}]"#, "b@x.com"),
        (r#"[{"address": "b@x.com"}, {"address": "a@x.com"}]"#, "a@x.com"),
    ];
    for (emails, expected) in rows {
        assert_eq!(live(emails), expected, "{emails}");
    }
}

#[test]
fn a_csv_header_names_its_columns_and_a_record_fits_it() {
    let columns = Columns::of_header("id,email,email_verified,link.google,status".split(',')).unwrap();
    let read = columns.read("u-1,ann@acme.com,true,10493,".split(',')).unwrap();
    assert!(read.addresses[0].verified && !read.off && read.name.is_none());
    assert_eq!(read.links, [ImportedLink { provider: "google".to_owned(), subject: "10493".to_owned() }]);
    assert!(columns.read("u-1,ann@acme.com,,,off".split(',')).unwrap().off);
    for (record, expected) in [
        ("u-1,ann@acme.com,yes,,", "shape"),
        ("u-1,ann@acme.com,,,gone", "shape"),
        ("u-1,ann@acme.com", "shape"),
        (",ann@acme.com,,,", "id"),
        ("u-1,,,,", "no-address"),
    ] {
        assert_eq!(columns.read(record.split(',')).unwrap_err().code(), expected, "{record}");
    }
    for header in ["id", "email", "id,email,email", "id,email,password", "id,email,link."] {
        assert!(Columns::of_header(header.split(',')).is_err(), "{header}");
    }
}

proptest! {
    #[test]
    fn any_row_is_read_or_refused_and_what_is_read_has_one_live_address(text in r#"\{("(id|email|emails|name|status|links)": ("[a-z@.]{0,12}"|\[\]|true|7),? ?){0,5}\}"#) {
        if let Ok(row) = read_json(&text) {
            prop_assert!(row.live().is_some());
            prop_assert!((1..=MOST_ADDRESSES).contains(&row.addresses.len()));
        }
    }
}
