//! Descriptions of models in ConfigMaps, where the configuration names namespaces: those labelled `plumbline.io/model-description: "true"`,
//! listed and then watched. Each text that ends in `.toml` or `.json` is one description, of a model in the ConfigMap's own namespace.
//!
//! What a text says is not looked at here.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{self, SelectAll};
use futures_util::{Stream, StreamExt};
use kube::api::Api;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource};
use serde::{Deserialize, Serialize};

use super::{Config, connect, explain};

/// What such a ConfigMap is known by.
const SELECTOR: &str = "plumbline.io/model-description=true";
/// Stands for every namespace.
pub const EVERYWHERE: &str = "*";
/// ConfigMaps in a page of the list.
const PAGE: u32 = 100;
/// Texts that are kept; more are left out, and told.
const MOST: usize = 1000;
/// Longer texts are no descriptions, in bytes.
const LONGEST: usize = 64 * 1024;
/// All texts of a watch together take no more, in bytes.
const ROOM: usize = 4 << 20;
/// A watch that fails is begun anew after so long, twice as long each time, up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A failure that lasts no longer is not told of.
const PATIENCE: Duration = Duration::from_secs(30);

/// One text of a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The ConfigMap's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What the text is called in it.
    pub key: String,
    /// The text; `None` where it is too long, or there is no room for more of them.
    pub text: Option<String>,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// All there are now, in order; and how many more are left out.
    All(Vec<Text>, usize),
    /// They cannot be read for now, and are tried again; what was told before stays.
    Failing(String),
}

/// What of a ConfigMap is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ConfigMap {
    metadata: ObjectMeta,
    data: Option<BTreeMap<String, String>>,
}

impl Resource for ConfigMap {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> std::borrow::Cow<'_, str> {
        "ConfigMap".into()
    }

    fn group((): &()) -> std::borrow::Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> std::borrow::Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> std::borrow::Cow<'_, str> {
        "configmaps".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

type Events = Pin<Box<dyn Stream<Item = (usize, Result<Event<ConfigMap>, watcher::Error>)> + Send>>;
/// ConfigMaps by namespace and name.
type Maps = BTreeMap<(String, String), Vec<Text>>;

/// What is known of one watch.
#[derive(Default)]
struct Known {
    maps: Maps,
    /// Those of a list that is being read: it takes the other's place when it is whole.
    listed: Maps,
    whole: bool,
    /// For how long it has failed, and how long it pauses then.
    failing: Duration,
    pause: Duration,
}

