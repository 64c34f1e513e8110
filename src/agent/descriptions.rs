//! Descriptions of models from wherever they come: the configuration file, labelled ConfigMaps, the API. Those that count take the place of
//! the file's in the configuration that everybody else reads, so that nobody else need know where one came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::collect::kubernetes::{self, descriptions as config_maps};
use crate::config::{Config, Problem, description};
use crate::health::Health;
use crate::identity::ModelKey;
use crate::ingest::descriptions::{NotTaken, Registry, Shown, Wrong};
use crate::model::Spec;
use crate::model::described::{Described, Origin, Unused, in_force};
use crate::store::{descriptions as stored, state};

/// Between attempts to ask the Kubernetes API at all.
const RETRY: Duration = Duration::from_secs(30);

/// So many that do not count are told one by one in `/healthz`, and of each so much, in characters.
const TOLD: usize = 50;
const LONGEST_WHY: usize = 500;
/// What ConfigMaps said last, for a start without an API server.
const DECLARED: &str = "models/descriptions/declared.json";

/// All descriptions.
pub struct Descriptions {
    data: PathBuf,
    /// Locked for moments; a description is parsed before, and written while it is held, so that the disk has the order of the answers.
    state: Mutex<State>,
    out: watch::Sender<Config>,
    health: Arc<Health>,
}

struct State {
    /// As the file has it.
    base: Config,
    /// By the API.
    sent: BTreeMap<ModelKey, Given>,
    /// From ConfigMaps.
    declared: Vec<Given>,
    /// Why ConfigMaps cannot be read, and how many are left out.
    failing: Option<String>,
    unused: Vec<Unused>,
}

/// A description as it was given.
#[derive(Debug, Clone)]
struct Given {
    /// Of which model, as far as it is known.
    model: Option<ModelKey>,
    origin: Origin,
    text: String,
    spec: Result<Spec, String>,
}

impl State {
    fn given(&self) -> impl Iterator<Item = &Given> {
        self.declared.iter().chain(self.sent.values())
    }

    /// The configuration that follows from all of it.
    fn effective(&mut self) -> Config {
        let file = self.base.model.iter().map(|spec| Described { spec: spec.clone(), origin: Origin::File });
        let right = |given: &Given| Some(Described { spec: given.spec.clone().ok()?, origin: given.origin.clone() });
        let all = file.chain(self.given().filter_map(right)).collect();
        let wrong = |spec: &Spec| first_problem(&self.base, spec);
        let (counts, mut unused) = in_force(all, self.base.models.max_models, wrong);
        let broken = |given: &Given| {
            let why = given.spec.as_ref().err()?.clone();
            Some(Unused { model: given.model.clone(), origin: given.origin.clone(), why })
        };
        unused.extend(self.given().filter_map(broken));
        self.unused = unused;
        Config { model: counts.into_iter().map(|described| described.spec).collect(), ..self.base.clone() }
    }
}

/// Whether an address lies below one of these, however it is read: nothing in it may be another form of something else.
fn is_below(address: &str, prefixes: &[String]) -> bool {
    let below = |prefix: &String| address.strip_prefix(prefix.as_str());
    let is_plain = |rest: &str| {
        rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'\\' | b'?' | b'#'))
            && rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
    };
    prefixes.iter().filter_map(below).any(is_plain)
}

/// What is wrong with a description that did not come by the file.
fn first_problem(config: &Config, spec: &Spec) -> Option<String> {
    if spec.reference.as_ref().is_some_and(|reference| !is_below(reference, &config.models.reference_prefixes)) {
        return Some(
            "reference: lies where none may that is not named in the configuration file (models.reference_prefixes); \
             PUT /v1/models/{model}/reference sends one"
                .to_owned(),
        );
    }
    config.problems_of(spec).into_iter().next().map(|(field, message)| format!("{field}: {message}"))
}

/// Problems in one line.
fn joined(problems: &[Problem]) -> String {
    let all: Vec<String> = problems.iter().map(|problem| format!("line {problem}")).collect();
    let all = all.join("; ");
    match all.char_indices().nth(LONGEST_WHY) {
        Some((at, _)) => format!("{} ...", all.get(..at).unwrap_or_default()),
        None => all,
    }
}

