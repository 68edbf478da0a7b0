//! Which requests are kept, and the way to the login that they get (rule H9).

use super::Spool;
use super::give::PATH;
use super::kept::Head;
use super::ticket::{Place, Ticket, release};
use super::write::{Unwritten, Writing, Written};
use crate::entropy;
use crate::gateway::answer::{self, Answer};
use crate::gateway::handle::{Step, asks_upgrade, declared, login_path};
use crate::gateway::table::Target;
use crate::gateway::upload::RequestBody;
use crate::kernel::refusal::Refusal;
use crate::kernel::request::cookies::SessionCookie;
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::Wishes;
use crate::web::{Ask, Expired, Kept, Lost, Replays, Turned};
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a client may send nothing of a body.
const STALL: Duration = Duration::from_secs(30);

/// How long a body may take in all: 25 MiB at 350 kbit/s.
const WHOLE: Duration = Duration::from_secs(600);

/// How much of a body that is too large is read and forgotten, so that a browser hears the answer instead of a broken connection.
const DRAINED: u64 = 64 * 1024 * 1024;

impl Step<'_> {
    /// Nobody: to the login, and what was being sent is kept where it may be.
    pub(in crate::gateway) async fn keep_or_login(
        &self,
        request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: &Arc<Target>,
        found: &SessionCookie,
    ) -> Answer {
        let Some((replays, expired)) = self.expired(&request, target, found).await else {
            return self.to_login(&request, path, target);
        };
        let (parts, body) = request.into_parts();
        let kept = match self.keep((&parts, body), path, target, expired).await {
            Ok(ticket) => {
                ticket.cookie(replays, &self.place(target)).map(|cookie| (ticket, cookie)).ok_or(Lost::NoRoom)
            }
            Err(lost) => Err(lost),
        };
        self.after_keeping(&parts.headers, target, kept)
    }

    /// Whether a request that nobody may send is one of a session that has just expired, from this host's own page. Without
    /// `Sec-Fetch-Site` or `Origin` nobody says so, and other origins that the product accepts are not this host.
    async fn expired(
        &self,
        request: &Request<RequestBody>,
        target: &Target,
        found: &SessionCookie,
    ) -> Option<(&dyn Replays, Expired)> {
        let SessionCookie::One(token) = found else { return None };
        let acts = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(request.method());
        let own = declared(request.headers()).is_same_origin(&self.entry.url, &[]);
        // Of a request that is only described there is no body to keep.
        let off = target.site.spool.limit == 0 || self.described;
        if off || !acts || !own || asks_upgrade(request.headers()) {
            return None;
        }
        let replays = self.line.core.shared.sessions.replays()?;
        let (product, host) = (&target.site.product.name, &self.entry.origin);
        let _room = self.line.core.shared.guard.cold.enter().await?;
        self.line.core.errands.wait().await;
        let client = self.client;
        let ask = Ask { token, key: None, product, host, client, now: self.now, active: false };
        let expired = replays.expired(&ask).await?;
        Some((replays, expired))
    }

    async fn keep(
        &self,
        (parts, body): (&Parts, RequestBody),
        path: &NormalPath<'_>,
        target: &Target,
        expired: Expired,
    ) -> Result<Ticket, Lost> {
        let limit = limit(target);
        let announced = length(&parts.headers);
        if announced.is_some_and(|length| length > limit) {
            // Who waits to be asked for the body hears the answer without it.
            if !parts.headers.contains_key(header::EXPECT) {
                drain(body).await;
            }
            return Err(Lost::TooLarge(limit));
        }
        let mut ticket = Ticket {
            id: entropy::random(),
            key: entropy::random(),
            node: [0; 8],
            sid: expired.sid,
            account: expired.account,
            epoch: expired.epoch,
            form: declared(&parts.headers).is_navigation(),
            release: release(target.site.spool.version.as_deref()),
            at: self.now,
            size: 0,
            head: 0,
            tries: 0,
        };
        let head = Head::of(parts, path);
        let written = timeout(WHOLE, self.write(&ticket, &head, body, (announced.unwrap_or(limit), limit))).await;
        let written = written.unwrap_or(Err(Lost::Gone))?;
        (ticket.node, ticket.size, ticket.head) = (written.node, written.size, written.head);
        Ok(ticket)
    }

    async fn write(
        &self,
        ticket: &Ticket,
        head: &Head,
        mut body: RequestBody,
        (room, limit): (u64, u64),
    ) -> Result<Written, Lost> {
        let spool: &Arc<Spool> = &self.line.core.shared.spool;
        let mut writing = match Writing::begin(spool, ticket.name(), ticket.key, head, room).await {
            Ok(writing) => writing,
            Err(why) => {
                drain(body).await;
                return Err(unwritten(&why));
            }
        };
        loop {
            let Ok(frame) = timeout(STALL, body.frame()).await else { return Err(Lost::Gone) };
            match frame {
                None => return writing.finish().await.map_err(|why| unwritten(&why)),
                Some(Err(_)) => return Err(Lost::Gone),
                // Trailers are not kept: none reaches a product (rule H7).
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let whole = writing.size().saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
                    if whole > limit {
                        drop(writing);
                        drain(body).await;
                        return Err(Lost::TooLarge(limit));
                    }
                    writing.push(&data).await.map_err(|why| unwritten(&why))?;
                }
            }
        }
    }

    /// A person is led to the login and comes back to the page that offers the request, or says why it cannot. A script is told.
    fn after_keeping(
        &self,
        headers: &HeaderMap,
        target: &Arc<Target>,
        kept: Result<(Ticket, HeaderValue), Lost>,
    ) -> Answer {
        let said = declared(headers);
        let back = match &kept {
            Ok((ticket, _)) => format!("{PATH}?id={}", ticket.handle()),
            Err(Lost::TooLarge(_)) => format!("{PATH}?lost=size"),
            Err(_) => format!("{PATH}?lost=room"),
        };
        let login = login_path(&back);
        let mut answer = if said.is_navigation() {
            answer::redirect(StatusCode::SEE_OTHER, &login, self.id())
        } else {
            answer::page(self.line.core.shared.routes.refuse(Turned {
                refusal: Refusal::LoginRequired,
                product: Some(Arc::clone(&target.site.product)),
                page: false,
                login_url: Some(format!("{}{login}", self.entry.url)),
                kept: Some(kept.as_ref().map_or_else(|lost| Kept::No(*lost), |_| Kept::Yes)),
                client: self.client,
                request_id: self.id().to_owned(),
                now: self.now,
                wishes: Wishes::default(),
            }))
        };
        if let Ok((_, cookie)) = kept {
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
        answer
    }

    pub(super) fn place<'a>(&'a self, target: &'a Target) -> Place<'a> {
        Place { product: &target.site.product.name, host: &self.entry.origin }
    }
}

/// The most that is kept of a body: never more than the product takes.
pub(super) fn limit(target: &Target) -> u64 {
    target.site.spool.limit.min(target.site.reach.sizes.body.unwrap_or(u64::MAX))
}

fn unwritten(why: &Unwritten) -> Lost {
    match why {
        Unwritten::Full => tracing::debug!("no room for a request of an expired session"),
        Unwritten::Disk(_) | Unwritten::Sealing(_) | Unwritten::Hand(_) => {
            tracing::warn!(%why, "a request of an expired session could not be kept");
        }
    }
    Lost::NoRoom
}

/// Reads what a client still sends and forgets it, for a while.
async fn drain(mut body: RequestBody) {
    let reading = async {
        let mut read = 0_u64;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, bytes::Bytes::len);
            read = read.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            if read > DRAINED {
                return;
            }
        }
    };
    if timeout(STALL, reading).await.is_err() {
        tracing::debug!("a body that is too large did not come to its end");
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
