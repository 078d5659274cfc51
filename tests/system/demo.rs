//! The demonstration: a year through the real roles gives the figures of the report, and the same without them.

use hotline_tests::server::{Folder, binary, run, text};

const PERIOD: &str = "2023-01-01..2024-01-01";
const RATES: &str = "on_time_closure.due,satisfaction.answered,persons";

#[test]
fn a_year_through_the_roles_gives_the_reports_figures_twice_and_without_a_database() {
    let folder = Folder::new("demo");
    let path = |name: &str| folder.0.join(name).to_string_lossy().into_owned();
    let (data, events, rulebook) = (path("data"), path("events.ndjson"), path("rulebook"));
    let demo = || {
        let output = run(&["demo", "--exit", "--data", &data, "--lang", "en"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let first = demo();
    let figures = [
        ["12345: complaints taken in", "1,619", "1,619"],
        ["12345: callers satisfied, %", "91 %", "91 %"],
        ["12345: place in the city", "no. 1", "no. 1"],
        ["12315: taken in", "43,482", "43,482"],
        ["12315: closed on time, %", "100 %", "100 %"],
        ["petition letters", "206", "206"],
        ["petition visitors", "80", "80"],
    ];
    for [name, reported, found] in figures {
        let line = first.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not in {first}"));
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells[..3], [name, reported, found], "{line}");
    }
    assert!(!first.contains("differs"), "{first}");

    // Once more, everything is a duplicate and the table the same.
    let again = demo();
    let table = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(table(&first), table(&again));

    let on_data = |args: &[&str]| {
        let output = std::process::Command::new(binary())
            .args(args)
            .env("HOTLINE__DATA__DIR", &data)
            .env("HOTLINE_CONFIG", "/dev/null")
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    on_data(&["tallies", "check"]);

    text(&["demo", "--events", &events, "--rulebook", &rulebook]);
    let ask = ["--rate", RATES, "--by", "department,hotline,case_type", "--period", PERIOD];
    let bulletin = on_data(&[&["bulletin"], &ask[..]].concat());
    let replay = ["replay", "--rulebook", &rulebook, "--as-of", "2024-04-01T00:00:00+08:00"];
    assert_eq!(bulletin, text(&[&replay, &ask[..], &[&events]].concat()));
    assert!(bulletin.contains("\"numerator\""), "there are rows: {bulletin}");
}
