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
