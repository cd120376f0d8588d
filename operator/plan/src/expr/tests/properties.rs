//! What must hold for any text and for any well-typed expression.

use super::*;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

const SEED: [u8; 32] = *b"hearth expressions, fixed seed 1";

/// A runner whose cases are the same each time; `PROPTEST_CASES` makes them more.
pub(super) fn runner(cases: u32) -> TestRunner {
    println!("proptest seed: {}", String::from_utf8_lossy(&SEED));
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &SEED))
}

/// Parses, checks and evaluates, and lets nothing but a panic fail.
fn digest(text: &str) {
    let Ok(template) = Template::parse(text) else { return };
    let _ = template.references();
    let Ok(checked) = template.check(&env()) else { return };
    for ran in [true, false] {
        let _ = checked.render(&values(ran));
        let _ = checked.render_for_kubelet(&values(ran));
    }
}

#[test]
fn no_text_makes_it_panic() {
    let any = proptest::string::string_regex("[\\PC\n\0]{0,60}").unwrap();
    runner(300)
        .run(&any, |text| {
            digest(&text);
            digest(&format!("${{{text}}}"));
            Ok(())
        })
        .unwrap();
}

#[test]
fn no_row_of_tokens_makes_it_panic() {
    let token = prop::sample::select(vec![
        "params",
        "steps",
        ".fit",
        ".outputs",
        ".rmse",
        ".window",
        "counts",
        "now",
        ".",
        ",",
        ":",
        "?",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "+",
        "-",
        "*",
        "/",
        "%",
        "!",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        " in ",
        "null",
        "true",
        "1",
        "0x7f",
        "1.5",
        "1e308",
        "-9223372036854775808",
        "'a'",
        "\"",
        "'",
        "r'\\'",
        "'''",
        "\\",
        "`",
        "x",
        ".map(x,",
        ".filter(x,",
        ".all(",
        "has(",
        "size(",
        "string(",
        ".orValue(",
        "$",
        "${",
        "$${",
        "é",
        "\u{0}",
        "\n",
        "//",
        "1u",
        "b'a'",
        "?.",
        "@result",
        "for",
        "..",
    ]);
    runner(1500)
        .run(&prop::collection::vec(token, 0..25), |tokens| {
            digest(&format!("${{{}}}", tokens.concat()));
            Ok(())
        })
        .unwrap();
}

/// Well-typed expressions as text. With `cel` only such as the `cel` crate's own interpreter knows too.
#[derive(Clone, Copy)]
pub(super) struct Grammar {
    pub(super) cel: bool,
}

type Text = BoxedStrategy<String>;

fn pick(texts: &[&str]) -> Text {
    prop::sample::select(texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>()).boxed()
}

fn two(a: Text, b: Text, f: impl Fn(String, String) -> String + 'static) -> Text {
    (a, b).prop_map(move |(a, b)| f(a, b)).boxed()
}

fn one(a: Text, f: impl Fn(String) -> String + 'static) -> Text {
    a.prop_map(f).boxed()
}

fn any_of(choices: Vec<Text>) -> Text {
    prop::strategy::Union::new(choices).boxed()
}

impl Grammar {
    fn condition(self, depth: u32, of: fn(Self, u32) -> Text) -> Text {
        (self.boolean(depth), of(self, depth), of(self, depth))
            .prop_map(|(t, a, b)| format!("({t} ? {a} : {b})"))
            .boxed()
    }

