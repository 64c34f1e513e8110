//! A profile at a model's border: which of its columns windows are held against, under the names that the model has for them, and what
//! it tells of the model's columns. Pure.

#![warn(clippy::arithmetic_side_effects)]

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use polars::prelude::DataFrame;

use super::border::{Batch, COMPARED_ROLES, MAX_NAME, RESERVED};
use super::chunks::in_order;
use super::{Role, Schema, Spec, kind_of, millis};
use crate::drift::derived::text::is_text;
use crate::drift::modes::Mode;
use crate::drift::order::Window;
use crate::drift::profile::{Column, Profile, Values, is_one};
use crate::drift::{Kind, Sample};
use crate::frame::json::{ERRORS_TOLD, RowError};
use crate::frame::normal::ColumnKind;

pub use crate::drift::profile::LARGEST;

/// The one column of a batch that holds a profile's text, in one row.
pub const TEXT: &str = "profile";

/// So many bytes tell whether something is meant to be one.
pub const HEAD: u64 = 256;

/// What of a profile a model takes.
pub struct Taken<'a> {
    /// The columns that windows are held against, by the model's own names.
    pub columns: Vec<(&'a str, &'a Column)>,
    /// What they hold, where a profile says so: of text and booleans it does not say which.
    pub schema: Schema,
    /// What is not as its maker may think, a line for each column.
    pub told: Vec<RowError>,
}

/// A profile that passed.
pub struct Admitted {
    /// As the log takes it.
    pub batch: Batch,
    /// Names it.
    pub hash: String,
    /// The rows it stands for.
    pub rows: u64,
    /// What is worth telling.
    pub told: Vec<RowError>,
}

/// Whether what begins so is meant to be a profile.
#[must_use]
pub fn begins(bytes: &[u8]) -> bool {
    let head = usize::try_from(HEAD).ok().and_then(|head| bytes.get(..head));
    is_one(&String::from_utf8_lossy(head.unwrap_or(bytes)))
}

/// What a model of this description takes of a profile.
#[must_use]
pub fn taken<'a>(profile: &'a Profile, spec: &Spec) -> Taken<'a> {
    let (mut columns, mut schema, mut told) = (Vec::new(), Schema::default(), Vec::new());
    let mut tell = |column: &Column, message: &str| {
        if told.len() < ERRORS_TOLD {
            told.push(RowError { row: None, field: Some(column.name.clone()), message: message.to_owned() });
        }
    };
    for column in &profile.columns {
        let role = spec.role_of(&column.name);
        let name = match role {
            Some(Role::Prediction) => "prediction",
            Some(Role::Score) => "score",
            Some(Role::Id | Role::Timestamp | Role::Label | Role::Version) => continue,
            None => column.name.as_str(),
        };
        // As of rows: what holds nothing is as if it were not there.
        if column.present() == 0 || spec.leaves_out(name) {
            continue;
        }
        if role.is_none() && RESERVED.contains(&name) {
            tell(column, "left out: the name is reserved, and its role is played by another column");
            continue;
        }
        if name.len() > MAX_NAME {
            tell(column, "left out: its name is too long");
            continue;
        }
        let kind = match &column.values {
            Values::Numeric(_) => Some(ColumnKind::Number),
            Values::Categorical(held) => held.numbers.then_some(ColumnKind::Number),
        };
        match (role, kind) {
            (Some(Role::Score), None) => {
                tell(column, "left out: a score is a number");
                continue;
            }
            (Some(Role::Score), Some(_)) => schema.score = true,
            (Some(_), kind) => schema.prediction = kind,
            (None, Some(kind)) => {
                schema.features.insert(name.to_owned(), kind);
            }
            (None, None) => {}
        }
        if column.kind() == Kind::Numeric && spec.categorical.iter().any(|categorical| categorical == name) {
            tell(column, "held against as numbers: for categories make the profile anew with --categorical");
        }
        columns.push((name, column));
    }
    let own = spec.window_rows.map_or_else(|| Window::Time(millis(spec.window)), Window::Rows);
    if let Some(window) = profile.window.filter(|window| *window != own) {
        let message = format!(
            "how much columns vary by themselves was seen over windows of {window}, and the model's are of {own}; make the profile anew with \
             that --window"
        );
        told.push(RowError { row: None, field: None, message });
    }
    Taken { columns, schema, told }
}

/// A profile of a reference's rows, which passed the border: of what a model compares of them. Columns of which it would tell single rows
/// are left out, and so are texts.
///
/// # Errors
/// No column is left; says why.
pub fn of_rows(rows: &DataFrame, spec: &Spec) -> Result<Profile, String> {
    let order = in_order(rows, spec);
    let (mut left_out, mut columns) = (Vec::new(), Vec::new());
    for column in rows.columns() {
        let (series, name) = (column.as_materialized_series(), column.name().as_str());
        if RESERVED.contains(&name) && !COMPARED_ROLES.contains(&name) {
            continue;
        }
        let given = kind_of(series.dtype());
        let kind = given.and_then(|given| spec.kind_of(name, given)).filter(|_| !spec.leaves_out(name));
        let kind = kind
            .filter(|kind| *kind == Kind::Numeric || !(spec.text.iter().any(|text| text == name) || is_text(series)));
        let sample = kind.and_then(|kind| Sample::of(series, kind));
        let parts = order.as_ref().map(|order| order.parts(series)).unwrap_or_default();
        let parts: Vec<Sample> = parts.iter().filter_map(|part| Sample::of(part, kind?)).collect();
        let made = sample.and_then(|sample| Column::of(name, sample, given == Some(ColumnKind::Number), &parts).ok());
        match made {
            Some(column) => columns.push(column),
            None => left_out.push(name.to_owned()),
        }
    }
    if columns.is_empty() {
        return Err("no column of the reference can be kept as counts: a profile tells nothing of fewer than five rows, and nothing of texts"
            .to_owned());
    }
    let window = order.map(|_| spec.window_rows.map_or_else(|| Window::Time(millis(spec.window)), Window::Rows));
    let profile = Profile::new(&spec.name, rows.height() as u64, left_out, columns);
    let profile = profile.and_then(|profile| match window {
        Some(window) => profile.in_windows(window),
        None => Ok(profile),
    });
    profile.map_err(|error| format!("the reference's profile {error}"))
}

