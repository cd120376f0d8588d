//! A value while an expression is evaluated. Copies are cheap: texts, lists and objects are shared.

use super::{MAX_LIST, MAX_WORK, Problem};
use std::{cmp::Ordering, collections::BTreeMap, rc::Rc};

#[derive(Clone, Debug)]
pub(super) enum Datum {
    Null,
    Bool(bool),
    Int(i64),
    /// Never NaN: what would make one fails instead.
    Double(f64),
    Text(Rc<str>),
    List(Rc<Vec<Datum>>),
    Object(Rc<BTreeMap<String, Datum>>),
}

/// The work that an evaluation may still do.
pub(super) struct Work {
    left: u64,
}

impl Work {
    pub(super) fn new() -> Self {
        Self { left: MAX_WORK }
    }

    pub(super) fn spend(&mut self, units: usize) -> Result<(), Problem> {
        match self.left.checked_sub(units as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Problem::TooMuch { what: "the work of the expression", limit: MAX_WORK })
            }
        }
    }

    /// For reading or writing so many bytes of text.
    pub(super) fn spend_text(&mut self, bytes: usize) -> Result<(), Problem> {
        self.spend(bytes / 8 + 1)
    }

    /// For making or reading a list of so many elements.
    pub(super) fn spend_list(&mut self, length: usize) -> Result<(), Problem> {
        if length > MAX_LIST {
            return Err(Problem::TooMuch { what: "the length of a list", limit: MAX_LIST as u64 });
        }
        self.spend(length)
    }
}

impl Datum {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(Rc::from(text))
    }

    pub(super) fn list(elements: Vec<Datum>) -> Self {
        Self::List(Rc::new(elements))
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Double(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Object(_) => "object",
        }
    }

    /// As text, the way it stands amid other text; nothing for null, lists and objects.
    pub(super) fn scalar_text(&self) -> Option<String> {
        match self {
            Self::Bool(b) => Some(b.to_string()),
            Self::Int(i) => Some(i.to_string()),
            Self::Double(d) => Some(number_text(*d)),
            Self::Text(text) => Some(text.to_string()),
            Self::Null | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Whether the two are equal; numbers by value, whatever their kind.
    pub(super) fn equals(&self, other: &Self, work: &mut Work) -> Result<bool, Problem> {
        work.spend(1)?;
        match (self, other) {
            (Self::Null, Self::Null) => Ok(true),
            (Self::Bool(a), Self::Bool(b)) => Ok(a == b),
            (Self::Text(a), Self::Text(b)) => {
                work.spend_text(a.len().min(b.len()))?;
                Ok(a == b)
            }
            (Self::List(a), Self::List(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !a.equals(b, work)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Self::Object(a), Self::Object(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for ((ka, a), (kb, b)) in a.iter().zip(b.iter()) {
                    if ka != kb || !a.equals(b, work)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(self.number_order(other) == Some(Ordering::Equal)),
        }
    }

    /// The order of two numbers or two texts.
    pub(super) fn order(&self, other: &Self, work: &mut Work) -> Result<Option<Ordering>, Problem> {
        if let (Self::Text(a), Self::Text(b)) = (self, other) {
            work.spend_text(a.len().min(b.len()))?;
            return Ok(Some(a.cmp(b)));
        }
        Ok(self.number_order(other))
    }

    fn number_order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Int(a), Self::Double(b)) => mixed_order(*a, *b),
            (Self::Double(a), Self::Int(b)) => mixed_order(*b, *a).map(Ordering::reverse),
            _ => None,
        }
    }
}

/// The first power of two that is no `i64`.
const INT_END: f64 = 9_223_372_036_854_775_808.0;

/// The double as an integer, cut towards zero; `None` when it doesn't fit.
pub(super) fn to_int(d: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked, and cutting is what is wanted")]
    (-INT_END..INT_END).contains(&d).then_some(d as i64)
}

/// Compares exactly: an `i64` beyond 2^53 has no double of its own.
fn mixed_order(i: i64, d: f64) -> Option<Ordering> {
    match to_int(d) {
        Some(whole) => Some(i.cmp(&whole).then(0.0f64.partial_cmp(&d.fract())?)),
        None => Some(if d.is_sign_negative() { Ordering::Greater } else { Ordering::Less }),
    }
}

/// The shortest text that reads back as the same number; `12`, `0.5`, `1e21`.
pub(super) fn number_text(d: f64) -> String {
    if d != 0.0 && !(1e-7..1e21).contains(&d.abs()) { format!("{d:e}") } else { d.to_string() }
}