    pub(super) fn integer(self, depth: u32) -> Text {
        let leaf = pick(&[
            "0",
            "1",
            "7",
            "-3",
            "9223372036854775807",
            "params.window",
            "steps.clean.outputs.rows",
            "run.number",
        ]);
        if depth == 0 {
            return leaf;
        }
        let d = depth - 1;
        let operator = |o: &'static str| two(self.integer(d), self.integer(d), move |a, b| format!("({a} {o} {b})"));
        let mut choices = vec![
            leaf,
            operator("+"),
            operator("-"),
            operator("*"),
            operator("/"),
            operator("%"),
            one(self.integer(d), |a| format!("(-({a}))")),
            one(self.text(d), |a| format!("size({a})")),
            one(self.integers(d), |a| format!("size({a})")),
            two(self.integers(d), self.integer(d), |a, b| format!("{a}[{b}]")),
            self.condition(d, Self::integer),
        ];
        if !self.cel {
            choices.push(one(self.number(d), |a| format!("int({a})")));
            choices.push(two(self.integer(d), self.integer(d), |a, b| format!("min({a}, {b})")));
            choices.push(one(self.integers(d), |a| format!("max({a})")));
            choices.push(one(self.text(d), |a| format!("int({a})")));
        }
        any_of(choices)
    }

    pub(super) fn number(self, depth: u32) -> Text {
        let leaf = pick(&["0.5", "1e300", "-2.0", "params.rate"]);
        if depth == 0 {
            return leaf;
        }
        let d = depth - 1;
        let operator = |o: &'static str| two(self.number(d), self.number(d), move |a, b| format!("({a} {o} {b})"));
        let mut choices = vec![
            leaf,
            operator("+"),
            operator("*"),
            operator("/"),
            one(self.integer(d), |a| format!("double({a})")),
            self.condition(d, Self::number),
        ];
        if !self.cel {
            choices.push(one(self.number(d), |a| format!("steps.fit.outputs.rmse.orValue({a})")));
            choices.push(one(self.number(d), |a| {
                format!("(steps.fit.outputs.ok == null ? {a} : steps.fit.outputs.rmse)")
            }));
            choices.push(two(self.integer(d), self.number(d), |a, b| {
                format!("(steps.fit.phase == 'Succeeded' ? steps.fit.outputs.points[{a}] : {b})")
            }));
        }
        any_of(choices)
    }

    pub(super) fn text(self, depth: u32) -> Text {
        let leaf =
            pick(&["''", "'a'", "\"é}\"", "params.title", "run.id", "steps.clean.outputs.label", "steps.fit.phase"]);
        if depth == 0 {
            return leaf;
        }
        let d = depth - 1;
        let mut choices = vec![
            leaf,
            two(self.text(d), self.text(d), |a, b| format!("({a} + {b})")),
            one(self.integer(d), |a| format!("string({a})")),
            self.condition(d, Self::text),
        ];
        if !self.cel {
            choices.push(one(self.boolean(d), |a| format!("string({a})")));
            choices.push(one(self.number(d), |a| format!("string({a})")));
            choices.push(one(self.integers(d), |a| format!("{a}.join(', ')")));
            choices.push(one(self.integers(d), |a| format!("toJson({{'a': {a}}})")));
            choices.push(two(self.text(d), self.text(d), |a, b| format!("{a}.replace({b}, 'x').trim().upperAscii()")));
            choices.push(two(self.text(d), self.integer(d), |a, b| format!("{a}.split('')[{b}]")));
            choices.push(one(self.text(d), |a| format!("steps.fit.outputs.best.orValue({a})")));
        }
        any_of(choices)
    }

