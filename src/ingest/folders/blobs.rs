//! KServe's logs in an object store, mounted as a folder, to events: a row is one half of a prediction. Its columns have other names in
//! each of its formats and versions (`reqType`, `req_type`, `ReqType`), and a body is base64 in text and bytes in Parquet.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;

use crate::frame::json::Rows;
use crate::frame::normal::ColumnKind;
use crate::ingest::events::cloud::{self, Arrived};
use crate::ingest::events::reject::{Reason, Reject};

/// What a text column of such a log is read as.
#[must_use]
pub fn expected(name: &str) -> Option<ColumnKind> {
    const TEXTS: [&str; 7] = ["bytes", "reqtype", "id", "inferenceservice", "namespace", "component", "endpoint"];
    TEXTS.contains(&plain(name).as_str()).then_some(ColumnKind::String)
}

/// The columns of a part, by their plain names and as they are called.
pub struct Log<'a> {
    columns: Vec<(String, &'a str, &'a ArrayRef)>,
    rows: usize,
    /// When they were written: the rows do not say when they happened.
    time: Timestamp,
}

/// A name without what versions differ by.
fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

impl<'a> Log<'a> {
    /// The rows of a part of a file that was written then.
    ///
    /// # Errors
    /// They are no such log: a column is missing.
    pub fn of(rows: &'a Rows, time: Timestamp) -> Result<Self, String> {
        let columns = rows.columns.iter().map(|(name, array)| (plain(name), name.as_str(), array));
        let columns: Vec<(String, &str, &ArrayRef)> = columns.collect();
        for (needed, shown) in [("bytes", "bytes"), ("reqtype", "reqType"), ("inferenceservice", "inferenceService")] {
            if !columns.iter().any(|(name, ..)| name == needed) {
                return Err(format!("is no log of KServe's: it has no column `{shown}`"));
            }
        }
        Ok(Self { columns, rows: rows.kept.len(), time })
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = Result<Arrived, Reject>> {
        (0..self.rows).map(|row| self.event(row))
    }

    fn event(&self, row: usize) -> Result<Arrived, Reject> {
        let data = match self.columns.iter().find(|(name, ..)| name == "bytes") {
            Some((.., array)) => body(array, row)?,
            None => Bytes::new(),
        };
        let metadata = self.text("metadata", row).or_else(|| self.headers(row));
        let find = |attribute: &str| match attribute {
            "specversion" => Some("1.0".to_owned()),
            "type" => self.text("reqtype", row),
            "inferenceservicename" => self.text("inferenceservice", row),
            "time" => Some(self.time.to_string()),
            "metadata" => metadata.clone(),
            "id" | "namespace" | "component" | "endpoint" => self.text(attribute, row),
            _ => None,
        };
        cloud::logged(find, data)
    }

    fn text(&self, wanted: &str, row: usize) -> Option<String> {
        let (.., array) = self.columns.iter().find(|(name, ..)| name == wanted)?;
        text(array, row).map(str::to_owned)
    }

    /// Headers that were an object of lists, whose names became columns.
    fn headers(&self, row: usize) -> Option<String> {
        let mut all = serde_json::Map::new();
        for (plain, name, array) in &self.columns {
            let Some(header) = name.split_once('.').filter(|_| plain.starts_with("metadata.")) else { continue };
            let values: Option<Vec<String>> = match array.data_type() {
                DataType::LargeList(_) if array.is_valid(row) => {
                    let values = array.as_list::<i64>().value(row);
                    Some((0..values.len()).filter_map(|at| text(&values, at).map(str::to_owned)).collect())
                }
                _ => text(array, row).map(|text| vec![text.to_owned()]),
            };
            all.extend(values.map(|values| (header.1.to_owned(), values.into())));
        }
        (!all.is_empty()).then(|| serde_json::Value::Object(all).to_string())
    }
}

fn text(array: &dyn Array, row: usize) -> Option<&str> {
    let views = array.as_string_view_opt()?;
    (row < views.len() && views.is_valid(row)).then(|| views.value(row)).filter(|text| !text.is_empty())
}

/// The body of a row: bytes, base64 of them, or JSON as it is.
fn body(array: &ArrayRef, row: usize) -> Result<Bytes, Reject> {
    if array.is_null(row) {
        return Ok(Bytes::new());
    }
    let bytes = match array.data_type() {
        DataType::BinaryView => array.as_binary_view().value(row).to_vec(),
        DataType::Binary => array.as_binary::<i32>().value(row).to_vec(),
        DataType::LargeBinary => array.as_binary::<i64>().value(row).to_vec(),
        _ => {
            let text = text(array, row).unwrap_or_default().trim_matches('"');
            if text.starts_with('{') {
                text.as_bytes().to_vec()
            } else {
                let wrong = |error| Reject::new(Reason::Envelope, format!("bytes is no base64: {error}"));
                STANDARD.decode(text).map_err(wrong)?
            }
        }
    };
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryViewArray, StringViewArray};

