//! A response looked at outside of a login: nothing is taken, written, burnt or let in.

use super::own::Own;
use super::{Names, SamlProviders};
use crate::idp::{ProviderUnavailable, no_provider};
use crate::kernel::model::{Directory, ExpiredKeys};
use crate::kernel::saml::{self, Limits, Report, Trust};
use crate::kernel::values::{Origin, Timestamp};

impl SamlProviders {
    /// Says of a response, as people paste one, what a login with it would have come to at `at`. Nothing is written, burnt or let in.
    ///
    /// # Errors
    /// [`ProviderUnavailable`] where the provider's metadata or our keys cannot be read.
    pub async fn examine(
        &self,
        directory: &Directory,
        login: &Origin,
        response: &[u8],
        at: Timestamp,
    ) -> Result<Report, ProviderUnavailable> {
        let settings = directory.protocol.saml().ok_or_else(no_provider)?;
        let provider = self.0.looked_up(directory.id, settings).await?;
        let keys = &provider.metadata.keys;
        let document = match saml::decode_pasted(response, Limits::MESSAGE) {
            Ok(document) => document,
            Err(fault) => return Ok(Report::unjudged(fault, Vec::new(), keys)),
        };
        let own = Own::read(self.0.store.as_ref(), &self.0.kek, directory.id, at).await?;
        let trust = Trust { keys, decryption: own.as_ref().map(|own| &own.decryption), cbc: false };
        let connection = Names::of(login, directory).connection(settings, &provider);
        let report = saml::examine(directory, &connection, &trust, &document, at);
        Ok(report.note_ended(keys, settings.expired_keys == ExpiredKeys::Refuse, at))
    }
}
