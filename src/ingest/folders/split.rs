//! Rows of several models in one file, told apart by a column. Pure.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::filter;

use super::Came;
use crate::frame::json::Rows;
use crate::identity::ModelKey;
use crate::model::{check_name, check_namespace};

/// Models of one part.
const MOST: usize = 1000;

/// The rows of each model, and those of none.
///
/// # Errors
/// The column is missing, is none of texts, or names too many models.
pub fn by_model(
    rows: Rows,
    only: Option<ModelKey>,
    column: Option<&str>,
) -> Result<(Vec<(ModelKey, Rows)>, Came), String> {
    let Some(column) = column else {
        return Ok((only.map(|model| (model, rows)).into_iter().collect(), Came::default()));
    };
    let mut came = Came { rejected: rows.rejected, ..Came::default() };
    came.told = rows.errors.iter().find(|error| error.row.is_some()).map(|error| error.message.clone());
    if rows.kept.is_empty() {
        return Ok((Vec::new(), came));
    }
    let array = rows.columns.iter().find(|(name, _)| name == column).map(|(_, array)| array);
    let array =
        array.ok_or_else(|| format!("has no column `{column}`, which names each row's model (model_column)"))?;
    let names = array.as_string_view_opt().ok_or_else(|| format!("column `{column}` holds no texts (model_column)"))?;
    let mut of: BTreeMap<ModelKey, Vec<bool>> = BTreeMap::new();
    for (row, name) in names.iter().enumerate() {
        match name.map_or_else(|| Err("is missing".to_owned()), key) {
            Ok(model) => {
                if let Some(mark) = of.entry(model).or_insert_with(|| vec![false; names.len()]).get_mut(row) {
                    *mark = true;
                }
            }
            Err(message) => came.add(Came { rejected: 1, told: Some(format!("{column} {message}")), rows: 0 }),
        }
        if of.len() > MOST {
            return Err(format!("column `{column}` names more than {MOST} models"));
        }
    }
    let mut all = Vec::with_capacity(of.len());
    for (model, marks) in of {
        let kept = rows.kept.iter().zip(&marks).filter(|(_, is_its)| **is_its).map(|(row, _)| *row).collect();
        let marks = BooleanArray::from(marks);
        let own = rows.columns.iter().filter(|(name, _)| name != column);
        let own =
            own.map(|(name, array)| Ok((name.clone(), filter(array, &marks).map_err(|error| error.to_string())?)));
        let columns = own.collect::<Result<_, String>>()?;
        all.push((model, Rows { columns, kept, ..Rows::default() }));
    }
    Ok((all, came))
}

fn key(text: &str) -> Result<ModelKey, String> {
    let (namespace, name) = text.split_once('/').map_or((None, text), |(namespace, name)| (Some(namespace), name));
    check_name(name).map_err(|message| format!("`{text}` {message}"))?;
    if let Some(namespace) = namespace {
        check_namespace(namespace).map_err(|message| format!("`{text}` {message}"))?;
    }
    Ok(ModelKey { namespace: namespace.map(str::to_owned), name: name.to_owned() })
}
