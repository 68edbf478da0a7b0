//! How every page of the login host reads, and that none runs or loads anything.
//!
//! The samples are those of `cargo run --example pages`, which the browser tests judge for accessibility.

use fedgate::language::{self, Languages};
use fedgate::pages;
use fedgate::pages::{Html, Pages, Reader};
use std::sync::Arc;

#[path = "../examples/pages/samples.rs"]
mod samples;

fn spoken() -> Arc<Languages> {
    Arc::new(Languages::shipped(&[]).expect("our catalogues are well formed"))
}

/// Pages as who reads English sees them.
struct English(Pages);

impl English {
    fn render(&self, page: &pages::Page) -> Html {
        self.0.render(page, &Reader::english())
    }
}

fn compiled() -> English {
    English(Pages::new("id.example.com", spoken()).expect("the templates compile"))
}

/// The document without its style sheet, so that a change of looks does not touch every snapshot.
fn without_style(html: &Html) -> String {
    let (head, rest) = html.body.split_once("<style>").expect("one style sheet");
    let (_, tail) = rest.split_once("</style>").expect("one style sheet");
    format!("{} {head}<style>…</style>{tail}", html.status)
}

#[test]
fn every_page_reads_as_recorded() {
    let pages = compiled();
    for (name, page) in samples::all() {
        insta::assert_snapshot!(name, without_style(&pages.render(&page)));
    }
}

#[test]
fn every_page_is_one_document_without_script_or_foreign_content() {
    let pages = compiled();
    for (name, page) in samples::all() {
        let body = pages.render(&page).body;
        for once in ["<!doctype html>", "<html lang=\"en\">", "<title>", "<main>", "<h1>", "<style>", "</html>"] {
            assert_eq!(body.matches(once).count(), 1, "{name}: {once}");
        }
        // The one script of ours, on the pages that ask an authenticator.
        let body = if name.starts_with("passkey") {
            let ours = format!("<script src=\"{}\" integrity=\"sha256-", pages::SCRIPT_PATH);
            let read = body.replace("&#x2f;", "/");
            assert_eq!(read.matches(&ours).count(), 1, "{name}");
            read.replacen("<script", "<!-- ours", 1)
        } else if name.starts_with("submit") {
            // And the line that posts a form for somebody, which the page's policy names by its digest.
            let ours = "<script>document.forms[0].submit()</script>";
            assert_eq!(body.matches(ours).count(), 1, "{name}");
            body.replacen(ours, "", 1)
        } else {
            body
        };
        for never in ["<script", " on", "style=\"", "<img", "<iframe", "@import", "url(", "<title></title>"] {
            assert!(!tags(&body).contains(never), "{name}: {never}");
        }
    }
}

/// A class that gives an element a `display` wins over the browser's own rule for `hidden`: without this one the button of a passkey
/// shows where its script does not run.
#[test]
fn what_is_hidden_is_not_shown_whatever_its_class() {
    let pages = compiled();
    for (name, page) in samples::all() {
        let body = pages.render(&page).body;
        let (style, rest) = body.split_once("</style>").expect("one style sheet");
        let rule = style.find("[hidden]").map(|at| style[at..].split('}').next().unwrap_or("").replace(' ', ""));
        assert_eq!(rule.as_deref(), Some("[hidden]{display:none!important;"), "{name}");
        if name == "passkey" {
            let button = rest.split("<button").nth(1).and_then(|rest| rest.split('>').next()).expect("a button");
            assert!(button.ends_with(" hidden"), "the script shows it: {button}");
        }
    }
}

/// Everything that stands between `<` and `>`, and the style sheet.
fn tags(body: &str) -> String {
    let tags = body.split('<').map(|part| part.split('>').next().unwrap_or("")).map(|tag| format!("<{tag}>\n"));
    tags.collect::<String>() + body.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap_or("")
}
