//! Each limit of the gate alone, at its edge and one beyond.

use super::*;

#[track_caller]
fn check(document: &str, expected: Result<(), SamlFault>) {
    let shown: String = document.chars().take(80).collect();
    assert_eq!(pass(document.as_bytes(), Limits::MESSAGE).map(|_| ()), expected, "{shown}");
}

#[test]
fn what_is_no_plain_document_is_named() {
    check("<a/>", Ok(()));
    check(" \r\n<a b='>' c=\"/>\">x<![CDATA[<!-- <?x]]></a >\n", Ok(()));
    check("<?xml version=\"1.0\" encoding='UTF-8' standalone=\"no\"?><a/>", Ok(()));
    check("<?xml version=\"1.0\" encoding='UTF-16'?><a/>", Err(SamlFault::Instruction));
    check("<?xml version=\"1.1\"?><a/>", Err(SamlFault::Instruction));
    check(" <?xml version=\"1.0\"?><a/>", Err(SamlFault::Instruction));
    check("<?xml-stylesheet href='x'?><a/>", Err(SamlFault::Instruction));
    check("<a><?php ?></a>", Err(SamlFault::Instruction));
    check("<!DOCTYPE a><a/>", Err(SamlFault::Doctype));
    check("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", Err(SamlFault::Doctype));
    check("<a><!ELEMENT b></a>", Err(SamlFault::Doctype));
    check("<a><!-- --></a>", Err(SamlFault::Comment));
    check("<a/><!---->", Err(SamlFault::Comment));
    check("<![CDATA[x]]><a/>", Err(SamlFault::Doctype));
    check("<a>\0</a>", Err(SamlFault::Encoding));
    check("<a b='\u{1}'/>", Err(SamlFault::Encoding));
    check("<a\0b/>", Err(SamlFault::Encoding));
    check("<a b\u{1}='c'/>", Err(SamlFault::Encoding));
    check("<a></a\u{1}>", Err(SamlFault::Encoding));
    assert_eq!(pass(b"<a>\xff</a>", Limits::MESSAGE), Err(SamlFault::Encoding));
    for bad in
        ["", "x", "<a>", "</a>", "<a/><b/>", "<a/>x", "<a b/>", "<a b=c/>", "<a b='<'/>", "<a b='", "<", "<a", "< a/>"]
    {
        check(bad, Err(SamlFault::NotXml));
    }
}

#[test]
fn counts_end_at_their_limits() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    check(&nested(DEPTH), Ok(()));
    check(&nested(DEPTH + 1), Err(SamlFault::Depth));
    let attributes = |count: usize| (0..count).map(|at| format!(" a{at}=''")).collect::<String>();
    check(&format!("<a{}/>", attributes(TAG_ATTRIBUTES)), Ok(()));
    check(&format!("<a{}/>", attributes(TAG_ATTRIBUTES + 1)), Err(SamlFault::Attributes));
    let declared = |count: usize| (0..count).map(|at| format!(" xmlns:a{at}='u:u'")).collect::<String>();
    check(&format!("<a{}><b{}/></a>", declared(40), declared(24)), Ok(()));
    check(&format!("<a{}><b{}/></a>", declared(40), declared(25)), Err(SamlFault::Namespaces));
    check(&format!("<a><b{}></b><b{}></b></a>", declared(64), declared(64)), Ok(()));
    let elements = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count - 1));
    check(&elements(Limits::MESSAGE.elements), Ok(()));
    check(&elements(Limits::MESSAGE.elements + 1), Err(SamlFault::Elements));
    let tag = " a='' b='' c='' d=''";
    check(&format!("<a>{}</a>", format!("<b{tag}/>").repeat(1_500)), Ok(()));
    check(&format!("<a>{}</a>", format!("<b{tag}/>").repeat(1_501)), Err(SamlFault::Attributes));
    check(&format!("<{}/>", "a".repeat(NAME)), Ok(()));
    check(&format!("<{}/>", "a".repeat(NAME + 1)), Err(SamlFault::Names));
    check(&format!("<a {}=''/>", "a".repeat(NAME + 1)), Err(SamlFault::Names));
    for (name, most, fault) in [
        ("Signature", 2, SamlFault::Signatures),
        ("ds:Reference", 2, SamlFault::References),
        ("x:Transform", 4, SamlFault::Transforms),
    ] {
        check(&format!("<a>{}</a>", format!("<{name}/>").repeat(most)), Ok(()));
        check(&format!("<a>{}</a>", format!("<{name}/>").repeat(most + 1)), Err(fault));
    }
    check(&format!("<a>{}</a>", "=".repeat(10_000)), Err(SamlFault::Attributes));
    check(&format!("<a><![CDATA[{}]]></a>", "<".repeat(14_000)), Err(SamlFault::Elements));
    check(&format!("<a>{}</a>", "x".repeat(256 * 1024 - 7)), Ok(()));
    check(&format!("<a>{}</a>", "x".repeat(256 * 1024 - 6)), Err(SamlFault::TooLarge));
}

