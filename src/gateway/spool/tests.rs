//! The file of a kept request: what was written is what is read, or nothing is.

use super::kept::Head;
use super::read::Opened;
use super::seal::{RECORD, TAG};
use super::shelf::LIFE;
use super::ticket::{Ticket, release};
use super::write::{Unwritten, Writing};
use super::*;
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::{AccountId, ProductSessionId};
use http::Request;
use std::fs::File;
use std::future::poll_fn;

const NOW: Timestamp = Timestamp::from_millis(1_795_312_327_000);

fn ticket(seed: u8) -> Ticket {
    Ticket {
        id: [seed; 16],
        key: [seed; 32],
        node: [0; 8],
        sid: ProductSessionId::from_bytes([seed; 16]),
        account: AccountId::from_bytes([1; 16]),
        epoch: 0,
        form: true,
        release: release(None),
        at: NOW,
        size: 0,
        head: 0,
        tries: 0,
    }
}

fn head() -> Head {
    let request = Request::post("/boards?x=1").header("content-type", "text/plain").body(()).unwrap();
    Head::of(&request.into_parts().0, &NormalPath::parse("/boards?x=1").unwrap())
}

async fn write(spool: &Arc<Spool>, mut ticket: Ticket, body: &[u8], piece: usize) -> Result<Ticket, Unwritten> {
    let most = u64::try_from(body.len()).unwrap();
    let mut writing = Writing::begin(spool, ticket.name(), ticket.key, &head(), most).await?;
    for piece in body.chunks(piece) {
        writing.push(piece).await?;
    }
    let written = writing.finish().await?;
    (ticket.node, ticket.size, ticket.head) = (written.node, written.size, written.head);
    Ok(ticket)
}

/// The body, or how much came before it broke.
async fn read(spool: &Arc<Spool>, ticket: &Ticket) -> Result<Vec<u8>, usize> {
    let Ok(opened) = Opened::open(spool, ticket).await else { return Err(0) };
    assert_eq!(opened.head, head());
    let (mut reader, touched) = opened.body(spool);
    assert!(!touched.load(std::sync::atomic::Ordering::Relaxed));
    let mut body = Vec::new();
    while let Some(piece) = poll_fn(|cx| reader.poll(cx)).await {
        match piece {
            Ok(bytes) => body.extend(bytes),
            Err(_) => return Err(body.len()),
        }
    }
    Ok(body)
}

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place % 251).unwrap()).collect()
}

#[tokio::test]
async fn h9_what_was_written_is_what_is_read() {
    let state = tempfile::tempdir().unwrap();
    let spool = Spool::open(state.path(), NOW);
    let mut seeds = 1..;
    for length in [0, 1, RECORD - 1, RECORD, RECORD + 1, 2 * RECORD, 3 * RECORD + 7] {
        for piece in [1000, RECORD, 4 * RECORD] {
            // A file that is removed is gone a moment later.
            let seed = seeds.next().unwrap();
            let ticket = write(&spool, ticket(seed), &body(length), piece).await.unwrap();
            assert_eq!(read(&spool, &ticket).await, Ok(body(length)), "{length} by {piece}");
            spool.remove(&ticket.id);
        }
    }
}

