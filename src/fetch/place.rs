//! A folder in an object store, that files are sent to.

use bytes::Bytes;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::OBJECTS;
use super::object::{store, told};
use crate::client::{chain, ring};

/// Where files are sent: `s3://BUCKET/FOLDER`, `gs://` and `az://` likewise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// What a text names.
    ///
    /// # Errors
    /// It is no address of a bucket.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no place for files; write it as s3://BUCKET/FOLDER, gs:// or az:// likewise");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (bucket, folder) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = !rest.contains(['?', '#', '@']) && Path::parse(folder.trim_end_matches('/')).is_ok();
        if !OBJECTS.contains(&scheme) || bucket.is_empty() || !is_plain {
            return Err(wrong());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// As it may be shown; it has no key in it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.0
    }

    /// Writes a file whole, in the place of one of this name. It is tried once: whoever asks tries again.
    ///
    /// # Errors
    /// The store does not take it.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), String> {
        ring();
        let folder = self.0.splitn(4, '/').nth(3).unwrap_or_default();
        let whole = format!("{folder}/{name}");
        let path = Path::parse(whole.trim_start_matches('/')).map_err(|error| chain(&error))?;
        let store = store(&self.0).map_err(|error| told(&error))?;
        store.put(&path, bytes.into()).await.map(drop).map_err(|error| told(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_perhaps_a_folder() {
        for (text, shown) in [
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/", "s3://bucket"),
            ("gs://bucket/a/b c/", "gs://bucket/a/b c"),
            ("az://container/plumbline", "az://container/plumbline"),
        ] {
            assert_eq!(Place::parse(text).as_ref().map(Place::shown), Ok(shown));
        }
        for wrong in
            ["", "bucket/a", "https://host/a", "s3://", "s3:///a", "s3://key@bucket/a", "s3://b/a?x=1", "s3://b/a/../c"]
        {
            let error = Place::parse(wrong).expect_err(wrong);
            assert!(error.contains("s3://BUCKET/FOLDER"), "{error}");
        }
    }
}
