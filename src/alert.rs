//! Alerts: rules over the catalogue of metrics, and a state machine for each series that meets one.
//!
//! Pure: points and the time go in, what fires and what resolves comes out. Keeping the state and telling people is left to
//! the edges.

pub mod engine;
pub mod rule;
pub mod steady;
mod trail;
pub mod view;

use serde::Deserialize;

use rule::Rule;

/// The rules that come with it.
pub const DEFAULTS: &str = include_str!("../config/alerts.toml");

/// Options over all rules.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether the rules that come with it apply.
    pub defaults: bool,
    /// Rules that do not, by name.
    pub disabled: Vec<String>,
    /// Alerts at once, firing and pending; more are only counted.
    #[serde(deserialize_with = "crate::units::count")]
    pub max_alerts: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { defaults: true, disabled: Vec::new(), max_alerts: 1000 }
    }
}

#[derive(Deserialize)]
struct File {
    alert: Vec<Rule>,
}

/// The rules that come with it.
///
/// # Errors
/// Never, as a test holds.
pub fn defaults() -> Result<Vec<Rule>, toml::de::Error> {
    toml::from_str::<File>(DEFAULTS).map(|file| file.alert)
}

impl Config {
    /// What is wrong with it, beside rules of one's own: the field and what.
    #[must_use]
    pub fn problems(&self, own: &[Rule]) -> Vec<(String, String)> {
        let defaults = defaults().unwrap_or_default();
        let known = |name: &String| defaults.iter().chain(own).any(|rule| rule.name == *name);
        let mut found: Vec<(String, String)> = self
            .disabled
            .iter()
            .filter(|name| !known(name))
            .map(|name| {
                ("alerting.disabled".to_owned(), format!("there is no rule `{name}`; config/alerts.toml lists them"))
            })
            .collect();
        if self.max_alerts == 0 {
            found.push(("alerting.max_alerts".to_owned(), "must be at least 1".to_owned()));
        }
        found
    }

    /// The rules that hold: the defaults, `own` in their place or beside them, less those that are disabled.
    #[must_use]
    pub fn rules(&self, own: &[Rule]) -> Vec<Rule> {
        let mut rules = if self.defaults { defaults().unwrap_or_default() } else { Vec::new() };
        for rule in own {
            match rules.iter_mut().find(|known| known.name == rule.name) {
                Some(known) => *known = rule.clone(),
                None => rules.push(rule.clone()),
            }
        }
        rules.retain(|rule| !self.disabled.contains(&rule.name));
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_that_come_with_it_are_right() {
        let rules = defaults().expect("they parse");
        assert!(rules.len() >= 10);
        for rule in &rules {
            assert_eq!(rule.problems(), [], "{}", rule.name);
            assert!(rule.message.ends_with('.'), "{}", rule.message);
        }
    }

    #[test]
    fn an_own_rule_takes_the_place_of_a_default() {
        let mut own = defaults().expect("they parse").remove(0);
        own.above = Some(0.9);
        let config = Config { disabled: vec!["GpuLost".to_owned()], ..Config::default() };
        let rules = config.rules(std::slice::from_ref(&own));
        assert_eq!(rules[0], own);
        assert!(rules.iter().all(|rule| rule.name != "GpuLost"));
        assert_eq!(Config { defaults: false, ..config }.rules(std::slice::from_ref(&own)), [own]);
    }
}
