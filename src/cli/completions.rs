//! `plumbline completions`: what a shell offers when Tab is pressed, out of the definitions of the command line.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;

pub const EXAMPLES: &str = "\
Examples:
  plumbline completions bash > /etc/bash_completion.d/plumbline
  plumbline completions zsh > \"${fpath[1]}/_plumbline\"
  plumbline completions fish > ~/.config/fish/completions/plumbline.fish

Exit codes: 0 done, 2 wrong usage.";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Arguments {
    /// The script.
    pub(super) fn script(&self) -> Vec<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "plumbline", &mut script);
        script
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::super::definitions;
    use super::*;

    #[test]
    fn every_shell_is_told_of_every_command_and_option() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(Arguments { shell: *shell }.script()).expect("text");
            for (command, options) in definitions(&Cli::command()) {
                let last = command.rsplit(' ').next().expect("a name");
                assert!(script.contains(last), "{shell}: {command}");
                for option in options {
                    // fish has it as `-l option`.
                    let told = script.contains(&format!("--{option}")) || script.contains(&format!("-l {option}"));
                    assert!(told, "{shell}: {command} --{option}");
                }
            }
        }
    }
}
