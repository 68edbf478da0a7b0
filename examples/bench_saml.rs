//! What verifying a SAML response costs, beside bare RSA and samael, in processor time of one run; `benches/saml` adds peers.
//!
//! `bench_saml FOLDER [SECONDS]` writes the responses that it made and the provider's certificate to FOLDER, measures each row for
//! SECONDS (1 unless said otherwise) of its thread's own time, in rounds that take turns, and prints `NAME BYTES PER_SECOND`. Then it
//! prints the worst of the hostile documents: `cost NAME MICROSECONDS ALLOCATED_BYTES`.

use aws_lc_rs::cipher::AES_256_KEY_LEN;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fedgate::kernel::saml::{DecryptionKeys, Received, SigningKeys, Trust};
use rcgen::{CertificateParams, PKCS_RSA_SHA256};
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Rounds in which every row takes a turn: the machine drifts, the ratios inside a round do not.
const ROUNDS: u32 = 5;

/// Counts what lives, and the most that ever did, while it is told to: two threads that share a counter would wait for each other.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator that counts and hands everything on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTS.load(Ordering::Relaxed) {
            let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
            MOST.fetch_max(live, Ordering::Relaxed);
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if COUNTS.load(Ordering::Relaxed) {
            LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Fault = Box<dyn Error>;

/// Seconds of this thread's own processor time.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the processor's clock")]
fn own_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

struct Provider {
    key: RsaKeyPair,
    certificate: Vec<u8>,
    random: SystemRandom,
}

#[expect(clippy::disallowed_methods, reason = "keys and signatures of the measurement's own provider")]
impl Provider {
    fn new() -> Result<Self, Fault> {
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048)?;
        let der: Pkcs8V1Der<'_> = pair.as_der()?;
        let document = PrivatePkcs8KeyDer::from(der.as_ref().to_vec());
        let signer = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&document, &PKCS_RSA_SHA256)?;
        let certificate = CertificateParams::default().self_signed(&signer)?.der().to_vec();
        Ok(Self { key: RsaKeyPair::from_pkcs8(der.as_ref())?, certificate, random: SystemRandom::new() })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature)?;
        Ok(signature)
    }

    /// An assertion of about this many bytes, signed; written in its canonical form, so that nothing here canonicalizes.
    fn assertion(&self, bytes: usize) -> Result<String, Fault> {
        // As a provider lists groups: one attribute with many values.
        let value =
            "<saml:AttributeValue>cn=engineering &amp; design,ou=groups,dc=acme,dc=example</saml:AttributeValue>";
        let values = value.repeat(bytes.saturating_sub(3_300) / value.len());
        let values = format!("<saml:Attribute Name=\"urn:oid:1.3.6.1.4.1.5923.1.5.1.1\">{values}</saml:Attribute>");
        let head = "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_a1\" IssueInstant=\"2026-11-22T12:00:00Z\" Version=\"2.0\"><saml:Issuer>https://idp.example/metadata</saml:Issuer>";
        let rest = format!(
            "<saml:Subject><saml:NameID Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">ann</saml:NameID><saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"><saml:SubjectConfirmationData InResponseTo=\"_request1\" NotOnOrAfter=\"2026-11-22T12:05:00Z\" Recipient=\"https://id.example/saml/acme/acs\"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore=\"2026-11-22T11:59:00Z\" NotOnOrAfter=\"2026-11-22T12:10:00Z\"><saml:AudienceRestriction><saml:Audience>https://id.example/saml/acme/metadata</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant=\"2026-11-22T11:30:00Z\" SessionIndex=\"_s1\"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>{values}</saml:AttributeStatement></saml:Assertion>"
        );
        let info = format!(
            "<ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></ds:SignatureMethod><ds:Reference URI=\"#_a1\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod><ds:DigestValue>{}</ds:DigestValue></ds:Reference></ds:SignedInfo>",
            STANDARD.encode(digest(&SHA256, format!("{head}{rest}").as_bytes()))
        );
        let signature = STANDARD.encode(self.sign(info.as_bytes())?);
        let certificate = STANDARD.encode(&self.certificate);
        Ok(format!(
            "{head}<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{info}<ds:SignatureValue>{signature}</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>{rest}"
        ))
    }
}

fn response(body: &str) -> String {
    format!(
        "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_r1\" Version=\"2.0\" IssueInstant=\"2026-11-22T12:00:00Z\" Destination=\"https://id.example/saml/acme/acs\" InResponseTo=\"_request1\"><saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">https://idp.example/metadata</saml:Issuer><samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status>{body}</samlp:Response>"
    )
}

