//! What is asked, and what was heard: name servers first, the domain's web server where they have no proof.

use super::Asked;
use crate::dns::{Answer, Said};
use crate::kernel::domain::{DomainProof, Found, ProofMethod, Sighting, agree, file_holds, record_holds};
use http::header::LOCATION;
use url::Url;

/// Bytes of the file that are read (behaviour §3.4).
const FILE: usize = 64 * 1024;

/// One observation, with what led to it.
pub(super) struct Observed {
    pub(super) found: Found,
    /// One line for each that was asked, for admins: what a name server says is public.
    pub(super) heard: Vec<String>,
}

/// Asks everybody.
pub(super) async fn observe(asked: &Asked, proof: &DomainProof) -> Observed {
    let answers = asked.dns.texts(&proof.domain).await;
    let sightings: Vec<Sighting> =
        answers.iter().map(|answer| sighting(&answer.said, &asked.record, &proof.token)).collect();
    let mut heard: Vec<String> = answers.iter().zip(&sightings).map(|(answer, seen)| line(answer, *seen)).collect();
    let by_record = agree(&sightings);
    if matches!(by_record, Found::Proof(_)) {
        return Observed { found: by_record, heard };
    }
    // A web server is believed about a domain that several name servers know (rule C6d).
    let file = if exists(&answers) { file(asked, proof).await } else { Sighting::Unclear };
    heard.push(format!("the file: {}", words(file)));
    let found = match (file, proof.method) {
        (Sighting::Present, _) => Found::Proof(ProofMethod::Https),
        (Sighting::Absent, Some(ProofMethod::Https)) => Found::Absent,
        (Sighting::Unclear, Some(ProofMethod::Https)) if is_gone(&answers) => Found::Absent,
        (Sighting::Unclear, Some(ProofMethod::Https)) => Found::Unclear,
        (_, Some(ProofMethod::Dns) | None) => by_record,
    };
    Observed { found, heard }
}

fn sighting(said: &Said, record: &str, token: &str) -> Sighting {
    match said {
        Said::Texts(texts) if record_holds(texts, record, token) => Sighting::Present,
        Said::Texts(_) | Said::NoRecord | Said::NoName => Sighting::Absent,
        Said::Unclear(_) => Sighting::Unclear,
    }
}

/// Two name servers at least know the name, and none denies it.
fn exists(answers: &[Answer]) -> bool {
    let known = answers.iter().filter(|answer| matches!(answer.said, Said::Texts(_) | Said::NoRecord)).count();
    known >= 2 && !answers.iter().any(|answer| answer.said == Said::NoName)
}

/// Two name servers at least deny the name, and none knows it.
fn is_gone(answers: &[Answer]) -> bool {
    let denied = answers.iter().filter(|answer| answer.said == Said::NoName).count();
    denied >= 2 && !answers.iter().any(|answer| matches!(answer.said, Said::Texts(_) | Said::NoRecord))
}

/// The file, at the domain or one redirect further at its `www`, at the same path.
async fn file(asked: &Asked, proof: &DomainProof) -> Sighting {
    let (domain, record) = (&proof.domain, &asked.record);
    let [Ok(url), Ok(www)] = [format!("https://{domain}/{record}.html"), format!("https://www.{domain}/{record}.html")]
        .map(|url| Url::parse(&url))
    else {
        return Sighting::Unclear;
    };
    let Ok(mut answer) = asked.outbound.look(&url, FILE).await else { return Sighting::Unclear };
    if answer.status.is_redirection() {
        let location = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok());
        if location.and_then(|to| url.join(to).ok()).as_ref() != Some(&www) {
            return Sighting::Absent;
        }
        match asked.outbound.look(&www, FILE).await {
            Ok(second) => answer = second,
            Err(_) => return Sighting::Unclear,
        }
    }
    match answer.status.as_u16() {
        200 if file_holds(&answer.body, record, &proof.token) => Sighting::Present,
        200 | 300..=399 | 404 | 410 => Sighting::Absent,
        // 403, 429, 5xx: the server does not say that there is none.
        _ => Sighting::Unclear,
    }
}

fn line(answer: &Answer, seen: Sighting) -> String {
    let said = match &answer.said {
        Said::Texts(texts) => format!("{} TXT records, {}", texts.len(), words(seen)),
        Said::NoRecord => "no TXT record".to_owned(),
        Said::NoName => "no such name".to_owned(),
        Said::Unclear(_) => "no clear answer".to_owned(),
    };
    format!("name server {}: {said}", answer.server.ip())
}

fn words(seen: Sighting) -> &'static str {
    match seen {
        Sighting::Present => "the proof is there",
        Sighting::Absent => "the proof is not there",
        Sighting::Unclear => "no clear answer",
    }
}
