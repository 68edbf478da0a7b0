//! What a restored store loses before anybody sees it (rule H17).

/// One change.
#[derive(Clone, Copy, Debug)]
pub enum RestoreChange {
    /// Everything that stood or was under way goes: sessions, proofs of mailboxes, counted attempts, letters, tokens of the admin API,
    /// changes of provider. Each account's epoch rises by [`RestoreChange::EPOCHS`], so that nothing of before fits any more.
    Cleanse,
}

impl RestoreChange {
    /// More than an account's epoch rises in the life of a backup.
    pub const EPOCHS: u32 = 100_000;
}
