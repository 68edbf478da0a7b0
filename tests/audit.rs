//! The audit log: what verification finds, what sinks keep across restarts, what strangers cannot fill.

#[path = "support/authority.rs"]
mod authority;
#[path = "store/fixtures.rs"]
#[expect(dead_code, reason = "shared with the store's suite, which uses the rest")]
mod fixtures;
#[path = "audit/million.rs"]
mod million;
#[path = "audit/ocsf.rs"]
mod ocsf;
#[path = "audit/receivers.rs"]
mod receivers;
#[path = "support/siem.rs"]
#[expect(dead_code, reason = "shared with other suites, which use the rest")]
mod siem;
#[path = "audit/sinks.rs"]
mod sinks;
#[path = "audit/syslog.rs"]
mod syslog;
#[path = "audit/tampering.rs"]
mod tampering;
#[path = "audit/together.rs"]
mod together;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use fedgate::audit::{Log, Pen, Sampled, Sampler, Signer};
use fedgate::clock::Clock;
use fedgate::kernel::journal::{Batch, Change, KeyRow};
use fedgate::kernel::values::Timestamp;
use fedgate::store::{self, Store};
use fixtures::{block_on, event};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn signer(seed: u8) -> Signer {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    let sign = move |text: &[u8]| pair.sign(text).as_ref().try_into().unwrap();
    Signer::new("id.example.com/audit", public, Arc::new(sign)).unwrap()
}

fn open(folder: &Path) -> Arc<dyn Store> {
    store::open("sqlite:fedgate.db", folder).unwrap()
}

/// A log signed for by this key, which is in the store.
async fn log(store: &Arc<dyn Store>, seed: u8) -> Log {
    by_turns(store, &Arc::new(AtomicU8::new(seed))).await
}

/// A log signed for by whichever key is named at the time; the one named now is in the store.
async fn by_turns(store: &Arc<dyn Store>, seed: &Arc<AtomicU8>) -> Log {
    let row = key(seed.load(Ordering::SeqCst));
    // Another log of the test may have put it there.
    let _there = store.commit(fixtures::changes([Change::PutKey(row)])).await;
    let seed = Arc::clone(seed);
    let pens = move || {
        let generation = seed.load(Ordering::SeqCst);
        Ok(Pen { kind: "audit".to_owned(), generation: generation.into(), signer: signer(generation) })
    };
    Log::new(Arc::clone(store), Clock::system(), "one", Box::new(pens))
}

fn key(seed: u8) -> KeyRow {
    KeyRow { kind: "audit".to_owned(), generation: seed.into(), sealed: vec![seed], created_at: fixtures::now() }
}

/// What a change of keys puts beside the event: the new key, and the old one goes.
fn succession(from: u8, to: u8) -> Batch {
    let drop = Change::DropKey { kind: "audit".to_owned(), generation: from.into() };
    fixtures::changes([Change::PutKey(key(to)), drop])
}

async fn write(store: &Arc<dyn Store>, numbers: std::ops::Range<u64>) {
    store.commit(Batch { events: numbers.map(event).collect(), ..Batch::default() }).await.unwrap();
}

#[test]
fn a_checkpoint_is_made_without_events_and_the_counts_are_written() {
    let folder = fixtures::Folder::new();
    let store = open(folder.path());
    let sampler = Arc::new(Sampler::new());
    let long_ago = Timestamp::from_seconds(1);
    for _ in 0..9 {
        sampler.take("no-product", IpAddr::V4(Ipv4Addr::LOCALHOST), long_ago);
    }
    let stop = CancellationToken::new();
    block_on(async {
        let task = fedgate::audit::run(Arc::new(log(&store, 1).await), Arc::clone(&sampler), stop.clone());
        let watch = async {
            while store.newest_checkpoint().await.unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        tokio::join!(task, watch);
        let events = store.log(0, 9).await.unwrap();
        assert_eq!(events.len(), 1);
        let text = String::from_utf8(events[0].bytes.clone()).unwrap();
        assert!(
            text.contains(r#""request.refused_count""#) && text.contains(r#"{"counts":{"no-product":4}}"#),
            "{text}"
        );
        assert_eq!(store.newest_checkpoint().await.unwrap().unwrap().size, 1);
    });
}

fn check_sampled(sampler: &Sampler, address: impl Into<IpAddr>, second: i64, expected: Sampled) {
    let address = address.into();
    assert_eq!(sampler.take("code", address, Timestamp::from_seconds(second)), expected, "{address} at {second}");
}

#[test]
fn five_of_a_source_and_code_are_whole_in_a_minute() {
    let sampler = Sampler::new();
    for last in 1..=5 {
        check_sampled(&sampler, [10, 0, 0, last], 60, Sampled::Whole);
    }
    check_sampled(&sampler, [10, 0, 0, 6], 119, Sampled::Counted);
    check_sampled(&sampler, [10, 0, 1, 6], 119, Sampled::Whole);
    // An IPv4 address written as IPv6 is the same stranger; an IPv6 stranger is a /64.
    check_sampled(&sampler, Ipv4Addr::new(10, 0, 0, 7).to_ipv6_mapped(), 119, Sampled::Counted);
    let v6 = |subnet, host| Ipv6Addr::new(0x2001, 0xdb8, 0, subnet, 0, 0, 0, host);
    for host in 1..=5 {
        check_sampled(&sampler, v6(1, host), 119, Sampled::Whole);
    }
    check_sampled(&sampler, v6(1, 6), 119, Sampled::Counted);
    check_sampled(&sampler, v6(2, 6), 119, Sampled::Whole);
    assert_eq!(sampler.take("other", [10, 0, 0, 6].into(), Timestamp::from_seconds(119)), Sampled::Whole);
    // A minute's counts are taken once it is over, and once.
    assert!(sampler.flush(Timestamp::from_seconds(119)).is_none());
    check_sampled(&sampler, [10, 0, 0, 6], 120, Sampled::Whole);
    let counted = sampler.flush(Timestamp::from_seconds(121)).unwrap();
    assert!(sampler.flush(Timestamp::from_seconds(121)).is_none());
    let id = fedgate::kernel::values::EventId::from_bytes([0; 16]);
    let text = String::from_utf8(counted.event(id, Timestamp::from_seconds(121)).bytes().unwrap()).unwrap();
    assert!(text.contains(r#""counts":{"code":3}"#), "{text}");
    sampler.put_back(counted.clone());
    assert_eq!(sampler.flush(Timestamp::from_seconds(121)), Some(counted));
}

#[test]
fn a_flood_from_everywhere_shares_one_bucket() {
    let sampler = Sampler::new();
    let mut whole = 0;
    for number in 0..100_000_u32 {
        let source = IpAddr::V4(Ipv4Addr::from(number << 8));
        whole += u32::from(sampler.take("code", source, Timestamp::from_seconds(1)) == Sampled::Whole);
    }
    assert_eq!(whole, 4096 + 5);
}
