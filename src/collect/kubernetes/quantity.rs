//! Kubernetes' quantities: `100m`, `1.5`, `2Gi`, `128974848`, `12e6`.
//!
//! The grammar: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.

/// What a quantity stands for: cores, bytes, or a count. `None` for what is none, and below zero.
pub fn parse(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let scale = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        "Ei" => 1_152_921_504_606_846_976.0,
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            10_f64.powi(power.clamp(-30, 30))
        }
    };
    // What divides exactly is kept exact: 100m is a tenth, not 100 times a thousandth.
    let value = match scale {
        scale if scale < 1.0 => number / (1.0 / scale).round(),
        scale => number * scale,
    };
    (value.is_finite() && value >= 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_read() {
        let read = [
            ("100m", 0.1),
            ("1", 1.0),
            ("1.5", 1.5),
            ("+2", 2.0),
            (".5", 0.5),
            ("0", 0.0),
            ("64Mi", 67_108_864.0),
            ("1.5Gi", 1_610_612_736.0),
            ("128974848", 128_974_848.0),
            ("129e6", 129e6),
            ("129E6", 129e6),
            ("1e-3", 0.001),
            ("129M", 129e6),
            ("123k", 123e3),
            ("2E", 2e18),
            ("2Ei", 2_305_843_009_213_693_952.0),
            ("250000u", 0.25),
            ("500000000n", 0.5),
            ("128974848000m", 128_974_848.0),
        ];
        for (text, value) in read {
            let found = parse(text).expect(text);
            assert!((found - value).abs() <= 1e-12 * value, "{text}: {found}");
        }
        for odd in ["", "m", "Gi", "1K", "1gi", "-1", "1 Gi", "1e", "1e5e5", "NaN", "inf", "--1", "1.2.3", "１"] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_or_is_below_zero(text in ".{0,20}") {
            prop_assert!(parse(&text).is_none_or(|value| value.is_finite() && value >= 0.0));
        }
    }
}
