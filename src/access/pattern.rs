//! Which models a token is for: `NAMESPACE/NAME`, or `NAME` of a model in none, with a `*` at the end for whatever follows.

use crate::identity::ModelKey;

/// Some models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// `None` for models in no namespace.
    namespace: Option<Part>,
    name: Part,
}

/// A name, or what names begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Whole(String),
    Begin(String),
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        let (body, begins) = text.strip_suffix('*').map_or((text, false), |body| (body, true));
        let is_plain = body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !is_plain || (body.is_empty() && !begins) {
            return None;
        }
        Some(if begins { Self::Begin(body.to_owned()) } else { Self::Whole(body.to_owned()) })
    }

    fn is(&self, name: &str) -> bool {
        match self {
            Self::Whole(whole) => whole == name,
            Self::Begin(begin) => name.starts_with(begin),
        }
    }
}

impl Pattern {
    /// The models that the text stands for.
    ///
    /// # Errors
    /// It is none; says how one is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(Part::parse(namespace)), Part::parse(name)),
            None => (None, Part::parse(text)),
        };
        match (namespace, name) {
            (Some(Some(namespace)), Some(name)) => Ok(Self { namespace: Some(namespace), name }),
            (None, Some(name)) => Ok(Self { namespace: None, name }),
            _ => {
                Err(format!("`{text}` is no model; write NAME, NAMESPACE/NAME, or NAMESPACE/* for all of a namespace"))
            }
        }
    }

    /// The model is one of them.
    #[must_use]
    pub fn is(&self, model: &ModelKey) -> bool {
        let there = match (&self.namespace, &model.namespace) {
            (Some(part), Some(namespace)) => part.is(namespace),
            (None, None) => true,
            _ => false,
        };
        there && self.name.is(&model.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stays_within_its_namespace() {
        let (free, shop, shopping) =
            (ModelKey::named("churn"), ModelKey::within("shop", "churn"), ModelKey::within("shopping", "churn"));
        for (text, expected) in [
            ("churn", [true, false, false]),
            ("*", [true, false, false]),
            ("ch*", [true, false, false]),
            ("chur", [false, false, false]),
            ("shop/churn", [false, true, false]),
            ("shop/*", [false, true, false]),
            ("shop*/churn", [false, true, true]),
            ("*/*", [false, true, true]),
            ("shop/fraud", [false, false, false]),
        ] {
            let pattern = Pattern::parse(text).expect(text);
            assert_eq!([&free, &shop, &shopping].map(|model| pattern.is(model)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "/", "a/", "/a", "a/b/c", "*a", "a*b", "a b", "a/**", "é"] {
            let why = Pattern::parse(text).expect_err(text);
            assert!(why.contains("NAMESPACE/NAME"), "{why}");
        }
    }
}
