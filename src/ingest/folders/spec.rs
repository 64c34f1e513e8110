//! What is said of a folder in the configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::identity::ModelKey;
use crate::model::{check_name, check_namespace};

/// So many folders may be watched: each has a thread.
pub const MOST_FOLDERS: usize = 16;

/// A folder whose files are taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The folder; those within are looked into as well.
    pub path: PathBuf,
    /// What its files hold.
    #[serde(default)]
    pub holds: Holds,
    /// The model that all rows are of.
    #[serde(default)]
    pub model: Option<String>,
    /// In what its name is unique.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The column that names each row's model, as `model` or `namespace/model`.
    #[serde(default)]
    pub model_column: Option<String>,
    /// How often it is looked into.
    #[serde(default = "every", deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub every: Duration,
    /// A file that has not changed for so long is whole.
    #[serde(default = "settle", deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub settle: Duration,
}

/// What the files of a folder hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// Predictions, a row each.
    #[default]
    Samples,
    /// What turned out to be true, a row each.
    Labels,
    /// What KServe's logger writes to an object store.
    Events,
}

fn every() -> Duration {
    Duration::from_secs(5)
}

fn settle() -> Duration {
    Duration::from_secs(10)
}

impl Spec {
    /// The model of all rows, if it is one.
    #[must_use]
    pub fn key(&self) -> Option<ModelKey> {
        self.model.as_ref().map(|name| ModelKey { namespace: self.namespace.clone(), name: name.clone() })
    }

    /// Settings that make no sense, by field.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if !self.path.is_absolute() {
            found.push(("path", "must begin with a slash".to_owned()));
        }
        if self.every < Duration::from_secs(1) {
            found.push(("every", "is too short; 1s at least".to_owned()));
        }
        if self.every > Duration::from_secs(24 * 3600) || self.settle > Duration::from_secs(24 * 3600) {
            found.push((
                if self.settle > self.every { "settle" } else { "every" },
                "is too long; 1d at most".to_owned(),
            ));
        }
        for (field, name, check) in [
            ("model", &self.model, check_name as fn(&str) -> Result<(), String>),
            ("namespace", &self.namespace, check_namespace),
        ] {
            if let Some(Err(message)) = name.as_deref().map(check) {
                found.push((field, message));
            }
        }
        match (self.holds, &self.model, &self.model_column) {
            (Holds::Events, None, None) if self.namespace.is_none() => {}
            (Holds::Events, ..) => {
                found.push((
                    "holds",
                    "is \"events\", which say themselves whose they are; leave out model, namespace and model_column"
                        .to_owned(),
                ));
            }
            (_, Some(_), Some(_)) => {
                found.push((
                    "model_column",
                    "says whose each row is, and model says it of all; leave one out".to_owned(),
                ));
            }
            (_, None, None) => {
                found.push(("model", "is missing; name the model, or the model_column that does".to_owned()));
            }
            (_, None, Some(_)) if self.namespace.is_some() => {
                found
                    .push(("namespace", "is for model; values of model_column are written namespace/model".to_owned()));
            }
            _ => {}
        }
        found
    }
}