#[tokio::test]
async fn h9_a_stolen_or_changed_disk_gives_nothing() {
    let state = tempfile::tempdir().unwrap();
    let spool = Spool::open(state.path(), NOW);
    let whole = body(3 * RECORD);
    let ticket = write(&spool, ticket(1), &whole, 5000).await.unwrap();
    let file = spool.path(&ticket.name());
    let written = fs::read(&file).unwrap();
    assert!(!written.windows(16).any(|part| part == &whole[..16] || part == b"application/json"));
    assert!(!file.to_string_lossy().contains(&ticket.account.to_string()), "the disk does not say whose it is");
    assert_eq!(read(&spool, &Ticket { key: [9; 32], ..ticket.clone() }).await, Err(0), "another handle's key");
    let first = usize::try_from(ticket.head).unwrap();
    let check = async |changed: Vec<u8>, came: usize| {
        fs::write(&file, changed).unwrap();
        assert_eq!(read(&spool, &ticket).await, Err(came));
    };
    check(written[..written.len() - 1].to_vec(), 0).await;
    check(written[..first + RECORD + TAG].to_vec(), 0).await;
    check([written.as_slice(), b"x"].concat(), 0).await;
    let record = |place: usize| written[first + place * (RECORD + TAG)..][..RECORD + TAG].to_vec();
    let (a, b, c) = (record(0), record(1), record(2));
    check([&written[..first], &b, &a, &c].concat(), 0).await;
    check([&written[..first], &a, &a, &c].concat(), RECORD).await;
    check([&written[..first], &a, &b, &b].concat(), 2 * RECORD).await;
    let mut flipped = written.clone();
    flipped[0] ^= 1;
    check(flipped, 0).await;
    fs::write(&file, &written).unwrap();
    assert_eq!(read(&spool, &ticket).await, Ok(whole));
}

#[tokio::test]
async fn h9_a_start_finds_the_young_and_removes_the_old() {
    let state = tempfile::tempdir().unwrap();
    let ticket = write(&Spool::open(state.path(), NOW), ticket(1), b"young", 9).await.unwrap();
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(state.path().join("spool")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    let later = Spool::open(state.path(), NOW.plus(LIFE).minus(Duration::from_millis(1)));
    assert_eq!(read(&later, &ticket).await, Ok(b"young".to_vec()), "a restart loses nothing");
    assert!(later.is_ours(ticket.node));
    assert!(matches!(write(&later, Ticket { id: [1; 16], ..ticket.clone() }, b"", 9).await, Err(Unwritten::Full)));
    let too_late = Spool::open(state.path(), NOW.plus(LIFE));
    assert_eq!(read(&too_late, &ticket).await, Err(0));
    assert!(!spool_files(state.path()).iter().any(|name| name != "node"));
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(!Spool::open(elsewhere.path(), NOW).is_ours(ticket.node), "another node says so");
}

#[tokio::test]
async fn h9_a_request_that_breaks_off_or_is_pushed_out_leaves_nothing() {
    let state = tempfile::tempdir().unwrap();
    let spool = Spool::open(state.path(), NOW);
    let one = ticket(1);
    let mut writing = Writing::begin(&spool, one.name(), one.key, &head(), 1000).await.unwrap();
    writing.push(b"half of it").await.unwrap();
    assert_eq!(spool_files(state.path()).len(), 2);
    drop(writing);
    gone(state.path()).await;
    assert_eq!(spool.shelf().bytes(), 0);

    // A newer one of the same session comes while the first is being written.
    let mut slow = Writing::begin(&spool, one.name(), one.key, &head(), 1 << 20).await.unwrap();
    slow.push(&body(2 * RECORD)).await.unwrap();
    let open = File::open(spool.path(&one.name())).unwrap();
    assert!(open.metadata().unwrap().len() > 0);
    let newer = write(&spool, Ticket { id: [7; 16], ..one.clone() }, b"newer", 9).await.unwrap();
    assert_eq!(open.metadata().unwrap().len(), 0, "its blocks are free at once, however long its writer lingers");
    assert!(matches!(slow.push(b"x").await, Err(Unwritten::Full)));
    assert!(matches!(slow.finish().await, Err(Unwritten::Full)));
    assert_eq!(read(&spool, &newer).await, Ok(b"newer".to_vec()));
    spool.remove(&newer.id);
    gone(state.path()).await;
}

fn spool_files(state: &Path) -> Vec<String> {
    let entries = fs::read_dir(state.join("spool")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Files are removed beside the requests.
async fn gone(state: &Path) {
    for _ in 0..500 {
        if spool_files(state) == ["node"] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", spool_files(state));
}
