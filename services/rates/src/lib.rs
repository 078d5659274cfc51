pub mod config;

pub use config::RatesConfig;
