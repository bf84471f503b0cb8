//! The `koine` command: arguments → command → exit status.

fn main() -> std::process::ExitCode {
    koine::cli::main()
}
