//! What the command line asks of `plumbline drift`: its options, the tests and thresholds they make, and what each column is for.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueEnum;

use super::Error;
use super::reference::Reference;
use crate::cli::times::Length;
use crate::dataset::Dataset;
use crate::drift::modes::Mode;
use crate::drift::verdict::{Correction, Thresholds, nearest};
use crate::drift::{Kind, Test, defaults, selected};
use crate::frame::normal::ColumnKind;
use crate::quality::Rules;

pub const EXAMPLES: &str = "\
Examples:
  plumbline drift --reference train.parquet --current today.parquet
  plumbline drift --reference a.csv --current b.csv --id order_id --timestamp at --exclude note,comment
  plumbline drift --reference month.parquet --current today.parquet --timestamp at --window 1d    # a season of days is no drift
  plumbline drift --reference a.parquet --current b.parquet --prediction y_pred --score y_prob --label y
  plumbline drift --reference a.parquet --current b.parquet --threshold psi=0.2 --threshold age:shift=0.3
  plumbline drift --reference a.parquet --current b.parquet --text note --timestamp at  # words of `note`, ages of dates
  plumbline drift --reference a.parquet --current b.parquet --format html --output drift.html
  plumbline drift --reference a.parquet --current b.parquet --fail-on-drift   # in a pipeline
  plumbline drift --reference a.parquet --current b.parquet --fail-on-quality --quality-limit missing=0.05
  plumbline drift --reference train.profile.json --current today.parquet      # a profile: `plumbline profile build`
  plumbline drift --reference train.profile.json --current http://node-1:9477/api/v1/models/churn/windows/latest/tally \
    --current http://node-2:9477/api/v1/models/churn/windows/latest/tally      # one verdict over two replicas
  plumbline drift --reference s3://models/churn/train.profile.json --reference-hash 9f86d08... --current today.parquet

