//! Columns by whose values people are told apart.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};

/// What a column is kept for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Usage {
    /// It is a feature like any other, too.
    #[default]
    Feature,
    /// Groups are told apart by it, and nothing else is done with it.
    Fairness,
}

/// A protected attribute: a name alone, or a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Protected {
    /// The column.
    pub column: String,
    /// The group that has the advantage: each other is held against it.
    pub privileged: Option<String>,
    /// What the column is kept for.
    #[cfg_attr(test, schemars(rename = "use"))]
    pub usage: Usage,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    column: String,
    #[serde(default)]
    privileged: Option<String>,
    #[serde(default, rename = "use")]
    usage: Usage,
}

impl<'de> Deserialize<'de> for Protected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Protected;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column's name, or a table such as { column = \"sex\", privileged = \"male\" }")
            }

            fn visit_str<E: de::Error>(self, column: &str) -> Result<Protected, E> {
                Ok(Protected { column: column.to_owned(), privileged: None, usage: Usage::Feature })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Protected, A::Error> {
                let Table { column, privileged, usage } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Protected { column, privileged, usage })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Spec;

    #[test]
    fn a_name_alone_or_a_table() {
        let text =
            "name = \"m\"\nprotected = [\"age\", { column = \"sex\", privileged = \"male\", use = \"fairness\" }]\n";
        let spec: Spec = toml::from_str(text).expect("a model");
        assert_eq!(spec.kept_apart().collect::<Vec<_>>(), ["sex"]);
        assert!(spec.is_feature("age") && !spec.is_feature("sex") && !spec.is_feature("label") && spec.is_feature("x"));
        assert_eq!(spec.protected[1].privileged.as_deref(), Some("male"));
        for wrong in ["[3]", "[{ privileged = \"x\" }]", "[{ column = \"x\", used = \"y\" }]"] {
            let told = toml::from_str::<Spec>(&format!("name = \"m\"\nprotected = {wrong}\n")).expect_err("wrong");
            assert!(told.to_string().contains("column"), "{told}");
        }
    }
}
