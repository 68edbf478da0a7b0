//! Whether docs/causes explains every code by which somebody is turned away or a session ends, and none that there is not. The codes are
//! read from the exhaustive matches of the kernel, so that a new one without its entry is found here.

use std::collections::BTreeMap;
use std::path::Path;

use syn::visit::Visit;

/// Each page, and the matches whose codes it explains: a file, the type, and the method.
const PAGES: [(&str, &str, &str); 5] = [
    ("refusals", "src/kernel/refusal.rs", "Refusal"),
    ("openid-connect", "src/kernel/refusal.rs", "ProofFault"),
    ("saml", "src/kernel/saml/fault.rs", "SamlFault"),
    ("signals", "src/kernel/oidc/signal.rs", "SignalFault"),
    ("sessions", "src/kernel/live.rs", "Why"),
];

/// What an entry says, in this order.
const PARTS: [&str; 4] = ["Seen", "Happened", "Put right", "Who"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Arms of one method's match: the variant, and the texts in the arm with constants of the method put in.
struct Arms {
    found: BTreeMap<String, Vec<String>>,
    constants: BTreeMap<String, String>,
}

impl<'ast> Visit<'ast> for Arms {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        let mut texts = Texts(Vec::new(), &BTreeMap::new());
        texts.visit_expr(&item.expr);
        self.constants.insert(item.ident.to_string(), texts.0.concat());
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let path = match &arm.pat {
            syn::Pat::Path(path) => &path.path,
            syn::Pat::TupleStruct(inner) => &inner.path, // another type's codes
            _ => panic!("an arm that is no variant"),
        };
        let variant = path.segments.last().expect("a variant").ident.to_string();
        let mut texts = Texts(Vec::new(), &self.constants);
        texts.visit_expr(&arm.body);
        self.found.insert(variant, texts.0);
    }
}

/// Texts of an expression, in their order.
struct Texts<'a>(Vec<String>, &'a BTreeMap<String, String>);

impl<'ast> Visit<'ast> for Texts<'_> {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.0.push(text.value());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.extend(path.get_ident().and_then(|name| self.1.get(&name.to_string())).cloned());
    }
}

/// What a method of a type says of each variant.
fn arms(text: &str, of: &str, method: &str) -> BTreeMap<String, Vec<String>> {
    let file = syn::parse_file(text).expect("Rust");
    let mut arms = Arms { found: BTreeMap::new(), constants: BTreeMap::new() };
    for item in &file.items {
        let syn::Item::Impl(item) = item else { continue };
        let named = matches!(&*item.self_ty, syn::Type::Path(path) if path.path.is_ident(of));
        for inner in item.items.iter().filter(|_| named && item.trait_.is_none()) {
            match inner {
                syn::ImplItem::Fn(function) if function.sig.ident == method => arms.visit_block(&function.block),
                _ => {}
            }
        }
    }
    arms.found
}

/// The entries of a page: the code, and its parts by name.
fn entries(page: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found = BTreeMap::new();
    for entry in page.split("\n## ").skip(1) {
        let (head, body) = entry.split_once('\n').unwrap_or((entry, ""));
        let parts = body.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("**: "));
        let parts = parts.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        assert!(found.insert(head.trim_matches('`').to_owned(), parts).is_none(), "{head} stands there twice");
    }
    found
}

/// What is wrong with a page, given the codes that there are.
fn faults(page: &str, codes: &[&str]) -> Vec<String> {
    let entries = entries(page);
    let missing = codes.iter().filter(|code| !entries.contains_key(**code)).map(|code| format!("{code}: no entry"));
    let unknown =
        entries.keys().filter(|code| !codes.contains(&code.as_str())).map(|code| format!("{code}: no such code"));
    let parts = entries.iter().filter(|(_, parts)| {
        parts.iter().map(|(name, _)| name).ne(PARTS.iter()) || parts.iter().any(|(_, text)| text.trim().is_empty())
    });
    missing.chain(unknown).chain(parts.map(|(code, _)| format!("{code}: not {}", PARTS.join(", ")))).collect()
}

#[test]
fn every_code_has_its_entry_and_every_entry_its_code() {
    let mut all = 0;
    for (page, file, of) in PAGES {
        let arms = arms(&read(file), of, "code");
        let codes: Vec<&str> = arms.values().filter_map(|texts| texts.first()).map(String::as_str).collect();
        assert!(codes.len() > 5, "{of}: the codes were not found");
        let faults = faults(&read(&format!("docs/causes/{page}.md")), &codes);
        assert!(faults.is_empty(), "docs/causes/{page}.md\n{}", faults.join("\n"));
        all += codes.len();
    }
    assert!(read("docs/causes.md").contains(&format!("{all} codes")), "docs/causes.md counts others than {all} codes");
}

#[test]
fn what_a_page_says_people_see_is_what_they_see() {
    let texts = read("src/language/locales/en/pages.ftl");
    let titles: BTreeMap<&str, &str> = texts.lines().filter_map(|line| line.split_once(" = ")).collect();
    let texts_file = syn::parse_file(&read("src/site/texts.rs")).expect("Rust");
    let mut headings = Arms { found: BTreeMap::new(), constants: BTreeMap::new() };
    for item in &texts_file.items {
        match item {
            syn::Item::Fn(function) if function.sig.ident == "heading" => headings.visit_block(&function.block),
            _ => {}
        }
    }
    let codes = arms(&read("src/kernel/refusal.rs"), "Refusal", "code");
    let entries = entries(&read("docs/causes/refusals.md"));
    for (variant, code) in codes.iter().filter_map(|(variant, texts)| Some((variant, texts.first()?))) {
        let title = titles[headings.found[variant].first().expect("a heading").as_str()];
        assert_eq!(entries[code][0].1, format!("“{title}”"), "{code}");
    }
}

#[test]
fn the_page_about_saml_says_what_the_commands_say() {
    let told = arms(&read("src/kernel/saml/remedy.rs"), "SamlFault", "told");
    let entries = entries(&read("docs/causes/saml.md"));
    for (variant, texts) in arms(&read("src/kernel/saml/fault.rs"), "SamlFault", "code") {
        let entry = &entries[&texts[0]];
        assert_eq!([&entry[1].1, &entry[2].1], [&told[&variant][0], &told[&variant][1]], "{}", texts[0]);
    }
}

#[test]
fn a_missing_an_unknown_and_a_short_entry_are_found() {
    let page = "# X\n\n## `a`\n\n- **Seen**: x\n- **Happened**: x\n- **Put right**: x\n- **Who**: x\n\n## `b`\n\n- **Seen**: x\n\n## `z`\n";
    assert_eq!(
        faults(page, &["a", "b", "c"]),
        [
            "c: no entry",
            "z: no such code",
            "b: not Seen, Happened, Put right, Who",
            "z: not Seen, Happened, Put right, Who"
        ]
    );
    let source = "impl X { fn code(self) -> &'static str { const A: &str = \"d\"; match self { Self::B => \"c\", Self::E(f) => f.code(), Self::F => A } } }";
    let text = |text: &str| vec![text.to_owned()];
    let expected =
        BTreeMap::from([("B".to_owned(), text("c")), ("E".to_owned(), Vec::new()), ("F".to_owned(), text("d"))]);
    assert_eq!(arms(source, "X", "code"), expected);
}
