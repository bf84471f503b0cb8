//! `koine completions` and `koine man`: what a shell and `man` want to know of the command line, made from its definition.

use super::{Failure, command_line};
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write};
use std::path::PathBuf;

/// Where it goes: bash, ~/.local/share/bash-completion/completions/koine; zsh, a file _koine in a folder of $fpath; fish,
/// ~/.config/fish/completions/koine.fish.
#[derive(clap::Args)]
pub struct Completions {
    /// Whose completions
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(clap::Args)]
pub struct Manual {
    /// Write the pages of all commands (koine.1, koine-dlq-list.1, …) into this folder, instead of koine's own to standard
    /// output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn completions(arguments: Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command_line(), "koine", &mut script);
    print(&script)
}

pub fn manual(arguments: Manual) -> Result<(), Failure> {
    // The number alone: the mapping's digest would make other pages of the same commands.
    let mut command = command_line().version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true);
    command.build();
    let Some(folder) = arguments.out else { return print(&page(command)?) };
    std::fs::create_dir_all(&folder).map_err(|error| Failure::Usage(format!("{}: {error}", folder.display())))?;
    for command in all(command) {
        let path = folder.join(format!("{}.1", name(&command)));
        std::fs::write(&path, page(command)?)
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    }
    Ok(())
}

/// A command and all below it.
fn all(command: Command) -> Vec<Command> {
    let below: Vec<Command> = command.get_subcommands().flat_map(|it| all(it.clone())).collect();
    [command].into_iter().chain(below).collect()
}

/// `koine-dlq-list`.
fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let name = name(&command);
    let mut page = Vec::new();
    let written = Man::new(command).title(name).section("1").date("").render(&mut page);
    written.map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(page)
}

fn print(text: &[u8]) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text) {
        // Whoever reads us has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| Failure::Internal(format!("cannot write: {error}"))),
    }
}
