//! Parses the command line, runs what it asks, and turns a failure into an exit code.

use std::process::ExitCode;

use clap::Parser;
use plumbline::cli::{Cli, Usage, run};
use plumbline::frame::guard;

/// polars takes every core for its thread pool unless told otherwise, with stacks and caches for each.
const POLARS_THREADS: (&str, &str) = ("POLARS_MAX_THREADS", "2");

/// glibc keeps what was freed, in an arena for each few threads, and ever larger blocks of it: after a burst of large bodies an
/// agent would hold several times what it uses. With two arenas, and large blocks given back as they are freed, it does not.
#[cfg(target_env = "gnu")]
fn bound_allocator() {
    const SETTINGS: [(libc::c_int, libc::c_int); 3] =
        [(libc::M_ARENA_MAX, 2), (libc::M_MMAP_THRESHOLD, 64 << 10), (libc::M_TRIM_THRESHOLD, 1 << 20)];
    for (parameter, value) in SETTINGS {
        // SAFETY: no other thread runs yet; the call only sets numbers of the allocator. One that it refuses stays as it was.
        #[expect(unsafe_code, reason = "the allocator has no other way to be told")]
        unsafe {
            libc::mallopt(parameter, value);
        }
    }
}

#[cfg(not(target_env = "gnu"))]
fn bound_allocator() {}

/// What a decoder's panic says is told by whoever called the decoder; one of our own code beneath it is a panic like any other.
fn quiet_guarded_panics() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if guard::is_guarded() {
            guard::note(panic.location());
            if !guard::is_ours() {
                return;
            }
        }
        told(panic);
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
    bound_allocator();
    quiet_guarded_panics();
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            if error.is::<Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
