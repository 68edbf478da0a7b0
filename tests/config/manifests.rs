//! deploy/ and the samples of the book as their readers read them: every YAML file parses, the manifests of Kubernetes hold what
//! docs/recipes.md says of them, the configuration inside is judged as a file is, and every sample is written in keys that there are.

use std::path::{Path, PathBuf};

use fedgate::config::{Code, Finding, Severity};
use fedgate::gateway::options::Tls;
use yaml_rust2::{Yaml, YamlLoader};

use super::load;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn documents(path: &Path) -> Vec<Yaml> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    YamlLoader::load_from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

struct Manifests(Vec<Yaml>);

impl Manifests {
    fn read() -> Self {
        Self(documents(&deploy().join("kubernetes/fedgate.yaml")))
    }

    fn one(&self, kind: &str, name: &str) -> &Yaml {
        let mut found = self
            .0
            .iter()
            .filter(|one| one["kind"].as_str() == Some(kind) && one["metadata"]["name"].as_str() == Some(name));
        let one = found.next().unwrap_or_else(|| panic!("no {kind} {name}"));
        assert!(found.next().is_none(), "two {kind} {name}");
        one
    }
}

fn texts(list: &Yaml) -> Vec<&str> {
    list.as_vec().expect("a list").iter().map(|one| one.as_str().expect("a text")).collect()
}

#[test]
fn every_yaml_file_of_deploy_parses() {
    let mut parsed = 0;
    for folder in std::fs::read_dir(deploy()).expect("deploy").map(|entry| entry.expect("readable").path()) {
        for file in std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("readable").path()) {
            if file.extension().is_some_and(|end| end == "yml" || end == "yaml") {
                assert!(!documents(&file).is_empty(), "{}", file.display());
                parsed += 1;
            }
        }
    }
    assert!(parsed >= 4, "the files were not found: {parsed}");
}

#[test]
fn the_configuration_in_the_manifests_is_a_good_file() {
    let manifests = Manifests::read();
    let text = manifests.one("ConfigMap", "fedgate")["data"]["fedgate.toml"].as_str().expect("a file");
    let (config, report) = load(text);
    let config = config.unwrap_or_else(|| panic!("{}", report.plain()));
    assert!(report.findings().iter().all(|finding| finding.severity != Severity::Error), "{}", report.plain());
    assert!(matches!(config.gateway.listen.tls, Tls::Acme), "certificates are ordered, and shared by the store");
    // Every secret that the file names is below the folder where the Secret is mounted, and every port is a container's.
    let pod = &manifests.one("StatefulSet", "fedgate")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let mounts = container["volumeMounts"].as_vec().expect("mounts");
    let mounted = |name: &str| mounts.iter().find(|mount| mount["name"].as_str() == Some(name)).expect("a mount");
    let secrets = mounted("secrets")["mountPath"].as_str().expect("a path");
    let named: Vec<&str> = text.split('"').filter(|part| part.starts_with("/run/")).collect();
    assert!(named.len() == 3 && named.iter().all(|path| path.starts_with(secrets)), "{named:?}");
    assert_eq!(mounted("state")["mountPath"].as_str(), Some("/var/lib/fedgate"));
    for port in container["ports"].as_vec().expect("ports") {
        let number = port["containerPort"].as_i64().expect("a number");
        assert!(number > 1023 && text.contains(&format!("0.0.0.0:{number}\"")), "{number}");
    }
}

#[test]
fn two_gateways_run_without_rights_and_one_stays_while_the_other_goes() {
    let manifests = Manifests::read();
    let set = &manifests.one("StatefulSet", "fedgate")["spec"];
    let pod = &set["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(set["replicas"].as_i64(), Some(2));
    assert_eq!(manifests.one("PodDisruptionBudget", "fedgate")["spec"]["minAvailable"].as_i64(), Some(1));
    let selector = &set["selector"]["matchLabels"];
    for (kind, path) in [("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")] {
        assert_eq!(&manifests.one(kind, "fedgate")["spec"][path]["matchLabels"], selector, "{kind}");
    }
    assert_eq!(&manifests.one("Service", "fedgate")["spec"]["selector"], selector);
    assert_eq!(&set["template"]["metadata"]["labels"], selector);
    assert_eq!(set["serviceName"].as_str(), manifests.one("Service", "fedgate-nodes")["metadata"]["name"].as_str());
    assert_eq!(manifests.one("Service", "fedgate")["spec"]["externalTrafficPolicy"].as_str(), Some("Local"));
    // Liveness never asks the store: a gateway that cannot reach it serves its grace and is not killed for it.
    assert_eq!(container["livenessProbe"]["httpGet"]["path"].as_str(), Some("/healthz"));
    assert_eq!(container["readinessProbe"]["httpGet"]["path"].as_str(), Some("/readyz"));
    // Longer than the five seconds before and the thirty of the drain.
    assert!(pod["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds > 35));
    for (path, value) in [("allowPrivilegeEscalation", false), ("readOnlyRootFilesystem", true)] {
        assert_eq!(container["securityContext"][path].as_bool(), Some(value), "{path}");
    }
    assert_eq!(texts(&container["securityContext"]["capabilities"]["drop"]), ["ALL"]);
    assert!(container["securityContext"]["capabilities"]["add"].is_badvalue());
    assert_eq!(pod["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"].as_str(), Some("RuntimeDefault"));
    assert_eq!(pod["automountServiceAccountToken"].as_bool(), Some(false));
    // Secrets are files: none in the environment, where every child and every crash report has them.
    assert!(container["env"].is_badvalue() && container["envFrom"].is_badvalue());
    let ingress = &manifests.one("NetworkPolicy", "fedgate")["spec"]["ingress"];
    let open = ingress.as_vec().expect("rules").iter().filter(|rule| rule["from"].is_badvalue());
    let open: Vec<&str> =
        open.flat_map(|rule| rule["ports"].as_vec().expect("ports")).filter_map(|port| port["port"].as_str()).collect();
    assert_eq!(open, ["https", "http"], "metrics are for whoever collects them");
}

/// The `toml` blocks of a text, each with the line that it begins at.
fn samples(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut open) = (Vec::new(), None::<(usize, String)>);
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start()) {
            (None, "```toml") => open = Some((number + 1, String::new())),
            (Some(_), "```") => found.extend(open.take()),
            (Some((_, block)), _) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

#[test]
fn every_sample_of_the_book_is_written_in_keys_that_there_are() {
    // What only says that the rest of a file is not here is no fault of a sample.
    let shape =
        [Code::Syntax, Code::UnknownKey, Code::Type, Code::TopLevelAfterTable, Code::PolicySection, Code::InlineSecret];
    let docs = deploy().with_file_name("docs");
    let pages = std::fs::read_dir(docs).expect("docs").map(|entry| entry.expect("readable").path());
    let readme = deploy().with_file_name("README.md");
    let (mut read, mut wrong) = (0, Vec::new());
    for page in pages.chain([readme]).filter(|path| path.extension().is_some_and(|end| end == "md")) {
        for (line, sample) in samples(&std::fs::read_to_string(&page).expect("a text")) {
            read += 1;
            let (_, report) = load(&sample);
            let is_shape =
                |finding: &Finding| shape.contains(&finding.code) || finding.what.contains(" does not know ");
            if report.findings().iter().any(is_shape) {
                wrong.push(format!("{}:{line}\n{}", page.display(), report.plain()));
            }
        }
    }
    assert!(read > 15, "the samples were not found: {read}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
