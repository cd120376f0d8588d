//! The types of values, by the names that params and outputs are declared with.

use std::{collections::BTreeMap, fmt};

/// The type of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `null` alone.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A finite number.
    Double,
    /// Text.
    String,
    /// A list.
    List(Box<Type>),
    /// An object whose fields are known.
    Record(BTreeMap<String, Type>),
    /// An object whose fields are not known.
    Map,
    /// A value that may be null; test it first.
    Nullable(Box<Type>),
    /// Known only when the value is there.
    Dyn,
}

impl Type {
    /// A list of `element`.
    #[must_use]
    pub fn list(element: Type) -> Self {
        Self::List(Box::new(element))
    }

    /// This type or null.
    #[must_use]
    pub fn nullable(self) -> Self {
        match self {
            Self::Null | Self::Nullable(_) | Self::Dyn => self,
            Self::Bool | Self::Int | Self::Double | Self::String | Self::List(_) | Self::Record(_) | Self::Map => {
                Self::Nullable(Box::new(self))
            }
        }
    }

    /// This type once null is ruled out.
    #[must_use]
    pub fn non_null(self) -> Self {
        match self {
            Self::Nullable(inner) => *inner,
            other => other,
        }
    }

    /// Whether a value can stand amid text. `Dyn` is looked at when the value is there.
    #[must_use]
    pub fn is_scalar(&self) -> bool {
        matches!(self, Self::Bool | Self::Int | Self::Double | Self::String | Self::Dyn)
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double | Self::Dyn)
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self, Self::Record(_) | Self::Map | Self::Dyn)
    }

    /// The narrowest type that holds the values of both; `None` when there is none worth having.
    pub(super) fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Dyn, _) | (_, Self::Dyn) => Some(Self::Dyn),
            (Self::Null, t) | (t, Self::Null) => Some(t.nullable()),
            (Self::Nullable(a), b) | (b, Self::Nullable(a)) => Some(a.join(b.non_null())?.nullable()),
            (Self::List(a), Self::List(b)) => Some(Self::list(a.join(*b).unwrap_or(Self::Dyn))),
            (Self::Record(_) | Self::Map, Self::Record(_) | Self::Map) => Some(Self::Map),
            _ => None,
        }
    }

    /// Whether `==` between the two can ever be true.
    pub(super) fn comparable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::Nullable(a), b) | (b, Self::Nullable(a)) => matches!(b, Self::Null) || a.comparable(b),
            (Self::List(a), Self::List(b)) => a.comparable(b),
            (a, b) => a == b || a.is_number() && b.is_number() || a.is_object() && b.is_object(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("boolean"),
            Self::Int => f.write_str("integer"),
            Self::Double => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::List(element) => match element.as_ref() {
                Self::Dyn => f.write_str("list"),
                Self::Nullable(_) => write!(f, "list of ({element})"),
                _ => write!(f, "list of {element}"),
            },
            Self::Record(_) | Self::Map => f.write_str("object"),
            Self::Nullable(inner) => write!(f, "{inner} or null"),
            Self::Dyn => f.write_str("a value of unknown type"),
        }
    }
}
