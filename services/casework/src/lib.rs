pub mod config;

pub use config::CaseworkConfig;
