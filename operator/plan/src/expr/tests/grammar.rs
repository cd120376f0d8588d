//! Well-typed expressions of the [`env`](super::env) that all tests share.

use proptest::prelude::*;

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
