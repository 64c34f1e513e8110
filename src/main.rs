//! Parses the command line, runs what it asks, and turns a failure into an exit code.

use std::process::ExitCode;

use clap::Parser;
use plumbline::cli::{Cli, Usage, run};
use plumbline::frame::guard;

/// polars takes every core for its thread pool unless told otherwise, with stacks and caches for each.
const POLARS_THREADS: (&str, &str) = ("POLARS_MAX_THREADS", "2");

/// glibc keeps what was freed, in an arena for each few threads, and ever larger blocks of it: after a burst of large bodies an
/// agent would hold several times what it uses. With two arenas, and large blocks given back as they are freed, it does not. A
/// comparison reads column after column, each about as large as the last: what one gives back the next takes, and the kernel need not
/// make as many pages anew, which is a quarter of its time.
#[cfg(target_env = "gnu")]
fn bound_allocator(is_comparison: bool) {
    let (given_back_from, kept) = if is_comparison { (32 << 20, 64 << 20) } else { (64 << 10, 1 << 20) };
    let settings: [(libc::c_int, libc::c_int); 3] =
        [(libc::M_ARENA_MAX, 2), (libc::M_MMAP_THRESHOLD, given_back_from), (libc::M_TRIM_THRESHOLD, kept)];
    for (parameter, value) in settings {
        // SAFETY: no other thread runs yet; the call only sets numbers of the allocator. One that it refuses stays as it was.
        #[expect(unsafe_code, reason = "the allocator has no other way to be told")]
        unsafe {
            libc::mallopt(parameter, value);
        }
    }
}

#[cfg(not(target_env = "gnu"))]
fn bound_allocator(_is_comparison: bool) {}

/// Gives the pages of polars' block of zeros back. polars writes all of it when it first needs a zero, which makes 8 MiB resident for
/// good; pages that were given back read as zeros all the same.
#[cfg(target_os = "linux")]
fn release_zeros() {
    let zeros = polars_buffer::Buffer::<u8>::zeroed(8 << 20);
    // SAFETY: the block is private memory of whole pages (polars aligns it to 4096) that holds zeros and is never written again; the
    // kernel puts pages of zeros in their place. Where pages are larger it refuses, and nothing changes.
    #[expect(unsafe_code, reason = "the kernel has no safe call for it")]
    unsafe {
        libc::madvise(zeros.as_ptr().cast_mut().cast(), zeros.len(), libc::MADV_DONTNEED);
    }
}

#[cfg(not(target_os = "linux"))]
fn release_zeros() {}

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
    let cli = Cli::parse();
    bound_allocator(cli.is_comparison());
    release_zeros();
    quiet_guarded_panics();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            if error.is::<Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
