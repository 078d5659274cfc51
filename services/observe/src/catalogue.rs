//! The catalogue as a page.

use std::fmt::Write as _;

use hotline_runtime::catalogue::Kind;

use crate::LISTS;

/// All metrics, role by role.
pub(crate) fn page() -> String {
    let mut page =
        "# What the roles measure\n\nMade by `cargo run -p hotline-observe`. Every role shows its own on \
                    `/metrics` of the ops server.\n\n| metric | kind | labels | says |\n|---|---|---|---|\n"
            .to_owned();
    for metric in LISTS.iter().copied().flatten() {
        let labels = metric.labels.join(", ");
        writeln!(page, "| `{}` | {} | {labels} | {} |", metric.name, metric.kind_name(), metric.help)
            .expect("a string takes everything");
    }
    page.push_str(
        "\nBounds of the histograms, in the unit of their names:\n\n| metric | bounds |\n|---|---|\n",
    );
    for metric in LISTS.iter().copied().flatten() {
        if let Kind::Histogram(bounds) = metric.kind {
            let bounds: Vec<String> = bounds.iter().map(ToString::to_string).collect();
            writeln!(page, "| `{}` | {} |", metric.name, bounds.join(", "))
                .expect("a string takes everything");
        }
    }
    page
}
