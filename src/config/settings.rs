//! The table of everything that can be set: the single source of parsing, unknown keys, defaults, masking and the page
//! `docs/configuration.md`. Knows what a value looks like, not what it is for.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Dotted path; `[]` stands for each element of a list.
    pub key: &'static str,
    pub kind: Kind,
    /// As it would be written in the file; `None`: nothing.
    pub default: Option<&'static str>,
    /// Meaning, unit, and what follows from changing it.
    pub doc: &'static str,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Settings of its own below it.
    Section,
    /// A list of sections.
    Sections,
    Text,
    /// A text that is shown as `***`. `<key>_file` names a file that holds it instead.
    Secret,
    /// A file that can be read.
    File,
    Flag,
    Whole {
        min: u64,
        max: u64,
    },
    /// A whole number or `auto`.
    WholeOrAuto {
        min: u64,
        max: u64,
    },
    /// Bytes: `512KiB`, `8MiB`, `1MB`, or a plain number of bytes.
    Size {
        min: u64,
        max: u64,
    },
    /// A time with its unit: `100ms`, `30s`, `2m`, `1h`. Limits in milliseconds.
    Time {
        min: u64,
        max: u64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A vendor's name or `auto`.
    Vendor,
    /// A list of texts, or one text that is split at its commas.
    Texts,
    /// librdkafka's properties, by their own names.
    Properties,
}

impl Kind {
    /// For people: the page of settings, and messages.
    pub fn describe(self) -> String {
        match self {
            Kind::Section => "section".to_owned(),
            Kind::Sections => "list of sections".to_owned(),
            Kind::Text => "text".to_owned(),
            Kind::Secret => "secret".to_owned(),
            Kind::File => "file".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Whole { min, max } => format!("whole number, {min} to {max}"),
            Kind::WholeOrAuto { min, max } => format!("whole number, {min} to {max}, or auto"),
            Kind::Size { min, max } => format!("size, {} to {}", size_text(min), size_text(max)),
            Kind::Time { min, max } => format!("time, {} to {}", time_text(min), time_text(max)),
            Kind::Word(words) => words.join(", "),
            Kind::Vendor => "a vendor's name, or auto".to_owned(),
            Kind::Texts => "list of texts".to_owned(),
            Kind::Properties => "map of texts".to_owned(),
        }
    }
}

/// Of a class of personal data.
const TREATMENT: Kind = Kind::Word(&["pass", "hash", "drop"]);

const MIB: u64 = 1024 * 1024;
const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;

const fn setting(key: &'static str, kind: Kind, default: Option<&'static str>, doc: &'static str) -> Setting {
    Setting { key, kind, default, doc }
}

