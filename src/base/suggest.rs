//! "Did you mean": the nearest of the names that would have been right.

/// Returns the candidate that is nearest to `text`, when one is near enough to be meant.
///
/// Near enough is a third of the longer name's length in edits (transpositions count once),
/// so that short names do not draw far-fetched suggestions. The first of equals wins.
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let edits = strsim::osa_distance(&text.to_lowercase(), &candidate.to_lowercase());
        let edits_max = text.chars().count().max(candidate.chars().count()).div_ceil(3);
        if edits <= edits_max && best.is_none_or(|(least, _)| edits < least) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let names = ["template", "templateRef", "arguments", "when"];
        assert_eq!(nearest("tempalte", names), Some("template"));
        assert_eq!(nearest("Arguments", names), Some("arguments"));
        assert_eq!(nearest("whne", names), Some("when"));
        assert_eq!(nearest("image", names), None);
    }
}
