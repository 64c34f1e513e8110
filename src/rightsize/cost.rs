//! Money: prices by the hour, months of 730 hours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::usage::Usage;

/// Hours of a month: 365 days of 24 hours, by 12.
pub const MONTH: f64 = 730.0;
/// No price is higher.
const DEAREST: f64 = 1e6;
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
        let wrong = all.filter(|(_, price)| !(0.0..=DEAREST).contains(price));
        let mut found: Vec<_> = wrong.map(|(field, _)| (field, "must be a price, from 0 to 1000000")).collect();
        if self.currency.is_empty()
            || self.currency.len() > 12
            || !self.currency.chars().all(|c| c.is_alphanumeric() || c == ' ')
        {
            found.push(("currency".to_owned(), "must be a short name of letters such as \"USD\""));
        }
        if self.gpu_model_hour.keys().any(|part| part.trim().is_empty()) {
            found.push((
                "gpu_model_hour".to_owned(),
                "a model without a name would be every model; gpu_hour is the price of those",
            ));
        }
        found
    }

    /// A month of one replica of a workload: what it asks for, or what it uses where that is more or nothing is asked for (as OpenCost
    /// allocates).
    #[must_use]
    pub fn month(&self, usage: &Usage, cpu_requested: Option<f64>, memory_requested: Option<f64>) -> f64 {
        let cores = cpu_requested.unwrap_or(0.0).max(usage.cpu_mean().unwrap_or(0.0));
        let bytes = memory_requested.unwrap_or(0.0).max(usage.memory_mean.value().unwrap_or(0.0));
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
        let of =
            |models: &[Option<&str>]| models.iter().map(|model| prices.gpu(*model).to_string()).collect::<Vec<_>>();
        let models =
            [Some("NVIDIA H100 80GB HBM3"), Some("NVIDIA H100 PCIe"), Some("NVIDIA A10"), Some("Tesla T4"), None];
        assert_eq!(of(&models), ["3", "2", "0.5", "0.95", "0.95"]);
    }

    #[test]
    fn every_price_and_name_is_held_to_its_bounds() {
        let fields = |prices: Prices| prices.problems().into_iter().map(|(field, _)| field).collect::<Vec<_>>();
        assert_eq!(fields(Prices::default()), [""; 0]);
        assert_eq!(fields(Prices { cpu_core_hour: 0.0, memory_gib_hour: 1e6, ..Prices::default() }), [""; 0]);
        let wrong = Prices { cpu_core_hour: -0.1, memory_gib_hour: 1e6 + 1.0, gpu_hour: f64::NAN, ..Prices::default() };
        assert_eq!(fields(wrong), ["cpu_core_hour", "memory_gib_hour", "gpu_hour"]);
        let models = [(" ".to_owned(), 1.0), ("A10".to_owned(), -1.0)].into();
        let wrong = Prices { gpu_model_hour: models, ..Prices::default() };
        assert_eq!(fields(wrong), ["gpu_model_hour.A10", "gpu_model_hour"]);
        let called = |currency: &str| fields(Prices { currency: currency.to_owned(), ..Prices::default() });
        for (currency, right) in
            [("euro cents", true), ("twelve bytes", true), ("", false), ("thirteen byte", false), ("<b>", false)]
        {
            assert_eq!(called(currency).is_empty(), right, "{currency}");
        }
    }
}
