//! `plumbline tokens`: fresh tokens, one for each kind of right.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;

use crate::access::{Right, fresh};

pub const EXAMPLES: &str = "\
Examples:
  umask 077; plumbline tokens > tokens.toml          a token to read, one to send samples, one to describe models
  plumbline tokens --output /etc/plumbline-tokens    the same in a folder, and each token in a file of its own; once
  plumbline agent --listen 0.0.0.0:9477 --tokens tokens.toml
  curl -H \"Authorization: Bearer TOKEN\" http://node-1:9477/metrics
  plumbline tokens --format secret --namespace plumbline | kubectl apply -f -

A token may be for some models alone: add models = [\"NAMESPACE/*\", \"NAME\"] to it. In the place of token = \"...\" the file may
hold its SHA-256: sha256 = \"...\" (printf %s TOKEN | sha256sum). The agent reads the file again when it has changed.";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How they are written.
    #[arg(long, value_enum, default_value_t = Format::Toml)]
    format: Format,
    /// Write the file and each token (read, write, describe) to this folder instead, for their owner and group alone. What is there stays.
    #[arg(long, short, value_name = "DIR", conflicts_with = "format")]
    output: Option<PathBuf>,
    /// Of the Secret.
    #[arg(long, value_name = "NAME", default_value = "plumbline")]
    namespace: String,
    /// The Secret's name.
    #[arg(long, value_name = "NAME", default_value = "plumbline-tokens")]
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The file that --tokens names.
    Toml,
    /// A Kubernetes Secret: that file, and each token by itself for those who send one.
    Secret,
}

/// Prints them.
#[expect(clippy::print_stdout, reason = "what the command is for")]
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(folder) = &arguments.output {
        let word = if write(folder)? { "made" } else { "there already, and left as they are" };
        println!("{}: tokens {word}", folder.display());
        return Ok(());
    }
    let made = made().map_err(anyhow::Error::msg)?;
    match arguments.format {
        Format::Toml => print!("{}", file(&made)),
        Format::Secret => print!("{}", secret(&made, &arguments.namespace, &arguments.name)?),
    }
    Ok(())
}

/// Whether there were none. The file of tokens comes last: where it is, all are.
fn write(folder: &Path) -> anyhow::Result<bool> {
    let whole = folder.join(FILE);
    if whole.exists() {
        return Ok(false);
    }
    let told = |path: &Path| path.display().to_string();
    fs::create_dir_all(folder).with_context(|| told(folder))?;
    let made = made().map_err(anyhow::Error::msg)?;
    let texts = made.iter().map(|(right, token)| (right.name(), token.clone()));
    for (name, text) in texts.chain([(FILE, file(&made))]) {
        let path = folder.join(name);
        let aside = folder.join(format!(".{name}.tmp"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .open(&aside)
            .with_context(|| told(&aside))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(|| told(&aside))?;
        fs::rename(&aside, &path).with_context(|| told(&path))?;
    }
    Ok(true)
}

/// What the file of tokens is called.
const FILE: &str = "tokens.toml";

type Made = [(Right, String); 3];

fn made() -> Result<Made, String> {
    Ok([(Right::Read, fresh()?), (Right::Write, fresh()?), (Right::Describe, fresh()?)])
}

fn file(made: &Made) -> String {
    let one = |(right, token): &(Right, String)| {
        let name = right.name();
        format!("[[token]]\nname = \"{name}\"\ntoken = \"{token}\"\nmay = [\"{name}\"]\n")
    };
    made.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// JSON is YAML, and needs no care for what a name may hold.
fn secret(made: &Made, namespace: &str, name: &str) -> Result<String, serde_json::Error> {
    let mut data = serde_json::Map::from_iter([(FILE.to_owned(), file(made).into())]);
    data.extend(made.iter().map(|(right, token)| (right.name().to_owned(), token.clone().into())));
    let secret = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name, "namespace": namespace },
        "stringData": data,
    });
    Ok(serde_json::to_string_pretty(&secret)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Digest, Tokens};

    #[test]
    fn what_is_in_the_folder_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("tokens");
        assert!(write(&below).expect("written"));
        let read = |name: &str| fs::read_to_string(below.join(name)).expect("a file");
        let (whole, scrape) = (read(FILE), read("read"));
        assert!(whole.contains(&scrape) && Tokens::parse(&whole).is_ok());
        assert!(!write(&below).expect("left"));
        assert_eq!((read(FILE), read("read")), (whole, scrape));
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(below.join(FILE)).expect("a file").permissions());
        assert_eq!(mode & 0o007, 0, "others read nothing");
    }

    #[test]
    fn what_is_made_is_a_file_of_tokens() {
        let made = made().expect("random");
        let tokens = Tokens::parse(&file(&made)).expect("a file of tokens");
        for (right, token) in &made {
            let known = tokens.find(&Digest::of(token.as_bytes())).expect("known");
            assert!(known.may(*right, None));
            assert_eq!(
                [Right::Read, Right::Write, Right::Describe].iter().filter(|right| known.may(**right, None)).count(),
                1
            );
        }
        let secret: serde_json::Value = serde_json::from_str(&secret(&made, "ml", "t").expect("JSON")).expect("JSON");
        assert_eq!(secret["stringData"]["write"], made[1].1.as_str());
        assert_eq!(secret["stringData"]["tokens.toml"], file(&made).as_str());
    }
}
