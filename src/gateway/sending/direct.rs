//! A request without a body on a connection that we speak on ourselves (`upstream/direct`). What cannot be sent like this, or
//! must be sent once more, goes by the rest of `sending.rs`.

use super::{Fault, Sending, Sent};
use crate::gateway::body::Inner;
use crate::gateway::head;
use crate::gateway::upload::{RequestBody, Upload};
use crate::gateway::upstream::{Cut, Direct, Peer, Reply, Spare};
use http::{Method, Request, Response};
use http_body::Body as _;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

/// What became of it without an answer.
pub(in crate::gateway) enum Missed {
    /// Nothing of it was sent on a connection that was idle.
    Unsent,
    /// It was sent, and no byte of an answer came. `again` where it may be sent once more.
    Unanswered {
        again: bool,
    },
    Final(Fault),
}

impl<'a> Sending<'a> {
    /// The only upstream, if this request can go to it like this.
    pub(in crate::gateway) fn direct(&self, request: &Request<RequestBody>) -> Option<&'a Peer> {
        let plain = *request.method() == Method::GET
            && request.body().is_end_stream()
            && !self.passage.upgrade
            && !self.passage.target.site.connection_auth;
        if !plain {
            return None;
        }
        self.group().only().filter(|peer| peer.lane.is_direct())
    }

    /// Sends, and waits for the head of the answer. The request's fields are used for the answer's only when that is whole.
    pub(in crate::gateway) async fn directly(
        &self,
        request: &mut Request<RequestBody>,
        peer: &Peer,
    ) -> Result<Sent, Missed> {
        let mut direct = match peer.lane.take_direct() {
            Some(direct) => direct,
            None => Box::pin(self.open(peer)).await.map_err(Missed::Final)?,
        };
        if head::write(direct.wire.begin(), request, self.passage).is_err() {
            return Err(Missed::Final(Fault::Down));
        }
        let Direct { wire, patience, since, .. } = &mut *direct;
        let headers = request.headers_mut();
        let answered = pin!(poll_fn(|cx| wire.poll_answer(cx, headers)));
        let head = match self.within_session(patience, answered).await {
            Ok(Ok(head)) => head,
            Ok(Err(Cut { sent: false, .. })) if since.is_some() => return Err(Missed::Unsent),
            Ok(Err(cut)) => {
                self.note(&cut.cause, peer, false);
                return Err(Missed::Unanswered { again: !cut.heard });
            }
            Err(fault) => return Err(Missed::Final(fault)),
        };
        let mut response = Response::new(());
        *response.status_mut() = head.status();
        *response.headers_mut() = std::mem::take(request.headers_mut());
        let reply = Reply::new(head, direct, Arc::clone(&peer.lane));
        Ok(Sent { response: response.map(|()| Inner::Direct(reply)), held: None })
    }

    /// Once more, or at last, by a connection that hyper speaks on.
    pub(in crate::gateway) async fn after(&self, missed: Missed, request: Request<Upload>) -> Result<Sent, Fault> {
        match missed {
            Missed::Unsent => self.anew(request).await,
            Missed::Unanswered { again } => self.again(again.then(|| Spare::of(&request)), true, &[]).await,
            Missed::Final(fault) => Err(fault),
        }
    }

    async fn open(&self, peer: &Peer) -> Result<Box<Direct>, Fault> {
        let descriptor = self.line.core.shared.guard.caps.descriptor().ok_or(Fault::Crowded)?;
        peer.lane.open_direct(self.connect(), descriptor).await.map_err(|error| {
            self.note(&error, peer, false);
            Fault::Down
        })
    }
}
