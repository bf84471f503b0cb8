//! The configuration: a file and variables.

use koine::config::settings::{Kind, SETTINGS, is_secret_property, variable};
use koine::config::{Config, ConfigErrors, Context};

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
    match (read, parse(file, variables.clone())) {
        (Ok(config), Ok(again)) => {
            let shown = config.to_yaml();
            assert_eq!(shown, again.to_yaml(), "the same text twice");
            is_usable(&config);
            no_secret_is_shown(&config, file, &variables, text);
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

fn parse(file: &str, variables: Vec<(String, String)>) -> Result<Config, ConfigErrors> {
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

/// A secret that the text has once has no other way to be shown, unless the page would say the same of any other secret: one
/// that is `ery: exactly_once` is in each.
fn no_secret_is_shown(config: &Config, file: &str, variables: &[(String, String)], text: &str) {
    let shows =
        |config: &Config, secret: &str| config.to_yaml().contains(secret) || format!("{config:?}").contains(secret);
    for (nth, (name, secret)) in variables.iter().enumerate() {
        let is_setting = SETTINGS.iter().any(|it| it.kind == Kind::Secret && variable(it.key) == *name);
        let property = name.strip_prefix("KOINE__KAFKA__PROPERTIES__").unwrap_or_default();
        let is_secret = is_setting || is_secret_property(&property.replace('_', "."));
        if is_secret && secret.len() >= 12 && text.matches(secret.as_str()).count() == 1 && shows(config, secret) {
            let mut others = variables.to_vec();
            others[nth].1 = "~".repeat(secret.len());
            let other = parse(file, others).expect("another secret is as right");
            assert!(shows(&other, secret), "a secret is shown");
        }
    }
}
