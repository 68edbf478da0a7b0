//! What clients write, by rows; and for any text whatever: parsers end, and what is printed reads back.

use super::filter::{Attribute, Filter, Operator};
use super::patch::{Of, apply};
use super::path::Path;
use super::{Attributes, person, schema};
use proptest::prelude::*;
use serde_json::{Value, json};

fn object(value: Value) -> Attributes {
    value.as_object().expect("an object").clone()
}

fn ann() -> Attributes {
    let given = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "Ann@Acme.com", "externalId": "00uA", "active": "True", "title": "",
        "name": { "givenName": "Ann", "familyName": "Lee", "middleName": null },
        "emails": [
            { "value": "ann@acme.com", "type": "work", "primary": true }, { "value": "a@home.example", "type": "home" }
        ],
        "phoneNumbers": [{ "value": "+1" }], "id": "mine", "groups": [{ "value": "admins" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "Department": "sales", "manager": "bob" },
    });
    schema::user(&object(given)).unwrap()
}

#[test]
fn a_resource_has_one_form() {
    let expected = json!({
        "userName": "Ann@Acme.com", "externalId": "00uA", "active": true,
        "name": { "givenName": "Ann", "familyName": "Lee" },
        "emails": [
            { "value": "ann@acme.com", "type": "work", "primary": true }, { "value": "a@home.example", "type": "home" }
        ],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "sales", "manager": { "value": "bob" } },
    });
    assert_eq!(Value::Object(ann()), expected);
    assert_eq!(schema::user(&ann()).unwrap(), ann(), "and stays in it");
    let wrong = [
        json!({ "displayName": "nobody" }),
        json!({ "userName": 7 }),
        json!({ "userName": "" }),
        json!({ "userName": "a", "username": "b" }),
        json!({ "userName": "a\u{0}b" }),
        json!({ "userName": "a".repeat(513) }),
        json!({ "userName": "a", "active": "maybe" }),
        json!({ "userName": "a", "active": 1 }),
        json!({ "userName": "a", "name": "Ann" }),
        json!({ "userName": "a", "emails": [{ "value": "a", "primary": true }, { "value": "b", "primary": true }] }),
        json!({ "userName": "a", "emails": (0..21).map(|n| json!({ "value": n.to_string() })).collect::<Vec<_>>() }),
    ];
    for given in wrong {
        let complaint = schema::user(&object(given.clone())).expect_err("taken");
        assert_eq!(complaint.status, 400, "{given}");
    }
}

#[test]
fn a_person_is_read_by_the_address_that_counts() {
    let read = |change: Value| {
        let mut user = ann();
        for (name, value) in object(change) {
            user.insert(name, value);
        }
        person::read(&schema::user(&user).unwrap()).map(|person| person.email.to_string())
    };
    let address = |text: &str| Ok(text.to_owned());
    assert_eq!(read(json!({})), address("ann@acme.com"));
    assert_eq!(read(json!({ "emails": null })), address("ann@acme.com"), "userName");
    let home_first = json!([{ "value": "h@acme.com", "type": "home" }, { "value": "w@acme.com", "type": "Work" }]);
    assert_eq!(read(json!({ "emails": home_first })), address("w@acme.com"));
    assert_eq!(read(json!({ "emails": [{ "value": "only@acme.com" }] })), address("only@acme.com"));
    let unclear = json!([{ "value": "x@acme.com" }, { "value": "y@acme.com" }]);
    assert_eq!(read(json!({ "emails": unclear })), address("ann@acme.com"), "nobody guesses");
    assert!(read(json!({ "emails": null, "userName": "ann" })).is_err());
    let read = person::read(&ann()).unwrap();
    assert_eq!(
        (read.name.as_deref(), read.active, read.user_name.as_str()),
        (Some("Ann Lee"), Some(true), "ann@acme.com")
    );
    assert_eq!(read.external_id.as_deref(), Some("00uA"));
}

