//! Statements that are sent together: none of them waits for the answers of those before it. They are answered in their order, and
//! the first that fails is what the batch failed by, as if each had been waited for: what comes after it changes nothing that is not
//! undone with it, since all of a batch stands behind one savepoint.

use super::super::sql::value::{Kind, Params, Value};
use super::words::{halt, numbered, typed};
use crate::store::Conflict;
use crate::store::sql::change::Halt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use tokio_postgres::{Client, Error};

/// A statement that waits for the others of its batch.
pub(super) struct Asked {
    words: String,
    row: Vec<Held>,
    /// What it is if it neither changes nor finds a row; none where that is no matter.
    otherwise: Option<Conflict>,
}

/// A value of its own, since the batch's have gone when it is sent.
enum Held {
    Null(Kind),
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Held {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Null(kind) => Self::Null(kind),
            Value::Int(number) => Self::Int(number),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::Null(kind) => Value::Null(*kind),
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

impl Asked {
    pub(super) fn new(sql: &str, row: Params<'_>, otherwise: Option<Conflict>) -> Self {
        let row = row.iter().map(|value| Held::of(value.value())).collect();
        Self { words: numbered(sql), row, otherwise }
    }

    /// Whether it is this one, which has no values.
    pub(super) fn is(&self, sql: &str) -> bool {
        self.words == sql
    }

    /// What the answer means.
    pub(super) fn judge(&self, answer: Result<u64, Error>) -> Result<(), Halt> {
        match (answer, self.otherwise) {
            (Err(fault), _) => Err(halt(&fault)),
            (Ok(0), Some(conflict)) => Err(Halt::Conflict(conflict)),
            (Ok(_), _) => Ok(()),
        }
    }
}

type Asking<'a> = Pin<Box<dyn Future<Output = Result<u64, Error>> + 'a>>;

/// Sends all and waits for all; the answers in the order of the statements.
pub(super) async fn together(client: &Client, asked: &[Asked]) -> Vec<Result<u64, Error>> {
    let rows: Vec<Vec<Value<'_>>> = asked.iter().map(|one| one.row.iter().map(Held::value).collect()).collect();
    let rows: Vec<_> = rows.iter().map(|row| typed(row)).collect();
    let statements = asked.iter().zip(&rows);
    let mut asking: Vec<Asking<'_>> =
        statements.map(|(one, row)| Box::pin(client.execute_typed(&one.words, row)) as Asking<'_>).collect();
    let mut answers: Vec<Option<Result<u64, Error>>> = asking.iter().map(|_| None).collect();
    // A statement is sent when it is polled first: in this order, before any answer is waited for.
    poll_fn(|cx| {
        for (one, answer) in asking.iter_mut().zip(&mut answers) {
            if let Poll::Ready(said) = one.as_mut().poll(cx) {
                *answer = Some(said);
            }
        }
        Poll::Ready(())
    })
    .await;
    // The answers come in that order too.
    let mut all = Vec::with_capacity(answers.len());
    for (one, answer) in asking.into_iter().zip(answers) {
        all.push(match answer {
            Some(answer) => answer,
            None => one.await,
        });
    }
    all
}
