//! References that the configuration names: read at the start, at each reload and from time to time, and handed to the models as if they
//! had been sent. What cannot be read, or is not what it should be, changes nothing: the reference before it stays, `/healthz` and the log
//! say so, and it is tried again with growing pauses.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use crate::config::Config;
use crate::dataset::Dataset;
use crate::fetch::{Answer, Fetched, Mark, Source};
use crate::frame::json::Rows;
use crate::frame::stack::bytes_of;
use crate::health::{Health, ReferenceState};
use crate::identity::ModelKey;
use crate::ingest::room::For;
use crate::ingest::{Ingest, Refused};
use crate::model::Spec;
use crate::model::border::{Batch, Passed, Purpose, pass};
use crate::model::profile::{self, Admitted};
use crate::model::view::{ModelView, ModelsView};

/// Between attempts, at first; at most the model's own pause.
const RETRY: Duration = Duration::from_secs(5);
/// What was taken is seen among the models by then.
const SEEN: Duration = Duration::from_secs(30);
/// So many are read at the same time: each may be held in memory whole.
const AT_ONCE: usize = 2;

/// What is known of a reference that is followed.
#[derive(Debug, Clone)]
struct Followed {
    /// As the configuration has it.
    spec: Spec,
    /// What to ask with.
    mark: Option<Mark>,
    /// The SHA-256 of what was taken last, and when.
    taken: Option<String>,
    taken_at: Duration,
    /// When it is asked for next, and the pause after a failure.
    due: Duration,
    pause: Duration,
    state: ReferenceState,
}

/// Why a reference was not taken.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// The models take nothing yet.
    NotYet(Duration),
    /// What is wrong.
    Wrong(String),
}

impl Followed {
    fn new(spec: &Spec) -> Self {
        let source = spec.reference.as_deref().map(Source::parse).and_then(Result::ok);
        let source = source.as_ref().map(Source::shown).unwrap_or_default();
        let state = ReferenceState { source, ..ReferenceState::default() };
        let (due, taken_at) = (Duration::ZERO, Duration::ZERO);
        Self { spec: spec.clone(), mark: None, taken: None, taken_at, due, pause: RETRY, state }
    }

    /// The model has been removed since: what was taken is to be taken again.
    fn forget_if_gone(&mut self, models: &ModelsView, now: Duration) {
        let given = |model: &ModelView| model.reference.as_ref().is_some_and(|reference| !reference.about.provisional);
        let has = models.models.iter().any(|model| model.key == self.spec.key() && given(model));
        if !has && self.taken.is_some() && now.saturating_sub(self.taken_at) >= SEEN {
            (self.mark, self.taken) = (None, None);
        }
    }

    /// Notes what came of an attempt.
    fn settle(&mut self, came: Result<(), Failure>, now: Duration) {
        let model = self.spec.key();
        match came {
            Ok(()) => {
                if self.state.up == Some(false) {
                    tracing::info!(%model, source = self.state.source, "its reference can be read again");
                }
                (self.state.up, self.state.read_at, self.state.error) = (Some(true), Some(now), None);
                (self.due, self.pause) = (now + self.spec.reference_every, RETRY);
            }
            Err(Failure::NotYet(wait)) => self.due = now + wait,
            Err(Failure::Wrong(error)) => {
                if self.state.error.as_ref() != Some(&error) {
                    tracing::warn!(%model, error, "its reference cannot be taken: what was known stays, and it is tried again");
                }
                (self.state.up, self.state.error) = (Some(false), Some(error));
                self.state.failures += 1;
                self.due = now + self.pause.min(self.spec.reference_every);
                self.pause = (self.pause * 2).min(self.spec.reference_every);
            }
        }
    }
}

