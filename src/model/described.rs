//! Who describes a model: the configuration file, a ConfigMap, or somebody by the API; and whose word counts where several do.
//!
//! What is declared goes before what was sent: the file first, then ConfigMaps, then the API. Pure; texts are parsed by `config`, and
//! come by `agent::descriptions`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Spec;
use crate::identity::ModelKey;

/// Where a description comes from, the weightiest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// A `[[model]]` table of the configuration file.
    File,
    /// A labelled ConfigMap.
    ConfigMap {
        /// Its namespace, which is the model's.
        namespace: String,
        /// Its name.
        name: String,
        /// Which of its texts.
        key: String,
    },
    /// `PUT /v1/models/{model}/description`.
    Api,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the configuration file"),
            Self::ConfigMap { namespace, name, key } => write!(f, "ConfigMap {namespace}/{name} ({key})"),
            Self::Api => f.write_str("the API"),
        }
    }
}

/// A description, and who gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// What it says.
    pub spec: Spec,
    /// Who says so.
    pub origin: Origin,
}

/// A description that does not count, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unused {
    /// Of which model, as far as it says so.
    #[serde(flatten)]
    pub model: Option<ModelKey>,
    /// Who gave it.
    pub origin: Origin,
    /// Why it does not count.
    pub why: String,
}

/// Of all descriptions the one of each model that counts, in order of model; and those that do not. Beside the file's there are `most`;
/// what `wrong` says of one keeps it out.
pub fn in_force(
    mut all: Vec<Described>,
    most: usize,
    wrong: impl Fn(&Spec) -> Option<String>,
) -> (Vec<Described>, Vec<Unused>) {
    let (mut counts, mut unused) = (BTreeMap::<ModelKey, Described>::new(), Vec::new());
    all.sort_by(|one, other| one.origin.cmp(&other.origin));
    let mut others = 0_usize;
    for described in all {
        let key = described.spec.key();
        let why = match counts.get(&key) {
            Some(first) => Some(format!("{} describes this model, and goes before it", first.origin)),
            None if described.origin == Origin::File => None,
            None if others >= most => Some(format!("{most} models are described already (models.max_models)")),
            None => wrong(&described.spec),
        };
        if let Some(why) = why {
            unused.push(Unused { model: Some(key), origin: described.origin, why });
            continue;
        }
        others = others.saturating_add(usize::from(described.origin != Origin::File));
        counts.insert(key, described);
    }
    (counts.into_values().collect(), unused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: &str) -> Origin {
        Origin::ConfigMap { namespace: "shop".to_owned(), name: name.to_owned(), key: "m.toml".to_owned() }
    }

    fn described(key: &ModelKey, origin: Origin) -> Described {
        Described { spec: Spec::of(key), origin }
    }

    #[test]
    fn what_is_declared_goes_before_what_was_sent() {
        let churn = || ModelKey::within("shop", "churn");
        let all = vec![
            described(&churn(), Origin::Api),
            described(&churn(), map("b")),
            described(&churn(), map("a")),
            described(&ModelKey::named("churn"), Origin::Api),
        ];
        let (counts, unused) = in_force(all.clone(), 10, |_| None);
        let origins: Vec<_> = counts.iter().map(|described| (described.spec.key(), &described.origin)).collect();
        assert_eq!(
            origins,
            [(ModelKey::named("churn"), &Origin::Api), (churn(), &map("a"))],
            "no namespace is another model"
        );
        let why: Vec<_> = unused.iter().map(|unused| (&unused.origin, unused.why.as_str())).collect();
        let by_a = "ConfigMap shop/a (m.toml) describes this model, and goes before it";
        assert_eq!(why, [(&map("b"), by_a), (&Origin::Api, by_a)]);
        let file = [described(&churn(), Origin::File)].into_iter().chain(all).collect();
        let (counts, unused) = in_force(file, 10, |_| None);
        assert_eq!((&counts[1].origin, unused.len()), (&Origin::File, 3));
    }

    #[test]
    fn there_is_room_for_so_many_and_the_wrong_ones_take_none() {
        let of = |name: &str, origin| described(&ModelKey::named(name), origin);
        let all = vec![of("a", Origin::Api), of("b", Origin::Api), of("c", Origin::Api), of("d", Origin::File)];
        let (counts, unused) = in_force(all, 1, |spec| (spec.name == "a").then(|| "is wrong".to_owned()));
        let names: Vec<_> = counts.iter().map(|described| described.spec.name.as_str()).collect();
        assert_eq!(names, ["b", "d"], "the file's is beside them");
        assert_eq!(
            unused.iter().map(|unused| unused.why.as_str()).collect::<Vec<_>>(),
            ["is wrong", "1 models are described already (models.max_models)"]
        );
    }
}