/// Every setting, a section before what is in it.
pub const SETTINGS: &[Setting] = &[
    setting("kafka", Kind::Section, None, "The brokers, and how koine joins them."),
    setting(
        "kafka.bootstrap_servers",
        Kind::Texts,
        None,
        "Brokers to start from, `host:port` each. `koine run` needs it.",
    ),
    setting(
        "kafka.group",
        Kind::Text,
        Some("koine"),
        "The consumer group; also the stem of the transactional ids, `<group>-<instance>-<n>`. Deployments that share it share the work. A new group starts at the earliest record.",
    ),
    setting(
        "kafka.instance",
        Kind::Text,
        None,
        "A name that no other process of the group has while this one lives, such as the name of a StatefulSet's pod. With it, whoever comes after a crash takes over the transactional id and ends the open transaction at once; without it, the broker ends it after `transaction.timeout`. Two processes with one name fence each other for ever.",
    ),
    setting(
        "kafka.group_protocol",
        Kind::Word(&["classic", "consumer"]),
        Some("classic"),
        "`consumer` is KIP-848; it is refused where the librdkafka at hand is older than 2.15.0, whose members can be expelled for good after a slow batch.",
    ),
    setting(
        "kafka.stuck_after",
        Kind::Time { min: 5 * SECOND, max: 60 * MINUTE },
        Some("2m"),
        "Of a partition with records to come nothing has come for so long: another reader looks, and if it finds a record the consumer is made anew; see `koine_consumer_stuck_total`.",
    ),
    setting(
        "kafka.oauth",
        Kind::Section,
        None,
        "Tokens for the brokers (SASL/OAUTHBEARER) by OIDC client credentials: fetched anew before they expire. Sets `sasl.mechanism`, and `security.protocol: SASL_SSL` where `kafka.properties` does not say `SASL_PLAINTEXT`.",
    ),
    setting("kafka.oauth.token_url", Kind::Text, None, "The issuer's token endpoint, `https://…`."),
    setting("kafka.oauth.client_id", Kind::Text, None, "The client's name at the issuer."),
    setting(
        "kafka.oauth.client_secret",
        Kind::Secret,
        None,
        "The client's secret. From a file it is read anew for each token, so it may be rotated.",
    ),
    setting("kafka.oauth.scope", Kind::Text, None, "What the token is to be good for, if the issuer asks."),
    setting("kafka.oauth.ca_file", Kind::File, None, "PEM certificates to trust for the issuer, besides the system's."),
    setting(
        "kafka.properties",
        Kind::Properties,
        None,
        "Any librdkafka property, by its own name: TLS, SASL, sockets, compression. What koine has to own is refused with the reason. Passwords may come from a file: `sasl.password_file`; when it changes, or a certificate's file does, the clients are made anew. As a variable: `KOINE__KAFKA__PROPERTIES__SASL_PASSWORD`.",
    ),
    setting(
        "registry",
        Kind::Section,
        None,
        "The schema registry (Confluent's API; Apicurio: its ccompat/v7 address). Asked at start-up and from time to time, never in the path of a record.",
    ),
    setting(
        "registry.url",
        Kind::Text,
        None,
        "Address, `http://…` or `https://…`, with no user in it. `koine run` and `koine schemas register` need it; without it `koine schemas check` asks about the released versions only.",
    ),
    setting("registry.username", Kind::Text, None, "User for basic authentication (Confluent Cloud: the API key)."),
    setting(
        "registry.password",
        Kind::Secret,
        None,
        "Password for basic authentication (Confluent Cloud: the API secret).",
    ),
    setting(
        "registry.bearer_token",
        Kind::Secret,
        None,
        "Token for bearer authentication. From a file it is read anew for each request, so it may be rotated.",
    ),
    setting(
        "registry.ca_file",
        Kind::File,
        None,
        "PEM certificates to trust besides the system's. Read again when it changes, as all files of this section.",
    ),
    setting(
        "registry.cert_file",
        Kind::File,
        None,
        "PEM certificate of this client (mTLS), with what is between it and its root.",
    ),
    setting("registry.key_file", Kind::File, None, "PEM key of `registry.cert_file`, unencrypted, PKCS#8."),
    setting(
        "registry.oauth",
        Kind::Section,
        None,
        "Tokens for the registry by OIDC client credentials: fetched anew before they expire, and when one is refused.",
    ),
    setting("registry.oauth.token_url", Kind::Text, None, "The issuer's token endpoint, `https://…`."),
    setting("registry.oauth.client_id", Kind::Text, None, "The client's name at the issuer."),
    setting(
        "registry.oauth.client_secret",
        Kind::Secret,
        None,
        "The client's secret. From a file it is read anew for each token, so it may be rotated.",
    ),
    setting("registry.oauth.scope", Kind::Text, None, "What the token is to be good for, if the issuer asks."),
    setting(
        "registry.oauth.ca_file",
        Kind::File,
        None,
        "PEM certificates to trust for the issuer, besides the system's.",
    ),
    setting(
        "registry.timeout",
        Kind::Time { min: 100, max: 5 * MINUTE },
        Some("10s"),
        "Limit of one request. Trouble is retried; see `koine_schema_registry_state`.",
    ),
    setting(
        "registry.longest_pause",
        Kind::Time { min: 500, max: 10 * MINUTE },
        Some("30s"),
        "The longest pause before trouble is asked about again; the first is half a second, and each is twice the last.",
    ),
    setting(
        "registry.bundle",
        Kind::File,
        None,
        "Schemas and their ids as `koine schemas bundle` writes them. With it, `koine run` starts while the registry is away, and compares when it is back; see `docs/registry.md`.",
    ),
    setting(
        "registry.check_every",
        Kind::Time { min: 100, max: 24 * 60 * MINUTE },
        Some("5m"),
        "How often the registry is asked, beside the records, whether the ids in use still are those of this build's schemas. If they are another's, koine ends before it writes more.",
    ),
    setting(
        "sources",
        Kind::Sections,
        None,
        "Raw topics and what is known about them beforehand. Default: `raw.<vendor>` for each vendor. A topic that stands here by name belongs to that source, else to the first whose pattern matches.",
    ),
    setting(
        "sources[].topics",
        Kind::Texts,
        None,
        "Topic names, or patterns: POSIX extended regular expressions that begin with `^`. None may match a topic that koine writes.",
    ),
    setting(
        "sources[].vendor",
        Kind::Vendor,
        Some("auto"),
        "Whose webhooks these are; `auto` tells it from header or body, record by record.",
    ),
    setting(
        "sources[].shop",
        Kind::Text,
        None,
        "The shop of all these webhooks. Without it: the header `koine-shop`, then the body, then `default`.",
    ),
    setting(
        "sources[].event_type",
        Kind::Text,
        None,
        "The event type of all these webhooks, where a body does not say it.",
    ),
    setting(
        "sources[].payload_pointer",
        Kind::Text,
        None,
        "Where in the value the webhook lies, if a gateway has put it into an envelope of its own: a JSON Pointer (RFC 6901), such as `/body` or `/detail/payload`. See above.",
    ),
    setting(
        "sources[].time_zone",
        Kind::Text,
        None,
        "IANA name (`Europe/Zurich`) for times that come without an offset. Without it they are `time.invalid`.",
    ),
    setting(
        "sources[].extensions",
        Kind::Word(&["full", "drift", "off"]),
        Some("full"),
        "What becomes of fields that have no canonical place: all kept; only what the vendor's pages do not document, or document otherwise; or none. Drift is counted in each case.",
    ),
    setting(
        "sources[].expect_every",
        Kind::Time { min: SECOND, max: 31 * 24 * 60 * MINUTE },
        None,
        "How long this source may be silent in its quietest hours. Of a topic that is silent for longer the alert `KoineSourceSilent` is raised; without it, silence is nothing.",
    ),
    setting("topics", Kind::Section, None, "The topics koine writes."),
    setting(
        "topics.prefix",
        Kind::Text,
        Some("\"\""),
        "Put before the four canonical names and before the default sources' names. Dead letters get it with the raw topic's name.",
    ),
    setting("topics.customer", Kind::Text, Some("commerce.customer.v1"), "Canonical customers. Never compact it."),
    setting("topics.cart", Kind::Text, Some("commerce.cart.v1"), "Canonical carts. Never compact it."),
    setting("topics.order", Kind::Text, Some("commerce.order.v1"), "Canonical orders. Never compact it."),
    setting("topics.product", Kind::Text, Some("commerce.product.v1"), "Canonical products. Never compact it."),
    setting(
        "topics.dead_letter_prefix",
        Kind::Text,
        Some("dlq."),
        "Before the raw topic's name it makes the name of its dead-letter topic. These topics hold personal data and secrets as they came: restrict who may read them, and set their retention.",
    ),
    setting(
        "topics.create",
        Kind::Flag,
        Some("false"),
        "Creates missing topics at start, with as many partitions as the raw topic has.",
    ),
    setting(
        "delivery",
        Kind::Word(&["exactly_once", "at_least_once"]),
        Some("exactly_once"),
        "`exactly_once`: records, dead letters and offsets in one Kafka transaction. `at_least_once`: no transactions, less latency, and repeats after a crash.",
    ),
    setting(
        "workers",
        Kind::WholeOrAuto { min: 1, max: 256 },
        Some("1"),
        "Consumers with a producer each in this process. `auto`: one for each core.",
    ),
    setting("batch", Kind::Section, None, "When a batch is full: whichever comes first."),
    setting("batch.records", Kind::Whole { min: 1, max: 1_000_000 }, Some("4000"), "Records in a batch."),
    setting("batch.bytes", Kind::Size { min: 1, max: 1024 * MIB }, Some("12MiB"), "Bytes of raw values in a batch."),
    setting(
        "batch.wait",
        Kind::Time { min: 1, max: 10 * SECOND },
        Some("10ms"),
        "Time since the batch's first record. It is part of the latency when little comes in. A batch that is due while another is on its way takes in what comes meanwhile, so that the cost of a transaction is shared.",
    ),
    setting(
        "breaker",
        Kind::Word(&["pause", "alert"]),
        Some("pause"),
        "What happens to a partition most of whose records are dead letters of known event types: it is not read until that is mended, or it is only said. See [breaker.md](breaker.md).",
    ),
    setting("breaker_limits", Kind::Section, None, "When a breaker opens, and when it is tried whether it may close."),
    setting(
        "breaker_limits.records",
        Kind::Whole { min: 1, max: 1_000_000 },
        Some("1000"),
        "The least number of webhooks that are judged together.",
    ),
    setting(
        "breaker_limits.window",
        Kind::Time { min: 1, max: 60 * MINUTE },
        Some("30s"),
        "The least time over which they come.",
    ),
    setting(
        "breaker_limits.pause",
        Kind::Time { min: 1, max: 60 * MINUTE },
        Some("30s"),
        "How long it is open before a record is tried. Each time in vain it is twice as long.",
    ),
    setting(
        "breaker_limits.longest_pause",
        Kind::Time { min: 1, max: 24 * 60 * MINUTE },
        Some("10m"),
        "But no longer than this.",
    ),
    setting("limits", Kind::Section, None, "What is too much for one record."),
    setting(
        "limits.body_bytes",
        Kind::Size { min: 1, max: 1024 * MIB },
        Some("8MiB"),
        "A larger body is the dead letter `body.too_large`.",
    ),
    setting(
        "limits.depth",
        Kind::Whole { min: 1, max: 1024 },
        Some("128"),
        "JSON nested deeper is the dead letter `json.depth`.",
    ),
    setting("dlq", Kind::Section, None, "What dead letters look like."),
    setting(
        "dlq.drop_headers",
        Kind::Texts,
        Some("[x-bspk-secret, authorization, cookie]"),
        "Raw headers that are left out of dead letters, since they are credentials.",
    ),
    setting(
        "dlq.headers",
        Kind::Texts,
        Some("[]"),
        "Sets of headers that other programs put on their dead letters, beside Kafka's own and koine's, for the tools that read those: `connect`, `streams`, `spring`.",
    ),
    setting(
        "dlq.seal",
        Kind::Section,
        None,
        "Encrypts the value of dead letters, so that who may read the topic cannot read it without the private key. Key and headers stay as they are. See [dead-letters.md](dead-letters.md).",
    ),
    setting(
        "dlq.seal.public_key",
        Kind::Text,
        None,
        "The public key, `koine-public-…`, of a pair that `koine dlq keygen` has made. `koine run` needs no private key.",
    ),
    setting("dlq.seal.public_key_file", Kind::File, None, "A file that holds the public key instead."),
    setting(
        "privacy",
        Kind::Section,
        None,
        "What is done with personal data, by its class: the schemas' tag `koine.pii`. `pass`: published as it is. `hash`: a text becomes HMAC-SHA-256 of the trimmed text (of an e-mail address: in lower case) with `privacy.key`, as hexadecimal digits, so that it can still be compared and counted; what is no text is dropped. `drop`: not published. It holds for canonical fields and for `extensions`; dead letters keep the bytes as they came.",
    ),
    setting(
        "privacy.key",
        Kind::Secret,
        None,
        "Key of the hashes; needed where a class is `hash`. The same key gives the same hashes everywhere; with another key nothing can be joined with what was written before.",
    ),
    setting("privacy.contact", TREATMENT, Some("pass"), "Names, addresses, e-mail, telephone."),
    setting("privacy.birth", TREATMENT, Some("pass"), "Birth date, gender, nationality. `hash` drops date and gender."),
    setting(
        "privacy.government_id",
        TREATMENT,
        Some("drop"),
        "What a government numbers people by: a passport's number.",
    ),
    setting("privacy.business_id", TREATMENT, Some("pass"), "Tax numbers and exemptions."),
    setting("privacy.network", TREATMENT, Some("pass"), "IP addresses and browsers."),
    setting("privacy.free_text", TREATMENT, Some("pass"), "Notes that people wrote, in which anything may stand."),
    setting("privacy.payment", TREATMENT, Some("pass"), "A card's brand and last digits, ids at a payment provider."),
    setting(
        "privacy.undocumented",
        TREATMENT,
        Some("pass"),
        "What no page describes: fields that are new, free maps, JSON in texts, and `attributes`. With anything but `pass` not even the names of new fields are told of as drift.",
    ),
    setting("http", Kind::Section, None, "Metrics and probes."),
    setting(
        "http.listen",
        Kind::Text,
        Some("\"0.0.0.0:9464\""),
        "Address and port of `/metrics`, `/livez`, `/readyz`, `/version`, `/drift`, `/breakers`. Port 0 takes a free one.",
    ),
    setting(
        "http.dead_after",
        Kind::Time { min: 100, max: 60 * MINUTE },
        Some("2m"),
        "`/livez` says no once a worker's poll loop has not come by for so long. Its longest pauses are questions to brokers that are down; whether brokers and registry are there is no part of it.",
    ),
    setting("metrics", Kind::Section, None, "What is on `/metrics`; see [metrics.md](metrics.md)."),
    setting(
        "metrics.messaging_names",
        Kind::Flag,
        Some("false"),
        "Also counts under the names that OpenTelemetry has for messaging (`messaging_client_consumed_messages_total` and so on). They are still in development there.",
    ),
    setting(
        "traces",
        Kind::Section,
        None,
        "Spans of single records, for a collector that takes OTLP; see [metrics.md](metrics.md).",
    ),
    setting(
        "traces.endpoint",
        Kind::Text,
        None,
        "Where spans go, by OTLP over HTTP (protobuf): `http://collector:4318/v1/traces`. Without it there are none, and they cost nothing.",
    ),
    setting(
        "traces.one_in",
        Kind::Whole { min: 1, max: 1_000_000_000 },
        Some("100"),
        "One in so many records has a span. It is chosen by the trace of its producer (`traceparent`), if it has one, and never where that is not sampled.",
    ),
    setting("traces.ca_file", Kind::File, None, "PEM certificates to trust for the collector, besides the system's."),
    setting("log", Kind::Section, None, "Messages on stderr."),
    setting("log.format", Kind::Word(&["text", "json"]), Some("text"), "Lines for people, or JSON objects."),
    setting(
        "log.level",
        Kind::Text,
        Some("info"),
        "`error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,koine::kafka=debug`.",
    ),
    setting("shutdown", Kind::Section, None, "Leaving after a signal."),
    setting(
        "shutdown.drain",
        Kind::Time { min: 100, max: 10 * MINUTE },
        Some("8s"),
        "After SIGTERM: the time to finish the batch at hand. Stay below what Kubernetes gives (`terminationGracePeriodSeconds`).",
    ),
    setting("transaction", Kind::Section, None, "Transactions (`exactly_once`)."),
    setting(
        "transaction.timeout",
        Kind::Time { min: SECOND, max: 15 * MINUTE },
        Some("30s"),
        "How long a dead worker can hold back readers. The broker's `transaction.max.timeout.ms` is its limit.",
    ),
];

