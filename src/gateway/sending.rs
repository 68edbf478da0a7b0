//! A request on its way: to which upstream, on which connection, how long it is waited for, and whether it is sent again.
//!
//! A GET without a body for a product with one plain HTTP/1.1 upstream takes `direct.rs`. Another request for such a product takes
//! [`Sending::ready`] when a connection is, and nothing else of this file. Everything here ends when the session does.

mod direct;

pub(super) use direct::Missed;

use super::body::{Carrier, Held, Inner};
use super::connection::Line;
use super::forward::Admitted;
use super::head::Passage;
use super::upload::{Progress, Upload};
use super::upstream::{Connection, Found, Group, Peer, Seat, Spare, form, was_not_begun, was_stream_reset};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// After so long without a request an upstream may be about to close a connection, so that a request without a body is kept to
/// be sent once more. Shorter, and every request would be copied; the shortest time that servers commonly wait is 5 s.
const MAY_CLOSE: Duration = Duration::from_secs(1);

/// Why there is no answer.
pub(super) enum Fault {
    /// No upstream answered.
    Down,
    /// Its answer took too long.
    Late,
    /// The session ended meanwhile.
    Ended,
    /// There is no descriptor left for a connection.
    Crowded,
}

/// A head of an answer, and what brings the rest of it.
pub(super) struct Sent {
    pub(super) response: Response<Inner>,
    /// `None` where the body itself holds the connection.
    pub(super) held: Option<Held>,
}

impl Sent {
    /// On a connection of the only upstream.
    pub(super) fn pooled(response: Response<Incoming>, connection: Connection, peer: &Peer) -> Self {
        let carrier = Carrier::Pooled(connection, Arc::clone(&peer.lane));
        Self { response: response.map(Inner::Hyper), held: Some(Held { carrier, _ticket: None }) }
    }
}

/// A connection at hand.
pub(super) struct Ready<'a> {
    pub(super) connection: Connection,
    pub(super) peer: &'a Peer,
    pub(super) since: Instant,
}

/// What became of an attempt without an answer.
enum Failure {
    /// Nothing of it was sent.
    Unsent(Box<Request<Upload>>),
    /// It was sent. `begun` unless the upstream said that it did not begin with it.
    Sent {
        begun: bool,
    },
    Final(Fault),
}

/// What a connection says of a request.
pub(super) type Answered = Result<Response<Incoming>, TrySendError<Request<Upload>>>;

/// A request on its way.
pub(super) struct Sending<'a> {
    line: &'a Arc<Line>,
    passage: &'a Passage<'a>,
    admitted: &'a Admitted,
    progress: Option<&'a Arc<Progress>>,
    /// When all of it must be over, if the product says so.
    deadline: Option<Instant>,
}

impl<'a> Sending<'a> {
    pub(super) fn new(
        line: &'a Arc<Line>,
        passage: &'a Passage<'a>,
        admitted: &'a Admitted,
        progress: Option<&'a Arc<Progress>>,
    ) -> Self {
        let deadline = passage.target.site.reach.timeouts.whole.map(|whole| now() + whole);
        Self { line, passage, admitted, progress, deadline }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn group(&self) -> &'a Group {
        self.passage.group
    }

