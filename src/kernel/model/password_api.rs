//! A product's JSON login for its apps, which cannot show a page of ours.

/// One path of a product to which an app posts an address and a password. What it is given passes unchanged for people who may log in
/// by a password; everybody else is answered in the product's own shape.
#[derive(Clone, Debug)]
pub struct PasswordApi {
    /// Exactly this path.
    pub path: String,
    /// Where the address stands in the body (JSON Pointer, RFC 6901).
    pub email: String,
    /// Where the password stands.
    pub password: String,
    /// How a refusal looks.
    pub refuse: ApiRefusal,
}

/// A refusal in the shape that the product's app knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiRefusal {
    /// 400 to 499.
    pub status: u16,
    /// JSON; `{text}` stands for a sentence, inside a string.
    pub body: String,
}

impl ApiRefusal {
    /// Where a sentence goes.
    pub const TEXT: &str = "{text}";

    /// The body with this sentence, escaped as it must be inside a JSON string.
    pub fn with(&self, text: &str) -> String {
        let quoted = serde_json::Value::from(text).to_string();
        let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
        self.body.replace(Self::TEXT, inside)
    }
}

impl Default for ApiRefusal {
    fn default() -> Self {
        Self { status: 401, body: r#"{"message":"{text}"}"#.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_stays_inside_its_string() {
        let shown = ApiRefusal::default().with("a \"b\" \\ \n{text}");
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, serde_json::json!({ "message": "a \"b\" \\ \n{text}" }));
    }
}
