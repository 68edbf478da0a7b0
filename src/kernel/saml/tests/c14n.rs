//! Exclusive canonicalization against the W3C's examples and libxml2's answers, and properties of its own.

use super::canonicalize;
use crate::kernel::saml::gate::Limits;
use crate::kernel::saml::xml::{Node, Tree};
use proptest::prelude::*;

fn canonical(node: Node<'_>, prefixes: &[&str]) -> String {
    let mut out = Vec::new();
    canonicalize(node, None, prefixes, &mut out);
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn check(document: &str, local_name: &str, prefixes: &[&str], expected: &str) {
    let tree = Tree::parse(document.as_bytes(), Limits::MESSAGE).unwrap();
    let node = tree.elements().find(|node| node.tag_name().name() == local_name).unwrap();
    assert_eq!(canonical(node, prefixes), expected, "{document}");
}

/// Exclusive XML Canonicalization §2.2: the same subdocument in two enveloping contexts is the same octets.
#[test]
fn w3c_the_context_is_left_out() {
    let first = r#"<n0:local xmlns:n0="foo:bar" xmlns:n3="ftp://example.org"><n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2></n0:local>"#;
    let second = r#"<n2:pdu xmlns:n1="http://example.com" xmlns:n2="http://foo.example" xml:lang="fr" xml:space="retain"><n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2></n2:pdu>"#;
    let expected = r#"<n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"></n3:stuff></n1:elem2>"#;
    check(first, "elem2", &[], expected);
    check(second, "elem2", &[], expected);
}

/// Canonical XML 1.0 §3.2 to §3.4, without what a document type declaration would bring.
#[test]
fn w3c_spaces_tags_and_characters() {
    check(
        "<doc>\n   <clean>   </clean>\n   <mixed>\n      A\n      <clean>   </clean>\n   </mixed>\n</doc>",
        "doc",
        &[],
        "<doc>\n   <clean>   </clean>\n   <mixed>\n      A\n      <clean>   </clean>\n   </mixed>\n</doc>",
    );
    check(
        "<doc><e1   /><e3   name = \"elem3\"   id=\"elem3\"   /><e5 a:attr=\"out\" b:attr=\"sorted\" attr2=\"all\" attr=\"I'm\"\n xmlns:b=\"http://www.ietf.org\" xmlns:a=\"http://www.w3.org\" xmlns=\"http://example.org\"/></doc>",
        "doc",
        &[],
        "<doc><e1></e1><e3 id=\"elem3\" name=\"elem3\"></e3><e5 xmlns=\"http://example.org\" xmlns:a=\"http://www.w3.org\" xmlns:b=\"http://www.ietf.org\" attr=\"I'm\" attr2=\"all\" b:attr=\"sorted\" a:attr=\"out\"></e5></doc>",
    );
    check(
        "<doc><text>First line&#x0d;&#10;Second line</text><value>&#x32;</value><compute><![CDATA[value>\"0\" && value<\"10\" ?\"valid\":\"error\"]]></compute><norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/></doc>",
        "doc",
        &[],
        "<doc><text>First line&#xD;\nSecond line</text><value>2</value><compute>value&gt;\"0\" &amp;&amp; value&lt;\"10\" ?\"valid\":\"error\"</compute><norm attr=\" '    &#xD;&#xA;&#x9;   ' \"></norm></doc>",
    );
}

/// §3: prefixes of the list are written where they are in scope, used or not.
#[test]
fn listed_prefixes_are_written_where_they_are_in_scope() {
    let document = r#"<r xmlns="urn:d" xmlns:a="urn:a" xmlns:b="urn:b"><b:x><y xmlns=""/></b:x></r>"#;
    check(document, "x", &[], r#"<b:x xmlns:b="urn:b"><y></y></b:x>"#);
    check(document, "x", &["a"], r#"<b:x xmlns:a="urn:a" xmlns:b="urn:b"><y></y></b:x>"#);
    check(document, "x", &[""], r#"<b:x xmlns="urn:d" xmlns:b="urn:b"><y xmlns=""></y></b:x>"#);
    check(document, "x", &["missing", "xml"], r#"<b:x xmlns:b="urn:b"><y></y></b:x>"#);
}

macro_rules! vector {
    ($name:literal) => {
        (
            include_str!(concat!("../../../../tests/peers/saml/vectors/c14n-", $name, ".xml")),
            include_str!(concat!("../../../../tests/peers/saml/vectors/c14n-", $name, ".c14n")),
            include_str!(concat!("../../../../tests/peers/saml/vectors/c14n-", $name, ".listed")),
            include_str!(concat!("../../../../tests/peers/saml/vectors/c14n-", $name, ".inner")),
            include_str!(concat!("../../../../tests/peers/saml/vectors/c14n-", $name, ".inner-listed")),
        )
    };
}

#[test]
fn agrees_with_libxml2() {
    for (document, whole, listed, inner, inner_listed) in
        [vector!("namespaces"), vector!("texts"), vector!("attributes"), vector!("deep")]
    {
        let tree = Tree::parse(document.as_bytes(), Limits::MESSAGE).unwrap();
        let prefixes = ["a", "b", "p1", "p2"];
        assert_eq!(canonical(tree.root(), &[]), whole);
        assert_eq!(canonical(tree.root(), &prefixes), listed);
        let third = tree.elements().nth(2).or_else(|| tree.elements().last()).unwrap();
        assert_eq!(canonical(third, &[]), inner);
        assert_eq!(canonical(third, &prefixes), inner_listed);
    }
}

/// Documents with prefixes that are redeclared, undone and unused, and characters that need escapes.
fn documents() -> impl Strategy<Value = String> {
    let text = prop_oneof![Just(""), Just("x"), Just(" &amp;&#13;&lt; "), Just("<![CDATA[<]]>"), Just("é\n")];
    let declared = prop::sample::select(vec![
        "",
        " xmlns=\"urn:a\"",
        " xmlns=\"urn:b\"",
        " xmlns=\"\"",
        " xmlns:p=\"urn:a\"",
        " xmlns:p=\"urn:b\" xmlns:q=\"urn:a\"",
    ]);
    let attribute = prop::sample::select(vec!["", " k=\"&#10;1\"", " p:k='\"'", " z='1' a='2' q:b=\"3\""]);
    let name = prop::sample::select(vec!["e", "p:e", "q:f"]);
    let leaf = text.prop_map(str::to_owned).boxed();
    let tree = leaf.prop_recursive(5, 40, 4, move |inner| {
        (name.clone(), declared.clone(), attribute.clone(), prop::collection::vec(inner, 0..4))
            .prop_map(|(name, declared, attribute, inner)| {
                format!("<{name}{declared}{attribute}>{}</{name}>", inner.concat())
            })
            .boxed()
    });
    tree.prop_map(|inner| format!("<r xmlns:p=\"urn:p\" xmlns:q=\"urn:q\">{inner}</r>"))
}

proptest! {
    #[test]
    fn canonical_text_is_its_own_canonical_text_and_says_the_same(document in documents()) {
        let tree = Tree::parse(document.as_bytes(), Limits::MESSAGE).unwrap();
        let once = canonical(tree.root(), &[]);
        let again = Tree::parse(once.as_bytes(), Limits::MESSAGE).unwrap();
        prop_assert_eq!(&canonical(again.root(), &[]), &once);
        let said = |tree: &Tree<'_>| -> Vec<String> {
            tree.root().descendants().map(|node| {
                let mut attributes: Vec<_> = node.attributes().map(|a| (a.namespace(), a.name(), a.value())).collect();
                attributes.sort_unstable();
                let text = if node.is_text() { node.text() } else { None };
                let (namespace, name) = (node.tag_name().namespace().unwrap_or_default(), node.tag_name().name());
                format!("{namespace} {name} {text:?} {attributes:?}")
            }).collect()
        };
        prop_assert_eq!(said(&again), said(&tree));
    }
}

/// The worst that the gate lets through costs a fixed number of steps a byte, and twice the document twice the steps.
#[test]
fn the_work_grows_with_the_document() {
    let steps = |unit: &str, count: usize| {
        let declared: String = (0..60).map(|at| format!(" xmlns:p{at}='u:{at}'")).collect();
        let document = format!("<r{declared}>{}</r>", unit.repeat(count));
        let tree = Tree::parse(document.as_bytes(), Limits::MESSAGE).unwrap();
        let prefixes: Vec<String> = (0..16).map(|at| format!("p{at}")).collect();
        let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        (canonicalize(tree.root(), None, &prefixes, &mut Vec::new()), document.len())
    };
    let (open, close) = ("<p1:x xmlns:q='u:1'><p2:y xmlns:q='u:2'>".repeat(2), "</p2:y></p1:x>".repeat(2));
    let nested = format!("{open}{}{}{close}", "<p3:z>".repeat(50), "</p3:z>".repeat(50));
    let wide: String = format!("<p0:x{}/>", (0..30).map(|at| format!(" p{at}:a=''")).collect::<String>());
    for (unit, count) in [("<p3:x/>", 4_000), ("<x>&amp;</x>", 4_000), (nested.as_str(), 80), (wide.as_str(), 190)] {
        let (once, bytes) = steps(unit, count / 2);
        let (twice, double) = steps(unit, count);
        assert!(twice < once * 21 / 10 + 10_000, "{once} {twice}");
        assert!(once < bytes * 200 && twice < double * 200, "{once} of {bytes}, {twice} of {double}");
    }
}
