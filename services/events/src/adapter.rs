//! Adapters: jq programs that map one row of a foreign system to zero or more events.
//!
//! A program sees its row and nothing else: no clock, no environment, no further input. So the same row always
//! gives the same events, and an import done twice changes nothing. Programs come with the rulebook and are
//! trusted not to run for ever; how many events they make of a row is bounded.

use jaq_core::load::{Arena, File, Loader, lex, parse};
use jaq_core::{Compiler, Ctx, Filter, Vars, data, load, unwrap_valr};
use jaq_json::{Num, Val};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::AdapterError;

/// How many events one row may become.
pub const OUTPUTS_MAX: usize = 1000;

/// What the standard library offers and an adapter must not have: the world outside its row.
const FORBIDDEN: [&str; 11] = [
    "now",
    "env",
    "input",
    "inputs",
    "halt",
    "halt_error",
    "localtime",
    "strflocaltime",
    "debug",
    "debug_empty",
    "stderr_empty",
];

type Program = Filter<data::JustLut<Val>>;

/// A compiled jq program.
pub struct Adapter {
    name: String,
    code: String,
    program: Program,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Adapter {
    /// Compiles `code`; `name` is for errors only.
    pub fn compile(name: &str, code: &str) -> Result<Self, AdapterError> {
        let allowed = |name: &str| !FORBIDDEN.contains(&name);
        // `halt`, `debug` and `stderr` are also defined in terms of the functions left out.
        let defined =
            |def: &load::parse::Def<&str>| !matches!(def.name, "halt" | "halt_error" | "debug" | "stderr");
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).filter(defined);
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(defs)
            .load(&arena, File { code, path: () })
            .map_err(|errors| load_error(name, code, errors))?;
        let program = Compiler::default()
            .with_funs(funs.filter(|(name, ..)| allowed(name)))
            .compile(modules)
            .map_err(|errors| compile_error(name, code, &errors))?;
        Ok(Self { name: name.to_owned(), code: code.to_owned(), program })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The events of a row. All or none: an error at the third leaves the first two out.
    pub fn run(&self, row: &Value) -> Result<Vec<Value>, AdapterError> {
        let input = Val::deserialize(row).map_err(|_| AdapterError::NotJson)?;
        let context = Ctx::<data::JustLut<Val>>::new(&self.program.lut, Vars::new([]));
        let mut events = Vec::new();
        for output in self.program.id.run((context, input)).map(unwrap_valr) {
            if events.len() == OUTPUTS_MAX {
                return Err(AdapterError::TooManyOutputs { max: OUTPUTS_MAX });
            }
            let output = output.map_err(|error| self.failure(error.into_val()))?;
            events.push(to_json(&output)?);
        }
        Ok(events)
    }

    /// `error("no number")` may say why, if those words stand in the program; anything else may hold a value.
    fn failure(&self, error: Val) -> AdapterError {
        let reason = match error {
            Val::TStr(text) => String::from_utf8(text.to_vec()).ok(),
            _ => None,
        };
        let literal = |text: &String| self.code.contains(&format!("error(\"{text}\")"));
        AdapterError::Failed { reason: reason.filter(literal) }
    }
}

fn to_json(value: &Val) -> Result<Value, AdapterError> {
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(value) => Value::Bool(*value),
        Val::Num(number) => Value::Number(to_number(number).ok_or(AdapterError::NotJson)?),
        Val::TStr(text) => Value::String(to_text(text)?),
        Val::BStr(_) => return Err(AdapterError::NotJson),
        Val::Arr(items) => Value::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Val::Obj(members) => {
            let member = |(name, value): (&Val, &Val)| match name {
                Val::TStr(name) => Ok((to_text(name)?, to_json(value)?)),
                _ => Err(AdapterError::NotJson),
            };
            Value::Object(members.iter().map(member).collect::<Result<Map<_, _>, _>>()?)
        }
    })
}

fn to_text(bytes: &[u8]) -> Result<String, AdapterError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| AdapterError::NotJson)
}

fn to_number(number: &Num) -> Option<serde_json::Number> {
    match number {
        Num::Int(n) => Some((*n).into()),
        Num::Float(n) => serde_json::Number::from_f64(*n),
        Num::BigInt(_) | Num::Dec(_) => serde_json::from_str(&number.to_string()).ok(),
    }
}

/// The line on which `part` of `code` begins.
fn line_of(code: &str, part: &str) -> usize {
    let start = part.as_ptr() as usize;
    let offset = start.checked_sub(code.as_ptr() as usize).filter(|offset| *offset <= code.len());
    offset.and_then(|offset| code.get(..offset)).map_or(1, |before| before.matches('\n').count() + 1)
}

fn load_error(name: &str, code: &str, errors: load::Errors<&str, ()>) -> AdapterError {
    let at = errors.into_iter().next().and_then(|(_, error)| match error {
        load::Error::Lex(errors) => errors.first().map(|(_, at): &lex::Error<&str>| line_of(code, at)),
        load::Error::Parse(errors) => errors.first().map(|(_, at): &parse::Error<&str>| line_of(code, at)),
        load::Error::Io(_) => None,
    });
    AdapterError::Syntax { name: name.to_owned(), line: at.unwrap_or(1) }
}

fn compile_error(name: &str, code: &str, errors: &jaq_core::compile::Errors<&str, ()>) -> AdapterError {
    let first = errors.iter().flat_map(|(_, undefined)| undefined).next().map_or("", |(symbol, _)| symbol);
    AdapterError::Undefined { name: name.to_owned(), line: line_of(code, first), symbol: first.to_owned() }
}
