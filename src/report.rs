//! What was found, for people and programs: a comparison of two data sets ([`drift`]), a capacity review ([`review`]).

pub mod drift;
pub mod review;