impl Known {
    /// Takes an event in. Whether something may have changed.
    fn take(&mut self, event: Event<ConfigMap>) -> bool {
        let of = |map: &ConfigMap| {
            let meta = &map.metadata;
            (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
        };
        match event {
            Event::Apply(map) => insert(&mut self.maps, of(&map), map),
            Event::Delete(map) => {
                self.maps.remove(&of(&map));
            }
            Event::Init => {
                self.listed.clear();
                return false;
            }
            Event::InitApply(map) => {
                insert(&mut self.listed, of(&map), map);
                return false;
            }
            Event::InitDone => {
                self.maps = std::mem::take(&mut self.listed);
                self.whole = true;
            }
        }
        (self.failing, self.pause) = (Duration::ZERO, Duration::ZERO);
        true
    }

    /// Notes that it failed: how long it pauses.
    fn fail(&mut self) -> Duration {
        self.pause = self.pause.saturating_mul(2).clamp(PAUSES.0, PAUSES.1);
        self.failing = self.failing.saturating_add(self.pause);
        self.pause
    }
}

/// Keeps a ConfigMap's texts, as long as there is room for them.
fn insert(maps: &mut Maps, (namespace, name): (String, String), map: ConfigMap) {
    maps.remove(&(namespace.clone(), name.clone()));
    let held = maps.values().flatten();
    let (mut texts, mut bytes) =
        (held.clone().count(), held.filter_map(|text| text.text.as_ref()).map(String::len).sum::<usize>());
    let is_one = |key: &String| matches!(key.split('.').next_back(), Some("toml" | "json"));
    let mut own = Vec::new();
    for (key, text) in map.data.unwrap_or_default().into_iter().filter(|(key, _)| is_one(key)) {
        texts = texts.saturating_add(1);
        // One more than are told: that there are more is told, too.
        if texts > MOST.saturating_add(1) {
            break;
        }
        let text = Some(text).filter(|text| text.len() <= LONGEST && bytes.saturating_add(text.len()) <= ROOM);
        bytes = bytes.saturating_add(text.as_ref().map_or(0, String::len));
        own.push(Text { namespace: namespace.clone(), name: name.clone(), key, text });
    }
    maps.insert((namespace, name), own);
}

/// Follows them for as long as the API can be asked at all, and says why it cannot.
pub async fn follow(config: &Config, told: impl Fn(Told)) -> String {
    let client = match connect(config).await {
        Ok((client, _)) => client,
        Err(error) => return error.to_string(),
    };
    let apis = apis(&client, &config.descriptions);
    let mut events: SelectAll<Events> =
        stream::select_all(apis.iter().enumerate().map(|(at, api)| watched(at, api, Duration::ZERO)));
    let mut all: Vec<Known> = std::iter::repeat_with(Known::default).take(apis.len()).collect();
    let mut before = None;
    while let Some((watch, event)) = events.next().await {
        let (Some(known), Some(api)) = (all.get_mut(watch), apis.get(watch)) else { continue };
        match event {
            Ok(event) => {
                // Of what fails the others' descriptions are no part; and a watch that begins anew mostly finds what was there.
                if known.take(event) {
                    let now = gathered(&all);
                    if before.as_ref() != Some(&now) {
                        told(now.clone());
                        before = Some(now);
                    }
                }
            }
            Err(error) => {
                let why = hinted(&explain(&error));
                let pause = known.fail();
                if known.failing > PATIENCE || why.contains("forbidden") {
                    told(Told::Failing(why));
                    before = None;
                }
                // It lists anew, and so says when it is well again.
                events.push(watched(watch, api, pause));
            }
        }
    }
    "the watch of ConfigMaps ended".to_owned()
}

fn apis(client: &Client, namespaces: &[String]) -> Vec<Api<ConfigMap>> {
    if namespaces.iter().any(|namespace| namespace == EVERYWHERE) {
        return vec![Api::all(client.clone())];
    }
    namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
}

/// A watch that begins after a pause, and ends with its first failure.
fn watched(at: usize, api: &Api<ConfigMap>, pause: Duration) -> Events {
    let config = watcher::Config::default().labels(SELECTOR).any_semantic().page_size(PAGE);
    let watch = watcher(api.clone(), config);
    let until_it_fails = watch.scan(false, |failed, event| {
        let item = (!*failed).then(|| {
            *failed = event.is_err();
            event
        });
        std::future::ready(item)
    });
    Box::pin(
        stream::once(async move {
            tokio::time::sleep(pause).await;
            until_it_fails
        })
        .flatten()
        .map(move |event| (at, event)),
    )
}

fn gathered(all: &[Known]) -> Told {
    let texts = all.iter().filter(|known| known.whole).flat_map(|known| known.maps.values()).flatten();
    let left_out = texts.clone().count().saturating_sub(MOST);
    Told::All(texts.take(MOST).cloned().collect(), left_out)
}

fn hinted(why: &str) -> String {
    // The collector's own hint is of pods.
    let why = why.split("; the account needs").next().unwrap_or_default().to_owned();
    let hint = if why.contains("forbidden") {
        "; the account needs list and watch of configmaps there (deploy/kubernetes/components/descriptions)"
    } else {
        ""
    };
    why + hint
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: &str, data: &[(&str, &str)]) -> ConfigMap {
        let metadata = ObjectMeta { namespace: Some("shop".into()), name: Some(name.into()), ..ObjectMeta::default() };
        let data = data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        ConfigMap { metadata, data: Some(data) }
    }

