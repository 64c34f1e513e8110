//! An address of HTTP.

use http::StatusCode;
use http::header::{ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};

use super::{Answer, Aside, Mark, PATIENCE, told};
use crate::client::client;

/// Stores of artefacts answer with the address of their storage.
const REDIRECTS: usize = 5;

pub(super) async fn get(address: &str, since: Option<&Mark>, mut aside: Aside) -> Result<Answer, String> {
    let secure = address.starts_with("https:");
    // Nobody leads from there to where anyone may answer.
    let client = client(PATIENCE, secure)
        .https_only(secure)
        .redirect(reqwest::redirect::Policy::limited(REDIRECTS))
        .read_timeout(PATIENCE)
        .build();
    let mut request = client.map_err(told)?.get(address);
    if let Some(Mark { tag, modified }) = since {
        // Where both are known the tag is the surer.
        request = match (tag, modified) {
            (Some(tag), _) => request.header(IF_NONE_MATCH, tag),
            (None, Some(modified)) => request.header(IF_MODIFIED_SINCE, modified),
            (None, None) => request,
        };
    }
    let mut response = request.send().await.map_err(told)?;
    match response.status() {
        StatusCode::NOT_MODIFIED if since.is_some() => return Ok(Answer::Same),
        status if !status.is_success() => return Err(format!("the server answers {status}")),
        _ => {}
    }
    aside.expect(response.content_length())?;
    let mark = Mark { tag: text(response.headers(), &ETAG), modified: text(response.headers(), &LAST_MODIFIED) };
    while let Some(part) = response.chunk().await.map_err(told)? {
        aside.write(&part)?;
    }
    aside.done(mark)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
