//! What each fault of a SAML message means and what to do about it, for administrators. Never shown to who sent the message.

use super::SamlFault;

impl SamlFault {
    /// What is wrong, in a sentence without anything of the message.
    pub const fn cause(self) -> &'static str {
        self.told().0
    }

    /// What to do, and at which side.
    pub const fn remedy(self) -> &'static str {
        self.told().1
    }

    #[expect(clippy::too_many_lines, reason = "one table: each fault has its line")]
    const fn told(self) -> (&'static str, &'static str) {
        const FOREIGN: &str = "providers do not send this: find out where the message was changed or made";
        const KEYS: &str = "compare the fingerprints; give us the provider's current metadata";
        const CLOCK: &str = "set the provider's clock by NTP, and ours";
        const REGISTER: &str = "give the provider our current metadata, /saml/DIRECTORY/metadata";
        const SIGNING: &str =
            "set the provider to sign with RSA-SHA256 (or stronger, or ECDSA) and exclusive canonicalization";
        const ENCRYPTION: &str = "set the provider to encrypt with AES-GCM and RSA-OAEP, or not to encrypt";
        const AGAIN: &str = "log in again from the product; do not reload or bookmark pages of the login";
        match self {
            Self::Encoding => ("it is not clean base64 of UTF-8 text", "send it as the HTTP POST binding says"),
            Self::TooLarge => ("it is larger than 256 KiB", "have the provider send fewer attributes or groups"),
            Self::Doctype => ("it has a document type declaration", FOREIGN),
            Self::Comment => ("it has a comment", FOREIGN),
            Self::Instruction => ("it has a processing instruction", FOREIGN),
            Self::Depth => ("its elements nest too deep", FOREIGN),
            Self::Attributes => ("it has too many XML attributes", FOREIGN),
            Self::Elements => ("it has too many elements", "have the provider send fewer attributes or groups"),
            Self::Namespaces => ("it has too many namespaces, or one whose name is no absolute URI", FOREIGN),
            Self::Names => ("it has a name longer than any real one", FOREIGN),
            Self::Signatures => ("it has more than two signatures", FOREIGN),
            Self::References => ("a signature has several references", FOREIGN),
            Self::Transforms => ("a signature has more than two transforms", SIGNING),
            Self::NotXml => ("it is not well-formed XML", "send the whole response as it came; it may be cut off"),
            Self::Root => ("it is no SAML 2.0 Response", "send a Response to this address, no request and no SAML 1.1"),
            Self::Id => ("an id is missing or malformed", FOREIGN),
            Self::RepeatedId => ("an id stands twice", FOREIGN),
            Self::Assertions => ("there is not exactly one assertion in its place", "send one assertion per response"),
            Self::Unsigned => {
                ("nothing that we rely on is signed", "set the provider to sign the assertion or the response")
            }
            Self::SignaturePlace => ("a signature stands out of its place", FOREIGN),
            Self::SignatureShape => ("a signature has unknown or missing parts", SIGNING),
            Self::Canonicalization => ("its signature is not by exclusive canonicalization", SIGNING),
            Self::SignatureAlgorithm => ("its signature's algorithm is not allowed (SHA-1 is not)", SIGNING),
            Self::ReferenceTarget => ("a signature is over something else than what it stands in", FOREIGN),
            Self::TransformAlgorithm => {
                ("its transforms are not enveloped-signature and exclusive canonicalization", SIGNING)
            }
            Self::DigestAlgorithm => ("its digest's algorithm is not allowed (SHA-1 is not)", SIGNING),
            Self::UnknownKey => ("it is signed by a key that the directory does not have", KEYS),
            Self::EndedKey => (
                "the certificate of the key that signed it has ended, and `expired_keys` is \"refuse\"",
                "give us metadata with the provider's new key, or write expired_keys = \"warn\"",
            ),
            Self::Signature => ("no key of the directory made its signature", KEYS),
            Self::Digest => {
                ("it was changed after it was signed", "look for a proxy or tool that rewrites the response")
            }
            Self::Shape => {
                ("an element is missing, repeated or out of place", "compare it with SAML Core; update the provider")
            }
            Self::Text => ("a text has elements inside, or is missing", FOREIGN),
            Self::Time => ("a time is not in UTC with Z", "update the provider: SAML times are in UTC"),
            Self::EncryptionShape => ("its encrypted part is not laid out as we can read", ENCRYPTION),
            Self::EncryptionAlgorithm => ("its encryption's algorithm is not allowed", ENCRYPTION),
            Self::Cbc => ("it is encrypted by AES-CBC", ENCRYPTION),
            Self::Decryption => ("it was not encrypted for our key, or was changed", REGISTER),
            Self::Replayed => ("its assertion was used before", AGAIN),
            Self::LogoutRate => (
                "more logouts came for this directory than are carried out in a minute",
                "find out at the provider why it logs so many people out; end sessions here with fedgate sessions revoke",
            ),
            Self::SecondOpinion => (
                "the second verifier refuses it, or reads something else in it",
                "keep the response and report it: one of the two verifiers is wrong, or somebody tries to use that",
            ),
            Self::NoSecondOpinion => (
                "the second verifier gave no answer, and its process was replaced",
                "log in again; if it stays so, see the gateway's log, and the provider's size of responses",
            ),
            Self::Directory => ("the directory is not the one that the login left for", AGAIN),
            Self::Version => ("its version is not 2.0", "set the provider to SAML 2.0"),
            Self::Destination => ("its Destination is not our address", REGISTER),
            Self::ResponseIssuer => {
                ("the response is from another entity than the directory's", "give us this provider's metadata")
            }
            Self::Status => {
                ("the provider did not authenticate the person", "see the provider's own log for the reason")
            }
            Self::Unsolicited => {
                ("it answers no request", "begin at the product; responses nobody asked for prove nothing")
            }
            Self::InResponseTo => ("it answers another request", AGAIN),
            Self::ResponseIssued => ("the response was issued before its request or in the future", CLOCK),
            Self::Issuer => {
                ("the assertion is from another entity than the directory's", "give us this provider's metadata")
            }
            Self::Issued => ("the assertion was issued before its request or in the future", CLOCK),
            Self::Confirmation => ("it has no bearer confirmation", "set the provider to the web browser SSO profile"),
            Self::Recipient => ("its Recipient is not our address", REGISTER),
            Self::ConfirmationTime => ("its confirmation is over, has no end, or has a beginning", CLOCK),
            Self::ConfirmationRequest => ("its confirmation answers another request", AGAIN),
            Self::Conditions => ("it has no Conditions", "set the provider to the web browser SSO profile"),
            Self::UnknownCondition => {
                ("it has a condition that we do not know", "turn the condition off at the provider")
            }
            Self::NotBefore => ("it is not valid yet", CLOCK),
            Self::Expired => ("it is no longer valid, or has no end", CLOCK),
            Self::Audience => ("it is meant for another audience than our entity id", REGISTER),
            Self::AuthnStatement => (
                "it does not say that a person logged in, or says it twice",
                "set the provider to the web browser SSO profile",
            ),
            Self::AuthnInstant => (
                "the person logged in too long ago, or in the future",
                "have the provider honour ForceAuthn; see the clocks",
            ),
            Self::SessionExpired => ("the provider's session is over", "log in at the provider again"),
            Self::AuthnContext => (
                "the person did not log in by a method that `require_amr` names",
                "require that method at the provider, or change `require_amr`",
            ),
            Self::Subject => (
                "there is no subject, or not exactly one",
                "send the NameID or attribute that `subject` names, with one value",
            ),
            Self::SubjectFormat => (
                "its NameID is transient or of another format than expected",
                "send a persistent NameID, or name an attribute in `subject`",
            ),
            Self::RedirectParameters => ("parameters of the redirect are missing or repeated", FOREIGN),
        }
    }
}
