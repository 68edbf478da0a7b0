//! Two processes sign for one log (rule H13): whichever of them changes the key, what both state is one story.

use super::fixtures::Folder;
use super::*;
use fedgate::audit::{CheckpointError, verify_store};
use fedgate::store::{Conflict, NotCommitted};

/// Two processes, each with what it knows of the newest key.
struct Both {
    store: Arc<dyn Store>,
    seeds: [Arc<AtomicU8>; 2],
    logs: [Log; 2],
    _folder: Folder,
}

impl Both {
    async fn start() -> Self {
        let folder = Folder::new();
        let store = open(folder.path());
        let seeds = [1, 1].map(|seed| Arc::new(AtomicU8::new(seed)));
        let logs = [by_turns(&store, &seeds[0]).await, by_turns(&store, &seeds[1]).await];
        write(&store, 0..10).await;
        for log in &logs {
            log.checkpoint().await.unwrap();
        }
        Self { store, seeds, logs, _folder: folder }
    }

    async fn verify(&self) {
        let first = [signer(1).key().clone()];
        let verdict = verify_store(self.store.as_ref(), &first, None, fixtures::now()).await.unwrap();
        assert!(verdict.is_consistent() && verdict.signed == verdict.size, "{verdict}");
    }
}

fn is_late(done: Result<impl Sized, CheckpointError>) -> bool {
    matches!(done, Err(CheckpointError::Store(NotCommitted::Conflict(Conflict::Row))))
}

#[test]
fn h13_a_process_that_has_not_heard_of_the_new_key_states_nothing_with_the_old_one() {
    block_on(async {
        let both = Both::start().await;
        both.logs[0].succeed(&signer(2), succession(1, 2)).await.unwrap();
        both.seeds[0].store(2, Ordering::SeqCst);
        write(&both.store, 10..20).await;
        assert!(is_late(both.logs[1].checkpoint().await), "the old key is gone");
        assert!(is_late(both.logs[1].succeed(&signer(3), succession(1, 3)).await), "of two that change it one does");
        both.seeds[1].store(2, Ordering::SeqCst);
        both.logs[1].checkpoint().await.unwrap();
        both.verify().await;
    });
}

#[test]
fn h13_a_key_is_not_handed_over_behind_a_larger_statement_of_the_other() {
    block_on(async {
        let both = Both::start().await;
        write(&both.store, 10..20).await;
        // It has read the log up to here; before it commits, the other one states more.
        let at = both.store.log_size().await.unwrap();
        write(&both.store, 20..30).await;
        both.logs[1].checkpoint().await.unwrap();
        let behind = Change::MaySign { kind: "audit".to_owned(), generation: 1, size: at };
        assert!(both.store.commit(fixtures::changes([behind])).await.is_err());
        both.logs[0].succeed(&signer(2), succession(1, 2)).await.unwrap();
        both.seeds.iter().for_each(|seed| seed.store(2, Ordering::SeqCst));
        for log in &both.logs {
            log.checkpoint().await.unwrap();
        }
        both.verify().await;
    });
}
