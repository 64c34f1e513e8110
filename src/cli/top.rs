//! `plumbline top`: a running agent in a terminal, as it is now.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::look::look;
use super::{ENV, Usage};
use crate::clock::{Clock, SystemClock};
use crate::terminal::Look;
use crate::top::answers::Answers;
use crate::top::client::{Client, Token};
use crate::top::course::Course;
use crate::top::frame::{Frame, Known, frame, page};
use crate::top::keys::Key;
use crate::top::screen::{Screen, read_keys};
use crate::top::view::View;

pub const EXAMPLES: &str = "\
Examples:
  plumbline top                                                      the agent of this machine
  plumbline top --agent https://node-7:9477 --ca ca.pem --token-file token
  plumbline top --agent unix:/run/plumbline/plumbline.sock           by the socket of [ingest]
  plumbline top --once                                               everything once, as in a pipe

Keys: 1 workloads, 2 GPUs, 3 models, 4 alerts (or Tab); arrows and PgUp, PgDn scroll; s sorts by the next column, r the other way round;
/ filters; p pauses; ? tells them; q leaves.

It reads the agent's API (/api/v1/*, /healthz) and nothing else. A token that may read is enough.

Exit codes: 0 done, 1 no answer (with --once, or in a pipe), 2 wrong usage.";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The agent: http://HOST:PORT, https://HOST:PORT, or unix:/PATH for its socket.
    #[arg(long, value_name = "ADDR", default_value = "http://127.0.0.1:9477")]
    agent: String,
    /// File with a token that may read; without one PLUMBLINE_TOKEN, where it is set.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with authorities, in PEM, to trust beside the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How often it asks, 500ms to 1h.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// Print everything once and leave. It asks twice, an interval apart (10 s at most), to tell rates.
    #[arg(long)]
    once: bool,
}

/// Rates want two answers; nobody waits longer for the second.
const APART: Duration = Duration::from_secs(10);
/// The frame is drawn anew this often, whatever comes: it tells how old it is.
const REDRAW: Duration = Duration::from_secs(1);

fn interval(text: &str) -> Result<Duration, String> {
    let within = Duration::from_millis(500)..=Duration::from_secs(3600);
    let parsed = humantime::parse_duration(text).map_err(|error| error.to_string());
    parsed.and_then(|every| {
        if within.contains(&every) { Ok(every) } else { Err("must be 500ms at least and 1h at most".to_owned()) }
    })
}

/// What is wrong with what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address, the authorities or the token.
    #[error("{0}")]
    Client(String),
}

impl Arguments {
    /// Whom to ask.
    pub(super) fn client(&self) -> Result<Client, Error> {
        let given = ENV("PLUMBLINE_TOKEN").filter(|token| !token.is_empty());
        let token = match (&self.token_file, given) {
            (Some(path), _) => Token::File(path.clone()),
            (None, Some(token)) => Token::Given(token),
            (None, None) => Token::None,
        };
        Client::new(&self.agent, self.ca.as_deref(), token).map_err(Error::Client)
    }
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = arguments.client().map_err(Usage::from)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| anyhow::anyhow!("cannot start the runtime: {error}"))?;
    let is_live = !arguments.once && std::io::stdout().is_terminal();
    let ended = if is_live {
        runtime.block_on(live(client, arguments.interval))
    } else {
        runtime.block_on(once(&client, arguments.interval))
    };
    // The thread that reads keys waits for one more, and ends with the process.
    runtime.shutdown_background();
    ended
}

async fn once(client: &Client, interval: Duration) -> anyhow::Result<()> {
    let (clock, mut course) = (SystemClock::new(), Course::default());
    let first = client.ask().await.map_err(anyhow::Error::msg)?;
    course.take(&first, clock.monotonic());
    tokio::time::sleep(interval.min(APART)).await;
    let answers = client.ask().await.map_err(anyhow::Error::msg)?;
    course.take(&answers, clock.monotonic());
    let known =
        Known { answers: Some(&answers), course: &course, age: Duration::ZERO, trouble: None, agent: client.agent() };
    let text = page(&known, &View::default(), look(None));
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// What is known, and how it is looked at.
struct State {
    agent: String,
    answers: Option<Answers>,
    course: Course,
    at: Duration,
    trouble: Option<String>,
    view: View,
    drawn: Frame,
}

impl State {
    fn draw(&mut self, screen: &Screen, now: Duration) -> std::io::Result<()> {
        let (columns, lines) = screen.size();
        let look = Look { width: Some(columns), colour: look(None).colour };
        let known = Known {
            answers: self.answers.as_ref(),
            course: &self.course,
            age: now.saturating_sub(self.at),
            trouble: self.trouble.as_deref(),
            agent: &self.agent,
        };
        self.drawn = frame(&known, &self.view, look, lines);
        screen.draw(&self.drawn.lines)
    }

    fn take(&mut self, asked: Result<Answers, String>, now: Duration) {
        match asked {
            Ok(answers) => {
                self.course.take(&answers, now);
                (self.answers, self.at, self.trouble) = (Some(answers), now, None);
            }
            // The last frame stays, with its age.
            Err(why) => self.trouble = Some(why),
        }
    }
}

async fn live(client: Client, interval: Duration) -> anyhow::Result<()> {
    let clock = SystemClock::new();
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
        .into_iter()
        .map(signal)
        .collect::<Result<Vec<_>, _>>()?;
    let mut resized = signal(SignalKind::window_change())?;
    let mut state = State {
        agent: client.agent().to_owned(),
        answers: None,
        course: Course::default(),
        at: Duration::ZERO,
        trouble: None,
        view: View::default(),
        drawn: Frame { lines: Vec::new(), page: 0, rows: 0 },
    };
    let (keys, mut pressed) = mpsc::channel::<Key>(64);
    let screen = Screen::enter()?;
    if std::io::stdin().is_terminal() {
        std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read_keys(|key| keys.blocking_send(key).is_ok()))?;
    }
    let paused = Arc::new(AtomicBool::new(false));
    let (answers, mut asked) = mpsc::channel(1);
    let waits = Arc::clone(&paused);
    tokio::spawn(async move {
        loop {
            if !waits.load(Ordering::Relaxed) && answers.send(client.ask().await).await.is_err() {
                return;
            }
            tokio::time::sleep(interval).await;
        }
    });
    let mut redraw = tokio::time::interval(REDRAW);
    let mut has_keys = true;
    loop {
        state.draw(&screen, clock.monotonic())?;
        let [interrupt, terminate, hangup] = signals.as_mut_slice() else { return Ok(()) };
        tokio::select! {
            key = pressed.recv(), if has_keys => match key {
                Some(key) if !state.view.press(key, state.drawn.page, state.drawn.rows) => return Ok(()),
                Some(_) => paused.store(state.view.paused, Ordering::Relaxed),
                None => has_keys = false,
            },
            Some(asked) = asked.recv() => if !state.view.paused { state.take(asked, clock.monotonic()) },
            _ = resized.recv() => {}
            _ = redraw.tick() => {}
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_neither_too_short_nor_too_long() {
        assert_eq!(interval("2s"), Ok(Duration::from_secs(2)));
        for wrong in ["0s", "499ms", "2h", "soon", ""] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