impl Descriptions {
    /// With what the file says, and what came by the API before.
    pub fn open(base: Config, data: &Path, health: Arc<Health>) -> Arc<Self> {
        let (out, _) = watch::channel(base.clone());
        let kept = stored::read(data, description::LONGEST as u64).unwrap_or_else(|error| {
            tracing::error!(%error, "descriptions that came by the API cannot be read");
            Vec::new()
        });
        let given = |(key, text): (ModelKey, Result<String, crate::store::Error>)| {
            let spec = text
                .as_ref()
                .map_err(ToString::to_string)
                .and_then(|text| description::parse_of(text, &key).map_err(|problems| joined(&problems)));
            (key.clone(), Given { model: Some(key), origin: Origin::Api, text: text.unwrap_or_default(), spec })
        };
        let sent = kept.into_iter().map(given).collect();
        // What was declared goes on until it is known to be otherwise: the API server may be away.
        let known = state::read::<Vec<config_maps::Text>>(&data.join(DECLARED)).unwrap_or_else(|error| {
            tracing::error!(%error, "what ConfigMaps described last cannot be read");
            None
        });
        let declared = known.unwrap_or_default().into_iter().map(declared).collect();
        let state = State { base, sent, declared, failing: None, unused: Vec::new() };
        let descriptions = Arc::new(Self { data: data.to_owned(), state: Mutex::new(state), out, health });
        descriptions.settle(&mut descriptions.locked());
        descriptions
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration as everybody reads it, now and from now on.
    pub fn configured(&self) -> watch::Receiver<Config> {
        self.out.subscribe()
    }

    /// Takes a new configuration file's settings.
    pub fn reload(&self, base: Config) {
        let mut state = self.locked();
        state.base = base;
        self.settle(&mut state);
    }

    /// Works out what counts, and tells it where that is another than before.
    fn settle(&self, state: &mut State) {
        let before = std::mem::take(&mut state.unused);
        let effective = state.effective();
        for unused in state.unused.iter().filter(|unused| !before.contains(unused)) {
            let model = unused.model.as_ref().map(ToString::to_string);
            tracing::warn!(model, origin = %unused.origin, why = unused.why, "a description does not count");
        }
        let left_out = state.unused.len().saturating_sub(TOLD);
        let mut faults: Vec<String> = state.failing.iter().cloned().collect();
        faults.extend(state.unused.iter().take(TOLD).map(told));
        if left_out > 0 {
            faults.push(format!("{left_out} more descriptions do not count; /v1/descriptions lists them"));
        }
        self.health.update(|health| health.descriptions = faults);
        self.out.send_if_modified(|known| {
            let differs = *known != effective;
            if differs {
                *known = effective;
            }
            differs
        });
    }

    /// Takes what ConfigMaps say.
    fn declare(&self, told: config_maps::Told) {
        let mut state = self.locked();
        match told {
            config_maps::Told::All(texts, left_out) => {
                state.failing = (left_out > 0)
                    .then(|| format!("{left_out} descriptions in ConfigMaps are left out; there are too many"));
                if let Err(error) = state::write(&self.data.join(DECLARED), &texts) {
                    tracing::warn!(%error, "what ConfigMaps describe cannot be kept: a start without the API server will not know it");
                }
                state.declared = texts.into_iter().map(declared).collect();
            }
            config_maps::Told::Failing(why) => {
                let why = format!("Descriptions in ConfigMaps cannot be read: {why}");
                if state.failing.as_ref() != Some(&why) {
                    tracing::warn!("{why}");
                }
                state.failing = Some(why);
            }
        }
        self.settle(&mut state);
    }

    /// Follows ConfigMaps where the configuration names namespaces, until it is dropped.
    pub async fn follow(self: Arc<Self>) {
        let mut configured = self.configured();
        loop {
            let config = configured.borrow_and_update().collect.kubernetes.clone();
            tokio::select! {
                () = self.follow_with(&config) => {}
                () = changed(&mut configured, &config) => {}
            }
        }
    }

    async fn follow_with(&self, config: &kubernetes::Config) {
        // The disk may be slow, and others wait for this thread.
        let declare = |told| tokio::task::block_in_place(|| self.declare(told));
        if config.descriptions.is_empty() {
            if !self.locked().declared.is_empty() {
                declare(config_maps::Told::All(Vec::new(), 0));
            }
            return std::future::pending().await;
        }
        let why = config_maps::follow(config, declare).await;
        declare(config_maps::Told::Failing(why));
        tokio::time::sleep(RETRY).await;
    }
}

/// Ends once the API is to be asked in another way.
async fn changed(configured: &mut watch::Receiver<Config>, known: &kubernetes::Config) {
    let differs = configured.wait_for(|config| config.collect.kubernetes != *known).await.map(drop);
    if differs.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A description that does not count, as a sentence without its full stop.
fn told(unused: &Unused) -> String {
    let of = unused.model.as_ref().map_or_else(String::new, |model| format!(" of {model}"));
    format!("A description{of} by {} does not count: {}", unused.origin, unused.why)
}

fn declared(given: config_maps::Text) -> Given {
    let is_json = given.key.split('.').next_back() == Some("json");
    let origin = Origin::ConfigMap { namespace: given.namespace.clone(), name: given.name, key: given.key };
    let Some(text) = given.text else {
        let why = format!("is longer than {} bytes, or there is no room for more of them", description::LONGEST);
        return Given { model: None, origin, text: String::new(), spec: Err(why) };
    };
    let toml = if is_json { description::toml_of_json(&text) } else { Ok(text.clone()) };
    let parsed =
        toml.and_then(|toml| description::parse(&toml, Some(&given.namespace)).map_err(|problems| joined(&problems)));
    Given { model: parsed.as_ref().ok().map(Spec::key), origin, text, spec: parsed }
}

impl Registry for Descriptions {
    fn put(&self, model: &ModelKey, text: &str, is_json: bool) -> Result<bool, NotTaken> {
        let whole = |message: String| NotTaken::Wrong(vec![Wrong { line: None, field: None, message }]);
        let text = if is_json { description::toml_of_json(text).map_err(whole)? } else { text.to_owned() };
        let wrong = |problem: Problem| Wrong {
            line: (!is_json).then_some(problem.line),
            field: Some(problem.field).filter(|field| !field.is_empty()),
            message: problem.message,
        };
        let spec = description::parse_of(&text, model)
            .map_err(|problems| NotTaken::Wrong(problems.into_iter().map(wrong).collect()))?;
        let mut state = self.locked();
        if let Some(message) = first_problem(&state.base, &spec) {
            return Err(whole(message));
        }
        let given = Given { model: Some(model.clone()), origin: Origin::Api, text: text.clone(), spec: Ok(spec) };
        let unused = std::mem::take(&mut state.unused);
        let before = state.sent.insert(model.clone(), given);
        let is_new = before.is_none();
        // Told as others will find it: what does not count is not taken either, nor what takes another's place.
        state.effective();
        let of_api = |unused: &&Unused| unused.origin == Origin::Api && unused.model.is_some();
        let known: Vec<_> = unused.iter().filter(of_api).map(|unused| unused.model.clone()).collect();
        let is_it = |unused: &&Unused| unused.model.as_ref() == Some(model) || !known.contains(&unused.model);
        let refused = state.unused.iter().filter(of_api).find(is_it);
        let refused = refused.map(|unused| NotTaken::Conflict(unused.why.clone()));
        state.unused = unused;
        let kept = match refused {
            Some(refused) => Err(refused),
            None => stored::write(&self.data, model, &text).map_err(|error| NotTaken::NotStored(error.to_string())),
        };
        if kept.is_err() {
            match before {
                Some(before) => state.sent.insert(model.clone(), before),
                None => state.sent.remove(model),
            };
        }
        self.settle(&mut state);
        kept.map(|()| {
            tracing::info!(%model, "described by the API");
            is_new
        })
    }

    fn remove(&self, model: &ModelKey) -> Result<bool, NotTaken> {
        let mut state = self.locked();
        let removed = stored::remove(&self.data, model).map_err(|error| NotTaken::NotStored(error.to_string()))?;
        let known = state.sent.remove(model).is_some();
        self.settle(&mut state);
        Ok(removed || known)
    }

    fn all(&self) -> Vec<Shown> {
        let state = self.locked();
        let shown = |model: Option<ModelKey>, origin: &Origin, text: Option<String>| {
            let is_it = |unused: &&Unused| unused.origin == *origin && unused.model == model;
            let why = state.unused.iter().find(is_it).map(|unused| unused.why.clone());
            Shown { model, origin: origin.clone(), in_force: why.is_none(), why, text }
        };
        let file = state.base.model.iter().map(|spec| shown(Some(spec.key()), &Origin::File, None));
        let given = state.given().map(|given| shown(given.model.clone(), &given.origin, Some(given.text.clone())));
        let mut all: Vec<Shown> = file.chain(given).collect();
        all.sort_by(|one, other| one.model.cmp(&other.model));
        all
    }
}

#[cfg(test)]
mod tests;
