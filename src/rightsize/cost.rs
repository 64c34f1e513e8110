//! Money: prices by the hour, months of 730 hours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::usage::Usage;

/// Hours of a month: 365 days of 24 hours, by 12.
pub const MONTH: f64 = 730.0;
const GIB: f64 = 1_073_741_824.0;

/// What things cost. The defaults are OpenCost's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// The currency's name, as it is shown.
    pub currency: String,
    /// A core for an hour.
    pub cpu_core_hour: f64,
    /// A GiB of memory for an hour.
    pub memory_gib_hour: f64,
    /// A GPU for an hour, whose model has no price of its own.
    pub gpu_hour: f64,
    /// GPUs for an hour by model, as the driver names it or a part of that: { "H100" = 2.5 }. The longest part that fits counts.
    pub gpu_model_hour: BTreeMap<String, f64>,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            currency: "USD".to_owned(),
            cpu_core_hour: 0.031_611,
            memory_gib_hour: 0.004_237,
            gpu_hour: 0.95,
            gpu_model_hour: BTreeMap::new(),
        }
    }
}

impl Prices {
    /// What is wrong with them, by field.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, &'static str)> {
        let prices = [
            ("cpu_core_hour", self.cpu_core_hour),
            ("memory_gib_hour", self.memory_gib_hour),
            ("gpu_hour", self.gpu_hour),
        ];
        let models = self.gpu_model_hour.iter().map(|(model, price)| (format!("gpu_model_hour.{model}"), *price));
        let all = prices.into_iter().map(|(field, price)| (field.to_owned(), price)).chain(models);
        let wrong = all.filter(|(_, price)| !(price.is_finite() && *price >= 0.0));
        let mut found: Vec<_> = wrong.map(|(field, _)| (field, "must be a price, at or above 0")).collect();
        if self.currency.trim().is_empty() || self.currency.chars().count() > 12 {
            found.push(("currency".to_owned(), "must be a short name such as \"USD\""));
        }
        found
    }

    /// A month of a workload: what it asks for, or what it uses where that is more or nothing is asked for (as OpenCost
    /// allocates).
    #[must_use]
    pub fn month(&self, usage: &Usage, cpu_asked: Option<f64>, memory_asked: Option<f64>) -> f64 {
        let cores = cpu_asked.unwrap_or(0.0).max(usage.cpu_mean().unwrap_or(0.0));
        let bytes = memory_asked.unwrap_or(0.0).max(usage.memory_mean.mean().unwrap_or(0.0));
        self.hour(cores, bytes) * MONTH
    }

    /// An hour of so many cores and bytes.
    #[must_use]
    pub fn hour(&self, cores: f64, bytes: f64) -> f64 {
        cores * self.cpu_core_hour + bytes / GIB * self.memory_gib_hour
    }

    /// An hour of a GPU.
    #[must_use]
    pub fn gpu(&self, model: Option<&str>) -> f64 {
        let model = model.unwrap_or_default().to_lowercase();
        let fits = self.gpu_model_hour.iter().filter(|(part, _)| model.contains(&part.to_lowercase()));
        fits.max_by_key(|(part, _)| part.len()).map_or(self.gpu_hour, |(_, price)| *price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_part_of_a_model_has_its_price() {
        let models = [("H100".to_owned(), 3.0), ("H100 PCIe".to_owned(), 2.0), ("a10".to_owned(), 0.5)].into();
        let prices = Prices { gpu_model_hour: models, ..Prices::default() };
        assert_eq!(prices.gpu(Some("NVIDIA H100 80GB HBM3")), 3.0);
        assert_eq!(prices.gpu(Some("NVIDIA H100 PCIe")), 2.0);
        assert_eq!(prices.gpu(Some("NVIDIA A10")), 0.5);
        assert_eq!((prices.gpu(Some("Tesla T4")), prices.gpu(None)), (0.95, 0.95));
    }
}
