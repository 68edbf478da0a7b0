//! An authenticator in software: P-256 keys, one counter, and every field of its answers open to be wrong.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// User present, user verified.
pub const FLAGS: u8 = 0b101;
/// Credential data follows.
const DATA: u8 = 1 << 6;

/// A credential and the authenticator that has it.
pub struct Authenticator {
    key: EcdsaKeyPair,
    pub handle: Vec<u8>,
    pub user: Vec<u8>,
    pub counter: u32,
}

/// What a ceremony is told; changed field by field by whoever attacks.
#[derive(Clone)]
pub struct Scene {
    pub kind: &'static str,
    pub challenge: Vec<u8>,
    pub origin: String,
    pub rp_id: String,
    pub flags: u8,
    /// More members of the client data.
    pub more: Value,
}

impl Scene {
    /// An honest one of a login.
    pub fn of_login(challenge: &[u8], origin: &str, rp_id: &str) -> Self {
        Self {
            kind: "webauthn.get",
            challenge: challenge.to_vec(),
            origin: origin.to_owned(),
            rp_id: rp_id.to_owned(),
            flags: FLAGS,
            more: json!({ "crossOrigin": false }),
        }
    }

    /// An honest one of an enrolment.
    pub fn of_enrolment(challenge: &[u8], origin: &str, rp_id: &str) -> Self {
        Self { kind: "webauthn.create", ..Self::of_login(challenge, origin, rp_id) }
    }

    fn client_data(&self) -> Vec<u8> {
        let mut data = json!({ "type": self.kind, "challenge": b64(&self.challenge), "origin": self.origin });
        if let (Some(data), Some(more)) = (data.as_object_mut(), self.more.as_object()) {
            data.extend(more.clone());
        }
        data.to_string().into_bytes()
    }

    fn authenticator_data(&self, counter: u32, flags: u8) -> Vec<u8> {
        [digest(&SHA256, self.rp_id.as_bytes()).as_ref(), &[flags], &counter.to_be_bytes()].concat()
    }
}

impl Authenticator {
    /// A new credential of this id for this user handle.
    pub fn new(handle: &[u8], user: &[u8]) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        Self { key, handle: handle.to_vec(), user: user.to_vec(), counter: 1 }
    }

    /// The public key in its COSE form (RFC 9053 §7.1.1).
    pub fn cose(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..65]);
        [&[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20], x, &[0x22, 0x58, 0x20], y].concat()
    }

    /// The answer of an enrolment, as our script posts it.
    pub fn create(&self, scene: &Scene) -> String {
        let length = u16::try_from(self.handle.len()).expect("short").to_be_bytes();
        let data = scene.authenticator_data(self.counter, scene.flags | DATA);
        let data = [data.as_slice(), &[0; 16], &length, &self.handle, &self.cose()].concat();
        json!({ "clientDataJSON": b64(&scene.client_data()), "authenticatorData": b64(&data) }).to_string()
    }

    /// The answer of a login, and one more on the counter.
    #[expect(clippy::disallowed_methods, reason = "an authenticator draws for itself")]
    pub fn get(&mut self, scene: &Scene) -> String {
        self.counter += u32::from(self.counter > 0);
        let (client, data) = (scene.client_data(), scene.authenticator_data(self.counter, scene.flags));
        let signed = [data.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        json!({
            "id": b64(&self.handle), "clientDataJSON": b64(&client), "authenticatorData": b64(&data),
            "signature": b64(signature.as_ref()), "userHandle": b64(&self.user),
        })
        .to_string()
    }
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
