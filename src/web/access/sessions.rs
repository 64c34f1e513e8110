//! Who has signed in on the page: a random number in a cookie stands for the token that was given, for some hours. In memory alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};

use crate::access::{Digest, fresh};

/// The cookie's name. Over TLS it is one that no other service of this host can set.
pub fn cookie(tls: bool) -> &'static str {
    if tls { "__Host-plumbline" } else { "plumbline" }
}

/// A session is no longer than a working day.
pub const LASTS: Duration = Duration::from_secs(12 * 3600);
/// Sessions at once; the oldest ends for one more.
const MOST: usize = 1000;

/// All sessions, by the digest of their number.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<BTreeMap<Digest, Session>>);

#[derive(Debug)]
struct Session {
    token: Digest,
    ends: Duration,
}

impl Sessions {
    /// Begins a session of who has the token. Returns its number.
    pub fn begin(&self, token: Digest, now: Duration) -> Result<String, String> {
        let id = fresh()?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, session| session.ends > now);
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, session)| session.ends).map(|(id, _)| *id)
        {
            all.remove(&oldest);
        }
        all.insert(Digest::of(id.as_bytes()), Session { token, ends: now.saturating_add(LASTS) });
        Ok(id)
    }

    /// The token that the session began with.
    pub fn token(&self, id: &str, now: Duration) -> Option<Digest> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&Digest::of(id.as_bytes())).filter(|session| session.ends > now).map(|session| session.token)
    }

    /// Ends a session.
    pub fn end(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&Digest::of(id.as_bytes()));
    }
}

/// The number that a browser sends along.
pub fn id(headers: &HeaderMap, tls: bool) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == cookie(tls)).map(|(_, value)| value.to_owned()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_itself_by_its_end_and_for_the_newest() {
        let (sessions, token) = (Sessions::default(), Digest::of(b"a token"));
        let begin = |now| sessions.begin(token, Duration::from_secs(now)).expect("random");
        let first = begin(0);
        let known = |id: &str, now| sessions.token(id, Duration::from_secs(now)).is_some();
        assert!(known(&first, 1) && !known(&first, LASTS.as_secs()) && !known("", 1) && !known("x", 1));
        let second = begin(1);
        sessions.end(&second);
        assert!(!known(&second, 2) && known(&first, 2));
        for _ in 0..MOST {
            begin(3);
        }
        assert!(!known(&first, 4), "the oldest gave way");
        assert_eq!(sessions.0.lock().expect("alone").len(), MOST);
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        assert_eq!(id(&headers, false), None);
        headers.append(header::COOKIE, "a=b; plumbline=one ; c".parse().expect("a value"));
        assert_eq!((id(&headers, false).as_deref(), id(&headers, true)), (Some("one"), None));
    }
}
