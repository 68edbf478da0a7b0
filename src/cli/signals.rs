//! `fedgate signals`: the stream of security events of a directory's provider, set up at the provider itself (OpenID SSF 1.0).
//!
//! It talks to the transmitter from here, and reads in the store what the running gateway wrote down: that an event with our own nonce
//! came, was verified and is durable is the only proof of the way.

use super::acquainted;
use super::arguments::{Signals, StreamOf, StreamProof, StreamSetup};
use super::events::clean;
use super::node::{Extras, outbound};
use super::stored::{self, Wrong};
use super::{Common, Screen};
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::random;
use crate::idp::StreamManagement;
use crate::kernel::event::{Action, AuditEvent};
use crate::kernel::model::{Directory, Transmitter};
use crate::kernel::oidc::SignalKind;
use crate::kernel::oidc::signal_stream::{Delivery, Stream};
use crate::kernel::values::Token;
use crate::store::Store;
use serde_json::{Value, json};
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at the log.
const LOOK: Duration = Duration::from_millis(200);
/// Events that are read at once.
const EVENTS: usize = 1_000;

/// Runs what the arguments say.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Signals, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    stored::finish(act(arguments, common, screen), common, screen)
}

/// A directory's stream at its transmitter, and what is known here of it.
struct Place {
    directory: Arc<Directory>,
    transmitter: Transmitter,
    at: StreamManagement,
    /// The address to which a transmitter pushes; the audience of whatever it sends, where it chose no other.
    door: String,
    delivery: Delivery,
}

/// What a command did, in both forms.
struct Told {
    lines: Vec<String>,
    json: Value,
    good: bool,
}

