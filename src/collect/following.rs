//! A thread that follows a service for as long as its collector stands.

use std::future::Future;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::Error;

/// The thread. It ends when this is dropped.
pub struct Following {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Following {
    /// Runs `follow` on a thread of this name, and of this runtime.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(
        name: String,
        tokio: tokio::runtime::Runtime,
        follow: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, Error> {
        let (stop, stopped) = oneshot::channel::<()>();
        let run = async {
            tokio::select! {
                () = follow => {}
                _ = stopped => {}
            }
        };
        let thread = std::thread::Builder::new().name(name).spawn(move || tokio.block_on(run));
        let thread = thread.map_err(|e| Error::Failed(format!("no thread: {e}")))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
