//! Pages of organizations in the console.

use super::console_pages::{Place, fact, page};
use crate::admin::console::Company;
use crate::kernel::values::OrgName;
use crate::language::Text;
use crate::login::Steward;
use crate::pages::{Block, Cell, Href, Page, Row};

/// Those that the reader sees.
pub(super) fn all(steward: &Steward, companies: &[(OrgName, String)]) -> Option<Page> {
    let mut rows = Vec::new();
    for (name, label) in companies {
        let href = Some(Href::parse(&format!("/admin/organizations/{name}")).ok()?);
        let facts = vec![fact("console-organization-name", Cell::Code(name.to_string()))];
        rows.push(Row { head: Cell::Shown(label.clone()), href, tag: None, facts, act: None });
    }
    let list = list("organizations", ("console-found", "console-no-organizations"), rows);
    page(steward, Place::Organizations, Text::of("console-organizations"), vec![list])
}

/// One of them.
pub(super) fn one(steward: &Steward, company: &Company) -> Option<Page> {
    let (people, more) = company.people;
    let people = match more {
        true => Cell::Said(Text::of("console-at-least").with("count", &people.to_string())),
        false => Cell::Shown(people.to_string()),
    };
    let named = |list: &[String]| if list.is_empty() { no() } else { Cell::Shown(list.join(", ")) };
    let blocks = vec![
        Block::Facts {
            title: None,
            facts: vec![
                fact("console-organization-name", Cell::Code(company.name.to_string())),
                fact("console-people-proved", people),
                fact("console-admins", named(&company.admins)),
                fact("console-auditors", named(&company.auditors)),
            ],
        },
        domains(company),
        directories(company),
        policies(company),
    ];
    let title = Text::of("console-organization").with("name", &company.label);
    page(steward, Place::Organizations, title, blocks)
}

fn domains(company: &Company) -> Block {
    let rows = company.domains.iter().map(|domain| {
        let state = match domain.state.as_str() {
            "file" => Cell::Said(Text::of("console-of-file")),
            state => Cell::Code(state.to_owned()),
        };
        let counts = Text::of(if domain.counts { "console-yes" } else { "console-no" });
        let mut facts = vec![fact("console-state", state), fact("console-counts", Cell::Said(counts))];
        facts.extend(domain.directory.clone().map(|name| fact("console-directory", Cell::Code(name))));
        if let Some(say) = &domain.instructions {
            facts.push(fact("console-txt", Cell::Code(say.record_name.clone())));
            facts.push(fact("console-value", Cell::Code(say.value.clone())));
            facts.push(fact("console-file", Cell::Code(say.file.clone())));
            facts.push(fact("console-until", Cell::Shown(say.until.clone())));
        }
        Row { head: Cell::Shown(domain.domain.clone()), href: None, tag: None, facts, act: None }
    });
    list("domains", ("console-domains", "console-no-domains"), rows.collect())
}

fn directories(company: &Company) -> Block {
    let rows = company.directories.iter().map(|one| {
        let mut facts = vec![fact("console-how", Cell::Code(one.protocol.clone()))];
        for (label, value) in [
            ("console-provider", &one.issuer),
            ("console-provider", &one.saml),
            ("console-give", &one.redirect_uri),
            ("console-give", &one.entity_id),
            ("console-give", &one.acs),
            ("console-give", &one.slo),
        ] {
            facts.extend(value.clone().map(|value| fact(label, Cell::Code(value))));
        }
        Row { head: Cell::Shown(one.label.clone()), href: None, tag: None, facts, act: None }
    });
    list("directories", ("console-logins", "console-no-logins"), rows.collect())
}

fn policies(company: &Company) -> Block {
    let seconds = |value: Option<u64>| match value {
        Some(value) => Cell::Said(Text::of("console-seconds").with("count", &value.to_string())),
        None => no(),
    };
    let rows = company.policies.iter().map(|(name, policy)| {
        let mut facts = vec![fact("console-sso", Cell::Code(policy.sso.clone()))];
        facts.extend(policy.directory.clone().map(|name| fact("console-directory", Cell::Code(name))));
        facts.push(fact("console-idle", seconds(policy.idle)));
        facts.push(fact("console-absolute", seconds(policy.absolute)));
        Row { head: Cell::Code(name.clone()), href: None, tag: None, facts, act: None }
    });
    list("policies", ("console-policies", "console-no-logins"), rows.collect())
}

fn no() -> Cell {
    Cell::Said(Text::of("console-no"))
}

fn list(id: &'static str, (title, empty): (&'static str, &'static str), rows: Vec<Row>) -> Block {
    Block::Rows { id, title: Text::of(title), empty: Text::of(empty), rows, more: None, form: None }
}
