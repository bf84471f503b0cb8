//! Where log lines go. Whoever writes one gives it no value of a payload; this only decides how it looks.

use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing_subscriber::EnvFilter;

/// Whether `log.level` can be read: a level, or directives such as `info,koine::kafka=debug`. The error says why not.
pub fn check_level(text: &str) -> Result<(), String> {
    filter(text).map(|_| ())
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // A bare word that is no level would be read as a module's name and switch everything else off.
    if let Some(word) = text.split(',').find(|part| !part.contains(['=', '[']) && !LEVELS.contains(&part.trim())) {
        return Err(format!("`{word}` is no level; there are {}", LEVELS.join(", ")));
    }
    EnvFilter::builder().parse(text).map_err(|error| error.to_string())
}

/// Sets the level of a process whose lines were set up by [`init`].
type SetLevel = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;
static SET_LEVEL: OnceLock<SetLevel> = OnceLock::new();

/// Sends log lines to stderr: text (coloured on a terminal only) or one JSON object a line. Once a process; the error
/// says what is wrong with `level`, or that there is a subscriber already.
pub fn init(json: bool, level: &str) -> Result<(), String> {
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter(level)?);
    let set: SetLevel;
    let done = match json {
        true => {
            let builder = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            set = Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()));
            builder.try_init()
        }
        false => {
            let builder = builder.with_ansi(std::io::stderr().is_terminal()).with_filter_reloading();
            let handle = builder.reload_handle();
            set = Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()));
            builder.try_init()
        }
    };
    done.map_err(|error| error.to_string())?;
    let _ = SET_LEVEL.set(set);
    Ok(())
}

/// Another level from now on.
pub fn set_level(level: &str) -> Result<(), String> {
    let filter = filter(level)?;
    match SET_LEVEL.get() {
        Some(set) => set(filter),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_checked() {
        for good in ["info", "off", "warn,koine::kafka=debug", "koine=trace"] {
            assert_eq!(check_level(good), Ok(()), "{good}");
        }
        for wrong in ["loud", "", "info,loud", "koine=loud", "a=b=c"] {
            assert!(check_level(wrong).is_err(), "{wrong}");
        }
    }
}
