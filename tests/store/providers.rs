//! What is kept of SAML providers, over each store: it outlives a process, and is retired with its directory (rules C1, M4, M5, M17).

use super::cases::AnyStore;
use super::fixtures::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fedgate::clock::Clock;
use fedgate::idp::saml::{SamlLeaving, SamlProviders};
use fedgate::kernel::journal::{Batch, Change};
use fedgate::kernel::model::{Directory, DirectoryRow, ExpiredKeys, MetadataAt, Protocol, SamlSettings, SubjectSource};
use fedgate::kernel::saml::Preset;
use fedgate::kernel::values::{DirectoryId, DirectoryName, OrgName, Origin};
use fedgate::keys::Kek;
use fedgate::outbound::{Outbound, OutboundOptions};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

const RSA: &[u8] = include_bytes!("../peers/saml/vectors/rsa.crt.der");
const P256: &[u8] = include_bytes!("../peers/saml/vectors/p256.crt.der");
const DEMO: &str = "<md:Extensions><x xmlns=\"urn:fedgate:demo\"/></md:Extensions>";

/// A directory whose provider's metadata is a file of `folder`, and the processes that follow each other over one store.
struct Scene {
    store: AnyStore,
    folder: Folder,
    directory: Arc<Directory>,
}

impl Scene {
    async fn new(store: AnyStore) -> Self {
        let (id, name) = (DirectoryId::from_bytes(bytes(1)), "acme/main");
        let row = DirectoryRow { id, name: name.to_owned(), fingerprint: [1; 32], created_at: now() };
        store.commit(changes([Change::RegisterDirectory(row)])).await.unwrap();
        let folder = Folder::new();
        let settings = SamlSettings {
            metadata: MetadataAt::File(folder.path().join("idp.xml")),
            signer: None,
            mapping: Preset::Shibboleth.mapping(),
            contexts: Vec::new(),
            expired_keys: ExpiredKeys::Warn,
        };
        let directory = Arc::new(Directory {
            id,
            name: DirectoryName::of_org(OrgName::parse("acme").unwrap(), "main").unwrap(),
            label: "Acme".to_owned(),
            domains: Vec::new(),
            protocol: Protocol::Saml(Box::new(settings)),
            subject_source: SubjectSource("nameid".to_owned()),
            groups_claim: None,
            members: None,
            scim: None,
            transmitter: None,
        });
        Self { store, folder, directory }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("idp.xml")
    }

