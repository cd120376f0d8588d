//! What can go wrong with the store, and what that means for the caller.

use std::time::Duration;

/// Why an operation on the store did not succeed. No text of it holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The DSN can't be used.
    #[error("the DSN of the history store is not valid: {0}")]
    Dsn(String),
    /// No answer within the limit of this side.
    #[error("the history store {store} did not answer within {limit:?} ({operation})")]
    Timeout {
        /// Where it is.
        store: String,
        /// What was asked.
        operation: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The store, or the way to it, says no.
    #[error("the history store {store} failed ({operation}): {source}")]
    Sql {
        /// Where it is.
        store: String,
        /// What was asked.
        operation: &'static str,
        /// The driver's word.
        source: sqlx::Error,
    },
    /// The file holds what SQLite can't read.
    #[error(
        "the history store {store} is damaged ({operation}): {source}. Stop the operator, move the file and those that begin with its name away, \
         and put a backup in its place, or what `sqlite3 FILE .recover` saves of it; without either the operator starts an empty one"
    )]
    Damaged {
        /// The file.
        store: String,
        /// What was asked.
        operation: &'static str,
        /// The driver's word.
        source: sqlx::Error,
    },
    /// A migration did not go through.
    #[error("the history store {store} was not migrated: {source}")]
    Migrate {
        /// Where it is.
        store: String,
        /// The driver's word.
        source: sqlx::migrate::MigrateError,
    },
    /// A run id that is not a UUID.
    #[error("`{0}` is not the id of a run: ids are UUIDs")]
    RunId(String),
}

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The store is away, hangs, is not migrated yet or refuses everybody: try the same again later.
    Transient,
    /// This input will never be taken.
    Invalid,
}

impl Error {
    /// What the driver says, as what it means.
    pub(crate) fn of_driver(store: &str, operation: &'static str, source: sqlx::Error) -> Self {
        let store = store.to_owned();
        if sqlite_code(&source).is_some_and(|code| matches!(code, SQLITE_CORRUPT | SQLITE_NOTADB)) {
            return Self::Damaged { store, operation, source };
        }
        Self::Sql { store, operation, source }
    }

    /// What it means. Callers keep their data on `Transient` and give the input up on `Invalid`.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Dsn(_) | Self::RunId(_) => Class::Invalid,
            Self::Timeout { .. } | Self::Migrate { .. } | Self::Damaged { .. } => Class::Transient,
            Self::Sql { source, .. } => sql_class(source),
        }
    }
}

/// Only an error that names the data is the data's fault; whatever else it is, the data is kept.
pub(crate) fn sql_class(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => Class::Invalid,
        sqlx::Error::Database(e) => match sqlite_code(error) {
            Some(code) => sqlite_class(code),
            None => e.code().map_or(Class::Transient, |code| sqlstate_class(&code)),
        },
        // A foreign enum that may grow: all its other variants speak of the connection or of a defect of ours.
        _ => Class::Transient,
    }
}

/// 21 cardinality, 22 data exception, 23 constraint, 54 program limit; 0A and XX000 come from odd values too.
fn sqlstate_class(code: &str) -> Class {
    let of_the_row = code == "XX000" || ["21", "22", "23", "54", "0A"].iter().any(|class| code.starts_with(class));
    if of_the_row { Class::Invalid } else { Class::Transient }
}

const SQLITE_CORRUPT: i32 = 11;
const SQLITE_TOOBIG: i32 = 18;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_MISMATCH: i32 = 20;
const SQLITE_NOTADB: i32 = 26;

/// SQLite's primary result code, if the error is SQLite's. A full disk (13), a read-only volume (8), a lock (5) and
/// errors of reading and writing (10, 14) are no fault of the row.
fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let e = error.as_database_error()?.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    sqlx::error::DatabaseError::code(e)?.parse::<i32>().ok().map(|extended| extended & 0xff)
}

fn sqlite_class(code: i32) -> Class {
    match code {
        SQLITE_TOOBIG | SQLITE_CONSTRAINT | SQLITE_MISMATCH => Class::Invalid,
        _ => Class::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_that_name_the_data_are_invalid() {
        for code in [SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH] {
            assert_eq!(sqlite_class(code), Class::Invalid, "{code}");
        }
        for code in [1, 5, 6, 8, 9, 10, 11, 13, 14, 15, 17, 23, 26] {
            assert_eq!(sqlite_class(code), Class::Transient, "{code}");
        }
    }

    #[test]
    fn only_errors_that_name_the_data_are_invalid() {
        for code in ["22P05", "23514", "23502", "54000", "21000", "XX000"] {
            assert_eq!(sqlstate_class(code), Class::Invalid, "{code}");
        }
        for code in [
            "08006", "25006", "28P01", "3D000", "40P01", "42P01", "42501", "53100", "55P03", "57014", "57P01", "58030",
            "XX001",
        ] {
            assert_eq!(sqlstate_class(code), Class::Transient, "{code}");
        }
    }

    #[test]
    fn lost_connections_are_transient() {
        assert_eq!(sql_class(&sqlx::Error::PoolTimedOut), Class::Transient);
        assert_eq!(sql_class(&sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())), Class::Transient);
        assert_eq!(sql_class(&sqlx::Error::Protocol("cut".into())), Class::Transient);
    }
}