/// The setting with this generic key (`sources[].vendor`).
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The names that may stand in the section `key` (empty: the top), `…_file` of the secrets among them.
pub fn children(key: &str) -> Vec<String> {
    let mut names = Vec::new();
    for setting in SETTINGS {
        let name = match key {
            "" => Some(setting.key),
            _ => setting.key.strip_prefix(key).and_then(|rest| rest.strip_prefix('.')),
        };
        let Some(name) = name.filter(|name| !name.contains(['.', '['])) else { continue };
        names.push(name.to_owned());
        if setting.kind == Kind::Secret {
            names.push(format!("{name}_file"));
        }
    }
    names
}

/// The name that was probably meant.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = (word.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word.to_ascii_lowercase(), &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= far || (word.len() > 3 && name.starts_with(word)))
        .min()
        .map(|(_, name)| name)
}

/// Properties of librdkafka that koine has to own, each with the reason.
pub const OWNED: &[(&str, &str)] = &[
    ("bootstrap.servers", "set kafka.bootstrap_servers"),
    ("metadata.broker.list", "set kafka.bootstrap_servers"),
    ("group.id", "set kafka.group"),
    ("group.protocol", "set kafka.group_protocol"),
    ("enable.auto.commit", "offsets are committed with what was produced, never by a timer"),
    ("auto.commit.enable", "offsets are committed with what was produced, never by a timer"),
    ("auto.commit.interval.ms", "offsets are committed with what was produced, never by a timer"),
    ("enable.auto.offset.store", "offsets are committed with what was produced, never because a record was read"),
    (
        "auto.offset.reset",
        "a new group starts at the earliest record, and an offset that is gone stops its partition until --accept-loss",
    ),
    ("isolation.level", "records of aborted transactions are no records"),
    ("transactional.id", "it is <kafka.group>-<n>, one for each worker, or two workers would fence each other"),
    ("transaction.timeout.ms", "set transaction.timeout"),
    ("enable.idempotence", "without it a retry could double or reorder records"),
    ("acks", "a record that one broker has can be lost"),
    ("request.required.acks", "a record that one broker has can be lost"),
    ("partitioner", "it is murmur2_random, as Java's: another one would move every key to another partition"),
    ("sasl.oauthbearer.method", "set kafka.oauth"),
    ("sasl.oauthbearer.client.id", "set kafka.oauth.client_id"),
    ("sasl.oauthbearer.client.secret", "set kafka.oauth.client_secret"),
    ("sasl.oauthbearer.scope", "set kafka.oauth.scope"),
    ("sasl.oauthbearer.token.endpoint.url", "set kafka.oauth.token_url"),
    ("enable.sasl.oauthbearer.unsecure.jwt", "a token that nobody has signed proves nothing: set kafka.oauth"),
    ("opaque", "it is a pointer inside the program"),
    ("interceptors", "it is a pointer inside the program"),
    ("default_topic_conf", "it is a pointer inside the program"),
];

