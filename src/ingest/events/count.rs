//! What became of events, counted since the start.

use std::collections::BTreeMap;

use super::reject::Reject;

/// Counters, and what waits now. Every event received is accepted, left out or rejected; of those accepted each becomes rows, waits,
/// or is counted where it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that came.
    pub received: u64,
    /// Events that were taken.
    pub accepted: u64,
    /// Events that nobody here wants, by why: another type, another component than the predictor, the half that a description
    /// leaves out, a half that waits already, a reward without a truth, a model that did not answer, or a request that an explainer made up.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Events that were not taken, by why.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Rows that were stored of them.
    pub rows: u64,
    /// Rows that were left out because a model's description asks for a part.
    pub sampled_out_rows: u64,
    /// Rows with a value of another type than the column's, or another fault.
    pub rejected_rows: u64,
    /// Halves whose other did not come in time: what was asked.
    pub unpaired_requests: u64,
    /// And what was said, which became rows without features.
    pub unpaired_responses: u64,
    /// Halves whose other had waited in vain.
    pub late: u64,
    /// Predictions that were accepted and could not be stored.
    pub dropped: u64,
    /// Why an event or a row was rejected last.
    pub last_rejection: Option<String>,
    /// Halves that wait.
    pub waiting: u64,
    /// What they take, in bytes.
    pub waiting_bytes: u64,
}

impl Counts {
    /// One more that is left out.
    pub fn leave_out(&mut self, why: &'static str) {
        let known = self.left_out.entry(why).or_default();
        *known = known.saturating_add(1);
    }

    /// One more that is rejected.
    pub fn reject(&mut self, reject: &Reject) {
        let known = self.rejected.entry(reject.reason.name()).or_default();
        *known = known.saturating_add(1);
        self.last_rejection = Some(reject.message.clone());
    }
}
