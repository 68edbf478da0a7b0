//! Upstream connections of one session's own (rule H8): NTLM and Negotiate log a whole connection in, and whoever used it next
//! would be that person.
//!
//! A product with `connection_auth` gets none of the shared connections while there is a session. A client's connection keeps those
//! of its last session, at one upstream, and drops them when another session comes or when it ends itself. So a browser that opens
//! a connection for the sake of such a login has one to the product for itself, as without us.

use super::connection::Line;
use super::table::Target;
use super::upstream::Group;
use crate::kernel::values::ProductSessionId;
use crate::web::LiveSession;
use std::sync::{Arc, PoisonError};

/// What a client's connection keeps.
pub(super) struct Bound {
    session: ProductSessionId,
    target: Arc<Target>,
    group: Arc<Group>,
}

/// The upstream connections of this session on this client's connection; `None` for products that share theirs.
pub(super) fn group(line: &Line, target: &Arc<Target>, live: &LiveSession) -> Option<Arc<Group>> {
    if !target.site.connection_auth {
        return None;
    }
    let mut kept = line.bound.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |bound: &&Bound| bound.session == live.sid && Arc::ptr_eq(&bound.target, target);
    if let Some(bound) = kept.as_deref().filter(same) {
        return Some(Arc::clone(&bound.group));
    }
    let group = Arc::new(target.upstreams.bound(line.core.shared.clock.since_boot()));
    *kept = Some(Box::new(Bound { session: live.sid, target: Arc::clone(target), group: Arc::clone(&group) }));
    Some(group)
}
