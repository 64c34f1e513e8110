//! How well a model does on parts of its rows: any statistic by the values of a column ([`by`]), and where it does worst, found by itself
//! ([`search`]).

pub mod axis;
pub mod bins;
pub mod by;
mod candidates;
pub mod coded;
mod grid;
pub mod loss;
mod part;
pub mod search;
mod sums;
pub mod tally;

#[cfg(test)]
mod tests;
