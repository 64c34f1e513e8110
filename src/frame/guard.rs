//! Decoders of foreign bytes may panic on what they do not expect: that is the bytes' fault, and is caught and told as one. A panic
//! of our own code beneath a guard is our fault, and goes on up.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

thread_local! {
    static GUARDED: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic beneath a guard was, if somebody noted it.
    static WHERE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The paths of our own sources, as the compiler knows them; those of other crates are absolute.
const OURS: &str = "src/";

/// Runs a decoder. `None` if it panicked; [`panicked_at`] says where.
///
/// # Panics
/// Our own code beneath panicked.
pub fn guarded<T>(decode: impl FnOnce() -> T) -> Option<T> {
    GUARDED.with(|depth| depth.set(depth.get() + 1));
    WHERE.take();
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    GUARDED.with(|depth| depth.set(depth.get() - 1));
    match decoded {
        Ok(decoded) => Some(decoded),
        Err(panic) if is_ours() => resume_unwind(panic),
        Err(_) => None,
    }
}

/// Whether this thread is within a decoder, so that a panic is told by its caller and needs no report of its own.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.with(|depth| depth.get() > 0)
}

/// Notes where a panic was; for the panic hook.
pub fn note(location: Option<&Location<'_>>) {
    let place = location.map(|at| format!("{}:{}", at.file(), at.line()));
    WHERE.with_borrow_mut(|last| *last = place);
}

/// Whether the last panic beneath a guard of this thread was in our own code.
#[must_use]
pub fn is_ours() -> bool {
    panicked_at().is_some_and(|place| place.starts_with(OURS))
}

/// Where the last panic beneath a guard of this thread was.
#[must_use]
pub fn panicked_at() -> Option<String> {
    WHERE.with_borrow(Clone::clone)
}

/// The place in brackets, for an error that tells of a decoder's panic.
#[must_use]
pub fn place() -> String {
    panicked_at().map_or_else(String::new, |place| {
        // The registry's folder is of no use to anybody.
        let short = place.rsplit_once("/registry/src/").map_or(place.as_str(), |(_, rest)| rest);
        format!(" (in {})", short.split_once('/').map_or(short, |(_, rest)| rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_none_and_leaves_nothing_behind() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| -> i32 { panic!("met broken bytes, guarded: {}", is_guarded()) }), None);
        assert!(!is_guarded());
    }

    #[test]
    fn our_own_bug_is_not_told_as_broken_bytes() {
        let fails = |place: &'static str| {
            catch_unwind(move || {
                guarded(|| -> i32 {
                    WHERE.with_borrow_mut(|last| *last = Some(place.to_owned()));
                    panic!("as noted")
                })
            })
        };
        assert!(fails("src/store/past.rs:7").is_err(), "it goes on up");
        assert!(matches!(fails("/home/u/.cargo/registry/src/index-1/polars-1.2/src/lib.rs:5"), Ok(None)));
        assert_eq!(place(), " (in polars-1.2/src/lib.rs:5)");
        assert!(!is_guarded());
    }
}
