//! The release binary from outside: what is sent in any order, twice, through a kill, is what replay counts.

mod bulletins;
mod demo;
mod ending;
mod http;
mod kafka;
mod logins;
mod persons;
mod rules;
mod sick;
mod whole;
