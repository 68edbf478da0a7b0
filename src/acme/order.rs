//! One order for one host name: authorize, answer, finalize, check what came.

use super::Challenge;
use super::fault::{Fault, words};
use super::vault::{AnswerRecord, Certificate};
use crate::kernel::certificate::not_after;
use crate::kernel::values::Timestamp;
use async_trait::async_trait;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use std::time::Duration;

/// Certificates of a chain at most.
const LONGEST_CHAIN: usize = 10;

/// How often an authority is asked whether it is done, until the whole order's time is over.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(300)).backoff(1.5).timeout(Duration::from_secs(90));

/// Where answers to challenges are shown.
#[async_trait]
pub(super) trait Show: Send + Sync {
    /// Returns when every node shows it.
    async fn show(&self, answer: AnswerRecord) -> Result<(), Fault>;
}

/// What is ordered.
#[derive(Clone, Copy)]
pub(super) struct Goods<'a> {
    pub(super) directory: &'a str,
    pub(super) host: &'a str,
    pub(super) challenge: Challenge,
    pub(super) now: Timestamp,
}

impl Challenge {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TlsAlpn => "tls-alpn-01",
            Self::Http => "http-01",
        }
    }

    fn kind(self) -> ChallengeType {
        match self {
            Self::TlsAlpn => ChallengeType::TlsAlpn01,
            Self::Http => ChallengeType::Http01,
        }
    }
}

/// From the order to a certificate that was checked.
pub(super) async fn order(account: &Account, goods: Goods<'_>, board: &dyn Show) -> Result<Certificate, Fault> {
    let identifiers = [Identifier::Dns(goods.host.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    authorize(&mut order, goods, board).await?;
    if !matches!(order.state().status, OrderStatus::Ready | OrderStatus::Valid) {
        let status = order.poll_ready(&PATIENCE).await;
        if !matches!(status, Ok(OrderStatus::Ready)) {
            return Err(complaint(&mut order, status.err()).await);
        }
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![goods.host.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?;
    order.finalize_csr(request.der()).await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    check(goods, chain, PrivatePkcs8KeyDer::from(key.serialize_der()))
}

/// Answers every authorization that is not valid already.
async fn authorize(order: &mut Order, goods: Goods<'_>, board: &dyn Show) -> Result<(), Fault> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            _ => return Err(Fault::Authority("the authorization is closed".to_owned())),
        }
        let mut challenge =
            authorization.challenge(goods.challenge.kind()).ok_or(Fault::NotOffered(goods.challenge.name()))?;
        let answer = AnswerRecord {
            host: goods.host.to_owned(),
            challenge: goods.challenge,
            token: challenge.token.clone(),
            text: challenge.key_authorization().as_str().to_owned(),
        };
        board.show(answer).await?;
        challenge.set_ready().await?;
    }
    Ok(())
}

/// Why an authority was not convinced, in its own words where it has some.
async fn complaint(order: &mut Order, fault: Option<instant_acme::Error>) -> Fault {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        let said = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(said) = said {
            return Fault::NotConvinced(words(&said.to_string()));
        }
    }
    fault.map_or_else(|| Fault::NotConvinced("it does not say why".to_owned()), Fault::from)
}

/// What came must be for this name and this key, and must still last.
fn check(goods: Goods<'_>, chain: String, key: PrivatePkcs8KeyDer<'static>) -> Result<Certificate, Fault> {
    let useless = |why: &str| Fault::Certificate(why.to_owned());
    let ders: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .take(LONGEST_CHAIN + 1)
        .collect::<Result<_, _>>()
        .map_err(|_| useless("it is no PEM"))?;
    let leaf = ders.first().ok_or_else(|| useless("there is none"))?;
    if ders.len() > LONGEST_CHAIN {
        return Err(useless("the chain is too long"));
    }
    let ends_at = not_after(leaf).ok_or_else(|| useless("its end does not read"))?;
    let name = ServerName::try_from(goods.host).map_err(|_| useless("the name is none"))?;
    let covers = ParsedCertificate::try_from(leaf).is_ok_and(|leaf| verify_server_name(&leaf, &name).is_ok());
    if !covers {
        return Err(useless("it is for another name"));
    }
    if ends_at <= goods.now {
        return Err(useless("it has ended already"));
    }
    CertifiedKey::from_der(ders, PrivateKeyDer::Pkcs8(key.clone_key()), &default_provider())
        .map_err(|why| useless(&why.to_string()))?;
    Ok(Certificate { directory: goods.directory.to_owned(), chain, key, issued_at: goods.now, ends_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(host: &str, key: &KeyPair) -> String {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        params.self_signed(key).unwrap().pem()
    }

    #[test]
    fn only_a_certificate_for_this_name_and_key_that_still_lasts_is_taken() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let before = Timestamp::from_seconds(1_700_000_000);
        let good = issued("a.example", &key);
        let check = |chain: &str, now: Timestamp, expected: &str| {
            let goods = Goods { directory: "https://ca.example/", host: "a.example", challenge: Challenge::Http, now };
            let found = super::check(goods, chain.to_owned(), PrivatePkcs8KeyDer::from(key.serialize_der()));
            let said = found.map_or_else(|why| why.to_string(), |found| found.ends_at.to_string());
            assert!(said.contains(expected), "{said}, not {expected}");
        };
        check(&good, before, "2030-01-01");
        check(&issued("b.example", &key), before, "another name");
        check(&issued("a.example", &other), before, "keys may not be consistent");
        check(&good, Timestamp::from_seconds(1_900_000_000), "ended already");
        check("", before, "there is none");
        check("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", before, "no PEM");
        check(&good.repeat(LONGEST_CHAIN + 1), before, "too long");
    }
}
