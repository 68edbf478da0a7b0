//! The daily round: what is due is checked, by whichever node is first.

use super::Domains;
use super::acts::NotDone;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often it is looked what is due.
const ROUND: Duration = Duration::from_secs(20);
/// Checks begun in one round.
const MANY: usize = 64;
/// Checks at once.
const ABREAST: usize = 4;

impl Domains {
    /// Runs until stopped.
    pub async fn keep_checking(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                done = self.round() => tracing::trace!(done, "domains were checked"),
                // What is asked has nobody waiting; its lease ends by itself.
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Checks what is due, and says how many were. All rows are looked at: one that another hand wrote may say that it is never due.
    pub async fn round(self: &Arc<Self>) -> usize {
        if let Err(fault) = self.proofs().await {
            tracing::warn!(%fault, "domains cannot be read");
            return 0;
        }
        let due = match self.due(MANY).await {
            Ok(due) => due,
            Err(fault) => {
                tracing::warn!(%fault, "domains cannot be read");
                return 0;
            }
        };
        let count = due.len();
        let mut under_way = JoinSet::new();
        for proof in due {
            if under_way.len() >= ABREAST {
                finished(under_way.join_next().await);
            }
            let domains = Arc::clone(self);
            under_way.spawn(async move {
                match domains.check(&proof, None).await {
                    // Another node was first.
                    Ok(_) | Err(NotDone::Raced) => {}
                    Err(fault) => tracing::warn!(%fault, domain = %proof.domain, "a domain could not be checked"),
                }
            });
        }
        while let Some(one) = under_way.join_next().await {
            finished(Some(one));
        }
        count
    }
}

fn finished(ended: Option<Result<(), tokio::task::JoinError>>) {
    if let Some(Err(fault)) = ended {
        tracing::error!(%fault, "a check ended by itself");
    }
}
