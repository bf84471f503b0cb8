//! The configuration: a file and variables.

use koine::config::{Config, Context, RegistryAuth};

/// Text of a file; behind a line `--env--` variables `NAME=value`, a line each.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // A setting may name a file to be read: those of devices have no end.
    if text.contains("/dev") || text.contains("/proc") || text.contains("/sys") {
        return;
    }
    let (file, variables) = text.split_once("\n--env--\n").unwrap_or((text, ""));
    let variables: Vec<(String, String)> = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let read = parse(file, variables.clone());
    match (read, parse(file, variables)) {
        (Ok(config), Ok(again)) => {
            let shown = config.to_yaml();
            assert_eq!(shown, again.to_yaml(), "the same text twice");
            is_usable(&config);
            no_secret_is_shown(&config, text, &shown);
        }
        (Err(errors), Err(again)) => {
            assert_eq!(errors, again, "the same text twice");
            assert!(!errors.0.is_empty(), "refused for nothing");
            assert!(errors.0.iter().all(|error| !error.message.is_empty()), "{errors}");
            let _ = errors.to_string();
        }
        _ => panic!("the same text is right and wrong"),
    }
}

fn parse(file: &str, variables: Vec<(String, String)>) -> Result<Config, koine::config::ConfigErrors> {
    let context = Context {
        vendors: &["bspk", "spree", "composer", "bold"],
        librdkafka: "2.12.1",
        time_zone: |name| koine::translate::time_zone(name).is_some(),
        required: &[],
    };
    Config::parse(file, variables, &context)
}

/// What the rest of the program takes for granted.
fn is_usable(config: &Config) {
    assert!(!config.sources.is_empty() && config.workers.count() > 0 && config.batch.records > 0);
    assert_eq!(config.subscription().len(), config.sources.iter().map(|source| source.topics.len()).sum::<usize>());
    for written in config.topics.canonical() {
        assert_eq!(config.source_of(written), None, "koine would read what it writes");
    }
}

/// A secret that the text has once has no other way to be shown.
fn no_secret_is_shown(config: &Config, text: &str, shown: &str) {
    let mut secrets: Vec<&str> = Vec::new();
    match &config.registry.auth {
        RegistryAuth::Basic { password, .. } => secrets.push(password.expose()),
        RegistryAuth::Bearer(token) => secrets.push(token.expose()),
        RegistryAuth::None => {}
    }
    secrets.extend(config.privacy.key.iter().map(|key| key.expose()));
    let debug = format!("{config:?}");
    for secret in secrets.into_iter().filter(|secret| secret.len() >= 12 && text.matches(secret).count() == 1) {
        assert!(!shown.contains(secret) && !debug.contains(secret), "a secret is shown");
    }
}
