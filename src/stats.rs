//! Plain numeric kernels, on slices mostly. No frames, no I/O, no clock.

pub mod combination;
pub mod correction;
pub mod hypergeometric;
pub mod kolmogorov;
pub mod quantile;
pub mod sketch;
pub mod tails;
pub mod whole;
