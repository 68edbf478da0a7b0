//! A log is written, signed, and tampered with by somebody who can write the database but has no key.

use super::fixtures::Folder;
use super::*;
use fedgate::audit::{Fault, Verdict, VerifyingKey, export, verify_folder, verify_store};
use fedgate::kernel::event::leaf_hash;

/// A log of 300 events with checkpoints at 100, 200 and 300 (the key changes after 200), and ten unsigned ones; what somebody
/// outside keeps of it: the first key and the checkpoint of 301, which is after the event that names the second key.
struct Story {
    folder: Folder,
    keys: Vec<VerifyingKey>,
    anchor: String,
}

fn story() -> Story {
    let folder = Folder::new();
    let anchor = block_on(async {
        let store = open(folder.path());
        let seed = Arc::new(AtomicU8::new(1));
        let log = by_turns(&store, &seed).await;
        write(&store, 0..100).await;
        log.checkpoint().await.unwrap();
        write(&store, 100..200).await;
        log.checkpoint().await.unwrap();
        log.succeed(&signer(2), succession(1, 2)).await.unwrap();
        seed.store(2, Ordering::SeqCst);
        write(&store, 200..300).await;
        let anchor = log.checkpoint().await.unwrap();
        write(&store, 300..310).await;
        store.close().await;
        anchor.note
    });
    Story { folder, keys: vec![signer(1).key().clone()], anchor }
}

impl Story {
    fn verify(&self, anchor: Option<&str>) -> Verdict {
        block_on(async {
            let store = open(self.folder.path());
            let verdict = verify_store(store.as_ref(), &self.keys, anchor, fixtures::now()).await.unwrap();
            store.close().await;
            verdict
        })
    }

    fn sql(&self, sql: &str) {
        rusqlite::Connection::open(self.folder.path().join("fedgate.db")).unwrap().execute_batch(sql).unwrap();
    }
}

/// Tampers, and names the faults found without and with the anchor.
fn check(what: &str, sql: &str, alone: &[Fault], anchored: &[Fault]) {
    let story = story();
    story.sql(sql);
    assert_eq!(story.verify(None).faults, alone, "{what}, not anchored");
    assert_eq!(story.verify(Some(&story.anchor)).faults, anchored, "{what}, anchored");
}

#[test]
fn an_honest_log_verifies_and_says_what_it_cannot_exclude() {
    let story = story();
    let verdict = story.verify(None);
    assert_eq!((verdict.faults.as_slice(), verdict.size, verdict.signed, verdict.anchored), (&[][..], 311, 301, None));
    let said =
        "311 events, 301 signed: consistent, not anchored: the last 1 minutes or a whole rollback cannot be excluded";
    assert_eq!(verdict.to_string(), said);
    let verdict = story.verify(Some(&story.anchor));
    assert_eq!((verdict.faults.as_slice(), verdict.anchored), (&[][..], Some(301)));
    assert!(verdict.to_string().contains("anchored up to event 300"));
}

#[test]
fn an_edited_event_is_found() {
    let changed = |after, until| Fault::Changed { after, until };
    let edit = "UPDATE event SET bytes = replace(bytes, 'succeeded', 'denied') || x'' WHERE position = ";
    let edit = |position: u64| {
        edit.replace(
            "replace(bytes, 'succeeded', 'denied') || x''",
            "CAST(replace(CAST(bytes AS TEXT), 'succeeded', 'denied') AS BLOB)",
        ) + &position.to_string()
    };
    let found = [Fault::Edited(150), changed(100, 200)];
    check("edited", &edit(150), &found, &found);
    // Events that no checkpoint covers yet still have their stored hash.
    check("edited, unsigned", &edit(305), &[Fault::Edited(305)], &[Fault::Edited(305)]);
    check(
        "last of a checkpoint",
        &edit(99),
        &[Fault::Edited(99), changed(0, 100)],
        &[Fault::Edited(99), changed(0, 100)],
    );
    // Who also writes the hash is found by the next root.
    let leaf: String = leaf_hash(b"{}").iter().map(|byte| format!("{byte:02x}")).collect();
    let rewrite = format!("UPDATE event SET bytes = CAST('{{}}' AS BLOB), leaf = x'{leaf}' WHERE position = 150");
    check("edited with its hash", &rewrite, &[changed(100, 200)], &[changed(100, 200)]);
}

#[test]
fn a_removed_or_reordered_event_is_found() {
    let gap = [Fault::OutOfPlace { expected: 150, found: 151 }];
    check("removed", "DELETE FROM event WHERE position = 150", &gap, &gap);
    check(
        "a checkpoint's last removed",
        "DELETE FROM event WHERE position = 199",
        &[Fault::OutOfPlace { expected: 199, found: 200 }],
        &[Fault::OutOfPlace { expected: 199, found: 200 }],
    );
    let close = "DELETE FROM event WHERE position = 150; UPDATE event SET position = -position WHERE position > 150;
                 UPDATE event SET position = -position - 1 WHERE position < 0";
    let changed = [Fault::Changed { after: 100, until: 200 }];
    // The event that changes keys moved with the rest, so the second key is not good either.
    let moved = [Fault::Succession(199), changed[0].clone(), Fault::Signature(301)];
    check("removed, gap closed", close, &moved, &[moved.as_slice(), &moved[2..]].concat());
    let swap =
        "UPDATE event SET position = -1 WHERE position = 150; UPDATE event SET position = 150 WHERE position = 160;
                UPDATE event SET position = 160 WHERE position = -1";
    check("reordered", swap, &changed, &changed);
}

