use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::*;
use crate::{Fault, Secret};

#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RoleConfig {
    listen: String,
    batch_records_max: usize,
    #[serde(with = "units::bytes")]
    batch_bytes_max: usize,
    token: Option<Secret>,
}

impl Default for RoleConfig {
    fn default() -> Self {
        Self { listen: "a".into(), batch_records_max: 5, batch_bytes_max: 4 << 20, token: None }
    }
}

impl Section for RoleConfig {
    const NAME: &'static str = "role";
}

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hotline.toml");
    std::fs::write(&path, text).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(&path), environment, &Sections::default().with::<RoleConfig>())
}

/// The faults as lines, without the directory of the test.
fn faults(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let Err(Error::ConfigInvalid(Faults(faults))) = load(text, environment) else { panic!("no fault found") };
    let show = |fault: &Fault| match &fault.place {
        Place::File { line, .. } => format!("line {line}: [{}] {}", fault.section, fault.message),
        Place::Environment { variable } => format!("{variable}: [{}] {}", fault.section, fault.message),
        Place::Default => format!("[{}] {}", fault.section, fault.message),
    };
    faults.iter().map(show).collect()
}

#[test]
fn all_faults_are_found_with_their_lines() {
    let found = faults(
        "[role]\nlisten = 3\n\nbatch_record_max = 7\nbatch_bytes_max = \"4 Mib\"\n[rolle]\nx = 1\n[ops]\nlisten = \"x\"\n",
        &[],
    );
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(found[0].starts_with("line 6: [] unknown section [rolle]"), "{found:#?}");
    assert!(found[1].starts_with("line 9: [ops] "), "{found:#?}");
    for line in [
        "line 2: [role] invalid type",
        "line 4: [role] unknown field `batch_record_max`",
        "line 5: [role] not a size",
    ] {
        assert!(found.iter().any(|fault| fault.starts_with(line)), "{line}: {found:#?}");
    }
}

#[test]
fn a_fault_of_the_environment_names_its_variable() {
    let found = faults(
        "",
        &[("HOTLINE__ROLE__BATCH_RECORDS_MAX", "many"), ("HOTLINE__ROLLE__X", "1"), ("HOTLINE__X", "1")],
    );
    assert_eq!(found, ["HOTLINE__X: [] names no key; the form is HOTLINE__SECTION__KEY"]);
    let found = faults("", &[("HOTLINE__ROLE__BATCH_RECORDS_MAX", "many"), ("HOTLINE__ROLLE__X", "1")]);
    assert!(found[0].starts_with("HOTLINE__ROLLE__X: [] unknown section"), "{found:#?}");
    assert!(found[1].starts_with("HOTLINE__ROLE__BATCH_RECORDS_MAX: [role] invalid type"), "{found:#?}");
}

#[test]
fn the_environment_overrides_the_file_and_each_value_says_where_it_is_from() {
    let config = load(
        "[role]\nlisten = \"b\"\nbatch_records_max = 6\n",
        &[("HOTLINE__ROLE__BATCH_RECORDS_MAX", "7"), ("HOTLINE__ROLE__TOKEN", "0123")],
    )
    .unwrap();
    let role: RoleConfig = config.section();
    assert_eq!((role.listen.as_str(), role.batch_records_max, role.batch_bytes_max), ("b", 7, 4 << 20));
    let shown = |key: &str| {
        let value = config.effective().iter().find(|value| value.key == key).unwrap();
        let place = match &value.place {
            Place::File { line, .. } => format!("line {line}"),
            other => other.to_string(),
        };
        format!("{} ({place})", value.value)
    };
    assert_eq!(shown("role.listen"), "\"b\" (line 2)");
    assert_eq!(shown("role.batch_records_max"), "7 (environment HOTLINE__ROLE__BATCH_RECORDS_MAX)");
    assert_eq!(shown("role.batch_bytes_max"), "\"4 MiB\" (default)");
    assert_eq!(shown("role.token"), "\"***\" (environment HOTLINE__ROLE__TOKEN)");
    assert_eq!(shown("ops.listen"), "\"127.0.0.1:9090\" (default)");
}

#[test]
fn a_secret_of_digits_from_the_environment_is_text() {
    let config = load("", &[("HOTLINE__ROLE__TOKEN", "271828")]).unwrap();
    assert_eq!(config.section::<RoleConfig>().token.unwrap().expose(), "271828");
}

#[test]
fn a_secret_in_the_file_is_a_fault_and_is_never_printed() {
    for text in ["[role]\ntoken = \"canary\"\n", "[role]\ntoken = 271828\n", "[role]\ntoken = \"canary"] {
        let found = faults(text, &[]).join("\n");
        assert!(!found.contains("canary") && !found.contains("271828"), "{found}");
        assert!(found.starts_with("line 2"), "{found}");
    }
    let config = load("", &[("HOTLINE__ROLE__TOKEN", "canary")]).unwrap();
    let printed = format!("{config:?} {:?} {:?}", config.effective(), config.section::<RoleConfig>());
    assert!(!printed.contains("canary"), "{printed}");
}

#[test]
fn postgres_is_absent_unless_it_is_written() {
    assert!(load("", &[]).unwrap().optional::<PostgresConfig>().is_none());
    let config = load("[postgres]\nhost = \"db\"\n", &[]).unwrap();
    assert_eq!(config.optional::<PostgresConfig>().unwrap().host, "db");
}

#[test]
fn sizes_and_durations_are_read_and_written() {
    for (text, bytes) in [("4 MiB", 4 << 20), ("256KiB", 256 << 10), ("17", 17), ("17 B", 17)] {
        assert_eq!(units::bytes::parse(text), Some(bytes), "{text}");
    }
    assert_eq!(units::bytes::format(4 << 20), "4 MiB");
    assert_eq!(units::bytes::format(0), "0 B");
    let config = load("[embedded]\nstart_wait = \"1 min 30 s\"\n", &[]).unwrap();
    assert_eq!(config.section::<EmbeddedConfig>().start_wait.as_secs(), 90);
    assert!(faults("[embedded]\nstart_wait = \"-1 s\"\n", &[])[0].contains("not a duration"));
}

#[test]
fn the_rulebook_is_looked_for_beside_the_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("deploy/rulebook")).unwrap();
    let path = dir.path().join("hotline.toml");
    std::fs::write(&path, "").unwrap();
    let config = Config::load(Some(&path), [], &Sections::default()).unwrap();
    assert_eq!(config.rulebook_dir(), Some(dir.path().join("deploy/rulebook")));
    std::fs::write(&path, "[rulebook]\ndir = \"elsewhere\"\n").unwrap();
    let config = Config::load(Some(&path), [], &Sections::default()).unwrap();
    assert_eq!(config.rulebook_dir(), Some(PathBuf::from("elsewhere")));
}
