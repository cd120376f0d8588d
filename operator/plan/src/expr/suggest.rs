//! "Did you mean …?"

/// The known name that `name` was most likely meant to be.
pub(super) fn nearest(name: &str, known: &[String]) -> Option<String> {
    // A third of the name may differ: more than that is another word.
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= allowed || candidate.starts_with(name) || candidate.eq_ignore_ascii_case(name)
        })
        .min()
        .map(|(_, candidate)| candidate.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_a_name_may_be_mistyped() {
        let known = ["bias", "title", "window", "threshold"].map(str::to_owned);
        for (name, expected) in [
            ("vias", Some("bias")),
            ("vyas", None),
            ("titel", Some("title")),
            ("tytel", None),
            ("vimdow", Some("window")),
            ("vimdew", None),
            ("phrasholt", Some("threshold")),
            ("phrasjolt", None),
            // The beginning of a name, and the name in other letters, are near whatever their length.
            ("thr", Some("threshold")),
            ("THRESHOLD", Some("threshold")),
        ] {
            assert_eq!(nearest(name, &known).as_deref(), expected, "{name}");
        }
    }
}