/// Follows the references that the configuration names, until it is dropped.
pub async fn follow(
    ingest: Ingest,
    models: watch::Receiver<Arc<ModelsView>>,
    data: PathBuf,
    mut config: watch::Receiver<Config>,
    health: Arc<Health>,
) {
    let mut all: BTreeMap<ModelKey, Followed> = BTreeMap::new();
    // Copies that an end left behind.
    let _ = tokio::fs::remove_dir_all(data.join("fetched")).await;
    loop {
        let specs = config.borrow_and_update().model.clone();
        let specs: Vec<Spec> = specs.into_iter().filter(|spec| spec.reference.is_some()).collect();
        // Of another description its columns may play other roles: then it is taken anew.
        all.retain(|_, followed| specs.contains(&followed.spec));
        for spec in specs {
            // Known or not, a reload asks at once.
            all.entry(spec.key()).or_insert_with(|| Followed::new(&spec)).due = Duration::ZERO;
        }
        loop {
            let now = ingest.clock.monotonic();
            let known = Arc::clone(&models.borrow());
            for followed in all.values_mut() {
                followed.forget_if_gone(&known, now);
            }
            let due = all.values_mut().filter(|followed| followed.due <= now);
            ask_all(due, &ingest, &data).await;
            let states = all.iter().map(|(key, followed)| (key.to_string(), followed.state.clone())).collect();
            health.update(|state| state.references = states);
            let now = ingest.clock.monotonic();
            let next = all.values().map(|followed| followed.due.saturating_sub(now)).min();
            let wait = async {
                match next {
                    Some(next) => tokio::time::sleep(next.max(Duration::from_millis(100))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = config.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                () = wait => {}
            }
        }
    }
}

/// Asks for these, a few at a time.
async fn ask_all(due: impl Iterator<Item = &mut Followed>, ingest: &Ingest, data: &Path) {
    stream::iter(due).for_each_concurrent(AT_ONCE, |followed| ask(followed, ingest, data)).await;
}

/// Asks for one, and takes it where it has changed.
async fn ask(followed: &mut Followed, ingest: &Ingest, data: &Path) {
    let came = attempt(followed, ingest, data).await;
    followed.settle(came, ingest.clock.monotonic());
}

async fn attempt(followed: &mut Followed, ingest: &Ingest, data: &Path) -> Result<(), Failure> {
    let key = followed.spec.key();
    // Before anything is read, as at the start for a while nothing is taken.
    ingest.sink.describe(&key).map_err(|refused| failure(&refused))?;
    let source = Source::parse(followed.spec.reference.as_deref().unwrap_or_default()).map_err(Failure::Wrong)?;
    // No namespace begins so.
    let folder = data.join("fetched").join(key.namespace.as_deref().unwrap_or("_none")).join(&key.name);
    let answer = source.fetch(followed.mark.as_ref(), ingest.config.max_body.as_u64(), &folder).await;
    let fetched = match answer.map_err(|error| Failure::Wrong(error.to_string()))? {
        Answer::Same => return Ok(()),
        Answer::New(fetched) => fetched,
    };
    let (mark, ingest_clock) = (fetched.mark.clone(), Arc::clone(&ingest.clock));
    let (ingest, taken, spec) = (ingest.clone(), followed.taken.clone(), followed.spec.clone());
    let work = move || {
        if taken.as_ref() != Some(&fetched.sha256) {
            take(&ingest, &key, &fetched, spec.reference_hash.as_deref())?;
        }
        Ok(fetched.sha256.clone())
    };
    let done = tokio::task::spawn_blocking(work).await;
    let at = |failure| match failure {
        Failure::Wrong(message) => Failure::Wrong(format!("{}: {message}", source.shown())),
        later @ Failure::NotYet(_) => later,
    };
    let sha = done.unwrap_or_else(|error| Err(Failure::Wrong(error.to_string()))).map_err(at)?;
    if followed.taken.as_ref() != Some(&sha) {
        followed.taken_at = ingest_clock.monotonic();
    }
    (followed.mark, followed.taken) = (Some(mark), Some(sha));
    Ok(())
}

fn failure(refused: &Refused) -> Failure {
    match refused {
        Refused::Busy { retry, .. } if *retry < RETRY => Failure::NotYet(*retry),
        other => Failure::Wrong(other.to_string()),
    }
}

/// Hands what was read to the models, once its hash is what it should be.
fn take(ingest: &Ingest, key: &ModelKey, fetched: &Fetched, wanted: Option<&str>) -> Result<(), Failure> {
    let (wrong, sha) = (Failure::Wrong, fetched.sha256.as_str());
    let known = ingest.sink.describe(key).map_err(|refused| failure(&refused))?;
    let profile = text_of_profile(&fetched.path).map_err(wrong)?;
    let is_wanted = |hash: &str| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(hash));
    let other =
        |hash: &str| wrong(format!("its SHA-256 is {hash}, and reference_hash says {}", wanted.unwrap_or_default()));
    let (purpose, batch, rows) = if let Some(text) = profile {
        let admitted = profile::admit(&text, &known.spec, known.max_features).map_err(wrong)?;
        let Admitted { batch, hash, rows, told } = admitted;
        if !is_wanted(&hash) && !is_wanted(sha) {
            return Err(other(&hash));
        }
        for told in told {
            tracing::warn!(model = %key, column = told.field, "its reference: {}", told.message);
        }
        (Purpose::Profile, batch, rows)
    } else {
        if !is_wanted(sha) {
            return Err(other(sha));
        }
        let batch = rows_of(ingest, &fetched.path, &known.spec, known.max_features).map_err(wrong)?;
        let rows = batch.record.num_rows() as u64;
        (Purpose::Reference, batch, rows)
    };
    let mut reservation = ingest.in_flight.reserve(&For::model(key));
    reservation.become_size(bytes_of(&batch.record) as u64);
    ingest.sink.accept(key, purpose, batch, reservation).map_err(|refused| failure(&refused))?;
    tracing::info!(model = %key, rows, sha256 = sha, profile = purpose == Purpose::Profile, "its reference was read");
    Ok(())
}

/// What the file says, where it is meant to be a profile.
fn text_of_profile(path: &Path) -> Result<Option<String>, String> {
    let mut file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut head = Vec::new();
    file.by_ref().take(profile::HEAD).read_to_end(&mut head).map_err(|error| error.to_string())?;
    if !profile::begins(&head) {
        return Ok(None);
    }
    // One byte more than the largest is enough to see that it is none.
    let rest = file.take(profile::LARGEST as u64 + 1);
    std::io::copy(&mut { rest }, &mut head).map_err(|error| error.to_string())?;
    String::from_utf8(head).map(Some).map_err(|error| format!("the profile is no text: {error}"))
}

/// A data file's rows as those of a body.
fn rows_of(ingest: &Ingest, path: &Path, spec: &Spec, max_features: usize) -> Result<Batch, String> {
    let message = |error: crate::dataset::Error| error.message().to_owned();
    let data = Dataset::open(path).map_err(message)?;
    let advice = "make a profile of it: `plumbline profile build`";
    if data.rows > ingest.config.max_rows as u64 {
        let most = ingest.config.max_rows;
        return Err(format!("it has {} rows, and {most} are taken at most (ingest.max_rows); {advice}", data.rows));
    }
    let cells = data.rows.saturating_mul(data.fields.len() as u64);
    if cells > ingest.config.in_flight.as_u64() / 8 {
        return Err(format!("it has {cells} cells, more than fit (ingest.in_flight); {advice}"));
    }
    let array = |name: &String| Ok((name.clone(), data.array(name).map_err(message)?));
    let columns = data.fields.iter().map(|field| array(&field.name)).collect::<Result<Vec<_>, String>>()?;
    let rows = Rows { columns, kept: (0..data.rows).collect(), ..Rows::default() };
    let schema = crate::model::Schema::default();
    let Passed { batch, rejected, errors, .. } =
        pass(rows, Purpose::Reference, spec, &schema, max_features, ingest.clock.now());
    let first = errors.first().map(|error| {
        let field = error.field.as_deref().map_or_else(String::new, |field| format!("column `{field}`: "));
        format!("{field}{}", error.message)
    });
    match batch {
        Some(batch) => {
            if let Some(first) = first {
                tracing::warn!(model = %spec.key(), rejected, "its reference: {first}");
            }
            Ok(batch)
        }
        None => Err(first.unwrap_or_else(|| "it has no rows".to_owned())),
    }
}

#[cfg(test)]
mod tests;
