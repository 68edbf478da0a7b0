//! What is wrong with a SAML message: one value per check, each with a stable code.

/// Why a SAML message is refused. Logs, `ref` look-ups and support articles hang on the codes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SamlFault {
    /// Not base64, not DEFLATE or not UTF-8, or in a spelling that is not the only one.
    Encoding,
    /// More bytes than [`Limits`](super::Limits) allow, before or after decoding.
    TooLarge,
    /// A document type declaration, and with it entities.
    Doctype,
    /// A comment.
    Comment,
    /// A processing instruction, or an XML declaration that is not at the start or names another encoding.
    Instruction,
    /// Elements nested too deep.
    Depth,
    /// Too many attributes, on one tag or in all.
    Attributes,
    /// Too many elements.
    Elements,
    /// Too many namespace declarations in scope at one element, or a namespace whose name is no absolute URI.
    Namespaces,
    /// A name longer than any real one.
    Names,
    /// More than two signatures.
    Signatures,
    /// More than one Reference a signature.
    References,
    /// More than two Transforms a signature.
    Transforms,
    /// Not well-formed XML with namespaces.
    NotXml,
    /// The document element is not the message that was expected here.
    Root,
    /// An id that is missing or is no NCName.
    Id,
    /// The same id twice in one document, in whatever spelling of the attribute.
    RepeatedId,
    /// Not exactly one Assertion or EncryptedAssertion, or one that is not a child of the Response.
    Assertions,
    /// Neither the assertion nor the message around it is signed.
    Unsigned,
    /// A Signature anywhere but in its schema position in the Response or the Assertion.
    SignaturePlace,
    /// A Signature with other children than SignedInfo, SignatureValue and KeyInfo, or those with unknown parts.
    SignatureShape,
    /// The canonicalization of SignedInfo is not exclusive C14N 1.0 without comments.
    Canonicalization,
    /// The signature's algorithm is not one of those allowed.
    SignatureAlgorithm,
    /// The Reference does not name the signature's own parent.
    ReferenceTarget,
    /// The transforms are not enveloped-signature and then exclusive C14N.
    TransformAlgorithm,
    /// The digest's algorithm is not one of those allowed.
    DigestAlgorithm,
    /// No key of the directory fits, and the certificate in the message is none of the directory's.
    UnknownKey,
    /// The certificate of the key that signed has ended, and the directory refuses such keys.
    EndedKey,
    /// The signature does not hold under any key of the directory.
    Signature,
    /// The digest is not that of the signed element.
    Digest,
    /// An element or attribute of the assertion is missing, repeated or out of place.
    Shape,
    /// Text with an element inside, or none where some must be.
    Text,
    /// A time that is not `xs:dateTime` in UTC.
    Time,
    /// An encrypted part that is not laid out as XML Encryption says, or refers to somewhere else.
    EncryptionShape,
    /// An algorithm of an encrypted part that is not one of those allowed.
    EncryptionAlgorithm,
    /// AES-CBC outside a signed Response, or where the directory does not allow it.
    Cbc,
    /// An encrypted assertion does not open. All reasons look alike.
    Decryption,
    /// The assertion was used before.
    Replayed,
    /// The provider asks for more logouts than are carried out in a minute, or more messages wait than are looked at (rule H5).
    LogoutRate,
    /// A second verifier, made by others, refuses it or reads something else in it (rule H11).
    SecondOpinion,
    /// The second verifier gave no answer.
    NoSecondOpinion,
    /// The message was judged for another directory than it came to (rules C1, M4).
    Directory,
    /// `Version` is not 2.0.
    Version,
    /// `Destination` is missing or is not our address.
    Destination,
    /// The Response's Issuer is not the directory's.
    ResponseIssuer,
    /// The provider answered with another status than Success.
    Status,
    /// The reply answers no request of ours.
    Unsolicited,
    /// `InResponseTo` names another request.
    InResponseTo,
    /// The Response was issued in the future or before the request.
    ResponseIssued,
    /// The assertion's Issuer is not the directory's.
    Issuer,
    /// The assertion was issued in the future or before the request.
    Issued,
    /// No subject, or a confirmation that is not `bearer`.
    Confirmation,
    /// The confirmation's Recipient is not our address.
    Recipient,
    /// The confirmation is over, or says no end, or has a beginning.
    ConfirmationTime,
    /// The confirmation answers another request.
    ConfirmationRequest,
    /// There are no Conditions.
    Conditions,
    /// A condition that is not understood.
    UnknownCondition,
    /// The assertion is not valid yet.
    NotBefore,
    /// The assertion is no longer valid, or says no end.
    Expired,
    /// An audience restriction does not name us, or there is none.
    Audience,
    /// No statement of an authentication, or several.
    AuthnStatement,
    /// The authentication lies in the future, or further back than was asked for (rule M6).
    AuthnInstant,
    /// The provider's session has ended.
    SessionExpired,
    /// The authentication context is not one that the directory requires.
    AuthnContext,
    /// The subject is missing, has several values, is too long, or has spaces around it.
    Subject,
    /// The subject is of a format that does not name the same person tomorrow, or of another than configured.
    SubjectFormat,
    /// A detached signature's parameters: missing, repeated, or more than one message.
    RedirectParameters,
}