    pub(super) fn boolean(self, depth: u32) -> Text {
        let leaf = pick(&["true", "false", "params.dry", "steps.fit.phase == 'Skipped'"]);
        if depth == 0 {
            return leaf;
        }
        let d = depth - 1;
        let compare = |of: fn(Self, u32) -> Text, o: &'static str| {
            two(of(self, d), of(self, d), move |a, b| format!("({a} {o} {b})"))
        };
        let mut choices = vec![
            leaf,
            compare(Self::integer, "<"),
            compare(Self::integer, "=="),
            compare(Self::number, ">="),
            compare(Self::text, "<="),
            compare(Self::text, "!="),
            compare(Self::integers, "=="),
            compare(Self::boolean, "&&"),
            compare(Self::boolean, "||"),
            two(self.integer(d), self.number(d), |a, b| format!("({a} < {b})")),
            two(self.integer(d), self.integers(d), |a, b| format!("({a} in {b})")),
            one(self.boolean(d), |a| format!("(!({a}))")),
            two(self.text(d), self.text(d), |a, b| format!("{a}.contains({b})")),
            two(self.text(d), self.text(d), |a, b| format!("{a}.startsWith({b})")),
            self.condition(d, Self::boolean),
            two(self.integers(d), self.integer(0), |a, b| format!("{a}.all(x, x > {b})")),
            two(self.integers(d), self.integer(0), |a, b| format!("{a}.exists(x, {b} / x > 1)")),
        ];
        if !self.cel {
            choices.push(one(self.boolean(d), |a| {
                format!("(steps.fit.outputs.rmse != null && steps.fit.outputs.rmse > 0.1 && {a})")
            }));
            choices.push(one(self.boolean(d), |a| {
                format!("(steps.fit.outputs.ok == null || steps.fit.outputs.ok || {a})")
            }));
        }
        any_of(choices)
    }

    pub(super) fn integers(self, depth: u32) -> Text {
        let leaf = pick(&["[1, 2]", "[0]", "params.counts"]);
        if depth == 0 {
            return leaf;
        }
        let d = depth - 1;
        let mut choices = vec![
            leaf,
            two(self.integer(d), self.integer(d), |a, b| format!("[{a}, {b}]")),
            two(self.integers(d), self.integers(d), |a, b| format!("({a} + {b})")),
            two(self.integers(d), self.integer(0), |a, b| format!("{a}.map(x, x * {b})")),
            two(self.integers(d), self.integer(0), |a, b| format!("{a}.filter(x, x > {b})")),
        ];
        if !self.cel {
            choices.push(one(self.integer(d), |a| format!("[{a}, null].filter(x, x != null).map(x, x + 1)")));
        }
        any_of(choices)
    }
}

/// An expression of any type, with the type's name.
pub(super) fn expression(grammar: Grammar, depth: u32) -> BoxedStrategy<(&'static str, String)> {
    prop_oneof![
        grammar.integer(depth).prop_map(|e| ("integer", e)),
        grammar.number(depth).prop_map(|e| ("number", e)),
        grammar.text(depth).prop_map(|e| ("string", e)),
        grammar.boolean(depth).prop_map(|e| ("boolean", e)),
        grammar.integers(depth).prop_map(|e| ("list of integer", e)),
    ]
    .boxed()
}

/// Whether it was turned down for its size, which the generator doesn't watch, and not for its types.
pub(super) fn is_limit(problem: &Problem) -> bool {
    matches!(problem, Problem::TooDeep | Problem::TooLong { .. })
        || matches!(problem, Problem::Unsupported { what, .. } if what.ends_with("within another loop"))
}

