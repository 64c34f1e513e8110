//! A column of the reference with all that its own rows say of it: its bins, its spread, and how much it varies by itself.

use super::aspect::Aspect;
use super::effect::{Effect, Scale};
use super::spread::{Spread, distinct};
use super::variation::Variation;
use super::{Bins, EXACT_UP_TO, Sample};

/// One column of the reference.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// Its values.
    pub sample: Sample,
    /// The bins they make.
    pub bins: Bins,
    /// What numbers are measured by.
    pub scale: Option<Scale>,
    /// How numbers lie.
    pub spread: Option<Spread>,
    /// Values that differ from one another.
    pub distinct: u64,
    /// Up to so many values of the larger side a test's p-value may take its time.
    pub exact_up_to: usize,
    /// Its rows in the order given, in the parts that a mode wants.
    pub row_chunks: Vec<Sample>,
    /// How much it varies by itself, aspect by aspect; where that is more than chance.
    pub variations: Vec<(Aspect, Variation)>,
}

impl Baseline {
    /// Of its values, in no order.
    #[must_use]
    pub fn new(sample: Sample) -> Self {
        let scale = match &sample {
            Sample::Numeric { sorted, .. } => Scale::of(sorted),
            Sample::Categorical { .. } => None,
        };
        Self {
            bins: Bins::of(&sample),
            scale,
            spread: Spread::of(&sample),
            distinct: distinct(&sample),
            sample,
            exact_up_to: EXACT_UP_TO,
            row_chunks: Vec::new(),
            variations: Vec::new(),
        }
    }

    /// How much it varies by itself in this, where that is more than chance.
    #[must_use]
    pub fn variation(&self, aspect: Aspect) -> Option<Variation> {
        self.variations.iter().find(|(of, _)| *of == aspect).map(|(_, variation)| *variation)
    }

    /// The p-value of an effect in one aspect over so many rows: what the test says, or what the column's own variation does, whichever
    /// is less sure.
    #[must_use]
    pub fn p_value(&self, aspect: Aspect, tested: Option<f64>, effect: Effect, rows: u64) -> Option<f64> {
        let own = self.variation(aspect).and_then(|own| own.p_value(effect.corrected(), rows as f64));
        tested.map(|tested| own.map_or(tested, |own| own.max(tested)))
    }
}
