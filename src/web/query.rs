//! `/api/v1/query`: the history over time, for programs and for the page, which asks no other way.
//!
//! At most two questions are read from the disk at once, others wait for a moment; a question whose asker has gone is given up. What was
//! answered within the minute is answered again from memory, as a page that is looked at asks every few seconds.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::Shared;
use crate::query::{Answer, Query, parse};

/// Reads an answer from the files for as long as it is told to go on.
pub type Read = dyn Fn(&Query, &dyn Fn() -> bool) -> Result<Answer, String> + Send + Sync;

/// Questions that are read at once.
const AT_ONCE: usize = 2;
/// How long an answer may take with the wait for others: a connection that is not answered is closed soon after.
const PATIENCE: Duration = Duration::from_millis(4500);
/// Answers that are kept: those of a few pages.
const KEPT: usize = 24;

/// The history, and what it was asked last.
pub struct History {
    read: Arc<Read>,
    places: Semaphore,
    answered: Mutex<VecDeque<(Query, Arc<Answer>)>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// It took too long, or others ask too much.
    Late,
    /// The disk failed.
    Failed(String),
}

impl Unanswered {
    /// For people.
    pub fn message(self) -> String {
        match self {
            Self::Late => "the history takes too long to read; ask for a shorter time, or again in a moment".to_owned(),
            Self::Failed(message) => message,
        }
    }
}

impl IntoResponse for Unanswered {
    fn into_response(self) -> Response {
        let again = [(header::RETRY_AFTER, "5")];
        (StatusCode::SERVICE_UNAVAILABLE, again, format!("{}\n", self.message())).into_response()
    }
}

/// Tells a reader that nobody waits for it any longer.
struct Asked(Arc<AtomicBool>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl History {
    /// Of what reads it.
    pub fn new(read: Arc<Read>) -> Self {
        Self { read, places: Semaphore::new(AT_ONCE), answered: Mutex::default() }
    }

    /// The answer, which may be as old as the minute.
    ///
    /// # Errors
    /// It takes too long, or the disk failed.
    pub async fn ask(&self, query: Query) -> Result<Arc<Answer>, Unanswered> {
        tokio::time::timeout(PATIENCE, self.answer(query)).await.unwrap_or(Err(Unanswered::Late))
    }

    async fn answer(&self, query: Query) -> Result<Arc<Answer>, Unanswered> {
        if let Some(known) = self.known(&query) {
            return Ok(known);
        }
        let _place = self.places.acquire().await.map_err(|_| Unanswered::Late)?;
        if let Some(known) = self.known(&query) {
            return Ok(known);
        }
        let waits = Asked(Arc::new(AtomicBool::new(true)));
        let (read, asked, goes_on) = (Arc::clone(&self.read), query.clone(), Arc::clone(&waits.0));
        let read = tokio::task::spawn_blocking(move || read(&asked, &|| goes_on.load(Ordering::Relaxed)));
        let answer = read.await.unwrap_or_else(|error| Err(error.to_string())).map_err(Unanswered::Failed)?;
        let answer = Arc::new(answer);
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.truncate(KEPT - 1);
        answered.push_front((query, Arc::clone(&answer)));
        Ok(answer)
    }

    fn known(&self, query: &Query) -> Option<Arc<Answer>> {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.iter().find(|(asked, _)| asked == query).map(|(_, answer)| Arc::clone(answer))
    }
}

/// Answers a question to the history.
pub async fn query(State(shared): State<Shared>, RawQuery(asked): RawQuery) -> Response {
    let parameters = form_urlencoded::parse(asked.unwrap_or_default().as_bytes()).into_owned().collect::<Vec<_>>();
    match parse(&parameters, minute(shared.clock.now())) {
        Ok(query) => match shared.history.ask(query).await {
            Ok(answer) => Json(answer.as_ref()).into_response(),
            Err(unanswered) => unanswered.into_response(),
        },
        Err(message) => (StatusCode::BAD_REQUEST, format!("{message}\n")).into_response(),
    }
}

/// The begun minute: what is asked within it is the same question.
pub fn minute(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second().div_euclid(60).saturating_mul(60)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::query::Folding;

    fn asked(minute: &str) -> Query {
        let parameters = [("table", "gpu_minute"), ("columns", "power_mean"), ("until", minute)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        parse(&parameters, "2026-11-23T12:00:00Z".parse().expect("a time")).expect("a question")
    }

    #[tokio::test]
    async fn what_was_answered_is_not_read_again_and_a_failure_is() {
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reads);
        let history = History::new(Arc::new(move |query, _| match counted.fetch_add(1, Ordering::Relaxed) {
            0 => Err("no disk".to_owned()),
            _ => Ok(Folding::new(query.clone()).answer(0)),
        }));
        let failed = history.ask(asked("now")).await.expect_err("the first fails").message();
        assert_eq!(failed, "no disk");
        for _ in 0..3 {
            history.ask(asked("now")).await.expect("an answer");
        }
        assert_eq!(reads.load(Ordering::Relaxed), 2);
        history.ask(asked("2026-11-23T11:00:00Z")).await.expect("an answer");
        assert_eq!(reads.load(Ordering::Relaxed), 3, "another question is another answer");
    }

    #[tokio::test]
    async fn a_reader_whose_asker_has_gone_stops_and_what_it_had_is_no_answer() {
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopped);
        let history = History::new(Arc::new(move |query, goes_on| {
            while goes_on() {
                std::thread::sleep(Duration::from_millis(5));
            }
            told.store(true, Ordering::Relaxed);
            Ok(Folding::new(query.clone()).answer(0))
        }));
        let gone = tokio::time::timeout(Duration::from_millis(50), history.ask(asked("now"))).await;
        assert!(gone.is_err(), "nobody answered");
        for _ in 0..1000 {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(stopped.load(Ordering::Relaxed), "it goes on reading");
        assert!(history.known(&asked("now")).is_none());
    }
}
