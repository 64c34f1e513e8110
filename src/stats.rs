//! Plain numeric kernels, on slices mostly. No frames, no I/O, no clock.

pub mod correction;
pub mod kolmogorov;
pub mod quantile;
pub mod sketch;
pub mod whole;