    /// What the provider's metadata says from now on.
    fn says(&self, entity: &str, more: &str, keys: &[&[u8]]) {
        let key = |der: &&[u8]| {
            let der = STANDARD.encode(der);
            format!(
                "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            )
        };
        let keys: String = keys.iter().map(key).collect();
        let document = format!(
            "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" entityID=\"{entity}\">{more}<md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{keys}<md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example/sso\"/></md:IDPSSODescriptor></md:EntityDescriptor>"
        );
        std::fs::write(self.file(), document).unwrap();
    }

    fn says_nothing(&self) {
        std::fs::remove_file(self.file()).unwrap();
    }

    /// A process that starts.
    fn process(&self) -> SamlProviders {
        let outbound = Outbound::new(OutboundOptions::default()).unwrap();
        let background = tokio::runtime::Handle::current();
        SamlProviders::new(Arc::clone(&self.store), Kek::new([7; 32]), outbound, Clock::system(), background)
    }

    /// Whether a login leaves.
    async fn departs(&self, from: &SamlProviders) -> Result<(), String> {
        let login = Origin::parse("id.example.com").unwrap();
        let leaving = SamlLeaving { login: &login, request_id: "_1", relay_state: "state", force: false, now: now() };
        from.depart(&self.directory, leaving).await.map(|_| ()).map_err(|why| why.to_string())
    }

    fn configured(&self) -> HashMap<DirectoryId, Arc<Directory>> {
        HashMap::from([(self.directory.id, Arc::clone(&self.directory))])
    }

    async fn events(&self) -> usize {
        let events = self.store.log(0, 99).await.unwrap();
        events.iter().filter(|event| String::from_utf8_lossy(&event.bytes).contains("provider.keys")).count()
    }
}

pub async fn m5_what_a_provider_said_is_retired_with_its_directory_and_who_it_is_stays(store: AnyStore) {
    let scene = Scene::new(store).await;
    scene.says("https://idp.example", "", &[RSA]);
    let first = scene.process();
    scene.departs(&first).await.unwrap();
    assert_eq!(scene.events().await, 1, "the first key");

    // Remembered over a start, also one that names the directory, while the file is away.
    scene.says_nothing();
    let second = scene.process();
    second.retire_all_but(&scene.configured()).await.unwrap();
    scene.departs(&second).await.unwrap();

    // Taken out: neither that process nor the next one knows it, and it may be said any number of times.
    for _ in 0..2 {
        second.retire_all_but(&HashMap::new()).await.unwrap();
    }
    scene.departs(&second).await.unwrap_err();
    scene.departs(&scene.process()).await.unwrap_err();

    // Put back: it is whom its people know, or nobody (rule C1).
    scene.says("https://evil.example", "", &[RSA]);
    let why = scene.departs(&scene.process()).await.unwrap_err();
    assert!(why.contains("another entity"), "{why}");
    assert_eq!(scene.events().await, 1);
    scene.says("https://idp.example", "", &[RSA]);
    scene.departs(&scene.process()).await.unwrap();
    assert_eq!(scene.events().await, 1, "a key that was known is no news");
    // And is remembered again.
    scene.says_nothing();
    scene.departs(&scene.process()).await.unwrap();
    // A key that came while it was out is news.
    scene.process().retire_all_but(&HashMap::new()).await.unwrap();
    scene.says("https://idp.example", "", &[RSA, P256]);
    scene.departs(&scene.process()).await.unwrap();
    assert_eq!(scene.events().await, 2);

    // A row that does not open is used by nobody, and keeps no gateway from starting.
    let name = format!("saml.metadata.{}", scene.directory.id);
    let put = Change::PutSetting { name, value: vec![1; 64] };
    scene.store.commit(changes([put])).await.unwrap();
    scene.process().retire_all_but(&HashMap::new()).await.unwrap();
    scene.departs(&scene.process()).await.unwrap_err();
}

pub async fn m5_a_process_that_follows_forgets_what_it_read_of_a_directory_that_went(store: AnyStore) {
    let scene = Scene::new(store).await;
    scene.says("https://idp.example", "", &[RSA]);
    let process = scene.process();
    scene.departs(&process).await.unwrap();
    // What is in memory is used on, until the directory goes.
    let name = format!("saml.metadata.{}", scene.directory.id);
    let put = Change::PutSetting { name, value: vec![1; 64] };
    scene.store.commit(Batch { changes: vec![put], ..Batch::default() }).await.unwrap();
    scene.says_nothing();
    process.forget_all_but(&scene.configured());
    scene.departs(&process).await.unwrap();
    process.forget_all_but(&HashMap::new());
    scene.departs(&process).await.unwrap_err();
}

pub async fn m17_what_is_remembered_of_a_demonstration_or_by_one_of_another_provider_is_not_believed(store: AnyStore) {
    let scene = Scene::new(store).await;
    let demonstration = |process: SamlProviders| {
        process.believe_demo();
        process
    };
    scene.says("https://demo.example", DEMO, &[RSA]);
    scene.departs(&demonstration(scene.process())).await.unwrap();
    // Remembered by the next demonstration, and by nobody else.
    scene.says_nothing();
    scene.departs(&demonstration(scene.process())).await.unwrap();
    scene.departs(&scene.process()).await.unwrap_err();
    // A demonstration that remembers one provider takes nobody else for it, whoever signs there.
    scene.says("https://another.example", DEMO, &[P256]);
    let fresh = demonstration(scene.process());
    fresh.retire_all_but(&HashMap::new()).await.unwrap();
    let why = scene.departs(&fresh).await.unwrap_err();
    assert!(why.contains("another entity"), "{why}");
}