    /// A ready connection to the only upstream. Upgrades are never pooled.
    pub(super) fn ready(&self) -> Option<Ready<'a>> {
        let peer = self.group().only().filter(|peer| !self.passage.upgrade && !peer.lane.multiplexes())?;
        let (connection, since) = peer.lane.take()?;
        Some(Ready { connection, peer, since })
    }

    /// Sends on that connection. The request is put aside first where it may have to be sent once more, on account of a connection
    /// that was idle for a while. Here, because a request that an async function borrows once stays in its future for good.
    pub(super) fn begin(
        &self,
        connection: &mut Connection,
        request: Request<Upload>,
        since: Instant,
        spare: &mut Option<Box<Spare>>,
    ) -> impl Future<Output = Answered> + use<> {
        if self.progress.is_none() && since.elapsed() >= MAY_CLOSE {
            *spare = Some(Spare::of(&request));
        }
        connection.sender.try_send_request(request)
    }

    /// A ready connection turned out to be closed, or was closed under the request.
    pub(super) async fn once_more(
        &self,
        mut error: TrySendError<Request<Upload>>,
        spare: Option<Box<Spare>>,
        peer: &Peer,
    ) -> Result<Sent, Fault> {
        match error.take_message() {
            Some(request) => self.anew(request).await,
            None => {
                self.note(error.error(), peer, false);
                self.again(spare, true, &[]).await
            }
        }
    }

    /// Sends. What was not sent goes to the next upstream, until each was tried.
    pub(super) async fn anew(&self, mut request: Request<Upload>) -> Result<Sent, Fault> {
        let keeps = self.progress.is_none() && !self.passage.upgrade;
        let spare = keeps.then(|| Spare::of(&request));
        let mut tried = Vec::new();
        loop {
            let Some(seat) = self.group().choose(&tried, self.now()) else { return Err(Fault::Down) };
            tried.push(seat.place);
            match self.attempt(seat, request, false).await {
                Ok(sent) => return Ok(sent),
                Err(Failure::Unsent(back)) => request = *back,
                Err(Failure::Sent { begun }) => return self.again(spare, begun, &tried).await,
                Err(Failure::Final(fault)) => return Err(fault),
            }
        }
    }

    /// Once more, after it was sent in vain: to another upstream where there is one.
    async fn again(&self, spare: Option<Box<Spare>>, begun: bool, tried: &[usize]) -> Result<Sent, Fault> {
        let Some(spare) = spare.filter(|spare| !begun || spare.is_idempotent()) else { return Err(Fault::Down) };
        let (group, now) = (self.group(), self.now());
        let seat = group.choose(tried, now).or_else(|| group.choose(&[], now));
        let Some(seat) = seat.filter(|_| group.may_retry(now)) else { return Err(Fault::Down) };
        // On a new connection: others that were idle may be closing too.
        self.attempt(seat, spare.request(Upload::none()), true).await.map_err(|failure| match failure {
            Failure::Unsent(_) | Failure::Sent { .. } => Fault::Down,
            Failure::Final(fault) => fault,
        })
    }

    /// To this upstream: on connections that are there, or on a `fresh` one.
    async fn attempt(&self, seat: Seat<'_>, request: Request<Upload>, fresh: bool) -> Result<Sent, Failure> {
        let Seat { peer, trial, ticket, .. } = seat;
        let done = if peer.lane.multiplexes() && !self.passage.upgrade {
            self.share(peer, trial, request).await
        } else {
            self.alone((peer, trial), request, fresh).await
        };
        let (response, carrier) = done?;
        // Where there is one upstream nothing is judged; a session's own may be one of several.
        if ticket.is_some() || self.passage.target.site.connection_auth {
            peer.standing.worked();
        }
        Ok(Sent { response: response.map(Inner::Hyper), held: Some(Held { carrier, _ticket: ticket }) })
    }

    /// By HTTP/1.1.
    async fn alone(
        &self,
        (peer, trial): (&Peer, bool),
        mut request: Request<Upload>,
        fresh: bool,
    ) -> Result<(Response<Incoming>, Carrier), Failure> {
        if self.passage.upgrade && !peer.lane.may_upgrade() {
            // What a client asks for says nothing about the upstream.
            tracing::warn!(upstream = %peer.lane.upstream, "a WebSocket needs an upstream that speaks HTTP/1.1");
            return Err(Failure::Unsent(Box::new(request)));
        }
        form::for_http1(&mut request).map_err(|_| Failure::Final(Fault::Down))?;
        if let Some((connection, _)) = (!fresh && !self.passage.upgrade).then(|| peer.lane.take()).flatten() {
            match self.on(connection, peer, trial, request).await {
                Err(Failure::Unsent(back)) => request = *back,
                done => return done,
            }
        }
        let Some(descriptor) = self.line.core.shared.guard.caps.descriptor() else {
            return Err(Failure::Final(Fault::Crowded));
        };
        let connection = peer.lane.connect(self.connect(), self.passage.upgrade).await;
        match connection {
            Ok(mut connection) => {
                connection.descriptor = Some(descriptor);
                self.on(connection, peer, trial, request).await
            }
            Err(error) => {
                self.note(&error, peer, trial);
                Err(Failure::Unsent(Box::new(request)))
            }
        }
    }

    async fn on(
        &self,
        mut connection: Connection,
        peer: &Peer,
        trial: bool,
        request: Request<Upload>,
    ) -> Result<(Response<Incoming>, Carrier), Failure> {
        let answered = pin!(connection.sender.try_send_request(request));
        match self.within_session(&mut connection.patience, answered).await.map_err(Failure::Final)? {
            Ok(response) if self.passage.upgrade => Ok((response, Carrier::Own { connection })),
            Ok(response) => Ok((response, Carrier::Pooled(connection, Arc::clone(&peer.lane)))),
            Err(error) => Err(self.failure(error, peer, trial)),
        }
    }

    /// By HTTP/2. A connection that had just ended took nothing of the request: another is opened then.
    async fn share(
        &self,
        peer: &Peer,
        trial: bool,
        mut request: Request<Upload>,
    ) -> Result<(Response<Incoming>, Carrier), Failure> {
        for may_be_stale in [true, false] {
            let found = match peer.lane.board(self.connect()).await {
                Ok(found) => found,
                Err(error) => {
                    self.note(&error, peer, trial);
                    return Err(Failure::Unsent(Box::new(request)));
                }
            };
            let mut ride = match found {
                Found::Shared(ride) => ride,
                Found::Alone(connection) => {
                    form::for_http1(&mut request).map_err(|_| Failure::Final(Fault::Down))?;
                    return self.on(connection, peer, trial, request).await;
                }
            };
            let formed = form::for_http2(&mut request, peer.lane.scheme(), Some(self.passage.target));
            formed.map_err(|_| Failure::Final(Fault::Down))?;
            let answered = pin!(ride.sender.try_send_request(request));
            match self.within_session(&mut Box::pin(sleep(Duration::ZERO)), answered).await {
                Ok(Ok(response)) => return Ok((response, Carrier::Shared { _ride: ride })),
                Ok(Err(error)) => match self.failure(error, peer, trial) {
                    Failure::Unsent(back) if may_be_stale => request = *back,
                    failure => return Err(failure),
                },
                Err(fault) => {
                    if matches!(fault, Fault::Late) {
                        peer.lane.distrust(&ride);
                    }
                    return Err(Failure::Final(fault));
                }
            }
        }
        Err(Failure::Final(Fault::Down))
    }

    fn failure(&self, mut error: TrySendError<Request<Upload>>, peer: &Peer, trial: bool) -> Failure {
        match error.take_message() {
            Some(request) => Failure::Unsent(Box::new(request)),
            None => {
                // One request's end is the product's word about that request, not about its connections.
                if !was_stream_reset(error.error()) {
                    self.note(error.error(), peer, trial);
                }
                Failure::Sent { begun: !was_not_begun(error.error()) }
            }
        }
    }

    /// Remembers that a connection failed, unless the client's body was the reason.
    fn note(&self, error: &(dyn std::error::Error + 'static), peer: &Peer, trial: bool) {
        if self.progress.is_some_and(|upload| upload.is_broken()) {
            return;
        }
        tracing::warn!(upstream = %peer.lane.upstream, error, "upstream did not answer");
        match self.group().only() {
            Some(_) => peer.standing.faulted(),
            None => peer.standing.failed(self.now(), trial),
        }
    }

    /// How long opening a connection may take.
    fn connect(&self) -> Duration {
        let connect = self.passage.target.site.reach.timeouts.connect;
        self.deadline.map_or(connect, |deadline| connect.min(deadline.saturating_duration_since(now())))
    }

    fn now(&self) -> Duration {
        self.line.core.shared.clock.since_boot()
    }

    /// Waits for the head of the answer, until the session ends, as long as the product says after the body was sent.
    pub(super) async fn within_session<T>(
        &self,
        patience: &mut Pin<Box<Sleep>>,
        mut answered: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Fault> {
        // It may have ended while a connection was opened: then nothing of the request is sent.
        if self.admitted.live.as_ref().is_some_and(|live| live.ended.is_cancelled()) {
            return Err(self.ended());
        }
        let mut ended = pin!(self.admitted.live.as_ref().map(|live| live.ended.cancelled()));
        self.allow(patience);
        // One poll for all three: each future around another would copy the answer once more.
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answered.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            if ended.as_mut().as_pin_mut().is_some_and(|ended| ended.poll(cx).is_ready()) {
                return Poll::Ready(Err(self.ended()));
            }
            while patience.as_mut().poll(cx).is_ready() {
                // An upload that is still moving has its own limits.
                let over = self.deadline.is_some_and(|deadline| deadline <= now());
                if over || self.progress.is_none_or(|upload| upload.is_sent()) {
                    return Poll::Ready(Err(Fault::Late));
                }
                self.allow(patience);
            }
            Poll::Pending
        })
        .await
    }

    /// The session has ended, and what is left of the request's body is not read.
    fn ended(&self) -> Fault {
        if let Some(upload) = self.progress {
            upload.end();
        }
        Fault::Ended
    }

    /// From now on the answer may take as long as the product says.
    fn allow(&self, patience: &mut Pin<Box<Sleep>>) {
        let end = now() + self.passage.target.site.reach.timeouts.upstream;
        patience.as_mut().reset(self.deadline.map_or(end, |deadline| deadline.min(end)));
    }
}

#[expect(clippy::disallowed_methods, reason = "a timer of the runtime ends by the runtime's clock")]
fn now() -> Instant {
    Instant::now()
}
