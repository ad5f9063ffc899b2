//! Names that were mistyped.

/// How many slips (a letter too many, too few, wrong, or two swapped) a name may be away from a known one to be taken
/// for it: enough for mistyping, too few to turn one real name of the table into a guess for something else.
const MAX_SLIPS: usize = 3;

/// The end of a message about an unknown name: the known one that looks most like it, if one does. In a short name, one slip
/// for every three letters.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let most = MAX_SLIPS.min(name.chars().count() / 3);
    let near = known.map(|known| (strsim::damerau_levenshtein(name, known), known)).filter(|(slips, _)| *slips <= most);
    near.min().map(|(_, known)| format!("; did you mean `{known}`?")).unwrap_or_default()
}
