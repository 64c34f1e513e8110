//! Parses the command line, runs what it asks, and turns a failure into an exit code.

use std::process::ExitCode;

use clap::Parser;
use plumbline::cli::{Cli, Usage, run};

/// polars takes every core for its thread pool unless told otherwise, with stacks and caches for each.
const POLARS_THREADS: (&str, &str) = ("POLARS_MAX_THREADS", "2");

/// What a decoder's panic says is told by whoever called the decoder.
fn quiet_guarded_panics() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !plumbline::frame::guard::is_guarded() {
            told(panic);
        }
    }));
}

#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "the process's own edge")]
fn main() -> ExitCode {
    let (name, default) = POLARS_THREADS;
    if std::env::var_os(name).is_none() {
        // SAFETY: no other thread runs yet, so none reads the environment meanwhile.
        #[expect(unsafe_code, reason = "polars reads its bound from the environment alone, once")]
        unsafe {
            std::env::set_var(name, default);
        }
    }
    quiet_guarded_panics();
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            if error.is::<Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
