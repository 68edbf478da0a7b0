//! From letters to a change in the caller's batch.

use super::letter::{Facts, Letter, Proof};
use crate::entropy::random;
use crate::kernel::journal::Change;
use crate::kernel::journal::mail::{MailChange, MailLimit, OutboxRow};
use crate::kernel::values::{AccountId, EmailAddress, MailId, Secret, Timestamp};
use crate::keys::{KeyFault, Keys, Purpose};
use serde_json::{Value, json};
use std::time::Duration;
use zeroize::Zeroizing;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Why a letter cannot be queued. The caller's batch is not to be committed without it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotQueued {
    /// Its link is not a path of the login host.
    #[error("a link in a mail is a path of the login host")]
    Link,
    /// It could not be sealed.
    #[error(transparent)]
    Keys(#[from] KeyFault),
}

/// Queues letters of one occasion; the change goes into the batch of the fact that they tell of. Where a limit is reached, letters
/// are dropped and counted, and the batch goes on. `account` is the person whom the occasion is about, whose own limit it counts
/// against.
///
/// # Errors
/// [`NotQueued`].
pub fn queue(
    keys: &Keys,
    now: Timestamp,
    letters: &[(EmailAddress, Letter)],
    account: Option<AccountId>,
) -> Result<Change, NotQueued> {
    let mut rows = Vec::with_capacity(letters.len());
    let mut limits = Vec::new();
    for (to, letter) in letters {
        rows.push((row(keys, now, (MailId::mint(now, random()), to), letter)?, of_recipient(letter.kind(), to)));
        limits.extend(account.into_iter().flat_map(|account| of_account(letter.kind(), account)));
    }
    Ok(Change::Mail(MailChange::Queue { letters: rows, limits }))
}

/// The same for letters of one kind to many people, each of whom it tells of a fact of their own. The caller says their ids, so that
/// a letter that is queued again is the same letter.
///
/// # Errors
/// [`NotQueued`].
pub fn queue_once(
    keys: &Keys,
    now: Timestamp,
    letters: &[(MailId, EmailAddress, Letter)],
) -> Result<Change, NotQueued> {
    let mut rows = Vec::with_capacity(letters.len());
    for (id, to, letter) in letters {
        rows.push((row(keys, now, (*id, to), letter)?, of_recipient(letter.kind(), to)));
    }
    Ok(Change::Mail(MailChange::Queue { letters: rows, limits: Vec::new() }))
}

fn row(
    keys: &Keys,
    now: Timestamp,
    (id, to): (MailId, &EmailAddress),
    letter: &Letter,
) -> Result<OutboxRow, NotQueued> {
    let links = letter.proof().and_then(|proof| proof.link.as_ref());
    if !links.is_none_or(|link| is_local(link.expose())) {
        return Err(NotQueued::Link);
    }
    let mut row = OutboxRow {
        id,
        kind: letter.kind().to_owned(),
        to: to.clone(),
        parameters: json!(letter.facts()).to_string(),
        sealed: Vec::new(),
        created_at: now,
        until: letter.until(now),
        due_at: now,
        attempts: 0,
    };
    row.sealed = keys.seal(Purpose::Outbox, &aad(&row), &secret_part(letter.proof()))?;
    Ok(row)
}

/// What a row says, if it is what was queued; else nothing: it is damaged, or somebody wrote to the database (rule H12).
pub(super) fn open(keys: &Keys, row: &OutboxRow) -> Option<(Facts, Option<Proof>)> {
    let plain = keys.unseal(Purpose::Outbox, &aad(row), &row.sealed)?;
    let secret: Value = serde_json::from_slice(&plain).ok()?;
    let text = |name: &str| secret.get(name).and_then(Value::as_str).map(|text| Secret::new(text.to_owned()));
    let proof = text("code").map(|code| Proof { code, link: text("link") });
    Some((serde_json::from_str(&row.parameters).ok()?, proof))
}

/// All that must not change: table, row, kind, recipient, what it says and until when.
fn aad(row: &OutboxRow) -> Vec<u8> {
    let parts: [&[u8]; 6] = [
        b"outbox",
        &row.id.to_bytes(),
        row.kind.as_bytes(),
        row.to.as_str().as_bytes(),
        row.parameters.as_bytes(),
        &row.until.millis().to_be_bytes(),
    ];
    let mut bytes = Vec::with_capacity(256);
    for part in parts {
        bytes.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend(part);
    }
    bytes
}

/// Also where there is no secret: the seal is what makes the row ours.
fn secret_part(proof: Option<&Proof>) -> Zeroizing<Vec<u8>> {
    let secret = proof.map(|proof| {
        let link = proof.link.as_ref().map(Secret::expose);
        json!({ "code": proof.code.expose(), "link": link })
    });
    Zeroizing::new(secret.unwrap_or_else(|| json!({})).to_string().into_bytes())
}

/// A path of our own: printable, and neither `//host` nor anything that ends the attribute or line that it stands in.
fn is_local(link: &str) -> bool {
    let plain = link.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\`".contains(&byte));
    plain && link.starts_with('/') && !link.starts_with("//") && link.len() <= 1_024
}

/// Per recipient and kind (rule M13): what strangers can cause is scarce, news is not.
fn of_recipient(kind: &str, to: &EmailAddress) -> Vec<MailLimit> {
    let spans: &[(Duration, u32)] = match kind {
        "reset" | "mailbox-proof" | "set-up-code" => &[(HOUR, 5), (DAY, 12)],
        "address-retired" => &[(DAY, 1), (WEEK, 3)],
        _ => &[(DAY, 40)],
    };
    limits(&format!("to {kind} {to}"), spans)
}

/// Per account and kind, whatever its addresses (T18: once in 24 hours, three times in a week).
fn of_account(kind: &str, account: AccountId) -> Vec<MailLimit> {
    let spans: &[(Duration, u32)] = match kind {
        "reset" | "mailbox-proof" => &[(HOUR, 8), (DAY, 20)],
        "address-retired" => &[(DAY, 1), (WEEK, 3)],
        _ => &[(DAY, 100)],
    };
    limits(&format!("account {kind} {account}"), spans)
}

fn limits(key: &str, spans: &[(Duration, u32)]) -> Vec<MailLimit> {
    spans.iter().map(|(span, most)| MailLimit { key: key.to_owned(), span: *span, most: *most }).collect()
}