#[test]
fn well_typed_expressions_never_fail_for_their_types() {
    let mut checked_so_far = 0;
    let counted = std::cell::RefCell::new(&mut checked_so_far);
    runner(1500)
        .run(&expression(Grammar { cel: false }, 3), |(of, expression)| {
            let text = format!("${{{expression}}}");
            let checked = match Template::parse(&text).and_then(|t| t.check(&env())) {
                Ok(checked) => checked,
                Err(error) if is_limit(&error.problem) => return Ok(()),
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            prop_assert_eq!(checked.of().to_string(), of);
            **counted.borrow_mut() += 1;
            for ran in [true, false] {
                match checked.render(&values(ran)) {
                    Ok(value) => prop_assert!(has_type(&value, checked.of()), "{} gave {}", text, value),
                    Err(error) => prop_assert!(
                        matches!(error.problem, Problem::Failed { .. } | Problem::TooMuch { .. }),
                        "{}",
                        error
                    ),
                }
            }
            Ok(())
        })
        .unwrap();
    println!("{checked_so_far} expressions were evaluated");
    assert!(checked_so_far > 500, "only {checked_so_far} expressions were small enough");
}

fn has_type(value: &Value, of: &Type) -> bool {
    match of {
        Type::Int => value.is_i64(),
        Type::Double => value.is_f64(),
        Type::String => value.is_string(),
        Type::Bool => value.is_boolean(),
        Type::List(element) => value.as_array().is_some_and(|all| all.iter().all(|v| has_type(v, element))),
        Type::Null | Type::Record(_) | Type::Map | Type::Nullable(_) | Type::Dyn => false,
    }
}

/// What the kubelet makes of a text in `command`, `args` or `env`: `$(NAME)` is `<NAME>` here, `$$` is `$`, and a `$`
/// before anything else stays.
pub(super) fn kubelet_expand(text: &str) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        expanded.push_str(before);
        let after = &from[1..];
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('(').and_then(|a| a.split_once(')')) {
            expanded.push_str(&format!("<{name}>"));
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded + rest
}

#[test]
fn the_kubelet_undoes_the_escape_and_nothing_more() {
    let text = proptest::string::string_regex("[$()A-C é]{0,12}").unwrap().boxed();
    runner(2000)
        .run(&(text.clone(), text), |(a, b)| {
            // Two values side by side: a `$` of the first may stand before a `(` of the second.
            prop_assert_eq!(
                kubelet_expand(&format!("{}{}", kubelet_escape(&a), kubelet_escape(&b))),
                format!("{a}{b}")
            );
            Ok(())
        })
        .unwrap();
}

#[test]
fn text_without_expressions_stays_as_it_is() {
    let text = proptest::string::string_regex("[$}a é(]{0,20}").unwrap();
    runner(500)
        .run(&text, |text| {
            let template = Template::parse(&text).unwrap();
            prop_assert!(template.is_literal());
            prop_assert_eq!(template.check(&env()).unwrap().render(&values(true)).unwrap(), json!(text));
            Ok(())
        })
        .unwrap();
}

/// A stack that overflows would take the whole operator with it, and its worker threads have 2 MiB.
#[test]
fn the_largest_expressions_need_little_stack() {
    let row = |times: usize, first: &str, more: &str, last: &str| format!("{first}{}{last}", more.repeat(times));
    let nested =
        |n: usize, open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(n), close.repeat(n));
    let texts = [
        row(MAX_DEPTH - 1, "1", " + 1", ""),
        row(MAX_DEPTH - 1, "params.config", ".a", ""),
        row(MAX_DEPTH - 1, "", "true || ", "false"),
        row(500, "params.config", ".a", ""),
        row(500, "1", "+1", ""),
        row(300, "a", "[0]", ""),
        row(500, "", "!", "true"),
        nested(MAX_NESTING, "(", "1", ")"),
        nested(MAX_NESTING, "[", "1", "]"),
        nested(MAX_NESTING, "{'a':", "1", "}"),
        nested(MAX_NESTING, "-size([", "1", "])"),
        nested(MAX_NESTING, "true ? 1 : ", "2", ""),
        nested(MAX_NESTING, "true ? ", "2", " : 1"),
        nested(MAX_NESTING, "1 + a.b.c(1, ", "2", ")"),
        nested(500, "(", "1", ")"),
        "toJson(params.config) == toJson(params.config)".to_owned(),
        "params.config == params.config".to_owned(),
    ];
    // As deep as serde_json reads.
    let mut deep = json!(1);
    for _ in 0..60 {
        deep = json!({ "a": [deep] });
    }
    let mut values = values(true);
    values.params.insert("config".to_owned(), deep);
    let work = move || {
        for text in texts {
            if let Ok(checked) = Template::parse(&format!("${{{text}}}")).and_then(|t| t.check(&env())) {
                let _ = checked.render(&values);
            }
        }
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(work).unwrap().join().unwrap();
}
