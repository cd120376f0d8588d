//! What must hold for any text and for any well-typed expression.

use super::{
    grammar::{Grammar, expression},
    *,
};
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
