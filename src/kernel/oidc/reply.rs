//! What a browser brings back from a provider: the parameters of a redirect or of a form post.
//!
//! The provider's words (`error_description`, `error_uri`) are not even kept, so that no page can show them.

use crate::kernel::refusal::ProofFault;
use crate::kernel::values::Secret;
use url::form_urlencoded;

/// Bytes of a whole reply. Codes of real providers have up to 2 KiB; Apple adds a `user` document.
const REPLY_LIMIT: usize = 16 * 1024;
/// Parameters of a reply.
const PARAMETERS_LIMIT: usize = 32;

/// A reply's parameters. Nothing in it is proved.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A code to redeem.
    Code(CodeReply),
    /// The person or the provider said no.
    Refused {
        /// RFC 6749 §4.1.2.1 or OpenID Connect Core §3.1.2.6: `[a-z_]{1,64}`, else `other`. For the log, not for pages.
        error: String,
        /// Which login it belongs to.
        state: String,
    },
}

impl Reply {
    /// Which login it claims to belong to.
    pub fn state(&self) -> &str {
        match self {
            Self::Code(code) => &code.state,
            Self::Refused { state, .. } => state,
        }
    }
}

/// A code and what came with it.
#[derive(Clone, Debug)]
pub struct CodeReply {
    /// The code; redeemed at most once, at the directory that the state belongs to.
    pub code: Secret,
    /// Which login it claims to belong to.
    pub state: String,
    /// Who says to have sent it (RFC 9207).
    pub iss: Option<String>,
}

/// Reads the query of a redirect or the body of a form post.
///
/// # Errors
/// [`ProofFault::Parameters`]: a parameter twice, no state, code and error both or neither, a token in the front channel, too
/// much, or text that is not plain ASCII where it must be.
pub fn reply(bytes: &[u8]) -> Result<Reply, ProofFault> {
    if bytes.len() > REPLY_LIMIT {
        return Err(ProofFault::Parameters);
    }
    let mut parameters = Parameters::default();
    for (count, (name, value)) in form_urlencoded::parse(bytes).enumerate() {
        if count >= PARAMETERS_LIMIT {
            return Err(ProofFault::Parameters);
        }
        parameters.take(&name, &value)?;
    }
    let state = parameters.state.ok_or(ProofFault::Parameters)?;
    match (parameters.code, parameters.error) {
        (Some(code), None) => Ok(Reply::Code(CodeReply { code: Secret::new(code), state, iss: parameters.iss })),
        (None, Some(error)) => Ok(Reply::Refused { error: known(&error), state }),
        _ => Err(ProofFault::Parameters),
    }
}

#[derive(Default)]
struct Parameters {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    others: Vec<String>,
}

impl Parameters {
    fn take(&mut self, name: &str, value: &str) -> Result<(), ProofFault> {
        let (slot, limit) = match name {
            "code" => (&mut self.code, 4096),
            "state" => (&mut self.state, 128),
            "iss" => (&mut self.iss, 1024),
            "error" => (&mut self.error, 256),
            // Nothing but the code flow is asked for: a token here was put there by someone else.
            "access_token" | "id_token" | "response" => return Err(ProofFault::Parameters),
            _ if self.others.iter().any(|other| other == name) => return Err(ProofFault::Parameters),
            _ => {
                self.others.push(name.to_owned());
                return Ok(());
            }
        };
        let plain = !value.is_empty() && value.len() <= limit && value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !plain || slot.is_some() {
            return Err(ProofFault::Parameters);
        }
        *slot = Some(value.to_owned());
        Ok(())
    }
}

fn known(error: &str) -> String {
    let fits = error.len() <= 64 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if fits { error.to_owned() } else { "other".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = match reply(text.as_bytes()) {
            Ok(Reply::Code(reply)) => format!("code {} {} {:?}", reply.code.expose(), reply.state, reply.iss),
            Ok(Reply::Refused { error, state }) => format!("refused {error} {state}"),
            Err(fault) => fault.code().to_owned(),
        };
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn each_parameter_once() {
        check("code=c&state=s", "code c s None");
        check("state=s&code=c&iss=https%3A%2F%2Fop.example&session_state=x", "code c s Some(\"https://op.example\")");
        check("error=access_denied&error_description=%3Cb%3E&state=s", "refused access_denied s");
        check("error=%3Cscript%3E&state=s", "refused other s");
        for bad in [
            "",
            "code=c",
            "state=s",
            "code=c&state=",
            "code=c&error=e&state=s",
            "code=c&code=d&state=s",
            "code=c&state=s&state=s",
            "code=c&c%6fde=d&state=s",
            "code=c&state=s&iss=a&iss=b",
            "code=c&state=s&x=1&x=2",
            "code=c&state=s&id_token=t",
            "code=c&state=s&access_token=t",
            "code=c%00&state=s",
            "code=c&state=s%0d%0a",
            "code=c&state=%ff",
        ] {
            check(bad, "proof-parameters");
        }
        check(&format!("code={}&state=s", "c".repeat(4097)), "proof-parameters");
        check(&format!("code=c&state={}", "s".repeat(129)), "proof-parameters");
        check(&format!("code=c&state=s&x={}", "x".repeat(REPLY_LIMIT)), "proof-parameters");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = reply(&bytes); // only that it returns matters here
        }
    }
}