/// Reads a profile for a model of this description.
///
/// # Errors
/// It is none that can be used, or the model can use none; says why and what to do.
pub fn admit(text: &str, spec: &Spec, max_features: usize) -> Result<Admitted, String> {
    if text.len() > LARGEST {
        return Err(format!("the profile: is none, as it is larger than {} MiB", LARGEST >> 20));
    }
    let profile = Profile::read(text).map_err(|error| format!("the profile: {error}"))?;
    if spec.thresholds.mode == Mode::NannyMl {
        return Err("thresholds.mode nannyml wants the reference's rows; send those".to_owned());
    }
    let Taken { columns, schema, told } = taken(&profile, spec);
    let features = columns.iter().filter(|(name, _)| !RESERVED.contains(name)).count();
    if features > max_features {
        return Err(format!(
            "the profile has {features} features, and there are {max_features} at most (models.max_features); make it anew with --exclude"
        ));
    }
    if columns.is_empty() {
        return Err("no column of the profile is one that the model compares".to_owned());
    }
    let column = Arc::new(StringViewArray::from_iter_values([text])) as ArrayRef;
    let record = RecordBatch::try_from_iter([(TEXT, column)]).map_err(|error| error.to_string())?;
    Ok(Admitted { batch: Batch { record, schema }, rows: profile.rows, told, hash: profile.hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let numbers = || Sample::numeric((0..50).map(|i| Some(f64::from(i))));
        let texts = || Sample::categorical((0..50).map(|i| Some(format!("c{}", i % 3))));
        let column = |name: &str, sample, numbers| Column::of(name, sample, numbers, &[]).expect("enough");
        let none = Sample::missing_rows(Kind::Numeric, 50);
        let columns = vec![
            column("x", numbers(), true),
            column("plan", texts(), false),
            column("y_pred", numbers(), true),
            column("score", texts(), false),
            column("label", numbers(), true),
            column("comment", texts(), false),
            column("empty", none, true),
            column("prediction", numbers(), true),
            column(&"n".repeat(MAX_NAME.saturating_add(1)), numbers(), true),
        ];
        Profile::new("train.csv", 50, Vec::new(), columns).expect("readable")
    }

    #[test]
    fn columns_play_the_roles_that_the_model_gives_them() {
        let mut spec = Spec::new("m");
        let of_days = profile().in_windows(Window::Time(86_400_000)).expect("readable");
        let told_last = |spec: &Spec| taken(&of_days, spec).told.pop().map(|told| told.message).unwrap_or_default();
        assert!(told_last(&spec).contains("over windows of 1day, and the model's are of 1h"), "{}", told_last(&spec));
        spec.window = std::time::Duration::from_secs(86_400);
        assert!(!told_last(&spec).contains("windows"));
        spec.prediction = "y_pred".to_owned();
        spec.exclude = vec!["comment".to_owned()];
        spec.categorical = vec!["x".to_owned()];
        let profile = profile();
        let Taken { columns, schema, told } = taken(&profile, &spec);
        let names: Vec<(&str, &str)> = columns.iter().map(|(name, column)| (*name, column.name.as_str())).collect();
        assert_eq!(names, [("x", "x"), ("plan", "plan"), ("prediction", "y_pred")]);
        // Whether "plan" is text or booleans is for the rows to say.
        assert_eq!(schema.features.iter().collect::<Vec<_>>(), [(&"x".to_owned(), &ColumnKind::Number)]);
        assert_eq!((schema.prediction, schema.score), (Some(ColumnKind::Number), false));
        let told: Vec<_> =
            told.iter().map(|told| (told.field.as_deref().unwrap_or_default().len(), &told.message[..10])).collect();
        assert_eq!(told, [(1, "held again"), (5, "left out: "), (10, "left out: "), (201, "left out: ")]);
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_says_why() {
        let (mut spec, profile) = (Spec::new("m"), profile());
        let admitted = admit(profile.text(), &spec, 100).expect("it passes");
        assert_eq!((admitted.rows, admitted.hash, admitted.batch.record.num_rows()), (50, profile.hash.clone(), 1));
        let error = |text: &str, spec: &Spec, most| admit(text, spec, most).err().unwrap_or_default();
        let changed = profile.text().replacen("\"rows\":50", "\"rows\":51", 1);
        assert!(error(&changed, &spec, 100).contains("it was changed after it was made"));
        assert!(error("{\"plumbline_profile\":1}", &spec, 100).starts_with("the profile: is no profile"));
        assert!(error(profile.text(), &spec, 2).contains("models.max_features"));
        spec.thresholds.mode = Mode::NannyMl;
        assert!(error(profile.text(), &spec, 100).contains("nannyml"));
        spec.thresholds.mode = Mode::Default;
        spec.exclude = ["x", "plan", "prediction", "comment", "y_pred"].map(str::to_owned).to_vec();
        assert!(error(profile.text(), &spec, 100).starts_with("no column"));
    }
}
