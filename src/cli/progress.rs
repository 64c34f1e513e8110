//! What is being done, on a terminal at standard error, once it takes longer than a second; gone when it is over, and nothing on a pipe.

use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::ENV;

/// What is over by then is not worth a word.
const PATIENCE: Duration = Duration::from_secs(1);

const COUNTED: &str = "{msg}  {bar:24} {pos} of {len}  {elapsed}";

fn set_style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("##."));
    }
}

/// Something that is being done. Gone when it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    watched: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Something of which nobody knows how much there is: `reading train.parquet`.
    pub(super) fn of(doing: &str) -> Self {
        Self::new(doing, None, "{spinner} {msg}  {elapsed}")
    }

    /// So many of something: `comparing columns`.
    pub(super) fn counted(doing: &str, all: u64) -> Self {
        Self::new(doing, Some(all), COUNTED)
    }

    fn new(doing: &str, all: Option<u64>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(all, ProgressDrawTarget::hidden());
        set_style(&bar, template);
        bar.set_message(crate::terminal::text::plain(doing));
        let shows = std::io::stderr().is_terminal() && ENV("TERM").is_none_or(|term| term != "dumb");
        let watched = shows.then(|| Self::shown_later(bar.clone())).flatten();
        Self { bar, watched }
    }

    fn shown_later(bar: ProgressBar) -> Option<(SyncSender<()>, JoinHandle<()>)> {
        let (done, over) = sync_channel::<()>(1);
        let watch = move || {
            if over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
                bar.enable_steady_tick(Duration::from_millis(250));
            }
        };
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(watch).ok()?;
        Some((done, thread))
    }

    /// One more is done.
    pub(super) fn inc(&self) {
        self.bar.inc(1);
    }

    /// Says something meanwhile, where the bar does not stand in it.
    pub(super) fn aside(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }

    /// So many of so many are done: how many there are is known only now.
    pub(super) fn at(&self, done: usize, all: usize) {
        if self.bar.length().is_none() {
            set_style(&self.bar, COUNTED);
        }
        self.bar.set_length(all as u64);
        self.bar.set_position(done as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.watched.take() {
            drop(done);
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}
