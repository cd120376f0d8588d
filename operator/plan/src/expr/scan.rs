//! Where an expression ends, and whether it is small enough to hand to the parser.

use super::{MAX_EXPRESSION, MAX_NESTING, Problem};
use std::{iter::Peekable, str::CharIndices};

/// The length in bytes of the expression that `text` begins with, up to its closing `}`. `None` when it never ends.
pub(super) fn expression_length(text: &str) -> Result<Option<usize>, Problem> {
    let mut scan = Scan { text, chars: text.char_indices().peekable() };
    let mut open = 0usize;
    let mut conditions = 0usize;
    while let Some((at, c)) = scan.chars.next() {
        match c {
            '\'' | '"' => scan.string(at, c),
            '`' => scan.skip_past("`"),
            '/' if scan.rest().starts_with('/') => {
                return Err(Problem::unsupported("a comment (`//`)", "put it into the YAML, after `#`"));
            }
            '{' | '(' | '[' => open += 1,
            '}' if open == 0 => return within_limit(at).map(Some),
            // Which bracket closes which is the parser's business.
            '}' | ')' | ']' => open = open.saturating_sub(1),
            '?' => conditions += 1,
            _ => {}
        }
        // The parser descends a dozen calls for each of these, so they are counted before it starts.
        if open > MAX_NESTING || conditions > MAX_NESTING {
            return Err(Problem::TooDeep);
        }
    }
    Ok(None)
}

fn within_limit(bytes: usize) -> Result<usize, Problem> {
    if bytes > MAX_EXPRESSION { Err(Problem::TooLong { bytes }) } else { Ok(bytes) }
}

struct Scan<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

impl Scan<'_> {
    fn rest(&mut self) -> &str {
        let at = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        self.text.get(at..).unwrap_or_default()
    }

    fn forward_to(&mut self, end: usize) {
        while self.chars.next_if(|(at, _)| *at < end).is_some() {}
    }

    fn skip_past(&mut self, close: &str) {
        let start = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        let end = self.rest().find(close).map_or(self.text.len(), |at| start + at + close.len());
        self.forward_to(end);
    }

    /// Skips a string literal whose opening quote was just read at `at`: plain or triple, raw or with escapes.
    fn string(&mut self, at: usize, quote: char) {
        let raw = self.text.get(..at).is_some_and(is_raw_prefix);
        let triple: String = std::iter::repeat_n(quote, 3).collect();
        let close = if self.text.get(at..).is_some_and(|t| t.starts_with(&triple)) {
            self.forward_to(at + 3);
            triple
        } else {
            quote.to_string()
        };
        if raw {
            return self.skip_past(&close);
        }
        while !self.rest().is_empty() {
            if self.rest().starts_with(&close) {
                return self.skip_past(&close);
            }
            if let Some((_, '\\')) = self.chars.next() {
                self.chars.next();
            }
        }
    }
}

/// Whether a quote after `before` opens a raw literal: `r"…"`, `R'…'`, and with `b`, but not the end of a name.
fn is_raw_prefix(before: &str) -> bool {
    let word: String = before.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    word.len() <= 2 && word.contains(['r', 'R']) && word.chars().all(|c| "rRbB".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(text: &str) -> Option<&str> {
        expression_length(text).unwrap().map(|end| &text[..end])
    }

    #[test]
    fn finds_the_brace_that_closes() {
        for (text, expected) in [
            ("a} b}", Some("a")),
            ("{'a': {'b': 1}}['a']} rest", Some("{'a': {'b': 1}}['a']")),
            (r#""}" + '}'} rest"#, Some(r#""}" + '}'"#)),
            (r#""\"}"} rest"#, Some(r#""\"}""#)),
            (r#"r"\"} rest"#, Some(r#"r"\""#)),
            (r#"for"\"}"} rest"#, Some(r#"for"\"}""#)),
            (r#"a + r"\"} rest"#, Some(r#"a + r"\""#)),
            (r#"a_r"\"}"} rest"#, Some(r#"a_r"\"}""#)),
            (r#""""a"}""" + ''''}'''} rest"#, Some(r#""""a"}""" + ''''}'''"#)),
            ("a.`}`} rest", Some("a.`}`")),
            ("'é}' + a} rest", Some("'é}' + a")),
            ("\"\"} rest", Some("\"\"")),
            ("", None),
            ("a", None),
            ("{a}", None),
            ("'}", None),
            (r"'\'}", None),
        ] {
            assert_eq!(inside(text), expected, "{text}");
        }
    }
}
