//! What scales a workload by itself: a patch of ours would fight it.

use std::fmt;

use serde::Serialize;

/// The annotation of a pod, or of its template, that names what scales it, where nobody may read autoscalers: `hpa`, `vpa`, or as it is
/// written here (`HorizontalPodAutoscaler/web:cpu`).
pub const ANNOTATION: &str = "plumbline.io/autoscaler";

/// An autoscaler, and the resources it acts on: a HorizontalPodAutoscaler adds pods by how much of a request is used, so that another
/// request means another number of pods; a VerticalPodAutoscaler sets requests.
///
/// Written `KIND/NAME:cpu,memory`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Autoscaler {
    /// `HorizontalPodAutoscaler` or `VerticalPodAutoscaler`.
    pub kind: String,
    /// Its name; empty where only its kind is known.
    pub name: String,
    /// `cpu`, `memory`.
    pub resources: Vec<String>,
}

/// Several, with `;` between them.
#[must_use]
pub fn parse_all(text: &str) -> Vec<Autoscaler> {
    text.split(';').filter_map(Autoscaler::parse).collect()
}

/// What `parse_all` reads; `None` of none.
#[must_use]
pub fn written(all: &[Autoscaler]) -> Option<String> {
    (!all.is_empty()).then(|| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(";"))
}

/// Adds and removes pods.
pub const HORIZONTAL: &str = "HorizontalPodAutoscaler";
/// Sets requests.
pub const VERTICAL: &str = "VerticalPodAutoscaler";

impl Autoscaler {
    /// Reads what `Display` writes, and `hpa` and `vpa` for short. `None` of an empty text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (who, resources) = text.split_once(':').unwrap_or((text, ""));
        let (kind, name) = who.split_once('/').unwrap_or((who, ""));
        let kind = match kind.to_ascii_lowercase().as_str() {
            "" => return None,
            "hpa" | "horizontalpodautoscaler" => HORIZONTAL.to_owned(),
            "vpa" | "verticalpodautoscaler" => VERTICAL.to_owned(),
            _ => kind.to_owned(),
        };
        let named = resources.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        let mut resources: Vec<String> = named.collect();
        if resources.is_empty() {
            // Which it acts on was not said: a horizontal one goes by CPU as a rule, any other by all.
            resources =
                if kind == HORIZONTAL { vec!["cpu".to_owned()] } else { vec!["cpu".to_owned(), "memory".to_owned()] };
        }
        Some(Self { kind, name: name.to_owned(), resources })
    }

    /// It acts on this resource.
    #[must_use]
    pub fn acts_on(&self, resource: &str) -> bool {
        self.resources.iter().any(|own| own == resource)
    }

    /// As people say it.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.name).trim_end().to_owned()
    }
}

impl fmt::Display for Autoscaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.kind, self.name, self.resources.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_autoscaler_is_named_shortly_or_in_full() {
        let read = |text| Autoscaler::parse(text).expect("an autoscaler");
        assert_eq!(read("hpa").to_string(), "HorizontalPodAutoscaler/:cpu");
        assert_eq!(read("vpa/web").to_string(), "VerticalPodAutoscaler/web:cpu,memory");
        assert_eq!(read("VerticalPodAutoscaler/web:memory").to_string(), "VerticalPodAutoscaler/web:memory");
        assert!(read("hpa/web:memory").acts_on("memory") && !read("hpa/web:memory").acts_on("cpu"));
        assert_eq!(read("vpa").title(), "VerticalPodAutoscaler");
        assert_eq!(Autoscaler::parse(" "), None);
        let both = parse_all("hpa/web;vpa/web:memory");
        assert_eq!(written(&both).as_deref(), Some("HorizontalPodAutoscaler/web:cpu;VerticalPodAutoscaler/web:memory"));
        assert_eq!((written(&[]), parse_all("")), (None, Vec::new()));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in ".{0,40}") {
            if let Some(read) = Autoscaler::parse(&text) {
                let again = Autoscaler::parse(&read.to_string());
                prop_assert!(again.is_some_and(|again| again.kind == read.kind && again.resources == read.resources));
            }
        }
    }
}
