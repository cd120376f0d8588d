//! `completion`: scripts that complete the command line in a shell.

use crate::{
    args::{Args, CompletionArgs},
    error::CliError,
    terminal::put,
};
use clap::CommandFactory;
use clap_complete::{Shell, generate};

pub fn completion(args: &CompletionArgs) -> Result<(), CliError> {
    put(&script(args.shell))
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    // What is completed is the program's own name: shells know nothing of kubectl's plugins.
    generate(shell, &mut Args::command().bin_name("kubectl-hearth"), "kubectl-hearth", &mut script);
    // clap_complete 4.6 writes the dash of the program's name in two ways in its script for bash.
    String::from_utf8_lossy(&script).replace("kubectl__subcmd__hearth", "kubectl__hearth")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn bash_completes_commands_and_flags() {
        let complete = |words: &str, last: &str| {
            let script = format!(
                "{}\nCOMP_WORDS=(kubectl-hearth {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); _kubectl__hearth kubectl-hearth '{last}' ''; echo \"${{COMPREPLY[@]}}\"",
                script(Shell::Bash)
            );
            String::from_utf8(Command::new("bash").args(["-c", &script]).output().unwrap().stdout).unwrap()
        };
        assert_eq!(complete("tre", "tre").trim(), "tree trend");
        assert_eq!(complete("runs --ph", "--ph").trim(), "--phase");
    }

    #[test]
    fn every_shell_has_a_script() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            assert!(script(shell).contains("all-namespaces"), "{shell}");
        }
    }
}
