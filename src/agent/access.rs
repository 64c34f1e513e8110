//! The files of tokens and of certificates, read again from time to time: what is new, or gone, counts within moments. A file that is wrong
//! changes nothing; `/healthz` and the log say so.

use std::sync::Arc;
use std::time::Duration;

use crate::access::{Config, Files, Shared};
use crate::health::Health;
use crate::web::tls::Tls;

/// Between two looks: a Secret takes a minute to reach a pod.
const EVERY: Duration = Duration::from_secs(5);

/// What is in force of the files.
pub struct InForce {
    config: Config,
    tokens: Shared,
    tls: Option<(Tls, Files)>,
}

impl InForce {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// One is wrong.
    pub fn read(config: &Config) -> Result<Self, String> {
        let tokens = Shared::new(config.read()?);
        let files = config.files()?;
        let tls = files.map(|files| files.server().map(|server| (Tls::new(server), files))).transpose()?;
        Ok(Self { config: config.clone(), tokens, tls })
    }

    /// The tokens.
    pub fn tokens(&self) -> Shared {
        self.tokens.clone()
    }

    /// TLS, where the port speaks it.
    pub fn tls(&self) -> Option<Tls> {
        self.tls.as_ref().map(|(tls, _)| tls.clone())
    }

    /// Reads them again: what cannot be used, a sentence each without its full stop.
    fn read_again(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        match self.config.read() {
            Ok(read) => {
                if self.tokens.replace(read) {
                    tracing::info!("the file of tokens has changed: its tokens are in force");
                }
            }
            Err(why) => {
                faults.push(format!("The file of tokens cannot be used, and those before stay in force: {why}"));
            }
        }
        let renewed = |known: &Files| -> Result<Option<_>, String> {
            let files = self.config.files()?.filter(|files| files != known);
            files.map(|files| Ok((files.server()?, files))).transpose()
        };
        if let Some((tls, known)) = &mut self.tls {
            match renewed(known) {
                Ok(None) => {}
                Ok(Some((server, files))) => {
                    tls.replace(server);
                    *known = files;
                    tracing::info!("the certificate has changed: new connections have the new one");
                }
                Err(why) => {
                    faults.push(format!("The certificate cannot be renewed, and the one before stays in force: {why}"));
                }
            }
        }
        faults
    }

    /// Follows the files, where any is named, until it is dropped.
    pub async fn follow(mut self, health: Arc<Health>) {
        if self.config.tokens.is_none() && self.tls.is_none() {
            return;
        }
        let mut known = Vec::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let read = tokio::task::spawn_blocking(move || {
                let faults = self.read_again();
                (self, faults)
            });
            let Ok((again, faults)) = read.await else { return };
            self = again;
            if faults != known {
                for fault in faults.iter().filter(|fault| !known.contains(*fault)) {
                    tracing::error!("{fault}");
                }
                if faults.is_empty() {
                    tracing::info!("the files of tokens and certificates can be used again");
                }
                health.update(|state| state.access.clone_from(&faults));
                known = faults;
            }
        }
    }
}