impl SamlFault {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Encoding => "saml-encoding",
            Self::TooLarge => "saml-too-large",
            Self::Doctype => "saml-doctype",
            Self::Comment => "saml-comment",
            Self::Instruction => "saml-instruction",
            Self::Depth => "saml-depth",
            Self::Attributes => "saml-attributes",
            Self::Elements => "saml-elements",
            Self::Namespaces => "saml-namespaces",
            Self::Names => "saml-names",
            Self::Signatures => "saml-signatures",
            Self::References => "saml-references",
            Self::Transforms => "saml-transforms",
            Self::NotXml => "saml-not-xml",
            Self::Root => "saml-root",
            Self::Id => "saml-id",
            Self::RepeatedId => "saml-repeated-id",
            Self::Assertions => "saml-assertions",
            Self::Unsigned => "saml-unsigned",
            Self::SignaturePlace => "saml-signature-place",
            Self::SignatureShape => "saml-signature-shape",
            Self::Canonicalization => "saml-canonicalization",
            Self::SignatureAlgorithm => "saml-signature-algorithm",
            Self::ReferenceTarget => "saml-reference-target",
            Self::TransformAlgorithm => "saml-transform-algorithm",
            Self::DigestAlgorithm => "saml-digest-algorithm",
            Self::UnknownKey => "saml-unknown-key",
            Self::EndedKey => "saml-ended-key",
            Self::Signature => "saml-signature",
            Self::Digest => "saml-digest",
            Self::Shape => "saml-shape",
            Self::Text => "saml-text",
            Self::Time => "saml-time",
            Self::EncryptionShape => "saml-encryption-shape",
            Self::EncryptionAlgorithm => "saml-encryption-algorithm",
            Self::Cbc => "saml-cbc",
            Self::Decryption => "saml-decryption",
            Self::Replayed => "saml-replayed",
            Self::LogoutRate => "saml-logout-rate",
            Self::SecondOpinion => "saml-second-opinion",
            Self::NoSecondOpinion => "saml-no-second-opinion",
            Self::Directory => "saml-directory",
            Self::Version => "saml-version",
            Self::Destination => "saml-destination",
            Self::ResponseIssuer => "saml-response-issuer",
            Self::Status => "saml-status",
            Self::Unsolicited => "saml-unsolicited",
            Self::InResponseTo => "saml-in-response-to",
            Self::ResponseIssued => "saml-response-issued",
            Self::Issuer => "saml-issuer",
            Self::Issued => "saml-issued",
            Self::Confirmation => "saml-confirmation",
            Self::Recipient => "saml-recipient",
            Self::ConfirmationTime => "saml-confirmation-time",
            Self::ConfirmationRequest => "saml-confirmation-request",
            Self::Conditions => "saml-conditions",
            Self::UnknownCondition => "saml-unknown-condition",
            Self::NotBefore => "saml-not-before",
            Self::Expired => "saml-expired",
            Self::Audience => "saml-audience",
            Self::AuthnStatement => "saml-authn-statement",
            Self::AuthnInstant => "saml-authn-instant",
            Self::SessionExpired => "saml-session-expired",
            Self::AuthnContext => "saml-authn-context",
            Self::Subject => "saml-subject",
            Self::SubjectFormat => "saml-subject-format",
            Self::RedirectParameters => "saml-redirect-parameters",
        }
    }
}
