//! Plain numeric kernels on slices. No frames, no I/O, no clock.

pub mod quantile;
