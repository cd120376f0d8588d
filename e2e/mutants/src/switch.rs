//! A source file with all its mutants in it, each behind a question that is answered while the tests run.
//!
//! cargo-mutants builds the crate anew for each mutant. Here the crate is built once, with `a && b` as
//! `if a ^ on(7) { b } else { on(7) }`, and a run of the tests says which one is on ("mutant schemata", Untch, Offutt
//! and Harrold 1993). Nothing of an operand is written twice, so that expressions do not grow with their depth.

use crate::list::{Genre, Mutant, Place};
use anyhow::{Context, Result};
use proc_macro2::{LineColumn, Span};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};
use syn::{
    BinOp, Expr, Member, Pat, UnOp,
    spanned::Spanned,
    visit::{self, Visit},
};

/// A file with its mutants.
#[derive(Debug, Default)]
pub struct Switched {
    /// The text.
    pub text: String,
    /// What was put in.
    pub sites: Vec<Site>,
}

/// What was put in at one place: the range of bytes that it spans, the pieces that are new in it, and the mutants.
#[derive(Clone, Debug)]
pub struct Site {
    /// From the first new byte to the last.
    pub range: Range<usize>,
    /// New text.
    pub pieces: Vec<Range<usize>>,
    /// Whose they are.
    pub ids: Vec<usize>,
}

/// Puts the mutants into the text; those that have no such form are left out.
///
/// # Errors
/// The text is no Rust.
pub fn switch(text: &str, mutants: &[(usize, &Mutant)]) -> Result<Switched> {
    let tree = syn::parse_file(text).context("parse")?;
    let mut by_place: BTreeMap<Place, Vec<(usize, &Mutant)>> = BTreeMap::new();
    for (id, mutant) in mutants {
        by_place.entry(mutant.span.start).or_default().push((*id, mutant));
    }
    let mut writer = Writer { text, mutants: by_place, edits: Vec::new(), ids: BTreeMap::new() };
    writer.visit_file(&tree);
    Ok(writer.written())
}

/// The question whether a mutant is on.
fn on(id: usize) -> String {
    format!("crate::mutant::on({id})")
}

/// Text that takes the place of some bytes, or of none.
struct Edit {
    at: Range<usize>,
    /// It ends what another edit of its site began.
    ends: bool,
    /// Sites are numbered from the outside to the inside.
    site: usize,
    text: String,
}

struct Writer<'a> {
    text: &'a str,
    mutants: BTreeMap<Place, Vec<(usize, &'a Mutant)>>,
    edits: Vec<Edit>,
    ids: BTreeMap<usize, Vec<usize>>,
}

impl<'a> Writer<'a> {
    fn at(&self, start: LineColumn, genre: Genre) -> Vec<(usize, &'a Mutant)> {
        let place = Place { line: start.line, column: start.column + 1 };
        self.mutants.get(&place).into_iter().flatten().filter(|(_, m)| m.genre == genre).copied().collect()
    }

    fn site(&mut self, ids: &[usize]) -> usize {
        let site = self.ids.len();
        self.ids.insert(site, ids.to_vec());
        site
    }

    fn begin(&mut self, site: usize, at: usize, text: impl Into<String>) {
        self.edits.push(Edit { at: at..at, ends: false, site, text: text.into() });
    }

    fn replace(&mut self, site: usize, at: Range<usize>, text: impl Into<String>) {
        self.edits.push(Edit { at, ends: false, site, text: text.into() });
    }

    fn end(&mut self, site: usize, at: usize, text: impl Into<String>) {
        self.edits.push(Edit { at: at..at, ends: true, site, text: text.into() });
    }

