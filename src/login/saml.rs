//! The way back from a SAML provider: a cross-site POST with a response in it (rule H10).
//!
//! RelayState → this browser's cookie → unseal → taken once → only then is the response parsed. A response that nobody asked for is
//! never read: its person begins a login of our own at that provider, so that the tiles of a company's portal work.

use super::answer::Answer;
use super::begin::Leaving;
use super::cookies;
use super::record::Circumstances;
use super::ticket::Pending;
use super::world::Visitor;
use super::{Login, Stop};
use crate::idp::saml::{Asked, SamlUnproved};
use crate::kernel::refusal::{ProofFault, Refusal};
use crate::kernel::values::DirectoryName;
use crate::store::Taken;
use std::time::Duration;

/// How many logins that nobody asked for one browser begins at one directory in this time.
const UNASKED_AT_MOST: usize = 3;
const SOON: Duration = Duration::from_secs(60);

impl Login {
    /// `POST /saml/{directory}/acs`: fields of the form, each empty when it is absent or came twice.
    pub async fn consume(
        &self,
        visitor: &Visitor,
        directory: &DirectoryName,
        relay_state: &str,
        response: &str,
    ) -> Answer {
        // Ours has 22 characters; an address or nothing is a portal's.
        if relay_state.len() != 22 {
            let answer = self.unasked(visitor, directory).await;
            return self.settle(visitor, None, answer).await;
        }
        let Some((pending, name)) = self.pending_by(visitor, relay_state) else {
            // Stale, replayed, or begun in another browser: nothing was parsed, stored or burnt.
            return self.home(visitor).await;
        };
        let target = pending.target.clone();
        let answer = match self.take(visitor, &pending).await {
            Ok(Taken::First) => self.try_consume(visitor, directory, &pending, response).await,
            Ok(Taken::Again) => Ok(self.back_to(target.as_ref())),
            Err(stop) => Err(stop),
        };
        self.settle(visitor, target.as_ref(), answer).await.with_cookie(cookies::expire(&name))
    }

    /// A portal's tile: the person goes to the provider with a request of ours, which answers at once. A provider that forgets our
    /// state would be asked again and again, so that is done a few times in a minute and then explained.
    async fn unasked(&self, visitor: &Visitor, directory: &DirectoryName) -> Result<Answer, Stop> {
        let id = self.world.catalog.load().directory_names.get(directory).copied();
        let id = id.ok_or(Stop::refuse(Refusal::Malformed))?;
        let lately = self.under_way(visitor).filter(|(pending, _)| {
            pending.directory == id && pending.target.is_none() && visitor.now.since(pending.left_at) < SOON
        });
        if lately.count() >= UNASKED_AT_MOST {
            return Err(Stop::refuse(Refusal::Loop));
        }
        self.leave(visitor, id, None, Leaving::default()).await
    }

    async fn try_consume(
        &self,
        visitor: &Visitor,
        came_to: &DirectoryName,
        pending: &Pending,
        response: &str,
    ) -> Result<Answer, Stop> {
        let gone = || Stop::refuse(Refusal::Proof(ProofFault::Directory));
        let directory = self.world.directory(pending.directory).ok_or_else(gone)?;
        let about = || Circumstances::of_directory(&directory);
        if directory.name != *came_to {
            return Err(Stop::refused(Refusal::Proof(ProofFault::Directory), about()));
        }
        let unproved = |why: SamlUnproved| match why {
            SamlUnproved::Fault(fault, trace) => {
                Stop::refused(Refusal::Proof(ProofFault::Saml(fault)), Circumstances { trace, ..about() })
            }
            SamlUnproved::Unavailable(why) => {
                let trace = vec![why.to_string()];
                Stop::refused(Refusal::ProviderUnavailable, Circumstances { trace, ..about() })
            }
        };
        let login = self.world.catalog.load().login.clone();
        let asked = Asked {
            request_id: pending.seed().request_id(),
            left_at: pending.left_at,
            force: pending.fresh().is_some(),
            binding: pending.binding,
        };
        let proved = self.world.saml.prove(&directory, &login, asked, response, visitor.now).await;
        let proof = proved.map_err(unproved)?;
        self.admit(visitor, &directory, pending, &proof).await
    }
}
