//! Messages of the sample company: requests read, responses filled in and signed.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Value, context};
use rcgen::{CertificateParams, PKCS_RSA_SHA256};
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::time::Duration;
use url::Url;

use super::{Party, Session};
use crate::demo::http::Fields;
use crate::demo::jose::{NoKey, random_handle, signing_random};
use crate::kernel::saml::{self, Head, Limits, SignatureAlgorithm, ToSign};
use crate::kernel::values::Timestamp;

/// How long a response may take to arrive.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);
/// Allowed for a clock that is behind.
const SLACK: Duration = Duration::from_secs(30);

/// What is read of a request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// `ID`.
    pub(super) id: String,
    /// Issuer's text.
    pub(super) issuer: String,
    /// `ForceAuthn`.
    pub(super) force: bool,
    /// Goes back as it came.
    pub(super) relay_state: Option<String>,
}

impl Asked {
    /// Reads the fields of the Redirect binding; their signature is not looked at.
    pub(super) fn read(fields: &Fields) -> Option<Self> {
        let bytes = saml::decode_redirect(fields.one("SAMLRequest")?.as_bytes(), Limits::MESSAGE).ok()?;
        let document = roxmltree::Document::parse(saml::pass(&bytes, Limits::MESSAGE).ok()?).ok()?;
        let root = document.root_element();
        let issuer = root.children().find(|child| child.tag_name().name() == "Issuer")?;
        Some(Self {
            id: root.attribute("ID")?.to_owned(),
            issuer: issuer.text()?.to_owned(),
            force: root.attribute("ForceAuthn") == Some("true"),
            relay_state: fields.one("RelayState").map(str::to_owned),
        })
    }
}

/// The values of a response. Without a session: the person turned back.
pub(super) fn response(
    entity_id: &str,
    party: &Party,
    asked: &Asked,
    session: Option<&Session>,
    now: Timestamp,
) -> Value {
    let id = || format!("_{}", random_handle());
    let person = session.map(|session| {
        let person = session.person;
        context! {
            subject => person.sub,
            email => person.email,
            name => person.name,
            groups => person.groups.to_vec(),
            at => Timestamp::from_millis(session.at).to_string(),
            index => session.index.as_str(),
        }
    });
    context! {
        id => id(),
        assertion => id(),
        now => now.to_string(),
        from => now.minus(SLACK).to_string(),
        until => now.plus(GOOD_FOR).to_string(),
        issuer => entity_id,
        acs => party.acs.as_str(),
        audience => party.entity_id.as_str(),
        in_response_to => asked.id.as_str(),
        person,
    }
}

/// The company's key, made at start and never kept.
pub(super) struct Signer {
    key: RsaKeyPair,
    certificate: Vec<u8>,
}

impl Signer {
    pub(super) fn make() -> Result<Self, NoKey> {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| NoKey)?;
        let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| NoKey)?;
        let document = PrivatePkcs8KeyDer::from(der.as_ref().to_vec());
        let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&document, &PKCS_RSA_SHA256).map_err(|_| NoKey)?;
        let certificate = CertificateParams::default().self_signed(&pair).map_err(|_| NoKey)?;
        Ok(Self { certificate: certificate.der().to_vec(), key })
    }

    /// Its certificate, as metadata carries it.
    pub(super) fn certificate(&self) -> String {
        STANDARD.encode(&self.certificate)
    }

    fn sign(&self, octets: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &signing_random(), octets, &mut signature).ok()?;
        Some(signature)
    }

    /// A document with its signature inside, in base64.
    pub(super) fn enveloped(&self, document: String) -> Option<String> {
        let to_sign = ToSign::of(document).ok()?;
        let signature = self.sign(to_sign.octets())?;
        Some(STANDARD.encode(to_sign.signed(&signature, &self.certificate)))
    }

    /// The address by which the browser takes a LogoutResponse along.
    pub(super) fn logout_response(&self, entity_id: &str, slo: &str, asked: &Asked, now: Timestamp) -> Option<String> {
        let id = format!("_{}", random_handle());
        let head = Head { id: &id, issued: now, destination: slo, issuer: entity_id };
        let response = saml::logout_response(&head, &asked.id, true);
        let by = SignatureAlgorithm::RsaSha256;
        let to_sign = saml::query_to_sign(&response, false, asked.relay_state.as_deref(), by);
        let signature = self.sign(to_sign.as_bytes())?;
        let mut url = Url::parse(slo).ok()?;
        url.set_query(Some(&saml::signed_query(to_sign, &signature)));
        Some(url.into())
    }
}