    fn source(&self, span: Span) -> &'a str {
        self.text.get(span.byte_range()).unwrap_or_default()
    }

    fn function(&mut self, block: &syn::Block) {
        let Some(first) = block.stmts.first() else { return };
        for (id, mutant) in self.at(first.span().start(), Genre::FnValue) {
            let site = self.site(&[id]);
            let value = if mutant.replacement == "()" { "" } else { &mutant.replacement };
            self.begin(site, first.span().byte_range().start, format!("if {} {{ return {value}; }}\n", on(id)));
        }
    }

    fn binary(&mut self, expr: &syn::ExprBinary) {
        let mutants = self.at(expr.op.span().start(), Genre::BinaryOperator);
        let ids: Vec<usize> = mutants.iter().map(|(id, _)| *id).collect();
        let Some(first) = ids.first().copied() else { return };
        if has_let(&expr.left) || has_let(&expr.right) {
            return;
        }
        let (start, end) = (expr.left.span().byte_range().start, expr.right.span().byte_range().end);
        let (operator, sign, on_first) = (expr.op.span().byte_range(), self.source(expr.op.span()), on(first));
        let choice = |left: &str| {
            let others =
                mutants.iter().map(|(id, m)| format!("if {} {{ {left} {} r_ }} else ", on(*id), m.replacement));
            others.chain([format!("{{ {left} {sign} r_ }}")]).collect::<String>()
        };
        let site = self.site(&ids);
        match (&expr.op, ids.len()) {
            (BinOp::And(_), 1) => {
                self.begin(site, start, "(if (");
                self.replace(site, operator, format!(") ^ {on_first} {{ "));
                self.end(site, end, format!(" }} else {{ {on_first} }})"));
            }
            (BinOp::Or(_), 1) => {
                self.begin(site, start, "(if (");
                self.replace(site, operator, format!(") ^ !{on_first} {{ "));
                self.end(site, end, format!(" }} else {{ !{on_first} }})"));
            }
            (BinOp::Eq(_) | BinOp::Ne(_), 1) => {
                self.begin(site, start, "((");
                self.end(site, end, format!(") ^ {on_first})"));
            }
            (BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_), _) => {
                self.begin(site, start, "(match (&(");
                self.replace(site, operator, "), &(");
                self.end(site, end, format!(")) {{ (l_, r_) => {} }})", choice("l_")));
            }
            _ if sign.ends_with('=') => {
                self.begin(site, start, "(match (&mut (");
                self.replace(site, operator, "), (");
                self.end(site, end, format!(")) {{ (l_, r_) => {} }})", choice("*l_")));
            }
            _ => {
                self.begin(site, start, "(match ((");
                self.replace(site, operator, "), (");
                self.end(site, end, format!(")) {{ (l_, r_) => {} }})", choice("l_")));
            }
        }
    }

    fn unary(&mut self, expr: &syn::ExprUnary) {
        let Some((id, _)) = self.at(expr.op.span().start(), Genre::UnaryOperator).first().copied() else { return };
        let (operator, end) = (expr.op.span().byte_range(), expr.expr.span().byte_range().end);
        let site = self.site(&[id]);
        if matches!(expr.op, UnOp::Not(_)) {
            self.begin(site, operator.start, "((");
            self.end(site, end, format!(") ^ {})", on(id)));
        } else {
            self.replace(site, operator, "(match (");
            self.end(site, end, format!(") {{ v_ => if {} {{ v_ }} else {{ -v_ }} }})", on(id)));
        }
    }

    /// `others`: some arm takes all that the others leave, so that this one may go.
    fn arm(&mut self, arm: &syn::Arm, others: bool) {
        let gone = if others { self.at(arm.span().start(), Genre::MatchArm) } else { Vec::new() };
        let guard = arm.guard.as_ref().map(|(_, guard)| guard.span());
        let guards = guard.map(|g| self.at(g.start(), Genre::MatchArmGuard)).unwrap_or_default();
        let ids: Vec<usize> = gone.iter().chain(&guards).map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return;
        }
        let never = gone.iter().chain(guards.iter().filter(|(_, m)| m.replacement == "false"));
        let never: String = never.map(|(id, _)| format!("!{} && ", on(*id))).collect();
        let always = guards.iter().filter(|(_, m)| m.replacement == "true");
        let always: String = always.map(|(id, _)| format!(" || {}", on(*id))).collect();
        let site = self.site(&ids);
        match guard.map(|g| g.byte_range()) {
            Some(guard) => {
                self.begin(site, guard.start, format!("{never}(("));
                self.end(site, guard.end, format!("){always})"));
            }
            None => self.end(site, arm.pat.span().byte_range().end, format!(" if {never}true")),
        }
    }

    fn fields(&mut self, expr: &syn::ExprStruct) {
        let base = expr.rest.as_ref().map(|rest| self.source(rest.span())).unwrap_or_default();
        for field in &expr.fields {
            let Some((id, _)) = self.at(field.span().start(), Genre::StructField).first().copied() else { continue };
            let name = match &field.member {
                Member::Named(name) => name.to_string(),
                Member::Unnamed(index) => index.index.to_string(),
            };
            let other = if base.ends_with("default()") {
                "Default::default()".to_owned()
            } else {
                format!("Clone::clone(&({base}).{name})")
            };
            let written = if field.colon_token.is_some() { String::new() } else { format!("{name}: ") };
            let range = field.expr.span().byte_range();
            let site = self.site(&[id]);
            self.begin(site, range.start, format!("{written}if {} {{ {other} }} else {{ ", on(id)));
            self.end(site, range.end, " }");
        }
    }

    fn written(mut self) -> Switched {
        // What ends at a place comes before what begins there; the inside ends first and begins last.
        self.edits.sort_by_key(|e| (e.at.start, !e.ends, if e.ends { usize::MAX - e.site } else { e.site }));
        let (mut text, mut done) = (String::new(), 0);
        let mut sites: BTreeMap<usize, Site> = BTreeMap::new();
        for edit in &self.edits {
            text += self.text.get(done..edit.at.start).unwrap_or_default();
            let start = text.len();
            text += &edit.text;
            done = edit.at.end;
            let ids = || self.ids.get(&edit.site).cloned().unwrap_or_default();
            let new = || Site { range: start..start, pieces: Vec::new(), ids: ids() };
            let site = sites.entry(edit.site).or_insert_with(new);
            site.range.end = text.len();
            site.pieces.push(start..text.len());
        }
        text += self.text.get(done..).unwrap_or_default();
        Switched { text, sites: sites.into_values().collect() }
    }
}