#[test]
fn a_cut_below_a_checkpoint_is_found_and_a_whole_rollback_by_the_anchor_only() {
    let cut = |found, signed| [Fault::Truncated { found, signed }];
    check("cut", "DELETE FROM event WHERE position >= 250", &cut(250, 301), &cut(250, 301));
    let rollback = "DELETE FROM event WHERE position >= 200; DELETE FROM checkpoint WHERE size > 200";
    check("rolled back", rollback, &[], &cut(200, 301));
    check("emptied", "DELETE FROM event; DELETE FROM checkpoint", &[], &cut(0, 301));
    check(
        "checkpoints gone",
        "DELETE FROM checkpoint; DELETE FROM event WHERE position >= 200",
        &[Fault::Unsigned],
        &cut(200, 301),
    );
}

#[test]
fn a_checkpoint_that_was_changed_is_found() {
    let edit = "UPDATE checkpoint SET note = replace(note, 'node one', 'node two') WHERE size = 100";
    check("note edited", edit, &[Fault::Signature(100)], &[Fault::Signature(100)]);
    let text = "UPDATE checkpoint SET note = 'nothing' WHERE size = 100";
    check("no note", text, &[Fault::Signature(0)], &[Fault::Signature(0)]);
}

/// Rewrites the whole log from some event on and signs it with the newest key, as its thief could.
fn forge(story: &Story, rewritten_from: u64, keep_first: bool) {
    block_on(async {
        let old = open(story.folder.path());
        let events = old.log(0, 1000).await.unwrap();
        let checkpoints = old.checkpoints().await.unwrap();
        old.close().await;
        story.sql("DELETE FROM event; DELETE FROM checkpoint");
        let db = rusqlite::Connection::open(story.folder.path().join("fedgate.db")).unwrap();
        for event in events {
            let forged = event.position >= rewritten_from && event.position < 190;
            let bytes = if forged { b"{}".to_vec() } else { event.bytes };
            let position = i64::try_from(event.position).unwrap();
            let sql = "INSERT INTO event (position, leaf, bytes) VALUES (?, ?, ?)";
            db.execute(sql, rusqlite::params![position, leaf_hash(&bytes), bytes]).unwrap();
        }
        drop(db);
        let store = open(story.folder.path());
        for row in checkpoints.into_iter().filter(|row| keep_first && row.size <= 100) {
            let put = Change::PutCheckpoint(row);
            store.commit(fixtures::changes([put])).await.unwrap();
        }
        log(&store, 2).await.checkpoint().await.unwrap();
        store.close().await;
    });
}

#[test]
fn who_steals_a_key_cannot_rewrite_what_its_predecessor_signed() {
    let story = story();
    forge(&story, 150, true);
    // The successor is good only by a statement over the tree as it was, which is not this one.
    assert_eq!(story.verify(None).faults, [Fault::Succession(200), Fault::Signature(311)]);
}

#[test]
fn a_key_signs_nothing_after_its_successor() {
    let story = story();
    block_on(async {
        let store = open(story.folder.path());
        log(&store, 1).await.checkpoint().await.unwrap();
        store.close().await;
    });
    assert_eq!(story.verify(None).faults, [Fault::Signature(311)]);
    // And a key that nobody introduced signs nothing at all.
    let stranger = Story { keys: vec![signer(9).key().clone()], ..story };
    assert!(!stranger.verify(None).is_consistent());
}

#[test]
fn a_log_that_shrinks_under_its_signer_is_not_signed_again() {
    let story = story();
    block_on(async {
        let store = open(story.folder.path());
        let log = log(&store, 2).await;
        log.checkpoint().await.unwrap();
        story.sql("DELETE FROM event WHERE position >= 250");
        let fault = log.checkpoint().await.unwrap_err();
        assert!(matches!(fault, fedgate::audit::CheckpointError::RolledBack { found: 250, seen: 311 }), "{fault}");
        store.close().await;
    });
}

#[test]
fn an_export_verifies_without_the_store() {
    let story = story();
    let to = Folder::new();
    let out = to.path().join("export");
    let size = block_on(async {
        let store = open(story.folder.path());
        let size = export(store.as_ref(), &out).await.unwrap();
        store.close().await;
        size
    });
    assert_eq!(size, 311);
    let verify = |anchor| verify_folder(&out, &story.keys, anchor, fixtures::now()).unwrap();
    assert_eq!(verify(None), story.verify(None));
    assert_eq!(verify(Some(&story.anchor)), story.verify(Some(&story.anchor)));
    assert_eq!(std::fs::read(out.join("tile/0/000")).unwrap().len(), 256 * 32);
    assert_eq!(std::fs::read(out.join("tile/0/001.p/55")).unwrap().len(), 55 * 32);
    assert_eq!(std::fs::read(out.join("tile/1/000.p/1")).unwrap().len(), 32);

    let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap();
    let tamper = |text: String| {
        std::fs::write(out.join("events.jsonl"), text).unwrap();
        verify(None).faults
    };
    let lines: Vec<&str> = events.lines().collect();
    let without = |skip: usize| {
        lines.iter().enumerate().filter(|(place, _)| *place != skip).map(|(_, line)| format!("{line}\n")).collect()
    };
    let edited = lines.iter().enumerate().map(|(place, line)| {
        format!("{}\n", if place == 305 { line.replace("succeeded", "denied") } else { (*line).to_owned() })
    });
    assert_eq!(tamper(edited.collect()), [Fault::Edited(305)]);
    assert_eq!(tamper(without(150))[0], Fault::OutOfPlace { expected: 150, found: 151 });
    assert_eq!(tamper(lines[..250].join("\n") + "\n"), [Fault::Truncated { found: 250, signed: 301 }]);
    assert!(!tamper("not a line\n".repeat(311)).is_empty());
}
