//! The layout of the data folder, and the refusal of one that another version of plumbline wrote.
//!
//! ```text
//! DATA/{container,gpu,model}_minute/version=N/node=NAME/date=YYYY-MM-DD/hour=HH/minutes.parquet
//! DATA/models/{samples,labels,references}/node=NAME/model_namespace=NAMESPACE/model=NAME/...   (a reference: .parquet, or .profile.json)
//! DATA/models/descriptions/model_namespace=NAMESPACE/model=NAME/description.toml   (by the API)
//! DATA/models/windows/node=NAME/model_namespace=NAMESPACE/model=NAME/END.json.gz
//! DATA/models/folders/FOLDER.journal   (by `ingest::folders`)
//! DATA/models/log/...   DATA/models/agent.json   DATA/models/forwarded.json   DATA/alerts.json
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use super::Error;
use crate::frame::gpu::GpuRow;
use crate::frame::model::ModelRow;
use crate::frame::{MinuteRow, Row};
use crate::identity::ModelKey;

/// The file that tells this data folder from every other, below the models'.
pub(super) const AGENT: &str = "agent.json";
/// Every table of minutes with the version that is read and written here.
const TABLES: [(&str, u32); 3] = [version::<MinuteRow>(), version::<GpuRow>(), version::<ModelRow>()];

/// What folders of namespaces and models begin with, as hive-partitioned folders do.
const NAMESPACE: &str = "model_namespace=";
const MODEL: &str = "model=";
/// The namespace of a model without one: readers of such folders take it for null, and no namespace is called so.
const NO_NAMESPACE: &str = "__HIVE_DEFAULT_PARTITION__";

/// Where a model's files lie, below their table.
const MODELS: &str = "node=NAME/model_namespace=NAMESPACE/model=NAME";

/// A model's folder below a table's folder of a node.
pub(super) fn of_model(table: &Path, model: &ModelKey) -> PathBuf {
    let namespace = model.namespace.as_deref().unwrap_or(NO_NAMESPACE);
    table.join(format!("{NAMESPACE}{namespace}")).join(format!("{MODEL}{}", model.name))
}

/// The model whose file this is.
pub(super) fn model_of(path: &Path) -> Option<ModelKey> {
    let mut folders = path.ancestors().skip(1).map(|folder| folder.file_name()?.to_str());
    let name = folders.next()??.strip_prefix(MODEL)?.to_owned();
    let namespace = folders.next()??.strip_prefix(NAMESPACE)?;
    Some(ModelKey {
        namespace: Some(namespace).filter(|namespace| *namespace != NO_NAMESPACE).map(str::to_owned),
        name,
    })
}

const fn version<R: Row>() -> (&'static str, u32) {
    (R::TABLE, R::VERSION)
}

/// Holds the folder against this version's layout.
///
/// # Errors
/// A table is there in another version. It is left as it is.
pub fn check(data: &Path) -> Result<(), Error> {
    for (table, ours) in TABLES {
        let Ok(entries) = fs::read_dir(data.join(table)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(version) = name.to_str().and_then(|name| name.strip_prefix("version=")) else { continue };
            if version != ours.to_string() {
                return Err(Error::OtherVersion { path: entry.path(), ours: format!("version={ours}") });
            }
        }
    }
    for table in ["samples", "labels", "references"] {
        let table = data.join("models").join(table);
        // A model's folder where a node's should be, or a namespace's.
        if has_model(&table) || folders(&table).any(|node| has_model(&node)) {
            return Err(Error::OtherVersion { path: table, ours: MODELS.to_owned() });
        }
    }
    let log = data.join("models/log");
    if super::log::segments(&log)?.iter().any(|segment| super::log::is_of_other_version(&segment.path)) {
        return Err(Error::OtherVersion { path: log, ours: "another form of it".to_owned() });
    }
    Ok(())
}

/// The folders of all models below a table's folder of a node.
pub(super) fn model_folders(table: &Path) -> impl Iterator<Item = PathBuf> {
    folders(table).flat_map(|namespace| folders(&namespace).collect::<Vec<_>>())
}

fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn has_model(folder: &Path) -> bool {
    let name = |path: PathBuf| path.file_name()?.to_str().map(|name| name.starts_with(MODEL));
    folders(folder).any(|path| name(path) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_another_version_is_refused_and_left_alone() {
        let data = tempfile::tempdir().expect("a folder");
        check(data.path()).expect("a new folder");
        fs::create_dir_all(data.path().join("container_minute/version=2")).expect("made");
        fs::create_dir_all(data.path().join("models/samples/node=node-1/model_namespace=ml/model=m")).expect("made");
        crate::store::Log::open(&data.path().join("models/log"), 1, 1).expect("a log");
        check(data.path()).expect("ours");
        for other in [
            "gpu_minute/version=1",
            "gpu_minute/version=3",
            "models/samples/model=m",
            "models/labels/model=m",
            "models/references/model=m",
            "models/references/node=node-1/model=m",
        ] {
            fs::create_dir_all(data.path().join(other)).expect("made");
            let error = check(data.path()).expect_err("refused").to_string();
            let place = other.split("/node=").next().and_then(|place| place.strip_suffix("/model=m")).unwrap_or(other);
            let place = place.split("/node=").next().unwrap_or(place);
            assert!(error.contains(place) && error.contains("--data"), "{error}");
            fs::remove_dir(data.path().join(other)).expect("removed");
        }
        fs::write(data.path().join("models/log/000000000009.log"), b"PLUMLOG1").expect("written");
        let error = check(data.path()).expect_err("refused").to_string();
        assert!(error.contains("models/log") && error.contains("--data"), "{error}");
    }
}