/// Found by `fuzz/differential`: libxml2 does not canonicalize what has another one.
#[test]
fn a_namespace_has_an_absolute_name() {
    for good in [
        "",
        "urn:oasis:names:tc:SAML:2.0:assertion",
        "http://www.w3.org/2000/09/xmldsig#",
        "a+b-c.1:x%2Fy",
        "u:a&amp;b",
    ] {
        check(&format!("<a xmlns='{good}'/>"), Ok(()));
        check(&format!("<a xmlns:b='{good}'/>"), Ok(()));
    }
    let bad = [
        "u",
        "/u",
        "htt^p://x",
        "1a:b",
        ":b",
        "u:a b",
        "u:\u{e9}",
        "u:%2",
        "u:%zz",
        "u:{x}",
        "u:#a#b",
        "http://a:b/",
        "http://a:1:2",
        "&#117;:u",
        "u:&#13;",
        "u:&#x78;",
        "u:&lt;",
        "u:&",
        "u:\n",
    ];
    for bad in bad {
        check(&format!("<a xmlns='{bad}'/>"), Err(SamlFault::Namespaces));
        check(&format!("<a><b xmlns:b=\"{bad}\"></b></a>"), Err(SamlFault::Namespaces));
        check(&format!("<a b='{bad}'/>"), Ok(()));
    }
    check("<a xmlns='http://a:80/b:c'/>", Ok(()));
    check("<a xmlns='u:u' xmlns=''/>", Err(SamlFault::NotXml));
    check("<a xmlns='' xmlns='u:u'/>", Err(SamlFault::NotXml));
    check("<a xmlns:b='u:u' c='' xmlns:b='u:v'/>", Err(SamlFault::NotXml));
    check("<a xmlns:b='u:u'><a xmlns:b='u:v'/></a>", Ok(()));
}

#[test]
fn base64_has_one_spelling_but_for_line_breaks() {
    let decoded = |text: &str| decode_post(text.as_bytes(), Limits::MESSAGE);
    assert_eq!(decoded("PGEvPg=="), Ok(b"<a/>".to_vec()));
    assert_eq!(decoded("PGEv\r\nPg==\n"), Ok(b"<a/>".to_vec()));
    for bad in ["", "PGEvPg", "PGEvPg=", "PGEvPh==", "PGEvPg==A", "PGEv-g==", "PGE%2B", "PGEvPg\0=="] {
        assert_eq!(decoded(bad), Err(SamlFault::Encoding), "{bad}");
    }
    assert_eq!(decoded(&"QUFB".repeat(256 * 1024 / 3 + 1)), Err(SamlFault::TooLarge));
    assert_eq!(decoded(&"\n".repeat(600 * 1024)), Err(SamlFault::TooLarge));
}

#[test]
fn a_deflate_bomb_stops_at_the_limit() {
    let packed = |bytes: &[u8]| encode(&miniz_oxide::deflate::compress_to_vec(bytes, 9));
    let read = |bytes: &[u8]| decode_redirect(packed(bytes).as_bytes(), Limits::MESSAGE);
    assert_eq!(read(b"<a/>"), Ok(b"<a/>".to_vec()));
    assert_eq!(read(&vec![b'x'; 256 * 1024]).map(|bytes| bytes.len()), Ok(256 * 1024));
    assert_eq!(read(&vec![b'x'; 256 * 1024 + 1]), Err(SamlFault::TooLarge));
    assert_eq!(read(&vec![b'x'; 64 * 1024 * 1024]), Err(SamlFault::TooLarge));
    assert_eq!(decode_redirect(b"PGEvPg==", Limits::MESSAGE), Err(SamlFault::Encoding));
    let whole = packed(b"<a>hello hello hello</a>");
    let cut = encode(&base64(whole.as_bytes(), 1000).unwrap()[..10]);
    assert_eq!(decode_redirect(cut.as_bytes(), Limits::MESSAGE), Err(SamlFault::Encoding));
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        // Only that they return matters here.
        let _ = (pass(&bytes, Limits::MESSAGE), decode_redirect(&bytes, Limits::MESSAGE));
    }

    /// What the parser takes and the gate refuses has one of the things that the gate is for.
    #[test]
    fn what_passes_is_bounded(text in r#"[<>/a-c ='"\[\]!?xmlns:-]{0,40}"#) {
        let document = format!("<a>{text}</a>");
        if let Err(SamlFault::NotXml) = pass(document.as_bytes(), Limits::MESSAGE) {
            proptest::prop_assert!(roxmltree::Document::parse(&document).is_err(), "{}", document);
        }
    }
}
