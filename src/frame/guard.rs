//! Decoders of foreign bytes may panic on what they do not expect: that is the bytes' fault, and is caught and told as one.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<u32> = const { Cell::new(0) };
}

/// Runs a decoder. `None` if it panicked.
pub fn guarded<T>(decode: impl FnOnce() -> T) -> Option<T> {
    GUARDED.with(|depth| depth.set(depth.get() + 1));
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    GUARDED.with(|depth| depth.set(depth.get() - 1));
    decoded.ok()
}

/// Whether this thread is within a decoder, so that a panic is told by its caller and needs no report of its own.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.with(|depth| depth.get() > 0)
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
}
