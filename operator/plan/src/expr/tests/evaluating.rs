//! What expressions come to.

use super::*;

#[test]
fn evaluates() {
    for (text, expected) in [
        ("plain", json!("plain")),
        ("", json!("")),
        ("a $${b} $ $x $", json!("a ${b} $ $x $")),
        ("$$${x}", json!("$${x}")),
        ("${params.window}", json!(12)),
        ("w=${params.window} r=${params.rate} d=${params.dry}", json!("w=12 r=2 d=false")),
        // The integer 2 of a param that is declared as a number is a number.
        ("${params.rate}", json!(2.0)),
        ("${params.rate / 4.0}", json!(0.5)),
        ("${params.rate - 0.5}", json!(1.5)),
        ("${-params.rate}", json!(-2.0)),
        ("${7 / 2}", json!(3)),
        ("${-7 / 2}", json!(-3)),
        ("${-7 % 3}", json!(-1)),
        ("${'}' + \"{\"}", json!("}{")),
        ("${params.title}", json!("Mauna Loa $(HOME)")),
        // What was substituted is not scanned again.
        ("${'$' + '{params.window}'}", json!("${params.window}")),
        ("${1 < 1.5 && 2 >= 2.0}", json!(true)),
        ("${9007199254740993 == 9007199254740992.0}", json!(false)),
        ("${9223372036854775807 < 1e19}", json!(true)),
        ("${'a' < 'b'}", json!(true)),
        ("${params.dry == false && params.dry != true}", json!(true)),
        ("${params.counts.map(x, x * x)}", json!([9, 1, 4])),
        ("${params.counts.filter(x, x > 1)}", json!([3, 2])),
        ("${[].all(x, x == 1) && ![].exists(x, x == 1)}", json!(true)),
        ("${params.counts[1] + params.counts[2]}", json!(3)),
        ("${params.counts + [4]}", json!([3, 1, 2, 4])),
        ("${[1, [2.0]] == [1.0, [2]]}", json!(true)),
        ("${params.items == [1, 'a', null, 2.5]}", json!(true)),
        ("${{'a': 1} == {'a': 1.0}}", json!(true)),
        ("${{'a': 1} == {'b': 1}}", json!(false)),
        ("${null in params.items}", json!(true)),
        ("${params.items.filter(x, x != null).join('/')}", json!("1/a/2.5")),
        ("${params.config.lr * 2.0}", json!(1.0)),
        ("${params.config.lr * 2}", json!(1.0)),
        ("${params.config.depth * 2}", json!(6)),
        ("${params.config.depth * 2.0}", json!(6.0)),
        ("${params.config['na-me']}", json!("n")),
        ("${params.config['na-' + 'me']}", json!("n")),
        ("${has(params.config.lr) && !has(params.config.nope) && 'tags' in params.config}", json!(true)),
        ("${params.config.map(k, k)}", json!(["depth", "lr", "na-me", "tags"])),
        (
            "${{'b': [1, null], params.title: now}}",
            json!({"b": [1, null], "Mauna Loa $(HOME)": "2026-11-21T08:00:00Z"}),
        ),
        ("${steps.clean.outputs}", json!({"rows": 2284, "label": "co2"})),
        ("${steps['co2-fetch'].outputs.bytes}", json!(9)),
        ("${run.id + '-' + string(run.number)}", json!("0193-7")),
        ("${size('é€😀') + size([1]) + size({'a': 1})}", json!(5)),
        (
            "${string(1.0) + ' ' + string(0.1) + ' ' + string(1e21) + ' ' + string(1e-9) + ' ' + string(-2)}",
            json!("1 0.1 1e21 1e-9 -2"),
        ),
        ("${int(2.9) + int(-2.9) + int('40')}", json!(40)),
        ("${double('1e3') + double(1)}", json!(1001.0)),
        ("${bool('true') && !bool('false')}", json!(true)),
        ("${min(params.counts) + max(1, 5, 3)}", json!(6)),
        ("${max(0.5, params.rate)}", json!(2.0)),
        ("${max([1, 3, 2])}", json!(3)),
        ("${'a-b-c'.split('-')}", json!(["a", "b", "c"])),
        ("${'aé'.split('')}", json!(["a", "é"])),
        ("${'a-b'.replace('-', '+') + ' x '.trim() + 'aB'.lowerAscii() + 'aB'.upperAscii()}", json!("a+bxabAB")),
        ("${'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.contains('b')}", json!(true)),
        ("${[1, 2].join()}", json!("12")),
        ("${toJson({'b': 1, 'a': [null, 'x\"']})}", json!(r#"{"a":[null,"x\""],"b":1}"#)),
        // A side that decides makes up for one that fails.
        ("${1 / 0 > 1 || true}", json!(true)),
        ("${false && 1 / 0 > 1}", json!(false)),
        ("${[0, 1].exists(x, 1 / x == 1)}", json!(true)),
        ("${true ? 1 : 1 / 0}", json!(1)),
        ("${1.orValue(1 / 0)}", json!(1)),
    ] {
        assert_eq!(value_of(text, &values(true)), Ok(expected), "{text}");
    }
}

#[test]
fn a_skipped_step_gives_null() {
    for (text, ran, skipped) in [
        ("${steps.fit.outputs.rmse}", json!(0.25), Value::Null),
        ("${steps.fit.outputs}", json!({"rmse": 0.25, "best": "loess", "ok": true, "points": [1.0, 2.5]}), Value::Null),
        ("${steps.fit.outputs.rmse.orValue(1.0)}", json!(0.25), json!(1.0)),
        ("${steps.fit.outputs.rmse != null && steps.fit.outputs.rmse < 0.5}", json!(true), json!(false)),
        ("${steps.fit.phase == 'Succeeded' ? steps.fit.outputs.best : 'none'}", json!("loess"), json!("none")),
        ("${steps.fit.outputs == null ? 0.0 : steps.fit.outputs.points[1]}", json!(2.5), json!(0.0)),
        ("${steps.fit.phase}", json!("Succeeded"), json!("Skipped")),
        ("${toJson(steps.fit.outputs.points)}", json!("[1.0,2.5]"), json!("null")),
    ] {
        assert_eq!(value_of(text, &values(true)), Ok(ran), "{text}");
        assert_eq!(value_of(text, &values(false)), Ok(skipped), "{text}");
    }
}

#[test]
fn fails_with_a_reason() {
    for (expression, expected) in [
        ("1 / (params.window - 12)", "division by zero"),
        ("1 % 0", "division by zero"),
        ("1.0 / 0.0", "division by zero"),
        ("1e308 * 10.0", "the result of `*` is not a finite number"),
        ("9223372036854775807 + 1", "the result of `+` does not fit into an integer of 64 bits"),
        ("-9223372036854775808 / -1", "the result of `/` does not fit into an integer of 64 bits"),
        ("int(1e19)", "the result of `int` does not fit into an integer of 64 bits"),
        ("int('12a')", "\"12a\" is not an integer"),
        ("double('inf')", "\"inf\" is not a number"),
        ("bool('yes')", "\"yes\" is not `true` or `false`"),
        ("params.counts[3]", "index 3 is outside the list, which has 3 elements"),
        ("params.counts[-1]", "index -1 is outside the list, which has 3 elements"),
        ("params.config.nope", "the object has no field `nope`; test for it with `has(object.nope)`"),
        ("{params.title: 1, params.title: 2}", "the object has the key `Mauna Loa $(HOME)` twice"),
        ("min(params.counts.filter(x, x > 9))", "`min` of an empty list; test `size(…) > 0` first"),
        // A side that does not decide makes up for nothing.
        ("1 / 0 > 1 || false", "division by zero"),
        ("1 / 0 > 1 && true", "division by zero"),
        // What the types could not tell beforehand.
        ("params.counts[params.items[1]]", "the index of a list needs integer, found string"),
        ("params.config[params.items[0]]", "the key of an object needs string, found integer"),
        ("params.items[0][0]", "`[…]` needs a list or an object, found integer"),
        ("params.items[1] - params.items[1]", "`-` needs values that fit together, found string and string"),
        ("params.config.tags - params.config.tags", "`-` needs values that fit together, found list and list"),
        ("params.config.lr + 'a'", "`+` needs values that fit together, found number and string"),
        ("params.items.map(x, x * 2)", "`*` needs values that fit together, found string and integer"),
    ] {
        let text = format!("${{{expression}}}");
        assert_eq!(value_of(&text, &values(true)).expect_err(&text), format!("{text}: {expected}"));
    }
}

#[test]
fn values_must_be_what_was_declared() {
    let mut wrong = values(true);
    wrong.params.insert("window".to_owned(), json!("12"));
    wrong.params.insert("counts".to_owned(), json!([1, 2.5]));
    wrong.params.remove("dry");
    for (text, expected) in [
        ("${params.window}", "${params.window}: `params.window` is declared as integer, but is a string"),
        ("${params.counts}", "${params.counts}: `params.counts` is declared as integer, but is a number"),
        ("${params.dry}", "${params.dry}: `params.dry` is declared as boolean, but is not there"),
    ] {
        assert_eq!(value_of(text, &wrong).expect_err(text), expected);
    }
    // What is not reached is not read.
    assert_eq!(value_of("${true ? 1 : params.window}", &wrong), Ok(json!(1)));
}

#[test]
fn work_and_size_are_bounded() {
    let mut big = values(true);
    big.params.insert("counts".to_owned(), json!((0..MAX_LIST).collect::<Vec<_>>()));
    big.params.insert("title".to_owned(), json!("x".repeat(8000)));
    let over = |text: &str| value_of(text, &big).expect_err(text);
    assert_eq!(value_of("${params.counts.map(x, x * 2 + 1).filter(x, x % 2 == 0).size()}", &big), Ok(json!(0)));
    assert_eq!(value_of("${size(params.counts)}", &big), Ok(json!(MAX_LIST)));
    assert!(over("${params.counts + [1]}").ends_with("the length of a list is over the limit of 10000"));
    assert!(
        over("${params.counts.map(x, params.title)}")
            .ends_with("the size of the result in bytes is over the limit of 65536")
    );
    assert!(over("${toJson(params.counts.map(x, params.title))}").contains("the size of the result"));
    assert!(
        over("${params.title.replace('x', params.title).size()}")
            .ends_with("the work of the expression is over the limit of 1000000")
    );
    assert!(over("${params.counts.map(x, params.counts + [])}").contains("the work of the expression"));
    assert!(over("${params.counts.all(x, params.counts == params.counts)}").contains("the work of the expression"));
    assert!(
        over(
            "${params.counts.exists(x, params.counts == [x]) || params.counts.map(x, params.title.contains('y')) == []}"
        )
        .contains("the work")
    );
    // Found before the text is made, and not made up for by the other side of `||`.
    assert!(over("${params.title.replace('x', params.title) == ''}").contains("the work of the expression"));
    assert!(over("${params.counts + [1] == [] || true}").contains("the length of a list"));
    // What is made over and over is paid for each time, also where it is short or thrown away.
    assert!(over("${params.counts.all(x, params.title + '' != '')}").contains("the work of the expression"));
    assert!(over("${params.counts.all(x, params.counts.join() != '')}").contains("the work of the expression"));
    assert!(over("${params.counts.map(x, params.title).join() == ''}").contains("the work of the expression"));
    // Nine pieces of 8,000 characters.
    assert!(over(&"${params.title}".repeat(9)).contains("the size of the result"));
    big.params.insert("counts".to_owned(), json!((0..=MAX_LIST).collect::<Vec<_>>()));
    assert!(over2(&big).ends_with("the length of a list is over the limit of 10000"));
}

#[test]
fn an_expression_reads_a_text_of_a_megabyte() {
    let mut big = values(true);
    big.params.insert("title".to_owned(), json!("x".repeat(1_000_000)));
    assert_eq!(value_of("${size(params.title)}", &big), Ok(json!(1_000_000)));
}

#[test]
fn a_text_splits_into_as_many_parts_as_a_list_may_have() {
    let parts = |commas: usize| {
        let mut long = values(true);
        long.params.insert("title".to_owned(), json!(",".repeat(commas)));
        value_of("${size(params.title.split(','))}", &long)
    };
    assert_eq!(parts(MAX_LIST - 1), Ok(json!(MAX_LIST)));
    assert!(parts(MAX_LIST).expect_err("one too many").ends_with("the length of a list is over the limit of 10000"));
}

/// What is measured is JSON, as it is stored: with quotes, commas and escapes.
#[test]
fn a_result_is_as_large_as_the_limit_and_no_larger() {
    let text = |c: &str, times: usize| ("title", json!(c.repeat(times)));
    let list = |length: usize| ("counts", json!(vec![1_000_000; length]));
    let object = |fields: usize| {
        ("config", (0..fields).map(|i| (format!("f{i:05}"), json!(100_000))).collect::<serde_json::Map<_, _>>().into())
    };
    for (fits, over) in [
        (text("x", MAX_OUTPUT - 2), text("x", MAX_OUTPUT - 1)),
        (text("\"", MAX_OUTPUT / 2 - 1), text("\"", MAX_OUTPUT / 2)),
        (text("\n", MAX_OUTPUT / 2 - 1), text("\n", MAX_OUTPUT / 2)),
        (text("\u{1}", MAX_OUTPUT / 6), text("\u{1}", MAX_OUTPUT / 6 + 1)),
        (list(8191), list(8192)),
        (object(4095), object(4096)),
    ] {
        let result = |(param, value): &(&str, Value)| {
            let mut large = values(true);
            large.params.insert((*param).to_owned(), value.clone());
            value_of(&format!("${{params.{param}}}"), &large)
        };
        assert!(fits.1.to_string().len() <= MAX_OUTPUT && over.1.to_string().len() > MAX_OUTPUT);
        assert!(result(&fits) == Ok(fits.1), "a {} that fits", fits.0);
        let error = result(&over).expect_err(over.0);
        assert!(error.ends_with("the size of the result in bytes is over the limit of 65536"), "{error}");
    }
}

#[test]
fn a_text_with_expressions_is_as_long_as_the_limit_and_no_longer() {
    let length = |title: usize| {
        let mut long = values(true);
        long.params.insert("title".to_owned(), json!("x".repeat(title)));
        value_of("-${params.title}", &long).map(|text| text.as_str().unwrap().len())
    };
    assert_eq!(length(MAX_OUTPUT - 1), Ok(MAX_OUTPUT));
    assert!(
        length(MAX_OUTPUT)
            .expect_err("one too many")
            .ends_with("the size of the result in bytes is over the limit of 65536")
    );
}

fn over2(values: &Values) -> String {
    value_of("${size(params.counts)}", values).expect_err("one too many")
}

#[test]
fn text_for_pods_comes_through_the_kubelet() {
    let checked =
        Template::parse("--title=${params.title} $(KEEP) ${'$'}${'(A)'}").unwrap().check_text(&env()).unwrap();
    assert_eq!(checked.render_text(&values(true)).unwrap(), "--title=Mauna Loa $(HOME) $(KEEP) $(A)");
    let escaped = checked.render_for_kubelet(&values(true)).unwrap();
    assert_eq!(escaped, "--title=Mauna Loa $$(HOME) $(KEEP) $$(A)");
    assert_eq!(super::properties::kubelet_expand(&escaped), "--title=Mauna Loa $(HOME) <KEEP> $(A)");
    let literal = Template::parse("$(KEEP) $$(X)").unwrap().check_text(&env()).unwrap();
    assert_eq!(literal.render_for_kubelet(&values(true)).unwrap(), "$(KEEP) $$(X)");
}

#[test]
fn conditions_hold_or_not() {
    let holds = |text: &str| {
        let checked = Template::parse(text).unwrap().check_condition(&env()).unwrap();
        checked.render_condition(&values(true)).map_err(|e| e.to_string())
    };
    assert_eq!(holds("${params.window > 6}"), Ok(true));
    assert_eq!(holds("${params.window > 60}"), Ok(false));
    assert_eq!(
        holds("${params.config.depth}").unwrap_err(),
        "${params.config.depth}: a condition needs boolean, found an integer"
    );
}
