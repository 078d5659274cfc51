//! Logs to standard error, as JSON or text, with a filter that can be changed while running.

use std::panic;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::Error;
use crate::config::{LogConfig, LogFormat};

/// Changes the filter of the running process.
#[derive(Debug, Clone)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

impl LogHandle {
    pub fn set_filter(&self, filter: &str) -> Result<(), Error> {
        let parsed = parse_filter(filter)?;
        self.0.reload(parsed).map_err(|_| Error::AlreadyInstalled)
    }

    /// The filter in force, as it would be written.
    pub fn filter(&self) -> String {
        self.0.with_current(ToString::to_string).unwrap_or_default()
    }

    /// A handle on a filter that nothing logs through: for tests of the ops server.
    #[doc(hidden)]
    pub fn detached() -> (Self, impl Layer<Registry>) {
        let (layer, handle) = reload::Layer::new(EnvFilter::new("info"));
        (Self(handle), layer)
    }
}

/// Sets up logging for the process: once, before anything else.
pub fn install(config: &LogConfig) -> Result<LogHandle, Error> {
    let (filter, handle) = reload::Layer::new(parse_filter(&config.filter)?);
    let lines = match config.format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
        LogFormat::Text => fmt::layer().with_ansi(false).with_writer(std::io::stderr).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(|_| Error::AlreadyInstalled)?;
    panic::set_hook(Box::new(log_panic));
    Ok(LogHandle(handle))
}

pub(crate) fn parse_filter(filter: &str) -> Result<EnvFilter, Error> {
    EnvFilter::try_new(filter)
        .map_err(|error| Error::LogFilterInvalid { filter: filter.to_owned(), reason: error.to_string() })
}

/// A panic's constant message is logged; a formatted one may hold a value and is withheld.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let message = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(formatted, withheld)");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(panic.message = message, panic.location = location, "panicked");
}
