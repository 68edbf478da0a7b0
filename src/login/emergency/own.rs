//! Enrolling for the emergency door from a session by single sign-on (rule H3): the provider that an emergency is the absence of has
//! just said who this is. The operator need not be asked for that.

use super::super::answer::Answer;
use super::super::begin::Leaving;
use super::super::current::Current;
use super::super::ticket::FRESH_PROOF;
use super::super::world::Visitor;
use super::super::{Login, Stop};
use super::EmergencyPage;
use super::ticket::Link;
use crate::entropy::random;
use crate::kernel::live::step_up::{is_fresh, proved_at};
use crate::kernel::model::Method;
use crate::kernel::standing::{self, Demand, Groups};

impl Login {
    /// `GET /login/emergency/enrol`: the page that enrols whoever is logged in, if they may. An older login is taken to the provider
    /// again first (rule M6). Whoever may not is not told why: that a policy names somebody is nobody else's business.
    pub async fn ask_own_emergency(&self, visitor: &Visitor) -> Answer {
        let answer = self.try_own_emergency(visitor).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_own_emergency(&self, visitor: &Visitor) -> Result<Answer, Stop> {
        let not_here = || self.emergency_said(visitor, EmergencyPage::NotHere);
        let Some(current) = self.current(visitor).await? else { return Ok(not_here()) };
        if !self.is_named_by_sign_on(&current) {
            return Ok(not_here());
        }
        if !is_fresh(proved_at(&current.session), FRESH_PROOF, visitor.now) {
            let hint = current.account.email.clone();
            let leaving = Leaving { hint, max_age: Some(FRESH_PROOF), by_form: false, ..Leaving::default() };
            return self.leave(visitor, current.session.directory, None, leaving).await;
        }
        let Some(email) = current.account.email.clone() else { return Ok(not_here()) };
        if !self.enrols_itself(visitor, &current).await? {
            return Ok(not_here());
        }
        let session = Some(current.session.id);
        let link = Link { nonce: random(), account: current.account.id, email, made_at: visitor.now, session };
        let sealed = self.world.seal_emergency_link(&link);
        Ok(self.enrolment_page(visitor, &link, &sealed, false))
    }

    /// Whether this session enrols its person: named, by the directory that the policy names, proved just now; and a second step that the
    /// person has is not passed by (rule H1).
    pub(super) async fn enrols_itself(&self, visitor: &Visitor, current: &Current) -> Result<bool, Stop> {
        let fresh = is_fresh(proved_at(&current.session), FRESH_PROOF, visitor.now);
        if !fresh || !self.is_named_by_sign_on(current) {
            return Ok(false);
        }
        let stepped = is_fresh(current.session.stepped_at, FRESH_PROOF, visitor.now);
        Ok(stepped || self.world.factors(visitor, current.account.id).await?.is_empty())
    }

    /// Whether a policy names the person's proved live address for emergencies, and this session is by the directory that it names.
    pub(in crate::login) fn is_named_by_sign_on(&self, current: &Current) -> bool {
        let catalog = self.world.catalog.load();
        let Some(email) = current.account.email.as_ref().filter(|_| current.account.email_verified) else {
            return false;
        };
        let asserted_by = catalog.directories.get(&current.session.directory).and_then(|directory| directory.org());
        let groups = Groups::of(asserted_by, &current.session.groups);
        let proved = standing::proved_addresses(&current.account, &current.further);
        let held = standing::managements(&catalog, &proved, groups);
        let by_policy = held.iter().any(|held| {
            let its = match held.demand(&catalog) {
                Demand::Enforced(named) | Demand::Offered(named) => named == current.session.directory,
                Demand::Off | Demand::Unusable => false,
            };
            its && held.breaks_glass(&[email])
        });
        current.session.method == Method::OrgSso && by_policy
    }
}