/// Whether a pattern takes everything: `None` is parsed as a name, too.
fn takes_all(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        Pat::Ident(name) => name.subpat.is_none() && name.ident.to_string().starts_with(char::is_lowercase),
        _ => false,
    }
}

/// Whether it is part of a chain with `let`, which stands in no brackets.
fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(b) if matches!(b.op, BinOp::And(_)) => has_let(&b.left) || has_let(&b.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Writer<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        item.default.iter().for_each(|block| self.function(block));
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        self.binary(expr);
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast syn::ExprUnary) {
        self.unary(expr);
        visit::visit_expr_unary(self, expr);
    }

    fn visit_expr_match(&mut self, expr: &'ast syn::ExprMatch) {
        let takes_all = |arm: &syn::Arm| arm.guard.is_none() && takes_all(&arm.pat);
        let others = expr.arms.iter().any(takes_all);
        expr.arms.iter().for_each(|arm| self.arm(arm, others));
        visit::visit_expr_match(self, expr);
    }

    fn visit_expr_struct(&mut self, expr: &'ast syn::ExprStruct) {
        self.fields(expr);
        visit::visit_expr_struct(self, expr);
    }
}

/// The mutants that a switched file has, of those that it was given.
pub fn ids(sites: &[Site]) -> BTreeSet<usize> {
    sites.iter().flat_map(|site| site.ids.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::Span as Where;

    /// Switches the mutants at these words, with these replacements.
    fn switched(text: &str, mutants: &[(Genre, &str, &str)]) -> String {
        let mutant = |(genre, word, replacement): &(Genre, &str, &str)| {
            let at = text.find(word).unwrap();
            let line = text[..at].matches('\n').count() + 1;
            let column = at - text[..at].rfind('\n').map_or(0, |n| n + 1) + 1;
            let start = Place { line, column };
            Mutant {
                file: "x.rs".into(),
                genre: *genre,
                name: String::new(),
                replacement: (*replacement).to_owned(),
                span: Where { start, end: start },
            }
        };
        let mutants: Vec<Mutant> = mutants.iter().map(mutant).collect();
        let all: Vec<_> = mutants.iter().enumerate().collect();
        let switched = switch(text, &all).unwrap();
        assert_eq!(ids(&switched.sites).len(), mutants.len());
        switched.text.replace("crate::mutant::on", "on")
    }

    #[test]
    fn operators_ask_which_is_on() {
        let both = switched(
            "fn f() -> bool { a && b || c }",
            &[(Genre::BinaryOperator, "&&", "||"), (Genre::BinaryOperator, "||", "&&")],
        );
        assert_eq!(
            both,
            "fn f() -> bool { (if ((if (a ) ^ on(0) {  b } else { on(0) }) ) ^ !on(1) {  c } else { !on(1) }) }"
        );
        let equal = switched("fn f() -> bool { a == b }", &[(Genre::BinaryOperator, "==", "!=")]);
        assert_eq!(equal, "fn f() -> bool { ((a == b) ^ on(0)) }");
        let less = switched(
            "fn f() -> bool { a < b }",
            &[(Genre::BinaryOperator, "<", "<="), (Genre::BinaryOperator, "<", ">")],
        );
        assert_eq!(
            less,
            "fn f() -> bool { (match (&(a ), &( b)) { (l_, r_) => if on(0) { l_ <= r_ } else if on(1) { l_ > r_ } else { l_ < r_ } }) }"
        );
        let add = switched("fn f() { a += 1; }", &[(Genre::BinaryOperator, "+=", "-=")]);
        assert_eq!(
            add,
            "fn f() { (match (&mut (a ), ( 1)) { (l_, r_) => if on(0) { *l_ -= r_ } else { *l_ += r_ } }); }"
        );
        let not = switched("fn f() -> bool { !a }", &[(Genre::UnaryOperator, "!", "")]);
        assert_eq!(not, "fn f() -> bool { ((!a) ^ on(0)) }");
    }

    #[test]
    fn functions_arms_and_fields_ask_too() {
        let value = switched("fn f() -> u8 { 7 }", &[(Genre::FnValue, "7", "0")]);
        assert_eq!(value, "fn f() -> u8 { if on(0) { return 0; }\n7 }");
        let text = "fn f(x: u8) { match x { 1 => a(), n if n > 5 => b(), _ => c() } }";
        let arms = [
            (Genre::MatchArm, "1 =>", ""),
            (Genre::MatchArmGuard, "n > 5", "true"),
            (Genre::MatchArmGuard, "n > 5", "false"),
        ];
        let arms = switched(text, &arms);
        assert_eq!(
            arms,
            "fn f(x: u8) { match x { 1 if !on(0) && true => a(), n if !on(2) && ((n > 5) || on(1)) => b(), _ => c() } }"
        );
        let fields = switched(
            "fn f() -> S { S { a, b: 2, ..base } }",
            &[(Genre::StructField, "a,", ""), (Genre::StructField, "b:", "")],
        );
        assert_eq!(
            fields,
            "fn f() -> S { S { a: if on(0) { Clone::clone(&(base).a) } else { a }, b: if on(1) { Clone::clone(&(base).b) } else { 2 }, ..base } }"
        );
    }

    #[test]
    fn a_chain_with_let_stays_as_it_is() {
        let text = "fn f() { if a && let Some(b) = c {} }";
        let at = Place { line: 1, column: text.find("&&").unwrap() + 1 };
        let mutant = Mutant {
            file: "x.rs".into(),
            genre: Genre::BinaryOperator,
            name: String::new(),
            replacement: "||".into(),
            span: Where { start: at, end: at },
        };
        assert_eq!(switch(text, &[(0, &mutant)]).unwrap().text, text);
    }
}