fn act(arguments: &Signals, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let store = stored::store(&config)?;
    let told = stored::on_store(&store, async {
        match arguments {
            Signals::Setup(what) => setup(&*store, &config, what).await,
            Signals::Status(of) => status(&Place::open(&*store, &config, of, None).await?).await,
            Signals::Verify(proof) => {
                let place = Place::open(&*store, &config, &proof.of, None).await?;
                let stream = place.own().await?.ok_or_else(|| place.none())?;
                verify(&*store, &place, &stream, proof).await
            }
            Signals::Remove(of) => remove(&Place::open(&*store, &config, of, None).await?).await,
        }
    })?;
    if common.json {
        writeln!(screen.out, "{}", told.json)?;
    } else {
        for line in &told.lines {
            writeln!(screen.out, "{}", clean(line))?;
        }
    }
    Ok(if told.good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Place {
    /// `delivery` is the wish of whoever sets it up; otherwise it is as the configuration says.
    async fn open(
        store: &dyn Store,
        config: &Config,
        of: &StreamOf,
        delivery: Option<Delivery>,
    ) -> Result<Self, Wrong> {
        let catalog = acquainted::catalog(store, &config.key, config, None, Clock::system().now()).await?;
        let name = |directory: &Directory| directory.name.to_string();
        let is_it = |one: &&Arc<Directory>| {
            name(one) == of.directory || of.directory.strip_suffix("/main").is_some_and(|org| name(one) == org)
        };
        let directory = catalog.directories.values().find(is_it).cloned();
        let directory = directory.ok_or_else(|| Wrong(format!("there is no directory {:?}", clean(&of.directory))))?;
        let settings = directory.protocol.settings();
        let (Some(settings), Some(transmitter)) = (settings, directory.transmitter.clone()) else {
            let why = "has no token of a transmitter: write signals = { token_file = \"…\" } beside its oidc = \"…\"";
            return Err(Wrong(format!("the directory {} {why}", directory.name)));
        };
        let client = outbound(config, &Extras::default())?;
        client.operator_names(config.catalog.addresses());
        let at = StreamManagement::open(client, &transmitter, &settings.issuer).await?;
        let door = format!("{}{}", catalog.login.url(), SignalKind::Event.path(&directory.name));
        let configured = if transmitter.polled.is_some() { Delivery::Poll } else { Delivery::Push };
        Ok(Self { directory, transmitter, at, door, delivery: delivery.unwrap_or(configured) })
    }

    /// The stream that leads here, if there is one.
    async fn own(&self) -> Result<Option<Stream>, Wrong> {
        let found = self.at.streams().await?;
        Ok(found.into_iter().find(|stream| self.is_own(stream)))
    }

    /// Whether it leads here: to the door, or to where this configuration fetches, if it does yet.
    fn is_own(&self, stream: &Stream) -> bool {
        let polled = self.transmitter.polled.as_ref().filter(|_| self.delivery == Delivery::Poll);
        let fetched = polled.is_none_or(|polled| stream.endpoint.as_deref() == Some(polled.url.as_str()));
        stream.leads_to(self.delivery, &self.door) && fetched
    }

    fn none(&self) -> Wrong {
        let how = if self.delivery == Delivery::Poll { " --poll" } else { "" };
        Wrong(format!("no stream leads to {} yet: fedgate signals setup {}{how}", self.door, self.directory.name))
    }

    /// The audience that events must have here.
    fn audience(&self) -> &str {
        self.transmitter.audience.as_deref().unwrap_or(&self.door)
    }

    /// What the configuration must say before this stream's events are taken: empty where it says so.
    fn missing(&self, stream: &Stream) -> Vec<String> {
        let mut missing = Vec::new();
        let fits =
            matches!(stream.audience.as_slice(), [] | [_]) && stream.audience.iter().all(|aud| aud == self.audience());
        match stream.audience.as_slice() {
            _ if fits => {}
            [only] => missing.push(format!("its events are for {only:?}: write audience = {only:?} into `signals`")),
            _ => missing
                .push("its events are for several audiences at once: they are refused (docs/signals.md)".to_owned()),
        }
        if self.delivery == Delivery::Poll {
            let configured = self.transmitter.polled.as_ref().map(|polled| polled.url.as_str());
            match stream.endpoint.as_deref() {
                Some(url) if configured == Some(url) => {}
                Some(url) => missing.push(format!("its events wait at {url:?}: write poll = {url:?} into `signals`")),
                None => missing.push("the transmitter does not say where its events wait".to_owned()),
            }
        }
        missing
    }

    fn describe(&self, stream: &Stream) -> Vec<String> {
        let how = match self.delivery {
            Delivery::Push => format!("pushes to {}", self.door),
            Delivery::Poll => format!("is fetched at {}", stream.endpoint.as_deref().unwrap_or("?")),
        };
        let mut lines = vec![format!("stream {}: {how}", stream.id)];
        lines.extend(stream.withheld().iter().map(|event| format!("  the transmitter does not send {event}")));
        lines
    }
}

fn as_json(place: &Place, stream: &Stream) -> Value {
    json!({
        "directory": place.directory.name.to_string(), "stream": stream.id, "delivery": stream.delivery.map(Delivery::urn),
        "endpoint": stream.endpoint, "audience": stream.audience, "withheld": stream.withheld(),
        "missing": place.missing(stream),
    })
}

/// Makes the stream unless it is there. Its way is proved at once, where the configuration takes its events.
async fn setup(store: &dyn Store, config: &Config, what: &StreamSetup) -> Result<Told, Wrong> {
    let wish = what.poll.then_some(Delivery::Poll);
    let place = Place::open(store, config, &what.proof.of, wish).await?;
    if !place.at.delivers(place.delivery) {
        let other = if place.delivery == Delivery::Push { ": try --poll" } else { "" };
        return Err(Wrong(format!("the transmitter does not deliver by {}{other}", place.delivery.urn())));
    }
    let (stream, made) = match place.own().await? {
        Some(stream) => (stream, false),
        None => {
            let description = format!("fedgate, {}", place.directory.name);
            (place.at.create(place.delivery, &place.door, &description).await?, true)
        }
    };
    if !stream.leads_to(place.delivery, &place.door) {
        let why = "was granted another delivery than the one that was asked for; end it at the transmitter";
        return Err(Wrong(format!("the stream {} {why}", clean(&stream.id))));
    }
    let missing = place.missing(&stream);
    if missing.is_empty() && place.at.verifies() {
        let mut told = verify(store, &place, &stream, &what.proof).await?;
        merge(&mut told.json, "made", made.into());
        return Ok(told);
    }
    let mut told = Told { lines: place.describe(&stream), json: as_json(&place, &stream), good: missing.is_empty() };
    merge(&mut told.json, "made", made.into());
    if missing.is_empty() {
        told.lines.push("the transmitter cannot be asked to prove the way: the first event will".to_owned());
    }
    told.lines.extend(missing);
    Ok(told)
}

async fn status(place: &Place) -> Result<Told, Wrong> {
    let Some(stream) = place.own().await? else { return Err(place.none()) };
    let state = place.at.status(&stream).await?;
    let missing = place.missing(&stream);
    let enabled = state.as_ref().is_none_or(|(state, _)| state == "enabled");
    let mut told =
        Told { lines: place.describe(&stream), json: as_json(place, &stream), good: enabled && missing.is_empty() };
    if let Some((state, reason)) = &state {
        let because = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        told.lines.push(format!("it is {state}{because}"));
        merge(&mut told.json, "status", json!({ "status": state, "reason": reason }));
    }
    told.lines.extend(missing);
    Ok(told)
}

async fn verify(store: &dyn Store, place: &Place, stream: &Stream, proof: &StreamProof) -> Result<Told, Wrong> {
    let state = Token::new(random()).expose();
    let from = store.log_size().await?;
    place.at.verify(stream, &state).await?;
    let came = arrived(store, place, from, (&state, Duration::from_secs(proof.wait))).await?;
    let mut lines = place.describe(stream);
    lines.push(match &came {
        Some(latency) => {
            format!("an event came, was verified and written down ({latency} ms from the door to the store)")
        }
        None => format!(
            "no event came within {} s: the gateway must run, and the transmitter must reach {}; refused ones stand in \
             `fedgate audit search`",
            proof.wait, place.door
        ),
    });
    let mut json = as_json(place, stream);
    merge(&mut json, "arrived", came.is_some().into());
    merge(&mut json, "latency_ms", came.into());
    Ok(Told { lines, json, good: came.is_some() })
}

/// Waits for the receipt with our nonce, of this directory; how long it took there.
async fn arrived(
    store: &dyn Store,
    place: &Place,
    mut from: u64,
    (state, wait): (&str, Duration),
) -> Result<Option<u64>, Wrong> {
    let clock = Clock::system();
    let (began, name) = (clock.since_boot(), place.directory.name.to_string());
    while clock.since_boot().saturating_sub(began) < wait {
        let events = store.log(from, EVENTS).await?;
        for logged in &events {
            from = from.max(logged.position + 1);
            let event: AuditEvent = serde_json::from_slice(&logged.bytes)?;
            let after = event.after.as_ref().filter(|_| event.directory.as_deref() == Some(name.as_str()));
            let ours = after.filter(|after| after.get("state").and_then(Value::as_str) == Some(state));
            if let Some(after) = ours.filter(|_| event.action == Action::SignalReceived) {
                return Ok(Some(after.get("latency_ms").and_then(Value::as_u64).unwrap_or_default()));
            }
        }
        if events.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(None)
}

async fn remove(place: &Place) -> Result<Told, Wrong> {
    let mut ended = Vec::new();
    for stream in place.at.streams().await? {
        if place.is_own(&stream) {
            place.at.remove(&stream).await?;
            ended.push(stream.id);
        }
    }
    if ended.is_empty() {
        return Err(place.none());
    }
    let lines = ended.iter().map(|id| format!("stream {id} has ended; what waited in it is lost")).collect();
    Ok(Told { lines, json: json!({ "ended": ended }), good: true })
}

fn merge(json: &mut Value, name: &str, value: Value) {
    if let Some(members) = json.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