Strings, booleans and dictionaries are compared as categories, numbers by their order. Texts are compared by what is made
of them, one column each: `note.length`, `note.out_of_vocabulary` (share of words that the reference's vocabulary lacks),
`note.letters`, `.capitals`, `.digits`, `.spaces`, `.others` (shares of characters); dates by their age in days, `seen.age`;
lists of numbers of one length, such as embeddings, as a cloud: its centroid, its spread, MMD and a classifier.
Files may be Parquet, Arrow (file or stream), CSV, TSV or NDJSON, and need not be of one kind.

Exit codes: 0 done; with --fail-on-drift or --fail-on-quality 0 without a finding, 1 with one; 2 for an error.";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What the current data is compared with: the training data, a time that was good, or a profile of either. A path, or an address
    /// (https://, http://, s3://, gs://, az://).
    #[arg(long, value_name = "FILE")]
    pub(super) reference: PathBuf,
    /// Refuse a reference of another SHA-256: the file's, or a profile's own.
    #[arg(long, value_name = "SHA256")]
    pub(super) reference_hash: Option<String>,
    /// The data in question, by path or address; or the counts of windows under a profile, as many times as there are replicas: they are
    /// added up, and held against the profile.
    #[arg(long, value_name = "FILE", required = true)]
    pub(super) current: Vec<PathBuf>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(super) format: Format,
    /// Write the result to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Exit with 1 if there is drift.
    #[arg(long)]
    pub(super) fail_on_drift: bool,
    /// Exit with 1 if a check of data quality finds fault with the current rows.
    #[arg(long)]
    pub(super) fail_on_quality: bool,
    /// Columns that name a row: never compared.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    id: Vec<String>,
    /// Columns that tell when: never compared. By the first the reference is parted in windows as long as all current data, or as --window
    /// says: what a column varies by itself from one to the next is no drift. And dates are compared by how long before that they lie;
    /// without it, before a column that the rows of both files stand in order of.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(super) timestamp: Vec<String>,
    #[command(flatten)]
    pub(super) length: Length,
    /// Columns of the ground truth: never compared, but performance is measured against it.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    label: Vec<String>,
    /// Columns of the model's prediction: compared, and measured by the label.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    prediction: Vec<String>,
    /// Columns of the score of the positive class: compared, and measured by the label.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    score: Vec<String>,
    /// Columns to leave out.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(super) exclude: Vec<String>,
    /// Columns to compare even if they seem to name rows. A column whose values are all in one row alone, or rise with every row, is left
    /// out otherwise, and said so.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    include: Vec<String>,
    /// Columns of numbers, or of texts, that stand for categories.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    categorical: Vec<String>,
    /// Columns of texts: compared by their length, their words and their characters. Columns of strings that differ from row to row and
    /// have three words or more on average are taken for texts anyway.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    text: Vec<String>,
    /// Whose rule decides: plumbline's, or what Evidently or NannyML decide by default.
    #[arg(long, value_enum, default_value_t = ModeOption::Default)]
    mode: ModeOption,
    /// The drift tests to run beside the verdict, or `all`; without it the five of them that are quickest.
    #[arg(long, value_name = "NAME,...")]
    tests: Option<String>,
    /// Compare all columns together too: what principal components leave out, whether a classifier tells the sides apart, and the
    /// maximum mean discrepancy. Of a long file every so many rows, 20000 at most.
    #[arg(long)]
    multivariate: bool,
    /// How p-values are corrected over the columns.
    #[arg(long, value_enum, default_value_t = CorrectionOption::BenjaminiHochberg)]
    correction: CorrectionOption,
    /// A corrected p-value below this is no chance: so often a comparison of data that has not changed finds drift.
    #[arg(long, value_name = "P", default_value_t = Thresholds::default().significance)]
    significance: f64,
    /// A column of numbers drifts by a Wasserstein distance above so many of the reference's standard deviations.
    #[arg(long, value_name = "DEVIATIONS", default_value_t = Thresholds::default().shift)]
    shift: f64,
    /// A column of categories, or what is missing of any, drifts by a Jensen-Shannon distance above this.
    #[arg(long, value_name = "DISTANCE", default_value_t = Thresholds::default().jensen_shannon)]
    jensen_shannon: f64,
    /// Another threshold: of a column's effect (age:shift=0.2), or of a test, whose statistic then decides in the effect's place (psi=0.2,
    /// age:psi=0.3). A column may be one that is made of another (note.length:shift=0.2). The statistic counts from
    /// what it is without a change: 0, of fisher 1 (fisher=2 is an odds ratio beyond 2 or below 0.5). The change must be certain all the
    /// same. May be given several times.
    #[arg(long, value_name = "[COLUMN:]NAME=VALUE")]
    threshold: Vec<String>,
    /// Another limit of a check of data quality, beyond which it finds fault, by the names that the configuration has: missing,
    /// wrong_type, range, new_categories, vanished_categories, constant, duplicated_rows, duplicated_ids (shares of rows, from 0 to 1),
    /// cardinality (a ratio, from 1), correlation (a difference, from 0 to 2). May be given several times.
    #[arg(long, value_name = "CHECK=VALUE")]
    quality_limit: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeOption {
    /// Significant and large, the noise taken off.
    Default,
    /// As Evidently decides by default.
    Evidently,
    /// As NannyML decides by default, the current data being one chunk.
    Nannyml,
}

impl From<ModeOption> for Mode {
    fn from(option: ModeOption) -> Self {
        match option {
            ModeOption::Default => Self::Default,
            ModeOption::Evidently => Self::Evidently,
            ModeOption::Nannyml => Self::NannyMl,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CorrectionOption {
    /// Of what is found, no larger a share is false.
    BenjaminiHochberg,
    /// The chance that anything at all is false.
    Bonferroni,
}

impl From<CorrectionOption> for Correction {
    fn from(option: CorrectionOption) -> Self {
        match option {
            CorrectionOption::BenjaminiHochberg => Self::BenjaminiHochberg,
            CorrectionOption::Bonferroni => Self::Bonferroni,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people, in colour on a terminal.
    Table,
    /// For programs.
    Json,
    /// For a pull request or a ticket.
    Markdown,
    /// A page of its own.
    Html,
}

/// What each column is for.
pub(super) struct Roles {
    pub(super) ids: Vec<String>,
    pub(super) left_out: BTreeSet<String>,
    pub(super) categorical: BTreeSet<String>,
    pub(super) text: BTreeSet<String>,
    /// Compared even where they name rows.
    pub(super) included: BTreeSet<String>,
    /// How a reader has such a column compared, after what is said of it.
    pub(super) to_include: &'static str,
    pub(super) timestamp: Vec<String>,
    pub(super) label: Option<String>,
    pub(super) prediction: Option<String>,
    pub(super) score: Option<String>,
    pub(super) together: bool,
}

impl Arguments {
    /// The tests that are run, and the thresholds.
    pub(super) fn asked(&self) -> Result<(Vec<&'static Test>, Thresholds), Error> {
        let tests = match &self.tests {
            Some(names) => selected(names).map_err(Error::Tests)?,
            None => defaults(),
        };
        let mut thresholds = Thresholds {
            mode: self.mode.into(),
            correction: self.correction.into(),
            significance: self.significance,
            shift: self.shift,
            jensen_shannon: self.jensen_shannon,
            ..Thresholds::default()
        };
        let wrong = |option: &str, message: String| Error::Threshold { option: option.to_owned(), message };
        for given in &self.threshold {
            thresholds.set(given).map_err(|message| wrong("threshold", format!("{given} {message}")))?;
        }
        if let Some((field, message)) = thresholds.problems().into_iter().next() {
            // Of a test, or of a column, whose name may have a dot of its own: as it was given.
            let of_column = field.strip_prefix("columns.").and_then(|field| field.rsplit_once('.'));
            let given = of_column.map(|(column, name)| format!("{column}:{name}"));
            let given = given.or_else(|| field.strip_prefix("tests.").map(str::to_owned));
            return Err(match given {
                Some(given) => wrong("threshold", format!("{given} {message}")),
                None => wrong(&field, message),
            });
        }
        Ok((thresholds.with_deciding(tests), thresholds))
    }

    /// What is looked for in the rows themselves.
    pub(super) fn rules(&self) -> Result<Rules, Error> {
        let mut rules = Rules::default();
        let wrong = |message: String| Error::Threshold { option: "quality_limit".to_owned(), message };
        for given in &self.quality_limit {
            rules.set(given).map_err(|message| wrong(format!("{given} {message}")))?;
        }
        match rules.problems().into_iter().next() {
            Some((field, message)) => Err(wrong(format!("{} {message}", field.trim_start_matches("limits.")))),
            None => Ok(rules),
        }
    }

    /// The first option that is given and means nothing without rows.
    pub(super) fn wants_rows(&self) -> Option<&'static str> {
        let options = [
            ("fail-on-quality", self.fail_on_quality),
            ("quality-limit", !self.quality_limit.is_empty()),
            ("multivariate", self.multivariate),
            ("id", !self.id.is_empty()),
            ("timestamp", !self.timestamp.is_empty()),
            ("label", !self.label.is_empty()),
            ("categorical", !self.categorical.is_empty()),
            ("text", !self.text.is_empty()),
        ];
        options.into_iter().find_map(|(name, given)| given.then_some(name))
    }

    /// As what a column of the current data is read: as the reference has it, where it is compared and no option says what it is.
    pub(super) fn wants(&self, reference: &Reference, name: &str) -> &'static [ColumnKind] {
        let is = |names: &[String]| names.iter().any(|named| named == name);
        if is(&self.text) {
            return &[ColumnKind::String];
        }
        let others = [&self.id, &self.timestamp, &self.label, &self.exclude, &self.categorical];
        if others.into_iter().any(|names| is(names)) { &[] } else { reference.wants(name) }
    }

    pub(super) fn roles(
        &self,
        reference: &Reference,
        current: &Dataset,
        thresholds: &Thresholds,
    ) -> Result<Roles, Error> {
        let of_columns: Vec<String> = thresholds.columns.keys().cloned().collect();
        let named = [
            ("id", &self.id),
            ("timestamp", &self.timestamp),
            ("label", &self.label),
            ("prediction", &self.prediction),
            ("score", &self.score),
            ("exclude", &self.exclude),
            ("include", &self.include),
            ("categorical", &self.categorical),
            ("text", &self.text),
        ];
        let mut known: Vec<&str> = reference.names();
        known.extend(current.fields.iter().map(|field| field.name.as_str()));
        all_known(&named, &known)?;
        let made = reference.makes(thresholds.mode);
        known.extend(made.iter().map(String::as_str));
        all_known(&[("threshold", &of_columns)], &known)?;
        if let Reference::Profile { path, profile, .. } = reference {
            let numeric = |name: &&String| profile.column(name).is_some_and(|column| column.kind() == Kind::Numeric);
            if self.categorical.iter().any(|name| numeric(&name)) {
                return Err(Error::Rows { option: "categorical", path: path.clone() });
            }
            if !self.text.is_empty() {
                return Err(Error::Rows { option: "text", path: path.clone() });
            }
            if self.multivariate {
                return Err(Error::Rows { option: "multivariate", path: path.clone() });
            }
        }
        let all = |lists: &[&Vec<String>]| -> BTreeSet<String> { lists.iter().copied().flatten().cloned().collect() };
        Ok(Roles {
            ids: self.id.clone(),
            left_out: reference
                .left_out()
                .map(str::to_owned)
                .chain(all(&[&self.id, &self.timestamp, &self.label, &self.exclude]))
                .collect(),
            categorical: all(&[&self.categorical]),
            text: all(&[&self.text]),
            included: all(&[&self.include, &self.prediction, &self.score, &of_columns]),
            to_include: "; --include compares it",
            timestamp: self.timestamp.clone(),
            label: self.label.first().cloned(),
            prediction: self.prediction.first().cloned(),
            score: self.score.first().cloned(),
            together: self.multivariate,
        })
    }
}

/// Every column that an option names is there.
pub(in crate::cli) fn all_known(named: &[(&'static str, &Vec<String>)], known: &[&str]) -> Result<(), Error> {
    for (option, columns) in named {
        for column in *columns {
            if !known.contains(&column.as_str()) {
                return Err(Error::Column { option, column: column.clone(), nearest: nearest(column, known) });
            }
        }
    }
    Ok(())
}
