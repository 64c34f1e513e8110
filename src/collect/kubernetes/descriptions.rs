//! Descriptions of models in ConfigMaps, where the configuration names namespaces: those labelled `plumbline.io/model-description: "true"`,
//! listed and then watched. Each text that ends in `.toml` or `.json` is one description, of a model in the ConfigMap's own namespace.
//!
//! What a text says is not looked at here.

use std::collections::BTreeMap;
use std::pin::Pin;

use futures_util::stream::{self, SelectAll};
use futures_util::{Stream, StreamExt};
use kube::api::Api;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource};
use serde::Deserialize;

use super::{Config, connect, explain};

/// What such a ConfigMap is known by.
const SELECTOR: &str = "plumbline.io/model-description=true";
/// Stands for every namespace.
pub const EVERYWHERE: &str = "*";
/// ConfigMaps in a page of the list.
const PAGE: u32 = 100;
/// Texts that are kept; more are left out, and told.
const MOST: usize = 1000;
/// Longer texts are no descriptions, in bytes: of them what they begin with is kept.
const LONGEST: usize = 64 * 1024;

/// One text of a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The ConfigMap's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What the text is called in it.
    pub key: String,
    /// The text; `None` where it is too long.
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
}

impl Known {
    /// Takes an event in. Whether something may have changed.
    fn take(&mut self, event: Event<ConfigMap>) -> bool {
        let of = |map: &ConfigMap| {
            let meta = &map.metadata;
            (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
        };
        match event {
            Event::Apply(map) => {
                self.maps.insert(of(&map), texts(of(&map), map));
            }
            Event::Delete(map) => {
                self.maps.remove(&of(&map));
            }
            Event::Init => {
                self.listed.clear();
                return false;
            }
            Event::InitApply(map) => {
                self.listed.insert(of(&map), texts(of(&map), map));
                return false;
            }
            Event::InitDone => {
                self.maps = std::mem::take(&mut self.listed);
                self.whole = true;
            }
        }
        true
    }
}

fn texts((namespace, name): (String, String), map: ConfigMap) -> Vec<Text> {
    let is_one = |key: &String| key.ends_with(".toml") || key.ends_with(".json");
    let data = map.data.unwrap_or_default().into_iter().filter(|(key, _)| is_one(key));
    data.map(|(key, text)| {
        let text = Some(text).filter(|text| text.len() <= LONGEST);
        Text { namespace: namespace.clone(), name: name.clone(), key, text }
    })
    .collect()
}

/// Follows them for as long as the API can be asked at all, and says why it cannot.
pub async fn follow(config: &Config, told: impl Fn(Told)) -> String {
    let client = match connect(config).await {
        Ok((client, _)) => client,
        Err(error) => return error.to_string(),
    };
    let mut events = watches(&client, &config.descriptions);
    let mut all: Vec<Known> = std::iter::repeat_with(Known::default).take(events.len()).collect();
    let mut before = None;
    while let Some((watch, event)) = events.next().await {
        let changed = match event {
            Ok(event) => all[watch].take(event),
            Err(error) => {
                told(Told::Failing(hinted(explain(&error))));
                false
            }
        };
        if changed && all.iter().all(|known| known.whole) {
            let now = gathered(&all);
            // A watch that begins anew mostly finds what was there.
            if before.as_ref() != Some(&now) {
                told(now.clone());
                before = Some(now);
            }
        }
    }
    "the watch of ConfigMaps ended".to_owned()
}

fn watches(client: &Client, namespaces: &[String]) -> SelectAll<Events> {
    let watched = || watcher::Config::default().labels(SELECTOR).any_semantic().page_size(PAGE);
    let api = |namespace: &String| match namespace.as_str() {
        EVERYWHERE => Api::all(client.clone()),
        namespace => Api::namespaced(client.clone(), namespace),
    };
    let everywhere = namespaces.iter().find(|namespace| *namespace == EVERYWHERE);
    let apis: Vec<Api<ConfigMap>> = match everywhere {
        Some(all) => vec![api(all)],
        None => namespaces.iter().map(api).collect(),
    };
    let follow =
        |(at, api)| -> Events { Box::pin(watcher(api, watched()).default_backoff().map(move |event| (at, event))) };
    stream::select_all(apis.into_iter().enumerate().map(follow))
}

fn gathered(all: &[Known]) -> Told {
    let texts = all.iter().flat_map(|known| known.maps.values()).flatten();
    let left_out = texts.clone().count().saturating_sub(MOST);
    Told::All(texts.take(MOST).cloned().collect(), left_out)
}

fn hinted(why: String) -> String {
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
        let Told::All(texts, left_out) = gathered(std::slice::from_ref(&known)) else { panic!("told") };
        assert_eq!((texts.len(), left_out), (MOST, 3));
        known.take(Event::Apply(map("a", &[("m.toml", &long)])));
        let Told::All(texts, _) = gathered(&[known]) else { panic!("told") };
        assert_eq!(texts[0].text, None);
    }

    #[test]
    fn a_right_that_is_missing_is_named() {
        let why = hinted("configmaps is forbidden: no; the account needs list and watch of pods and nodes".to_owned());
        assert!(why.ends_with("components/descriptions)") && !why.contains("pods"), "{why}");
    }
}
