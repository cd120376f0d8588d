//! What the checker takes and what it refuses, with the words that it uses.

use super::*;

#[test]
fn accepts() {
    for (text, expected) in [
        ("plain", "string"),
        ("", "string"),
        ("$${params.nope}", "string"),
        ("${1}", "integer"),
        ("${1.5}", "number"),
        ("${'a'}", "string"),
        ("${true}", "boolean"),
        ("${null}", "null"),
        ("a${1}b", "string"),
        ("${params.window}", "integer"),
        ("${params[\"window\"]}", "integer"),
        ("${params.window * 2 + 1}", "integer"),
        ("${params.rate / 2.0}", "number"),
        ("${params.window < params.rate}", "boolean"),
        ("${params.window == 2.5}", "boolean"),
        ("${'a' + params.title}", "string"),
        ("${params.counts + [4]}", "list of integer"),
        ("${params.counts[0]}", "integer"),
        ("${params.counts.map(x, x > 1)}", "list of boolean"),
        ("${params.counts.filter(x, x > 1).map(y, string(y)).join('-')}", "string"),
        ("${params.counts.all(x, x > 0) && params.counts.exists(x, x == 2)}", "boolean"),
        ("${params.config.lr}", "a value of unknown type"),
        ("${params.config.map(key, key)}", "list of string"),
        ("${params.config.lr * 2.0}", "number"),
        ("${params.config.lr * 2}", "a value of unknown type"),
        ("${params.config.lr * params.config.depth}", "a value of unknown type"),
        ("${params.config['na-me']}", "a value of unknown type"),
        ("${has(params.config.lr) ? double(params.config.lr) : 0.1}", "number"),
        ("${'lr' in params.config}", "boolean"),
        ("${3 in params.counts}", "boolean"),
        ("${null in params.items}", "boolean"),
        ("${1 in [1, null]}", "boolean"),
        ("${[1, null] == [1, 2]}", "boolean"),
        ("${{'a': 1, 'b': {'c': 2.0}}}", "object"),
        ("${{'a': 1, 'b': {'c': 2.0}}.b.c}", "number"),
        ("${{params.title: 1}}", "object"),
        ("${[]}", "list"),
        ("${[1, 'a']}", "list"),
        ("${[1, null]}", "list of (integer or null)"),
        ("${[1, null].filter(x, x != null)}", "list of integer"),
        ("${[1, null].filter(x, x != null).map(x, x + 1)}", "list of integer"),
        ("${[1, null].map(x, x == null ? 0 : x)}", "list of integer"),
        ("${steps.clean.outputs.rows + 1}", "integer"),
        ("${steps.clean.outputs}", "object"),
        ("${steps['co2-fetch'].outputs.bytes}", "integer"),
        ("${steps.`co2-fetch`.outputs.bytes}", "integer"),
        ("${steps.fit.phase == 'Succeeded'}", "boolean"),
        ("${steps.fit.outputs}", "object or null"),
        ("${steps.fit.outputs.rmse}", "number or null"),
        ("${steps.fit.outputs.rmse == null}", "boolean"),
        ("${steps.fit.outputs.rmse.orValue(1.0)}", "number"),
        ("${orValue(steps.fit.outputs.rmse, 1.0) < 0.5}", "boolean"),
        ("${steps.fit.outputs.rmse != null && steps.fit.outputs.rmse < 0.5}", "boolean"),
        ("${null != steps.fit.outputs.rmse && steps.fit.outputs.rmse < 0.5}", "boolean"),
        ("${steps.fit.outputs.rmse == null || steps.fit.outputs.rmse < 0.5}", "boolean"),
        ("${steps.fit.outputs.rmse == null ? 1.0 : steps.fit.outputs.rmse}", "number"),
        ("${!(steps.fit.outputs.rmse == null) ? steps.fit.outputs.rmse : 1.0}", "number"),
        ("${steps.fit.outputs.rmse == null || params.dry ? 1.0 : -steps.fit.outputs.rmse}", "number"),
        ("${steps.fit.outputs.ok != null && steps.fit.outputs.rmse < 0.5}", "boolean"),
        ("${steps.fit.outputs != null ? steps.fit.outputs.best : 'none'}", "string"),
        ("${steps.fit.outputs != null ? steps.fit.outputs['best'] : 'none'}", "string"),
        ("${steps.fit.phase == 'Succeeded' ? steps.fit.outputs.points[0] : 0.0}", "number"),
        ("${'Succeeded' == steps.fit.phase && steps.fit.outputs.ok}", "boolean"),
        ("${steps.fit.phase != 'Succeeded' || steps.fit.outputs.ok}", "boolean"),
        // The branches of a condition meet in the narrowest type that holds both.
        ("${params.dry ? null : 1}", "integer or null"),
        ("${params.dry ? steps.fit.outputs.rmse : 1.0}", "number or null"),
        ("${params.dry ? params.items[0] : 1}", "a value of unknown type"),
        ("${params.dry ? params.counts : []}", "list"),
        ("${params.dry ? [1] : [null]}", "list of (integer or null)"),
        ("${params.dry ? params.config : {'lr': 0.5}}", "object"),
        ("${toJson(steps.fit.outputs)}", "string"),
        ("${run.id + '-' + string(run.number) + now}", "string"),
        ("${min(params.counts)}", "integer"),
        ("${max(1, params.window, 3)}", "integer"),
        ("${size(params.title) + params.title.size() + size(params.counts)}", "integer"),
        ("${'a,b'.split(',')}", "list of string"),
        ("${-params.rate}", "number"),
        ("${!params.dry}", "boolean"),
    ] {
        match type_of(text) {
            Ok(found) => assert_eq!(found.to_string(), expected, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

#[test]
fn refuses() {
    let rmse_null = "`steps.fit.outputs.rmse` is null when step `fit` is skipped; give a default with \
                     `steps.fit.outputs.rmse.orValue(…)`, or test it first: `steps.fit.outputs.rmse != null ? … : …`";
    let roots = "known: params, steps, run, now, item, index";
    let params = "known: config, counts, dry, items, rate, title, window";
    for (expression, expected) in [
        // Names.
        ("parms.window", format!("unknown name `parms`; did you mean `params`? {roots}")),
        ("item", "`item` cannot be used here; give the step a `forEach`".to_owned()),
        ("index + 1", "`index` cannot be used here; give the step a `forEach`".to_owned()),
        ("run.phase", "`run.phase` cannot be used here; read it in `onExit`".to_owned()),
        ("params.windw", format!("unknown param `windw`; did you mean `window`? {params}")),
        ("params.Rate", format!("unknown param `Rate`; did you mean `rate`? {params}")),
        ("params.q", format!("unknown param `q`; {params}")),
        ("steps.claen.phase", "unknown step `claen`; did you mean `clean`? known: clean, co2-fetch, fit".into()),
        ("steps.later.outputs.x", "step `later` need not have ended before this one; add it to `needs`".into()),
        ("steps.clean.outputs.row", "unknown output `row`; did you mean `rows`? known: label, rows".into()),
        (
            "steps.clean.output.rows",
            "unknown field of a step `output`; did you mean `outputs`? known: outputs, phase".into(),
        ),
        ("run.name", "unknown field of `run` `name`; known: id, number, phase".into()),
        ("{'a': 1}.b", "unknown field `b`; did you mean `a`? known: a".into()),
        ("params", "`params` as a value cannot be used here; write `params.NAME`".into()),
        (
            "steps.co2-fetch.outputs.bytes",
            "step `co2` as a value cannot be used here; write `.outputs.NAME` or `.phase` after it; a step whose name \
             has a `-` is written `steps[\"co2-…\"]`"
                .into(),
        ),
        (
            "params[params.title]",
            "a computed name of a param or step cannot be used here; write the name itself".into(),
        ),
        ("params.title.upperAsci()", "unknown function `upperAsci`; did you mean `upperAscii`? known: ".into()),
        // Types.
        (
            "1 + 1.5",
            "`+` needs two integers, numbers, strings or lists, found integer and number; convert with `int(…)` or \
             `double(…)`"
                .into(),
        ),
        (
            "'a' + 1",
            "`+` needs two integers, numbers, strings or lists, found string and integer; convert with `string(…)`, \
             `int(…)` or `double(…)`"
                .into(),
        ),
        ("1.5 % 2.0", "`%` needs two integers, found number and number".into()),
        (
            "'7' - '2'",
            "`-` needs two integers or two numbers, found string and string; convert with `string(…)`, `int(…)` or \
             `double(…)`"
                .into(),
        ),
        ("[1] * [2]", "`*` needs two integers or two numbers, found list of integer and list of integer".into()),
        (
            "params.window > 'a'",
            "`>` needs numbers or strings, found integer and string; convert with `string(…)`, `int(…)` or \
             `double(…)`"
                .into(),
        ),
        (
            "params.window == '12'",
            "`==` needs two values of one type, found integer and string; convert with `string(…)`, `int(…)` or \
             `double(…)`"
                .into(),
        ),
        ("params.config == 1", "`==` needs two values of one type, found object and integer".into()),
        ("[1] == ['a']", "`==` needs two values of one type, found list of integer and list of string".into()),
        ("params.window && true", "`&&` needs boolean, found integer".into()),
        ("true || 'a'", "`||` needs boolean, found string".into()),
        ("!1", "`!` needs boolean, found integer".into()),
        ("-'a'", "`-` needs integer or number, found string".into()),
        ("1 ? 2 : 3", "the test of `?:` needs boolean, found integer".into()),
        (
            "true ? 1 : 2.0",
            "the second branch of `?:` needs integer, found number; convert with `int(…)` or `double(…)`".into(),
        ),
        ("params.counts['a']", "`.a` needs an object, found list of integer".into()),
        ("params.counts[true]", "the index of a list needs integer, found boolean".into()),
        ("params.config[1]", "the key of an object needs string, found integer".into()),
        ("params.title[0]", "`[…]` needs a list or an object, found string".into()),
        ("params.window.x", "`.x` needs an object, found integer".into()),
        (
            "'a' in params.counts",
            "`in` needs a value and a list of its type, or a string and an object, found string and list of integer"
                .into(),
        ),
        ("size(1)", "`size` needs a string, a list or an object, found integer".into()),
        (
            "string(params.counts)",
            "`string` needs boolean, integer, number or string, found list of integer; for lists use `.join(\", \")` \
             or `toJson(…)`"
                .into(),
        ),
        (
            "params.counts.contains(1)",
            "`contains` needs strings, found list of integer; for lists write `x in list`".into(),
        ),
        ("min('a', 'b')", "`min` needs integers, numbers or one list, found string".into()),
        (
            "[[1], [2]].join(',')",
            "`join` needs a list of booleans, integers, numbers or strings, found list of list of integer; make text \
             of each element: `.map(x, …)`"
                .into(),
        ),
        ("params.counts.join(1)", "the separator of `join` needs string, found integer".into()),
        ("params.title.map(x, x)", "`map` needs a list or an object, found string".into()),
        ("params.counts.filter(x, x)", "the test of `filter` needs boolean, found integer".into()),
        ("{1: 2}", "the key of an object needs string, found integer".into()),
        ("{'a': 1, 'a': 2}", "the key `a` twice cannot be used here; leave one out".into()),
        (
            "steps.fit.outputs.rmse.orValue(0)",
            "the default of `orValue` needs number, found integer; convert with `int(…)` or `double(…)`".into(),
        ),
        ("steps.fit.outputs.rmse.orValue('none')", "the default of `orValue` needs number, found string".into()),
        // Null.
        ("steps.fit.outputs.rmse < 0.5", rmse_null.into()),
        ("steps.fit.outputs.rmse == 0.5", rmse_null.into()),
        ("steps.fit.outputs.rmse < 0.5 && steps.fit.outputs.rmse != null", rmse_null.into()),
        ("steps.fit.outputs.rmse != null || steps.fit.outputs.rmse < 0.5", rmse_null.into()),
        ("steps.fit.outputs.rmse != null ? 1.0 : -steps.fit.outputs.rmse", rmse_null.into()),
        ("steps.fit.phase != 'Succeeded' && steps.fit.outputs.rmse < 0.5", rmse_null.into()),
        ("(steps.fit.outputs.rmse != null || params.dry) && steps.fit.outputs.rmse < 0.5", rmse_null.into()),
        ("steps.fit.outputs.rmse == null && params.dry ? 1.0 : -steps.fit.outputs.rmse", rmse_null.into()),
        ("string(steps.fit.outputs.rmse)", rmse_null.into()),
        (
            "steps.fit.outputs.points[0]",
            "`steps.fit.outputs.points` is null when step `fit` is skipped; give a default with \
             `steps.fit.outputs.points.orValue(…)`, or test it first: `steps.fit.outputs.points != null ? … : …`"
                .into(),
        ),
        (
            "[1, null].map(x, x + 1)",
            "`x` may be null; give a default with `x.orValue(…)`, or test it first: `x != null ? … : …`".into(),
        ),
        (
            "[1, null].map(x, x == null ? x + 1 : 0)",
            "`x` may be null; give a default with `x.orValue(…)`, or test it first: `x != null ? … : …`".into(),
        ),
        ("null + 1", "`+` needs two integers, numbers, strings or lists, found null and integer".into()),
        // The subset.
        (
            "has(steps.fit.outputs.rmse)",
            "`has(steps.fit.outputs.rmse)` cannot be used here; the name is declared, so it is there; write \
             `steps.fit.outputs.rmse != null`"
                .into(),
        ),
        (
            "params.counts.map(x, params.counts.map(y, y))",
            "`map` within another loop cannot be used here; only one level is; chain them instead: \
             `xs.filter(x, …).map(x, …)`"
                .into(),
        ),
        ("params.counts.map(now, 1)", "`now` as a variable cannot be used here; take another name".into()),
        ("params.counts.map(x, x > 1, x)", "`map` like this cannot be used here; it takes a variable and".into()),
        ("params.counts.exists_one(x, x > 1)", "`exists_one` cannot be used here; write `size(xs.filter(".into()),
        ("params.title.matches('a')", "unknown function `matches`; known: size, string, int, ".into()),
        ("1u", "the unsigned `1u` cannot be used here; leave the `u` out".into()),
        ("b'a'", "bytes (`b\"…\"`) cannot be used here; write a string".into()),
        ("Point{x: 1}", "the type `Point` cannot be used here; write an object: `{\"key\": value}`".into()),
        ("1 // one", "a comment (`//`) cannot be used here; put it into the YAML, after `#`".into()),
        ("'1'.int()", "`int` like this cannot be used here; write `int(integer | number | string) -> integer`".into()),
        // The text.
        ("", "the expression is empty; write `$${` for a literal `${`".into()),
        ("  ", "the expression is empty; write `$${` for a literal `${`".into()),
        ("1 +", "syntax error at character 4 of the expression: ".into()),
        ("a b", "syntax error at character 3 of the expression: ".into()),
        ("1 +\n2 +\n  é", "syntax error at character 11 of the expression: ".into()),
        ("99999999999999999999", "syntax error at character 1 of the expression: invalid int literal".into()),
    ] {
        let text = format!("${{{expression}}}");
        let error = type_of(&text).map(|t| t.to_string()).expect_err(&text);
        let expected = format!("{text}: {expected}");
        // Lists of functions and what the parser says are not repeated here.
        let open = expected.ends_with([' ', '(']) || expected.ends_with("and");
        assert!(if open { error.starts_with(&expected) } else { error == expected }, "{error}\n{expected}");
    }
}

#[test]
fn refuses_what_cannot_stand_in_text() {
    for (text, expected) in [
        (
            "x ${params.counts}",
            "${params.counts}: list of integer cannot stand in text; join it: `….join(\", \")`, or use `toJson(…)`",
        ),
        ("x ${params.config}", "${params.config}: object cannot stand in text; pick a field, or use `toJson(…)`"),
        (
            "x ${steps.fit.outputs.best}",
            "${steps.fit.outputs.best}: string or null cannot stand in text; give a default: `….orValue(…)`",
        ),
        ("a ${1", "a ${1: `${` at character 3 has no closing `}`; write `$${` for a literal `${`"),
        ("é${'}", "é${'}: `${` at character 2 has no closing `}`; write `$${` for a literal `${`"),
    ] {
        assert_eq!(type_of(text).expect_err(text), expected);
    }
    for text in ["${params.counts}", "${steps.fit.outputs}", "${null}", "${steps.fit.outputs.best}"] {
        let checked = Template::parse(text).unwrap().check_text(&env());
        assert!(matches!(checked.unwrap_err().problem, Problem::NotText { .. }), "{text}");
    }
    assert!(Template::parse("${params.window}").unwrap().check_text(&env()).is_ok());
}

#[test]
fn says_so_when_nothing_is_declared() {
    let check = |text: &str| Template::parse(text).unwrap().check(&Env::new()).unwrap_err().to_string();
    assert_eq!(check("${params.x}"), "${params.x}: unknown param `x`; none is declared");
    assert_eq!(check("${steps.a.phase}"), "${steps.a.phase}: unknown step `a`; none is declared");
}

#[test]
fn conditions_are_booleans() {
    let check =
        |text: &str| Template::parse(text).unwrap().check_condition(&env()).map(|_| ()).map_err(|e| e.to_string());
    assert_eq!(check("${params.window > 6}"), Ok(()));
    assert_eq!(check("${params.config.on}"), Ok(()));
    for (text, expected) in [
        ("true", "true: a condition needs boolean, found string; write it as one expression: `${…}`"),
        ("${true} ", "${true} : a condition needs boolean, found string; write it as one expression: `${…}`"),
        ("${params.window}", "${params.window}: a condition needs boolean, found integer; compare it with something"),
        (
            "${steps.fit.outputs.ok}",
            "${steps.fit.outputs.ok}: a condition needs boolean, found boolean or null; give a default: \
             `(…).orValue(false)`",
        ),
    ] {
        assert_eq!(check(text).expect_err(text), expected);
    }
}

#[test]
fn limits_hold_before_the_parser_starts() {
    let problem = |text: String| Template::parse(&text).unwrap_err().problem;
    let nested = |n: usize, open: &str, close: &str| format!("${{{}1{}}}", open.repeat(n), close.repeat(n));
    for (open, close) in [("(", ")"), ("[", "]"), ("{'a': ", "}"), ("-size([", "])"), ("true ? 1 : ", "")] {
        assert!(Template::parse(&nested(8, open, close)).is_ok(), "{open}");
        assert_eq!(problem(nested(MAX_NESTING + 1, open, close)), Problem::TooDeep, "{open}");
    }
    assert!(Template::parse(&nested(MAX_NESTING, "(", ")")).is_ok());
    assert!(Template::parse(&nested(MAX_NESTING, "true ? 1 : ", "")).is_ok());
    assert!(Template::parse(&nested(MAX_DEPTH, "1 + ", "")).is_ok());
    assert_eq!(problem(nested(MAX_DEPTH + 1, "1 + ", "")), Problem::TooDeep);
    assert_eq!(problem(format!("${{a{}}}", ".a".repeat(500))), Problem::TooDeep);
    assert!(Template::parse(&format!("${{'{}'}}", "a".repeat(MAX_EXPRESSION - 2))).is_ok());
    assert_eq!(
        problem(format!("${{'{}'}}", "a".repeat(MAX_EXPRESSION - 1))),
        Problem::TooLong { bytes: MAX_EXPRESSION + 1 }
    );
    let long = format!("${{{} +}}", "1 + ".repeat(200));
    let shown = Template::parse(&long).unwrap_err().to_string();
    assert!(shown.len() < 250 && shown.contains("…"), "{shown}");
}

#[test]
fn says_what_it_reads() {
    let template = Template::parse(
        "${params.window > 1 && steps.fit.phase == 'x' ? steps['co2-fetch'].outputs.bytes : run.number} \
         ${toJson(steps.clean.outputs)} ${[1].map(x, params.rate)} ${run.id}${now} \
         ${params['2nd'] + params._x}",
    )
    .unwrap();
    assert!(!template.is_literal());
    let references: Vec<String> = template.references().iter().map(ToString::to_string).collect();
    assert_eq!(
        references,
        [
            // As one would write it: a name that begins with a digit or has a minus needs its brackets.
            "params[\"2nd\"]",
            "params._x",
            "params.rate",
            "params.window",
            "steps[\"co2-fetch\"].outputs.bytes",
            "steps.clean.outputs",
            "steps.fit.phase",
            "run.id",
            "run.number",
            "now"
        ]
    );
    assert!(Template::parse("a $${b} $ $x").unwrap().is_literal());
}

#[test]
fn each_function_is_documented_once() {
    let mut names: Vec<&str> = FUNCTIONS.iter().map(|d| d.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FUNCTIONS.len());
    assert!(FUNCTIONS.iter().all(|d| d.signature.contains(d.name) && !d.doc.is_empty()));
}
