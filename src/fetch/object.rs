//! An object of S3, Google Cloud Storage or Azure. Keys and endpoints come from the variables that their own tools read, or from the
//! role of the machine or pod.

use futures_util::StreamExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{ClientConfigKey, Error, GetOptions, ObjectStore, RetryConfig};

use super::{Answer, Aside, LIMIT, Mark, PATIENCE};
use crate::client::{chain, ring};

pub(super) async fn get(address: &str, since: Option<&Mark>, mut aside: Aside) -> Result<Answer, String> {
    ring();
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let path = address.splitn(4, '/').nth(3).unwrap_or_default();
    let path = Path::parse(path).map_err(|error| chain(&error))?;
    let store = store(address).map_err(|error| told(&error))?;
    let tag = since.and_then(|mark| mark.tag.clone());
    let options = GetOptions { if_none_match: tag, ..GetOptions::default() };
    let result = match store.get_opts(&path, options).await {
        Err(Error::NotModified { .. }) if since.is_some() => return Ok(Answer::Same),
        result => result.map_err(|error| told(&error))?,
    };
    aside.expect(Some(result.meta.size))?;
    let mark = Mark { tag: result.meta.e_tag.clone(), modified: None };
    let mut parts = result.into_stream();
    while let Some(part) = parts.next().await {
        aside.write(&part.map_err(|error| told(&error))?)?;
    }
    aside.done(mark)
}

/// What a store says, without the document that it answers with: some quote keys and signatures in it. Of that its code alone.
pub(super) fn told(error: &Error) -> String {
    let text = chain(error);
    let Some((before, document)) = text.split_once('<') else { return text };
    let code = document.split_once("<Code>").and_then(|(_, rest)| rest.split_once('<')).map_or("", |(code, _)| code);
    let plain = code.chars().all(|c| c.is_ascii_alphanumeric()) && code.len() < 60;
    format!(
        "{}{}",
        before.trim_end().trim_end_matches(':'),
        if plain && !code.is_empty() { format!(": {code}") } else { String::new() }
    )
}

pub(super) fn store(address: &str) -> object_store::Result<Box<dyn ObjectStore>> {
    // Whoever asks tries again, with pauses of their own.
    let retry = RetryConfig { max_retries: 1, retry_timeout: PATIENCE, ..RetryConfig::default() };
    let (key, limit) = (ClientConfigKey::Timeout, format!("{} seconds", LIMIT.as_secs()));
    Ok(match address.split("://").next() {
        Some("gs") => {
            let store = GoogleCloudStorageBuilder::from_env().with_config(GoogleConfigKey::Client(key), limit);
            Box::new(store.with_url(address).with_retry(retry).build()?)
        }
        Some("az") => {
            let store = MicrosoftAzureBuilder::from_env().with_config(AzureConfigKey::Client(key), limit);
            Box::new(store.with_url(address).with_retry(retry).build()?)
        }
        _ => {
            let store = AmazonS3Builder::from_env().with_config(AmazonS3ConfigKey::Client(key), limit);
            Box::new(store.with_url(address).with_retry(retry).build()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_not_quoted() {
        let error = |text: &str| Error::Generic { store: "S3", source: text.to_owned().into() };
        let answer = "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>SignatureDoesNotMatch</Code>\
                      <AWSAccessKeyId>AKIA</AWSAccessKeyId><StringToSign>secret</StringToSign></Error>";
        let shown = told(&error(answer));
        assert!(shown.ends_with("403 Forbidden: SignatureDoesNotMatch") && !shown.contains("AKIA"), "{shown}");
        assert!(told(&error("500: <html>secret</html>")).ends_with("500"));
        assert!(told(&error("connection refused")).ends_with("connection refused"));
    }
}
