//! What a source file reaches: every path of this crate that it names, in `use`, expressions, types, attributes and macros.

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// One path into this crate, made absolute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reached {
    /// From the crate's root; a trailing `*` is a glob, `?` a path that leaves the crate or hides it behind another name.
    pub path: Vec<String>,
    pub line: usize,
}

/// Every path of this crate named by the text of a file whose module is `module` (`["store", "sqlite"]`), and every foreign path.
pub fn reached(text: &str, module: &[&str]) -> syn::Result<(Vec<Reached>, Vec<Reached>)> {
    let file = syn::parse_file(text)?;
    let module = module.iter().map(|part| (*part).to_owned()).collect();
    let mut walk = Walk { module, ours: Vec::new(), foreign: Vec::new() };
    walk.visit_file(&file);
    Ok((walk.ours, walk.foreign))
}

struct Walk {
    module: Vec<String>,
    ours: Vec<Reached>,
    foreign: Vec<Reached>,
}

/// The crate's own name, as `main.rs` and examples write it.
const OWN_NAME: &str = "fedgate";

impl Walk {
    /// Takes a path as written.
    fn note(&mut self, written: &[String], span: Span) {
        let line = span.start().line;
        let [first, rest @ ..] = written else { return };
        let mut path = match first.as_str() {
            "crate" | OWN_NAME => Vec::new(),
            "self" | "super" => self.module.clone(),
            _ => return self.foreign.push(Reached { path: written.to_vec(), line }),
        };
        if rest.is_empty() {
            return; // `pub(crate)`, `pub(super)`, a method's `self`
        }
        let mut parts = if first == "super" { written } else { rest };
        while let [up, after @ ..] = parts {
            match up.as_str() {
                "super" if path.pop().is_none() => path.push("?".to_owned()),
                "super" | "self" => {}
                _ => break,
            }
            parts = after;
        }
        path.extend(parts.iter().cloned());
        self.ours.push(Reached { path, line });
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(path.ident.to_string()), &path.tree),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(before, item)),
            syn::UseTree::Name(name) if name.ident == "self" => self.note(before, name.span()),
            syn::UseTree::Name(name) => self.note(&with(name.ident.to_string()), name.span()),
            syn::UseTree::Glob(glob) => self.note(&with("*".to_owned()), glob.span()),
            syn::UseTree::Rename(rename) => {
                let root = before.is_empty() || rename.ident == "self" && before.len() == 1;
                let head = before.first().map_or_else(|| rename.ident.to_string(), Clone::clone);
                let hides = root && matches!(head.as_str(), "crate" | OWN_NAME | "super");
                let last = if hides { "?".to_owned() } else { rename.ident.to_string() };
                self.note(
                    &[if before.is_empty() && hides { vec![head] } else { before.to_vec() }, vec![last]].concat(),
                    rename.span(),
                );
            }
        }
    }

    /// Paths in a macro's tokens: `crate::a::b` wherever it stands, `crate::{a, b}` as well.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(head) if !continues(&tokens[..at - 1]) => {
                    let mut path = vec![head.to_string()];
                    while colons(&tokens[at..]) {
                        match tokens.get(at + 2) {
                            Some(TokenTree::Ident(next)) => path.push(next.to_string()),
                            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                                self.group(&path, group.stream());
                                path.clear();
                            }
                            _ => break,
                        }
                        at += 3;
                    }
                    if path.len() > 1 {
                        self.note(&path, head.span());
                    }
                }
                _ => {}
            }
        }
    }

    fn group(&mut self, before: &[String], tokens: TokenStream) {
        if let Ok(tree) = syn::parse2::<syn::UseTree>(quote_group(tokens)) {
            self.tree(before, &tree);
        }
    }
}

fn quote_group(tokens: TokenStream) -> TokenStream {
    TokenTree::Group(proc_macro2::Group::new(Delimiter::Brace, tokens)).into()
}

/// Is the next identifier the continuation of a path or a field access?
fn continues(before: &[TokenTree]) -> bool {
    matches!(before.last(), Some(TokenTree::Punct(punct)) if matches!(punct.as_char(), ':' | '.') && punct.spacing() == Spacing::Alone && joined(before))
}

/// A lone `:` announces a type or a value; only `::` and `.` continue a path.
fn joined(before: &[TokenTree]) -> bool {
    match before {
        [.., TokenTree::Punct(first), TokenTree::Punct(last)] if last.as_char() == ':' => {
            first.as_char() == ':' && first.spacing() == Spacing::Joint
        }
        [.., TokenTree::Punct(last)] => last.as_char() == '.',
        _ => false,
    }
}

fn colons(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Punct(a), TokenTree::Punct(b), ..] if a.as_char() == ':' && b.as_char() == ':' && a.spacing() == Spacing::Joint)
}

impl<'ast> Visit<'ast> for Walk {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
        visit::visit_item_use(self, item);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        if item.ident == "self" || item.ident == OWN_NAME {
            self.ours.push(Reached { path: vec!["?".to_owned()], line: item.span().start().line });
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&written, path.span());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, found: &'ast syn::Macro) {
        self.visit_path(&found.path);
        self.tokens(found.tokens.clone());
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
            self.ours.push(Reached { path: vec!["?".to_owned()], line: item.span().start().line });
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    /// Paths in attributes may be text: `#[serde(with = "crate::…")]`.
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
            self.literals(list.tokens.clone());
        }
        visit::visit_attribute(self, attribute);
    }
}

impl Walk {
    fn literals(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.literals(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let text = text.trim_matches('"');
                    let ours = ["crate::", "self::", "super::"].iter().any(|head| text.starts_with(head));
                    let path: Vec<String> = text.split("::").map(|part| part.trim().to_owned()).collect();
                    if ours {
                        self.note(&path, literal.span());
                    }
                }
                _ => {}
            }
        }
    }
}