#[test]
fn filters_mean_what_rfc_7644_says() {
    let rows = [
        (r#"userName eq "ann@acme.COM""#, true),
        (r#"USERNAME EQ "ann@acme.com""#, true),
        (r#"externalId eq "00uA""#, true),
        (r#"externalId eq "00ua""#, false),
        (r#"emails.value eq "A@HOME.example""#, true),
        (r#"emails.value eq "a@home.example""#, true),
        (r#"emails eq "a@home.example""#, true),
        (r#"emails[type eq "work" and value co "home"]"#, false),
        (r#"emails[type eq "home" and value co "home"]"#, true),
        (r#"name.familyName sw "le" and not (title pr)"#, true),
        (r#"title pr or active eq true"#, true),
        (r#"active eq "True""#, true),
        (r#"active eq false"#, false),
        (r#"userName ne "bob""#, true),
        (r#"nickName ne "bob""#, true),
        (r#"nickName eq null"#, true),
        (r#"userName ew ".com" and userName gt "a" and userName lt "b""#, true),
        (r#"not (userName pr) or (title pr and active eq true)"#, false),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ann""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "Sales""#, true),
        (r#"userName eq "quo\"te" or userName pr"#, true),
        (r#"nothing pr"#, false),
        (r#"not pr"#, false),
    ];
    for (text, expected) in rows {
        let filter = Filter::parse(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
        assert_eq!(filter.holds(&ann()), expected, "{text}");
        assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter, "{text} printed");
    }
    assert_eq!(Filter::parse(r#"userName eq "x""#).unwrap().equal_to("username"), Some("x"));
    assert_eq!(Filter::parse(r#"userName eq "x" and active eq true"#).unwrap().equal_to("userName"), None);
    assert_eq!(Filter::parse(r#"not (userName eq "x")"#).unwrap().equal_to("userName"), None);
}

#[test]
fn filters_that_mean_nothing_or_too_much_are_refused() {
    let deep = |levels: usize| format!("{}title pr{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Filter::parse(&deep(10)).is_ok());
    let long = vec!["title pr"; 40].join(" or ");
    let texts = [
        "",
        " ",
        "userName",
        "userName eq",
        "userName eq ann",
        "userName xx \"a\"",
        "(title pr",
        "title pr)",
        "title pr title pr",
        "title pr and",
        "emails[type eq \"work\"",
        "emails.value[type pr]",
        "1 pr",
        "userName eq \"a",
        "userName eq [1]",
        "userName eq {}",
        "\"userName\" eq \"a\"",
        "not title pr",
        "userName.a.b pr",
        "ärger pr",
    ];
    for text in
        texts.map(str::to_owned).into_iter().chain([deep(17), deep(400), "(".repeat(1000), long, "a".repeat(1025)])
    {
        let complaint = Filter::parse(&text).expect_err(&text);
        assert_eq!((complaint.status, complaint.kind), (400, Some("invalidFilter")), "{text}");
    }
}

fn patched(of: Of, before: &Attributes, operations: Value) -> Result<Value, Option<&'static str>> {
    let message =
        object(json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations }));
    let after = apply(of, ("own", before), &message).map_err(|complaint| complaint.kind)?;
    let after = match of {
        Of::User => schema::user(&after),
        Of::Group => schema::group(&after, 100),
    };
    after.map(Value::Object).map_err(|complaint| complaint.kind)
}

#[test]
fn both_dialects_change_what_they_name() {
    let rows = [
        // Okta.
        (json!([{ "op": "replace", "value": { "active": false } }]), "/active", json!(false)),
        (json!([{ "op": "replace", "value": { "id": "own", "displayName": "A" } }]), "/displayName", json!("A")),
        // Entra.
        (json!([{ "op": "Replace", "path": "active", "value": "False" }]), "/active", json!(false)),
        (
            json!([{ "op": "Add", "value": { "name.givenName": "Anna", "active": "False" } }]),
            "/name/givenName",
            json!("Anna"),
        ),
        (
            json!([{ "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "n@acme.com" }]),
            "/emails/0/value",
            json!("n@acme.com"),
        ),
        (
            json!([{ "op": "Add", "path": "emails[type eq \"other\"].value", "value": "o@acme.com" }]),
            "/emails/2",
            json!({ "type": "other", "value": "o@acme.com" }),
        ),
        (
            json!([{ "op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "it" }]),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department",
            json!("it"),
        ),
        (
            json!([{ "op": "Replace", "value": { "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager": "eve" } }]),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/manager/value",
            json!("eve"),
        ),
        (
            json!([{ "op": "add", "value": { "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "division": "x" } } }]),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/division",
            json!("x"),
        ),
        // RFC 7644.
        (json!([{ "op": "remove", "path": "emails[type eq \"work\"]" }]), "/emails/0/type", json!("home")),
        (json!([{ "op": "remove", "path": "name.familyName" }]), "/name", json!({ "givenName": "Ann" })),
        (
            json!([{ "op": "replace", "path": "name", "value": { "familyName": "Wu" } }]),
            "/name",
            json!({ "givenName": "Ann", "familyName": "Wu" }),
        ),
        (
            json!([{ "op": "add", "path": "emails", "value": [{ "value": "p@acme.com", "primary": true }] }]),
            "/emails/0/primary",
            Value::Null,
        ),
        (
            json!([{ "op": "add", "path": "emails", "value": { "value": "a@home.example", "type": "home" } }]),
            "/emails/2",
            Value::Null,
        ),
        (
            json!([{ "op": "replace", "path": "emails", "value": [{ "value": "p@acme.com" }] }]),
            "/emails",
            json!([{ "value": "p@acme.com" }]),
        ),
        (
            json!([{ "op": "replace", "path": "title", "value": "boss" }, { "op": "remove", "path": "title" }]),
            "/title",
            Value::Null,
        ),
        (json!([{ "op": "add", "path": "phoneNumbers", "value": [{ "value": "1" }] }]), "/phoneNumbers", Value::Null),
        (json!([{ "op": "replace", "path": "nickName", "value": null }]), "/nickName", Value::Null),
    ];
    for (operations, at, expected) in rows {
        let after =
            patched(Of::User, &ann(), operations.clone()).unwrap_or_else(|kind| panic!("{operations}: {kind:?}"));
        assert_eq!(after.pointer(at).cloned().unwrap_or_default(), expected, "{operations}: {after}");
    }
}

#[test]
fn operations_that_name_nothing_or_what_is_ours_change_nothing() {
    let many: Vec<Value> = (0..201).map(|_| json!({ "op": "remove", "path": "title" })).collect();
    let rows = [
        (json!([]), "invalidSyntax"),
        (json!(many), "invalidSyntax"),
        (json!([7]), "invalidSyntax"),
        (json!([{ "op": "move", "path": "title", "value": "x" }]), "invalidSyntax"),
        (json!([{ "op": "remove" }]), "noTarget"),
        (json!([{ "op": "add", "value": "x" }]), "invalidValue"),
        (json!([{ "op": "add", "path": "title" }]), "invalidValue"),
        (json!([{ "op": "replace", "path": "id", "value": "other" }]), "mutability"),
        (json!([{ "op": "replace", "value": { "id": "other" } }]), "mutability"),
        (json!([{ "op": "remove", "path": "meta" }]), "mutability"),
        (json!([{ "op": "add", "path": "groups", "value": [{ "value": "admins" }] }]), "mutability"),
        (json!([{ "op": "add", "path": "managed_by", "value": "x" }]), "invalidPath"),
        (json!([{ "op": "add", "path": "name.secret", "value": "x" }]), "invalidPath"),
        (json!([{ "op": "add", "path": "title[value eq \"x\"]", "value": "x" }]), "invalidPath"),
        (json!([{ "op": "add", "path": "emails[type eq", "value": "x" }]), "invalidFilter"),
        (
            json!([{ "op": "replace", "path": "emails[type ne \"work\" and value sw \"zz\"].value", "value": "x" }]),
            "noTarget",
        ),
        (json!([{ "op": "remove", "path": "userName" }]), "invalidValue"),
        (json!([{ "op": "replace", "path": "active", "value": "perhaps" }]), "invalidValue"),
    ];
    for (operations, kind) in rows {
        assert_eq!(patched(Of::User, &ann(), operations.clone()), Err(Some(kind)), "{operations}");
    }
}

#[test]
fn members_come_and_go() {
    let group = object(json!({ "displayName": "video", "members": [{ "value": "A" }, { "value": "B" }] }));
    let members = |operations: Value| {
        let after = patched(Of::Group, &group, operations).unwrap();
        let list = after["members"].as_array().cloned().unwrap_or_default();
        list.iter().map(|one| one["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("")
    };
    assert_eq!(
        members(json!([{ "op": "add", "path": "members", "value": [{ "value": "C" }, { "value": "A" }] }])),
        "ABC"
    );
    assert_eq!(members(json!([{ "op": "Add", "path": "members", "value": { "value": "C" } }])), "ABC");
    assert_eq!(members(json!([{ "op": "remove", "path": "members[value eq \"A\"]" }])), "B");
    assert_eq!(members(json!([{ "op": "Remove", "path": "members", "value": [{ "value": "B" }] }])), "A", "Entra");
    assert_eq!(members(json!([{ "op": "remove", "path": "members" }])), "");
    assert_eq!(members(json!([{ "op": "replace", "path": "members", "value": [{ "value": "D" }] }])), "D");
    assert_eq!(members(json!([{ "op": "replace", "value": { "id": "own", "displayName": "other" } }])), "AB");
}

fn attribute() -> impl Strategy<Value = Attribute> {
    let name =
        "[a-zA-Z$][a-zA-Z0-9_$-]{0,8}".prop_filter("`not` begins a negation", |name| !name.eq_ignore_ascii_case("not"));
    (any::<bool>(), name, proptest::option::of("[a-z][a-zA-Z0-9]{0,5}")).prop_map(|(extension, name, sub)| Attribute {
        extension,
        name,
        sub,
    })
}

fn literal() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_filter("bounded", |text| text.len() < 40).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null)
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let operator =
        prop_oneof![Just(Operator::Eq), Just(Operator::Ne), Just(Operator::Co), Just(Operator::Sw), Just(Operator::Le)];
    let leaf = prop_oneof![
        attribute().prop_map(Filter::Present),
        (attribute(), operator, literal())
            .prop_map(|(attribute, operator, value)| Filter::Compare(attribute, operator, value))
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| Filter::And(Box::new(one), Box::new(other))),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| Filter::Or(Box::new(one), Box::new(other))),
            inner.clone().prop_map(|one| Filter::Not(Box::new(one))),
            (attribute(), inner)
                .prop_map(|(attribute, inner)| { Filter::Each(Attribute { sub: None, ..attribute }, Box::new(inner)) })
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(filter in filter()) {
        let text = filter.to_string();
        if text.len() <= 1024 {
            prop_assert_eq!(Filter::parse(&text).expect(&text), filter);
        }
    }

    #[test]
    fn a_path_that_is_printed_reads_back(attribute in attribute(), which in proptest::option::of(filter())) {
        let path = Path { extension: attribute.extension, name: attribute.name, which, sub: attribute.sub };
        let text = path.to_string();
        if text.len() <= 1024 {
            prop_assert_eq!(Path::parse(&text).expect(&text), path);
        }
    }

    #[test]
    fn whatever_is_written_reading_it_ends(text in ".{0,200}", signs in "[a-z(). \\[\\]\"]{0,200}") {
        for text in [text, signs] {
            if let Ok(filter) = Filter::parse(&text) {
                filter.holds(&ann());
                let printed = filter.to_string();
                if printed.len() <= 1024 {
                    prop_assert_eq!(Filter::parse(&printed).unwrap(), filter);
                }
            }
            drop(Path::parse(&text));
        }
    }
}
