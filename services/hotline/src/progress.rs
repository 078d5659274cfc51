//! Progress bars: on a terminal only, on standard error.

use indicatif::{ProgressBar, ProgressStyle};

const BYTES: &str = "{msg} {bar:30} {bytes}/{total_bytes} {eta}";
const WRITTEN: &str = "{spinner} {msg} {bytes}, {elapsed}";
const COUNT: &str = "{msg} {bar:30} {pos}/{len} {per_sec} {eta}";

fn bar(length: u64, message: &'static str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the templates of this file are well formed");
    ProgressBar::new(length).with_style(style).with_message(message)
}

/// A bar over bytes; hidden where the length is not known.
pub fn bytes(length: Option<u64>, message: &'static str) -> ProgressBar {
    length.map_or_else(ProgressBar::hidden, |length| bar(length, message, BYTES))
}

/// So many bytes so far, of nobody knows how many.
pub fn written(message: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(WRITTEN).expect("the templates of this file are well formed");
    ProgressBar::new_spinner().with_style(style).with_message(message)
}

/// A bar over things.
pub fn count(length: u64, message: &'static str) -> ProgressBar {
    bar(length, message, COUNT)
}