    fn names(known: &Known) -> Vec<String> {
        match gathered(std::slice::from_ref(known)) {
            Told::All(texts, _) => texts.into_iter().map(|text| format!("{}/{}", text.name, text.key)).collect(),
            Told::Failing(why) => vec![why],
        }
    }

    #[test]
    fn a_list_takes_the_place_of_what_was_known_once_it_is_whole() {
        let mut known = Known::default();
        assert!(!known.take(Event::Init) && !known.take(Event::InitApply(map("a", &[("m.toml", ""), ("README", "")]))));
        assert!(names(&known).is_empty() && known.take(Event::InitDone));
        assert_eq!(names(&known), ["a/m.toml"], "what is no description is passed over");
        assert!(known.take(Event::Apply(map("b", &[("x.json", "{}"), ("y.toml", "")]))));
        assert_eq!(names(&known), ["a/m.toml", "b/x.json", "b/y.toml"]);
        assert!(known.take(Event::Delete(map("b", &[]))));
        known.take(Event::Init);
        assert_eq!(names(&known), ["a/m.toml"], "until the list is whole");
        known.take(Event::InitDone);
        assert!(names(&known).is_empty());
    }

    #[test]
    fn texts_are_bounded() {
        let long = "x".repeat(LONGEST + 1);
        let data: Vec<(String, &str)> = (0..MOST + 3).map(|at| (format!("{at:05}.toml"), "")).collect();
        let data: Vec<(&str, &str)> = data.iter().map(|(key, text)| (key.as_str(), *text)).collect();
        let mut known = Known::default();
        known.take(Event::Apply(map("many", &data)));
        known.whole = true;
        let Told::All(texts, left_out) = gathered(std::slice::from_ref(&known)) else { panic!("told") };
        assert_eq!((texts.len(), left_out), (MOST, 1), "of three more one is held");
        let mut known = Known { whole: true, ..Known::default() };
        known.take(Event::Apply(map("a", &[("m.toml", &long)])));
        let Told::All(texts, _) = gathered(std::slice::from_ref(&known)) else { panic!("told") };
        assert_eq!(texts[0].text, None);
        let large = "x".repeat(LONGEST);
        let data: Vec<(String, &str)> = (0..100).map(|at| (format!("{at:05}.toml"), large.as_str())).collect();
        let data: Vec<(&str, &str)> = data.iter().map(|(key, text)| (key.as_str(), *text)).collect();
        let mut known = Known { whole: true, ..Known::default() };
        for name in ["a", "b", "b"] {
            known.take(Event::Apply(map(name, &data)));
        }
        let held = known.maps.values().flatten().filter(|text| text.text.is_some()).count();
        assert_eq!(held, ROOM / LONGEST, "and the rest is told to have no room");
    }

    #[test]
    fn what_fails_pauses_longer_each_time_and_takes_no_other_along() {
        let (mut failing, mut well) = (Known::default(), Known::default());
        let pauses: Vec<u64> = (0..7).map(|_| failing.fail().as_secs()).collect();
        assert_eq!((pauses, failing.failing > PATIENCE), (vec![1, 2, 4, 8, 16, 30, 30], true));
        well.take(Event::Init);
        well.take(Event::InitApply(map("a", &[("m.toml", "")])));
        well.take(Event::InitDone);
        let Told::All(texts, _) = gathered(&[failing, well]) else { panic!("told") };
        assert_eq!(texts.len(), 1);
    }

    #[test]
    fn a_right_that_is_missing_is_named() {
        let why = hinted("configmaps is forbidden: no; the account needs list and watch of pods and nodes");
        assert!(why.ends_with("components/descriptions)") && !why.contains("pods"), "{why}");
    }
}
