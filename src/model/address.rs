//! How a model is addressed: by its name in the path, and by its namespace, where it has one, as the parameter `namespace`. Both
//! are checked here, so that what comes of them may go into folders and labels.

use super::{check_name, check_namespace};
use crate::identity::ModelKey;

const NAMESPACE: &str = "namespace";
/// Where an agent says who it is.
pub const AGENT: &str = "/v1/agent";
/// The header by which an agent says that clients sent it these labels, and who it is: they go no further.
pub const FORWARDED_BY: &str = "plumbline-forwarded-by";
/// The header by which it says whom they are for: another may have the address by now.
pub const FOR_AGENT: &str = "plumbline-for";

/// The model that an address names, and the parameters that say something else.
///
/// # Errors
/// The name or the namespace is none.
pub fn with_more<'a>(name: &str, query: Option<&'a str>) -> Result<(ModelKey, Vec<&'a str>), String> {
    check_name(name).map_err(|message| format!("`{name}` {message}"))?;
    let (mut key, mut more) = (ModelKey::named(name), Vec::new());
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let Some(namespace) = pair.strip_prefix(NAMESPACE).and_then(|rest| rest.strip_prefix('=')) else {
            more.push(pair);
            continue;
        };
        check_namespace(namespace).map_err(|message| format!("`{namespace}` {message}"))?;
        if key.namespace.replace(namespace.to_owned()).is_some() {
            return Err("namespace is given twice".to_owned());
        }
    }
    Ok((key, more))
}

/// The model that an address names which says nothing else.
///
/// # Errors
/// The name or the namespace is none, or there is another parameter: one that is spelled wrong must not name another model.
pub fn alone(name: &str, query: Option<&str>) -> Result<ModelKey, String> {
    match with_more(name, query)? {
        (key, more) if more.is_empty() => Ok(key),
        (_, more) => Err(format!("unknown parameter `{}`; there is namespace=NAMESPACE", more[0])),
    }
}

/// The address of what lies below a model, `below` being empty or beginning with a slash.
#[must_use]
pub fn of(folder: &str, key: &ModelKey, below: &str) -> String {
    let query = key.namespace.as_ref().map_or_else(String::new, |namespace| format!("?{NAMESPACE}={namespace}"));
    format!("{folder}/{}{below}{query}", key.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_model() {
        for key in [ModelKey::named("m"), ModelKey::within("shop", "m")] {
            let address = of("/v1/models", &key, "/samples");
            let (path, query) = address.split_once('?').map_or((address.as_str(), None), |(path, q)| (path, Some(q)));
            assert_eq!(path, "/v1/models/m/samples");
            assert_eq!(alone("m", query), Ok(key));
        }
        let (key, more) = with_more("m", Some("all_or_nothing=true&namespace=shop&x")).expect("an address");
        assert_eq!((key, more), (ModelKey::within("shop", "m"), vec!["all_or_nothing=true", "x"]));
    }

    #[test]
    fn what_may_not_go_into_a_path_is_no_address() {
        for name in ["", "..", ".m", "a/b", "a%2Fb", "m\0", "m=n", "ö"] {
            assert!(alone(name, None).is_err(), "{name}");
            assert!(alone("m", Some(&format!("namespace={name}"))).is_err(), "{name}");
        }
        for query in ["namespace=_none", "namespace=a&namespace=b", "namespace", "namspace=a", "namespace=a&x=1"] {
            assert!(alone("m", Some(query)).is_err(), "{query}");
        }
    }
}
