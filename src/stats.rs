//! Plain numeric kernels, on slices mostly. No frames, no I/O, no clock.

pub mod ascending;
pub mod auc;
pub mod combination;
pub mod correction;
pub mod cramer_von_mises;
pub mod eigen;
pub mod exchange;
pub mod hypergeometric;
pub mod interval;
pub mod kolmogorov;
pub mod linear_ranks;
pub mod logistic;
pub mod mersenne;
pub mod moments;
pub mod paired;
pub mod pick;
pub mod quantile;
pub mod random;
pub mod ranks;
pub mod sketch;
pub mod tails;
pub mod whole;
