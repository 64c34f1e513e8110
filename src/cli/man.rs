//! `plumbline man`: the manual page, out of the definitions of the command line: one page of everything, or one for each command.

use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;

use super::Cli;

pub const EXAMPLES: &str = "\
Examples:
  plumbline man | man -l -                                 read it
  plumbline man > /usr/local/share/man/man1/plumbline.1    keep it
  plumbline man --output /usr/local/share/man/man1         a page for each command: plumbline.1, plumbline-drift.1, ...

Exit codes: 0 done, 1 failed, 2 wrong usage.";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Write a page for each command into this folder, instead of one page of everything to standard output.
    #[arg(long, short, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
}

/// The command line as it is when it runs: with the options that every command has, and without the command that tells of commands.
fn definitions() -> clap::Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

/// One page of everything: the program, then each command as a section.
///
/// # Errors
/// Only where memory cannot be written.
pub(super) fn page() -> io::Result<Vec<u8>> {
    let command = definitions();
    let man = Man::new(command.clone());
    let mut page = front(&man)?;
    below(&command, &mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// What each page begins with.
fn front(man: &Man) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    Ok(page)
}

fn below(command: &clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        let name = inner.get_bin_name().unwrap_or(inner.get_name()).to_uppercase();
        let man = Man::new(inner.clone());
        let mut part = Vec::new();
        man.render_synopsis_section(&mut part)?;
        man.render_description_section(&mut part)?;
        man.render_options_section(&mut part)?;
        notes(inner, &man, &mut part)?;
        page.extend(format!(".SH \"{name}\"\n").bytes());
        // Sections of a page are parts of a section here.
        for line in String::from_utf8_lossy(&part).lines() {
            let line = line.strip_prefix(".SH ").map_or_else(|| line.to_owned(), |title| format!(".SS {title}"));
            page.extend(line.bytes());
            page.push(b'\n');
        }
        below(inner, page)?;
    }
    Ok(())
}

/// Examples and exit codes: line by line as they are, where roff would fill one line with the next.
fn notes(command: &clap::Command, man: &Man, page: &mut Vec<u8>) -> io::Result<()> {
    if command.get_after_help().is_none() {
        return Ok(());
    }
    let mut part = Vec::new();
    man.render_extra_section(&mut part)?;
    let text = String::from_utf8_lossy(&part);
    // Before the title stands what a page begins with.
    let lines = text.split_once(".SH EXTRA\n").map_or(&*text, |(_, lines)| lines);
    page.extend(format!(".SH NOTES\n.nf\n{lines}.fi\n").bytes());
    Ok(())
}

/// The page of a command, and of those below it, into the folder.
fn write(command: &clap::Command, folder: &Path) -> io::Result<()> {
    let man = Man::new(command.clone());
    let mut page = front(&man)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    notes(command, &man, &mut page)?;
    std::fs::write(folder.join(man.get_filename()), page)?;
    command.get_subcommands().filter(|inner| !inner.is_hide_set()).try_for_each(|inner| write(inner, folder))
}

/// A page for each command.
///
/// # Errors
/// The folder is not there, or cannot be written.
pub(super) fn pages(folder: &Path) -> anyhow::Result<()> {
    let failed = |error: io::Error| anyhow::anyhow!("{}: {error}", folder.display());
    if !folder.is_dir() {
        anyhow::bail!("{}: there is no such folder; make it first", folder.display());
    }
    write(&definitions(), folder).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::super::definitions as all;
    use super::*;

    /// As a reader sees it: without what roff needs.
    fn read(page: &[u8]) -> String {
        let text = String::from_utf8(page.to_vec()).expect("text");
        ["\\fB", "\\fI", "\\fR"].iter().fold(text, |text, font| text.replace(font, "")).replace("\\-", "-")
    }

    #[test]
    fn the_page_holds_every_command_and_option() {
        let page = page().expect("a page");
        let text = read(&page);
        for (command, options) in all(&Cli::command()) {
            let title = format!(".SH \"{}\"", command.to_uppercase());
            let (_, part) = text.split_once(&title).unwrap_or_else(|| panic!("{title}"));
            let part = part.split(".SH ").next().expect("a part");
            for option in options {
                assert!(part.contains(&format!("--{option}")), "{command} --{option}: {part}");
            }
        }
        assert!(text.starts_with(".ie") && text.contains(".TH plumbline 1"), "{}", &text[..200]);
    }

    /// A line that begins with a dot is an order; the only ones are those that every reader of such pages knows.
    #[test]
    fn there_is_no_order_that_roff_does_not_know() {
        let text = String::from_utf8(page().expect("a page")).expect("text");
        let orders = |order: &str| text.lines().filter(|line| line.starts_with(order)).count();
        assert_eq!(orders(".ie "), orders(".el "), "each has its other half");
        for line in text.lines().filter(|line| line.starts_with(['.', '\''])) {
            let order = line.split(' ').next().expect("a word");
            assert!(
                [".TH", ".SH", ".SS", ".TP", ".PP", ".RS", ".RE", ".br", ".ie", ".el", ".nf", ".fi", ".IP"]
                    .contains(&order),
                "{line}"
            );
        }
    }

    #[test]
    fn each_command_has_a_page_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        pages(folder.path()).expect("written");
        for (command, options) in all(&Cli::command()) {
            let path = folder.path().join(format!("{}.1", command.replace(' ', "-")));
            let text = read(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
            for option in options {
                assert!(text.contains(&format!("--{option}")), "{command} --{option}");
            }
        }
        assert!(pages(&folder.path().join("none")).is_err_and(|error| error.to_string().contains("no such folder")));
    }
}
