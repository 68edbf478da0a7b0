//! As much HTML as a browser without a screen needs: forms, links, the refresh, the text. Tolerant, not a parser for strangers.

/// One start tag with its attributes, names lower-cased and values unescaped.
#[derive(Clone, Debug)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// Where the tag begins, and where the text after it does.
    start: usize,
    end: usize,
}

impl Tag {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Debug)]
pub struct Form {
    pub id: Option<String>,
    /// As written; empty posts to the page itself.
    pub action: String,
    pub post: bool,
    /// What is sent without anybody typing: hidden and prefilled fields. Buttons are not among them.
    pub fields: Vec<(String, String)>,
    pub buttons: Vec<(String, String)>,
}

/// All tags in their order. End tags have a name with a leading `/`; what is no text either (comments, the contents of scripts and
/// styles) is a tag named `!`.
pub fn tags(html: &str) -> Vec<Tag> {
    let nothing = |start: usize, end: usize| Tag { name: "!".to_owned(), attributes: Vec::new(), start, end };
    let past =
        |from: usize, mark: &str| html[from..].find(mark).map_or(html.len(), |offset| from + offset + mark.len());
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = html[at..].find('<').map(|offset| at + offset) {
        if html[start..].starts_with("<!") {
            at = past(start, if html[start..].starts_with("<!--") { "-->" } else { ">" });
            found.push(nothing(start, at));
            continue;
        }
        let Some(tag) = tag_at(html, start + 1) else {
            at = start + 1;
            continue;
        };
        at = tag.end;
        let raw = matches!(tag.name.as_str(), "script" | "style").then(|| format!("</{}", tag.name));
        found.push(tag);
        if let Some(close) = raw {
            let end = html[at..].to_ascii_lowercase().find(&close).map_or(html.len(), |offset| at + offset);
            found.push(nothing(at, end));
            at = end;
        }
    }
    found
}

fn tag_at(html: &str, start: usize) -> Option<Tag> {
    let rest = &html[start..];
    let name_end = rest.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(rest.len());
    let name = rest[..name_end].trim_end_matches('/').to_ascii_lowercase();
    if !name.trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut attributes = Vec::new();
    let mut rest = &rest[name_end..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return Some(Tag { name, attributes, start: start - 1, end: html.len() - after.len() });
        }
        let key_end = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))?;
        let key = rest[..key_end].to_ascii_lowercase();
        rest = rest[key_end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = value_of(after.trim_start())?;
        }
        if key.is_empty() {
            return None;
        }
        attributes.push((key, unescape(value)));
    }
}

fn value_of(text: &str) -> Option<(&str, &str)> {
    match text.chars().next()? {
        quote @ ('"' | '\'') => text[1..].split_once(quote),
        _ => Some(text.split_at(text.find(|c: char| c.is_ascii_whitespace() || c == '>')?)),
    }
}

/// The page's forms in their order, fields and buttons that name a form by `form=` included.
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut strays: Vec<(String, Tag, String)> = Vec::new();
    let mut open = false;
    for tag in tags(html) {
        match tag.name.as_str() {
            "form" => {
                let text = |name: &str| tag.attribute(name).map(str::to_owned);
                let post = tag.attribute("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
                forms.push(Form {
                    id: text("id"),
                    action: text("action").unwrap_or_default(),
                    post,
                    fields: vec![],
                    buttons: vec![],
                });
                open = true;
            }
            "/form" => open = false,
            "input" | "button" | "textarea" => {
                let value = if tag.name == "textarea" {
                    content(html, &tag)
                } else {
                    tag.attribute("value").unwrap_or_default().to_owned()
                };
                match tag.attribute("form").map(str::to_owned) {
                    Some(id) => strays.push((id, tag, value)),
                    None if open => control(forms.last_mut().expect("a form is open"), &tag, value),
                    None => {}
                }
            }
            _ => {}
        }
    }
    for (id, tag, value) in strays {
        if let Some(form) = forms.iter_mut().find(|form| form.id.as_deref() == Some(&id)) {
            control(form, &tag, value);
        }
    }
    forms
}

fn control(form: &mut Form, tag: &Tag, value: String) {
    let kind =
        tag.attribute("type").unwrap_or(if tag.name == "button" { "submit" } else { "text" }).to_ascii_lowercase();
    let name = tag.attribute("name").unwrap_or_default().to_owned();
    match kind.as_str() {
        "submit" | "image" => form.buttons.push((name, value)),
        "button" | "reset" => {}
        "checkbox" | "radio" if tag.attribute("checked").is_none() => {}
        _ if name.is_empty() => {}
        _ => form.fields.push((name, value)),
    }
}

fn content(html: &str, tag: &Tag) -> String {
    let rest = &html[tag.end..];
    unescape(&rest[..rest.find('<').unwrap_or(rest.len())])
}

/// Where a `<meta http-equiv=refresh>` leads, if it fires within five seconds.
pub fn refresh(html: &str) -> Option<String> {
    let tag = tags(html).into_iter().find(|tag| {
        tag.name == "meta" && tag.attribute("http-equiv").is_some_and(|kind| kind.eq_ignore_ascii_case("refresh"))
    })?;
    let (delay, target) = tag.attribute("content")?.split_once(';')?;
    let target = target.trim();
    let target = target.get(..4).filter(|key| key.eq_ignore_ascii_case("url=")).map_or(target, |_| &target[4..]);
    let target = target.trim().trim_matches(|c| c == '\'' || c == '"');
    delay.trim().parse::<f32>().is_ok_and(|seconds| seconds <= 5.0).then(|| target.to_owned())
}

/// Where the links lead, as written.
pub fn links(html: &str) -> Vec<String> {
    tags(html).iter().filter(|tag| tag.name == "a").filter_map(|tag| tag.attribute("href")).map(str::to_owned).collect()
}

/// What a person reads: text without tags, white space folded.
pub fn text(html: &str) -> String {
    let mut text = String::new();
    let mut at = 0;
    for tag in tags(html) {
        text.push_str(&html[at..tag.start]);
        text.push(' ');
        at = tag.end;
    }
    text.push_str(&html[at..]);
    unescape(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Character references: the five by name, and numbers.
pub fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((end, reference(&rest[1..end])?))) {
            Some((end, character)) => {
                out.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let hex = number.strip_prefix(['x', 'X']);
            char::from_u32(hex.map_or_else(|| number.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok())?)
        }
    }
}
