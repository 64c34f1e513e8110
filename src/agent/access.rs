//! The file of tokens, read again from time to time: a token that is new, or gone, counts within moments. A file that is wrong changes
//! nothing; `/healthz` and the log say so.

use std::sync::Arc;
use std::time::Duration;

use crate::access::{Config, Shared};
use crate::health::Health;

/// Between two looks: a Secret takes a minute to reach a pod.
const EVERY: Duration = Duration::from_secs(5);

/// Follows the file, where one is named, until it is dropped.
pub async fn follow(config: Config, tokens: Shared, health: Arc<Health>) {
    if config.tokens.is_none() {
        return;
    }
    let mut failing: Option<String> = None;
    loop {
        tokio::time::sleep(EVERY).await;
        let reading = config.clone();
        let read =
            tokio::task::spawn_blocking(move || reading.read()).await.unwrap_or_else(|error| Err(error.to_string()));
        let why = match read {
            // A file that is gone does not let everybody in.
            Ok(None) => None,
            Ok(read) => {
                if tokens.replace(read) {
                    tracing::info!("the file of tokens has changed: its tokens are in force");
                }
                None
            }
            Err(why) => Some(why),
        };
        if why != failing {
            match &why {
                Some(why) => tracing::error!(why, "the file of tokens cannot be used: those before stay in force"),
                None => tracing::info!("the file of tokens can be used again"),
            }
            health.update(|state| state.tokens.clone_from(&why));
            failing = why;
        }
    }
}
