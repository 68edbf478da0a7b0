//! Who orders: one account at the authority for the whole cluster, made at the first order.

use super::client::Client;
use super::fault::Fault;
use super::vault::{AccountRecord, Contents, Vault};
use super::{ExternalAccount, Wanted};
use crate::kernel::values::Timestamp;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};

/// Authorities hand keys out with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl ExternalAccount {
    /// The key's bytes; `None` when it is not base64url.
    pub fn key(&self) -> Option<Vec<u8>> {
        LENIENT.decode(self.hmac.expose()).ok().filter(|key| !key.is_empty())
    }
}

/// The account in the store, or a new one.
pub(super) async fn account(
    vault: &Vault,
    contents: &Contents,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Account, Fault> {
    let options = &wanted.options;
    let client = Client { outbound: wanted.outbound.clone(), directory: options.directory.clone() };
    let builder = Account::builder_with_http(Box::new(client));
    let before = contents.account.as_ref().map(|kept| kept.generation);
    let known = contents.account.as_ref().filter(|kept| kept.value.directory == options.directory.as_str());
    let Some(known) = known else {
        let (account, credentials) = register(builder, wanted).await?;
        vault.put_account(&record(wanted, written(&credentials)?), before, now).await?;
        tracing::info!(directory = %options.directory, account = account.id(), "registered at the authority and agreed to its terms");
        return Ok(account);
    };
    let credentials: AccountCredentials = serde_json::from_str(&known.value.credentials)
        .map_err(|_| Fault::Key("the account in the store does not read".to_owned()))?;
    let account = builder.from_credentials(credentials).await?;
    if known.value.contact != options.contact {
        let contact: Vec<&str> = options.contact.iter().map(String::as_str).collect();
        account.update_contacts(&contact).await?;
        vault.put_account(&record(wanted, known.value.credentials.clone()), before, now).await?;
    }
    Ok(account)
}

/// The terms are agreed to by whoever has certificates ordered: that stands where `tls = "acme"` is explained.
async fn register(
    builder: instant_acme::AccountBuilder,
    wanted: &Wanted,
) -> Result<(Account, AccountCredentials), Fault> {
    let options = &wanted.options;
    let contact: Vec<&str> = options.contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let external = match &options.external {
        None => None,
        Some(external) => {
            let key = external.key().ok_or_else(|| Fault::Key("the key of `eab` is not base64url".to_owned()))?;
            Some(ExternalAccountKey::new(external.kid.clone(), &key))
        }
    };
    Ok(builder.create(&new, options.directory.to_string(), external.as_ref()).await?)
}

fn record(wanted: &Wanted, credentials: String) -> AccountRecord {
    let (directory, contact) = (wanted.options.directory.to_string(), wanted.options.contact.clone());
    AccountRecord { directory, contact, credentials }
}

fn written(credentials: &AccountCredentials) -> Result<String, Fault> {
    serde_json::to_string(credentials).map_err(|why| Fault::Key(why.to_string()))
}