/// An EncryptedAssertion by AES-256-GCM under RSA-OAEP; with the wrapped key, for the bare decryption beside it.
#[expect(clippy::disallowed_methods, reason = "a content key of the measurement's own provider")]
fn encrypted(assertion: &str, to: &PrivateDecryptingKey) -> Result<(String, Vec<u8>), Fault> {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let mut key = [0; AES_256_KEY_LEN];
    SystemRandom::new().fill(&mut key)?;
    let nonce = [7; 12];
    let mut content = assertion.as_bytes().to_vec();
    let sealing = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key)?);
    sealing.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut content)?;
    let public = OaepPublicEncryptingKey::new(to.public_key())?;
    let mut wrapped = vec![0; public.ciphertext_size()];
    let wrapped = public.encrypt(&OAEP_SHA1_MGF1SHA1, &key, &mut wrapped, None)?.to_vec();
    let body = format!(
        "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"><xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" Type=\"http://www.w3.org/2001/04/xmlenc#Element\"><xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/><xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>",
        STANDARD.encode(&wrapped),
        STANDARD.encode([nonce.as_slice(), &content].concat())
    );
    Ok((response(&body), wrapped))
}

/// One row: its name, the bytes of its document, and what is done once.
struct Row<'a> {
    name: &'static str,
    bytes: usize,
    once: Box<dyn Fn() -> bool + Sync + 'a>,
}

impl<'a> Row<'a> {
    fn new(name: &'static str, bytes: usize, once: impl Fn() -> bool + Sync + 'a) -> Self {
        Self { name, bytes, once: Box::new(once) }
    }

    /// Times a second of this thread's own processor time.
    fn rate(&self, seconds: f64) -> f64 {
        let (begun, mut count) = (own_time(), 0_u32);
        loop {
            for _ in 0..8 {
                assert!((self.once)(), "{} refuses", self.name);
                count += 1;
            }
            let taken = own_time() - begun;
            if taken >= seconds {
                return f64::from(count) / taken;
            }
        }
    }
}

/// Times a second of two threads, in each one's own processor time.
fn both(seconds: f64, once: &(dyn Fn() -> bool + Sync)) -> f64 {
    std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| Row::new("two threads", 0, once).rate(seconds)));
        threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Documents that anybody can send: what must be refused cheaply before a signature verified.
fn hostile(good: &str) -> Vec<(&'static str, String)> {
    let into = |from: &str, to: String| good.replacen(from, &to, 1);
    let status = "<samlp:Status>";
    let extensions = |inside: String| into(status, format!("<samlp:Extensions>{inside}</samlp:Extensions>{status}"));
    let nested = |depth: usize| extensions(format!("{}{}", "<x>".repeat(depth), "</x>".repeat(depth)));
    let wide: String = (0..60).map(|at| format!(" a{at}=\"\"")).collect();
    let many: String = (0..60).map(|at| format!(" xmlns:n{at}=\"urn:{at}\"")).collect();
    vec![
        ("changed subject", good.to_owned()),
        ("changed signature", into("<ds:SignatureValue>", "<ds:SignatureValue>AAAA".into())),
        ("unsigned", good.replace("ds:Signature", "ds:Signatur")),
        (
            "wrapped",
            into(
                "</samlp:Response>",
                "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/></samlp:Response>".into(),
            ),
        ),
        ("5000 elements", extensions("<x/>".repeat(4_900))),
        ("64 deep", nested(60)),
        ("65 deep", nested(70)),
        ("60 attributes on 90 tags", extensions(format!("<x{wide}/>").repeat(90))),
        ("60 namespaces over 4000 elements", extensions(format!("<x{many}>{}</x>", "<n1:y/>".repeat(4_000)))),
        ("doctype", format!("<!DOCTYPE x [{}]>{good}", "<!ENTITY a 'b'>".repeat(9_000))),
        ("comments", extensions("<!--x-->".repeat(20_000))),
        (
            "transforms",
            into(
                "<ds:Transforms>",
                format!("<ds:Transforms>{}", "<ds:Transform Algorithm=\"x\"></ds:Transform>".repeat(2_000)),
            ),
        ),
        ("references", into("</ds:Reference>", format!("</ds:Reference>{}", "<ds:Reference/>".repeat(4_000)))),
        ("text of entities", extensions("&amp;".repeat(48_000))),
        ("one long text", extensions("x".repeat(240_000))),
        ("long base64", into("<ds:SignatureValue>", format!("<ds:SignatureValue>{}", "A".repeat(230_000)))),
        ("many ids", extensions((0..4_500).map(|at| format!("<x ID=\"i{at}\"/>")).collect())),
        ("256 KiB of brackets", "<".repeat(256 * 1024)),
        ("256 KiB of equals", format!("<x {}>", "=".repeat(256 * 1024 - 8))),
    ]
}

fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().collect();
    let folder = arguments.get(1).ok_or("bench_saml FOLDER [SECONDS]")?;
    let seconds: f64 = arguments.get(2).map_or(Ok(1.0), |text| text.parse())?;
    let provider = Provider::new()?;
    let ours = PrivateDecryptingKey::generate(KeySize::Rsa2048)?;
    let decrypting = OaepPrivateDecryptingKey::new(ours.clone())?;
    let pkcs8: Pkcs8V1Der<'_> = ours.as_der()?;
    let decryption = DecryptionKeys::from_pkcs8([pkcs8.as_ref()])?;
    let keys = SigningKeys::from_certificates([provider.certificate.as_slice()])?;
    let trust = Trust { keys: &keys, decryption: Some(&decryption), cbc: false };
    let plain = [9_200, 57_000].map(|bytes| provider.assertion(bytes));
    let [small, large] = plain;
    let (small, large) = (small?, large?);
    let (sealed, wrapped) = encrypted(&small, &ours)?;
    let documents = [response(&small), response(&large)];
    for (name, document) in ["response-9.xml", "response-57.xml"].iter().zip(&documents) {
        std::fs::write(Path::new(folder).join(name), document)?;
    }
    std::fs::write(Path::new(folder).join("provider.der"), &provider.certificate)?;
    let info = provider.key.public_key().as_der()?.as_ref().to_vec();
    let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, info)?;
    let signature = provider.sign(b"a message")?;
    let open = |document: &str| Received::open(document.as_bytes(), &trust).is_ok();
    let mut space = vec![0; 256];
    assert!(decrypting.decrypt(&OAEP_SHA1_MGF1SHA1, &wrapped, &mut space, None).is_ok());
    let [nine, fifty] = &documents;
    let mut rows = vec![
        Row::new("bare-rsa", 9, || public.verify_sig(b"a message", &signature).is_ok()),
        Row::new("ours", nine.len(), || open(nine)),
        Row::new("ours", fifty.len(), || open(fifty)),
        Row::new("bare-oaep", 256, || {
            decrypting.decrypt(&OAEP_SHA1_MGF1SHA1, &wrapped, &mut vec![0; 256], None).is_ok()
        }),
        Row::new("ours-encrypted", sealed.len(), || open(&sealed)),
    ];
    samael_rows(&mut rows, &documents, &provider.certificate);
    let mut rates = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for (row, rates) in rows.iter().zip(&mut rates) {
            rates.push(row.rate(seconds / f64::from(ROUNDS)));
        }
    }
    for (row, rates) in rows.iter().zip(rates) {
        println!("{} {} {:.0}", row.name, row.bytes, median(rates));
    }
    // Beside each other bare verification scales as far as this machine lets anything.
    println!("ours-two-threads {} {:.0}", nine.len(), both(seconds, &|| open(nine)));
    println!("bare-rsa-two-threads 9 {:.0}", both(seconds, &|| public.verify_sig(b"a message", &signature).is_ok()));
    // From here on memory is of interest. What was allocated before and ends later would count below nothing.
    LIVE.store(1 << 40, Ordering::Relaxed);
    COUNTS.store(true, Ordering::Relaxed);
    // Of a provider that nobody registered: what stands in the unsigned shell of a good response may be anything.
    for (name, document) in hostile(&nine.replace(">ann<", ">eve<")) {
        let (mut least, mut most) = (f64::MAX, 0);
        for _ in 0..5 {
            let live = LIVE.load(Ordering::Relaxed);
            MOST.store(live, Ordering::Relaxed);
            let begun = own_time();
            assert!(Received::open(document.as_bytes(), &trust).is_err(), "{name} is taken");
            least = least.min(own_time() - begun);
            most = most.max(MOST.load(Ordering::Relaxed) - live);
        }
        println!("cost {} {:.0} {most}", name.replace(' ', "-"), least * 1e6);
    }
    Ok(())
}

#[cfg(feature = "samael")]
fn samael_rows<'a>(rows: &mut Vec<Row<'a>>, documents: &'a [String; 2], certificate: &[u8]) {
    use samael::crypto::{CertificateDer, Crypto, CryptoProvider as _, ReduceMode};
    let certificates = vec![CertificateDer::from(certificate.to_vec())];
    for document in documents {
        for (name, mode) in
            [("samael", ReduceMode::ValidateAndMarkNoAncestors), ("samael-predigest", ReduceMode::PreDigest)]
        {
            let certificates = certificates.clone();
            rows.push(Row::new(name, document.len(), move || {
                Crypto::reduce_xml_to_signed_with_allowed_algorithms(document, &certificates, mode, None).is_ok()
            }));
        }
    }
}

#[cfg(not(feature = "samael"))]
fn samael_rows(_: &mut Vec<Row<'_>>, _: &[String; 2], _: &[u8]) {}
