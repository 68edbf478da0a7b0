//! Which sessions ended by nothing but time: what their person was sending may be kept until the next login (rule H9).

use super::{Live, LiveFacts, after_expiry, idle_at, live, of_login};
use crate::kernel::standing::Bounds;
use crate::kernel::values::Timestamp;
use std::time::Duration;

/// How long after its end a session still vouches for what its browser sends (rule H9: 24 h, the time that ended rows are kept).
pub const VOUCHES_FOR: Duration = Duration::from_secs(24 * 3600);

/// When the session ended by its idle or absolute limit, or its parent's: at most [`VOUCHES_FOR`] ago, and it stood until then
/// and would still stand but for that limit. `None` for a session that lives, and for one that something else ends as well.
pub fn expired(facts: &LiveFacts<'_>) -> Option<Timestamp> {
    let ended = ends_at(facts);
    if facts.now < ended || facts.now.since(ended) > VOUCHES_FOR {
        return None;
    }
    let before = LiveFacts { now: ended.minus(Duration::from_millis(1)), ..*facts };
    let stood = matches!(live(&before), Live::Continue { .. });
    (stood && after_expiry(&of_login(facts)).is_ok()).then_some(ended)
}

/// The first of the four limits: absolute and idle, of the session and of its parent.
fn ends_at(facts: &LiveFacts<'_>) -> Timestamp {
    let (session, login) = (facts.session, facts.login);
    let managed = of_login(facts).managed();
    let there = Bounds::of_live(&managed);
    let here = Bounds::of(&facts.product.limits).stricter(there);
    let own = session.abs_at.min(login.auth_time.plus(here.absolute)).min(idle_at(
        session.last_seen,
        session.idle_millis,
        here.idle,
    ));
    let parent_seen = login.last_seen.max(session.last_seen);
    let parents =
        login.abs_at.min(login.auth_time.plus(there.absolute)).min(idle_at(parent_seen, login.idle_millis, there.idle));
    own.min(parents)
}
