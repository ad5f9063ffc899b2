//! Names that were mistyped.

/// How many slips (a letter too many, too few, wrong, or two swapped) a name may be away from a known one to be taken
/// for it: enough for mistyping, too few to turn one real name of the table into a guess for something else.
const MAX_SLIPS: usize = 3;

/// The name that looks most like `name`, if one does.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(slips, _)| *slips <= MAX_SLIPS)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The end of a message about an unknown name.
pub(super) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
