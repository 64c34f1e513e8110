//! Which labels and annotations are kept.

use std::collections::BTreeMap;

/// Patterns of keys: whole, or what they begin with and a `*`.
#[derive(Debug, Clone)]
pub struct Allowed {
    pub labels: Vec<String>,
    pub annotations: Vec<String>,
    pub node_labels: Vec<String>,
}

/// Of one thing no more are kept, and none that is longer.
const MOST: usize = 64;
const LONGEST: usize = 1024;

impl Allowed {
    pub fn labels<'a>(
        &'a self,
        all: impl Iterator<Item = (&'a String, &'a String)> + 'a,
    ) -> impl Iterator<Item = (String, String)> + 'a {
        allowed(&self.labels, all)
    }

    pub fn annotations<'a>(
        &'a self,
        all: impl Iterator<Item = (&'a String, &'a String)> + 'a,
    ) -> impl Iterator<Item = (String, String)> + 'a {
        allowed(&self.annotations, all)
    }

    pub fn of_node(&self, all: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        allowed(&self.node_labels, all.iter()).collect()
    }
}

fn allowed<'a>(
    patterns: &'a [String],
    all: impl Iterator<Item = (&'a String, &'a String)> + 'a,
) -> impl Iterator<Item = (String, String)> + 'a {
    let fits = |key: &str| {
        patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => key.starts_with(beginning),
            None => key == pattern,
        })
    };
    let kept = all.filter(move |(key, value)| fits(key) && key.len().saturating_add(value.len()) <= LONGEST);
    kept.take(MOST).map(|(key, value)| (key.clone(), value.clone()))
}
