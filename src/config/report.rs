//! Shows findings: plain text (the same bytes everywhere), for a terminal, or as JSON.

use super::file::Span;
use super::finding::{Finding, Findings, Severity};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Findings with the file that they are about.
#[derive(Clone, Debug)]
pub struct Report {
    name: String,
    /// The file with secrets and control characters masked, byte for byte as long as it was.
    source: String,
    /// In the file's order, errors first.
    findings: Vec<Finding>,
}

/// A place as editors count it: from 1, columns in characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl Report {
    /// Of a file that is called `name` and reads `source`.
    pub fn new(name: impl Into<String>, source: &str, findings: Findings) -> Self {
        let mut list = findings.list;
        list.sort_by_key(|finding| (finding.severity, finding.span.start, finding.code));
        let source = masked(source, &findings.masked);
        for finding in &mut list {
            finding.what = visible(&finding.what);
            finding.write = visible(&finding.write);
        }
        Self { name: name.into(), source, findings: list }
    }

    /// Errors first, each kind in the file's order.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether the file cannot be used.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Without recommendations, for the start of the gateway.
    #[must_use]
    pub fn without_advice(mut self) -> Self {
        self.findings.retain(|finding| finding.severity != Severity::Advice);
        self
    }

    /// Where a finding stands.
    pub fn place(&self, finding: &Finding) -> Place {
        let before = self.source.get(..self.floor(finding.span.start)).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count()) + 1;
        Place { line: before.matches('\n').count() + 1, column }
    }

    fn floor(&self, at: usize) -> usize {
        let at = at.min(self.source.len());
        (0..=at).rev().find(|at| self.source.is_char_boundary(*at)).unwrap_or(0)
    }

    /// Plain text without colour, the same on every machine.
    pub fn plain(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let place = self.place(finding);
            let line = self.source.lines().nth(place.line - 1).unwrap_or("");
            let start = place.column - 1;
            let marked = self.source.get(self.floor(finding.span.start)..self.floor(finding.span.end)).unwrap_or("");
            let first = marked.lines().next().unwrap_or("").chars().count();
            let carets = "^".repeat(first.clamp(1, line.chars().count().saturating_sub(start).max(1)));
            let (number, pad) = (place.line.to_string(), " ".repeat(place.line.to_string().len()));
            let indent: String = line.chars().take(start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "{}[{}]: {}\n{pad} --> {}:{}:{}\n{number} | {line}\n{pad} | {indent}{carets}\n{pad} = {}\n\n",
                severity(finding.severity),
                finding.code.text(),
                finding.what,
                self.name,
                place.line,
                place.column,
                finding.write,
            );
        }
        text
    }

    /// For a terminal: with frames and, when asked, colours.
    pub fn graphical(&self, colour: bool, width: usize) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false);
        let mut text = String::new();
        for finding in &self.findings {
            let (start, end) = (self.floor(finding.span.start), self.floor(finding.span.end));
            let diagnostic = MietteDiagnostic::new(finding.what.clone())
                .with_code(finding.code.text())
                .with_severity(match finding.severity {
                    Severity::Error => miette::Severity::Error,
                    Severity::Warning => miette::Severity::Warning,
                    Severity::Advice => miette::Severity::Advice,
                })
                .with_help(finding.write.clone())
                .with_label(LabeledSpan::underline(start..end));
            let report = miette::Report::from(diagnostic)
                .with_source_code(NamedSource::new(&self.name, self.source.clone()).with_language("toml"));
            // Writing to a String cannot fail; what miette cannot draw is written plainly below.
            if handler.render_report(&mut text, report.as_ref()).is_err() {
                return self.plain();
            }
        }
        text
    }

    /// For programs: one object per finding.
    pub fn json(&self) -> Value {
        let of = |finding: &Finding| {
            let place = self.place(finding);
            json!({
                "severity": severity(finding.severity),
                "code": finding.code.text(),
                "file": self.name,
                "line": place.line,
                "column": place.column,
                "what": finding.what,
                "write": finding.write,
            })
        };
        Value::Array(self.findings.iter().map(of).collect())
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    }
}

/// Hides secrets and control characters; every character keeps its length in bytes, so that places stay right.
fn masked(source: &str, spans: &[Span]) -> String {
    let secret = |at: usize| spans.iter().any(|span| span.contains(&at));
    let shown = |(at, c): (usize, char)| match c {
        '\n' | '\t' | '\r' => c.to_string(),
        c if secret(at) => "*".repeat(c.len_utf8()),
        c if hidden(c) => "?".repeat(c.len_utf8()),
        c => c.to_string(),
    };
    source.char_indices().map(shown).collect()
}

/// Control characters and marks that turn the direction of writing (rule M26).
pub(super) fn hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn visible(text: &str) -> String {
    text.chars().flat_map(|c| if hidden(c) { c.escape_unicode().collect() } else { vec![c] }).collect()
}