    use super::*;
    use crate::frame::json::Limits;
    use crate::ingest::decode::{Format, decode};
    use crate::ingest::events::cloud::{Event, Half};

    const BODY: &str = r#"{"instances":[[1,2]]}"#;

    fn events(rows: &Rows) -> Vec<Event> {
        let log = Log::of(rows, Timestamp::UNIX_EPOCH).expect("a log");
        let event = |arrived| match arrived {
            Ok(Arrived::Event(event)) => *event,
            other => panic!("{other:?}"),
        };
        log.events().map(event).collect()
    }

    fn read(body: &str, format: Format) -> Rows {
        let limits = Limits { rows: 100, columns: 100, cells: 10_000 };
        let body = Bytes::copy_from_slice(body.as_bytes());
        decode(&body, format, limits, &expected).expect("rows")
    }

    #[test]
    fn every_format_and_version_gives_the_same_event() {
        let base64 = STANDARD.encode(BODY);
        let csv = format!(
            "url,bytes,contentType,reqType,id,sourceUri,inferenceService,namespace,component,endpoint,metadata,annotations,certName,tlsSkipVerify\n\
             http://x,{base64},application/json,org.kubeflow.serving.inference.request,7,,iris,ml,predictor,,\"{{\"\"X-Id\"\":[\"\"q\"\"]}}\",,,false\n"
        );
        let json = format!(
            r#"{{"Url":{{"Scheme":"s3","Host":"b"}},"Bytes":"{base64}","ReqType":"org.kubeflow.serving.inference.request","Id":"7","InferenceService":"iris","Namespace":"ml","Component":"predictor","Endpoint":"","Metadata":{{"X-Id":["q"]}},"Annotations":null,"CertName":"","TlsSkipVerify":false}}"#
        );
        let texts = |text: &str| Arc::new(StringViewArray::from(vec![text])) as ArrayRef;
        let parquet = Rows {
            columns: vec![
                ("bytes".to_owned(), Arc::new(BinaryViewArray::from(vec![BODY.as_bytes()])) as ArrayRef),
                ("req_type".to_owned(), texts("org.kubeflow.serving.inference.request")),
                ("id".to_owned(), texts("7")),
                ("inference_service".to_owned(), texts("iris")),
                ("namespace".to_owned(), texts("ml")),
                ("component".to_owned(), texts("predictor")),
            ],
            kept: vec![0],
            ..Rows::default()
        };
        for (rows, header) in
            [(read(&csv, Format::Csv), Some("X-Id")), (read(&json, Format::Json), Some("X-Id")), (parquet, None)]
        {
            let event = events(&rows).remove(0);
            assert_eq!((event.half, event.id.as_deref()), (Half::Request, Some("7")));
            assert_eq!(event.model, crate::identity::ModelKey::within("ml", "iris"));
            assert_eq!((event.data.as_ref(), event.time), (BODY.as_bytes(), Some(Timestamp::UNIX_EPOCH)));
            assert_eq!(event.metadata.first().map(|(name, _)| name.as_str()), header);
        }
    }

    #[test]
    fn what_is_no_such_log_is_told() {
        let rows = read("a,b\n1,2\n", Format::Csv);
        assert!(Log::of(&rows, Timestamp::UNIX_EPOCH).err().expect("none").contains("`bytes`"));
        let rows = read(
            "bytes,reqType,inferenceService\n%%,org.kubeflow.serving.inference.request,m\n,x,m\n{},org.kubeflow.serving.inference.response,\n",
            Format::Csv,
        );
        let log = Log::of(&rows, Timestamp::UNIX_EPOCH).expect("a log");
        let told: Vec<Result<Arrived, Reject>> = log.events().collect();
        assert!(told[0].as_ref().expect_err("no base64").message.contains("base64"));
        assert_eq!(told[1], Ok(Arrived::Other("x".to_owned())));
        assert!(told[2].as_ref().expect_err("no model").message.contains("inferenceservicename"));
    }
}