/// Whether a librdkafka property holds a secret, to be masked wherever the configuration is shown.
pub fn is_secret_property(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "passphrase", "token", "key.pem"].iter().any(|word| name.contains(word))
        && !name.ends_with(".url")
        || matches!(name.as_str(), "sasl.oauthbearer.config" | "sasl.jaas.config" | "ssl_key")
}

/// Bytes of a size text.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => MIB,
        "GiB" => 1024 * MIB,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Milliseconds of a time text.
pub fn parse_time(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    let factor = match unit {
        "ms" => 1,
        "s" => SECOND,
        "m" | "min" => MINUTE,
        "h" => 60 * MINUTE,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    (number, unit.trim_start())
}

/// The shortest exact way to write a number of bytes.
pub fn size_text(bytes: u64) -> String {
    let units = [(1024 * MIB, "GiB"), (MIB, "MiB"), (1024, "KiB")];
    let fit = units.iter().find(|(factor, _)| bytes >= *factor && bytes.is_multiple_of(*factor));
    fit.map_or_else(|| bytes.to_string(), |(factor, unit)| format!("{}{unit}", bytes / factor))
}

/// The shortest exact way to write a time.
pub fn time_text(millis: u64) -> String {
    let units = [(60 * MINUTE, "h"), (MINUTE, "m"), (SECOND, "s")];
    let fit = units.iter().find(|(factor, _)| millis >= *factor && millis.is_multiple_of(*factor));
    fit.map_or_else(|| format!("{millis}ms"), |(factor, unit)| format!("{}{unit}", millis / factor))
}

/// The environment variable of a setting: `sources[].vendor` is `KOINE__SOURCES__0__VENDOR`.
pub fn variable(key: &str) -> String {
    let mut name = String::from("KOINE");
    for part in key.split('.') {
        name.push_str("__");
        name.push_str(&part.replace("[]", "__0").to_ascii_uppercase());
    }
    name
}

/// The table as Markdown: the end of `docs/configuration.md`.
pub fn markdown() -> String {
    let mut out = String::from("| setting | type | default | meaning | variable |\n|---|---|---|---|---|\n");
    for setting in SETTINGS {
        let kind = match setting.kind {
            Kind::Secret => format!("secret, or `{}_file`", setting.key.rsplit('.').next().unwrap_or_default()),
            other => other.describe(),
        };
        let default = setting.default.map(|text| format!("`{text}`")).unwrap_or_default();
        let section = matches!(setting.kind, Kind::Section | Kind::Properties);
        let variable = if section { String::new() } else { format!("`{}`", variable(setting.key)) };
        out.push_str(&format!("| `{}` | {kind} | {default} | {} | {variable} |\n", setting.key, setting.doc));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_with_their_unit() {
        assert_eq!(parse_size("8MiB"), Some(8 * MIB));
        assert_eq!(parse_size("1 MB"), Some(1_000_000));
        assert_eq!(parse_size("8388608"), Some(8_388_608));
        assert_eq!(parse_time("100ms"), Some(100));
        assert_eq!(parse_time("2m"), Some(120_000));
        for wrong in ["30", "", "s", "1.5s", "-1s", "3 weeks", "99999999999999999999ms", "18446744073709551615h"] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
        for wrong in ["8mib", "KiB", "", "-1", "1e3", "18446744073709551615GiB"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
        for bytes in [0, 1, 1000, 1024, 1536, 8 * MIB, 3 * 1024 * MIB] {
            assert_eq!(parse_size(&size_text(bytes)), Some(bytes));
        }
        for millis in [0, 1, 999, 1000, 1500, 60_000, 3_600_000] {
            assert_eq!(parse_time(&time_text(millis)), Some(millis));
        }
    }

    #[test]
    fn every_setting_is_documented_and_stands_under_its_section() {
        for setting in SETTINGS {
            assert!(setting.doc.ends_with('.') && setting.doc.len() > 10, "{}: {}", setting.key, setting.doc);
            if let Some((section, _)) = setting.key.rsplit_once('.') {
                let section = section.trim_end_matches("[]");
                let kind = find(section).map(|section| section.kind);
                assert!(matches!(kind, Some(Kind::Section | Kind::Sections)), "{} has no section", setting.key);
            }
            assert_eq!(SETTINGS.iter().filter(|other| other.key == setting.key).count(), 1, "{}", setting.key);
        }
        assert_eq!(markdown().lines().count(), SETTINGS.len() + 2);
    }

    #[test]
    fn secrets_of_librdkafka_are_known() {
        for secret in [
            "sasl.password",
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "sasl.oauthbearer.config",
        ] {
            assert!(is_secret_property(secret), "{secret}");
        }
        for open in [
            "sasl.username",
            "ssl.ca.location",
            "sasl.oauthbearer.token.endpoint.url",
            "compression.type",
            "ssl.certificate.pem",
        ] {
            assert!(!is_secret_property(open), "{open}");
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("bootstrap_server", ["bootstrap_servers", "group"]), Some("bootstrap_servers"));
        assert_eq!(nearest("gruop", ["properties", "group"]), Some("group"));
        assert_eq!(nearest("zebra", ["properties", "group"]), None);
    }
}
