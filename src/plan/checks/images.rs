//! The names of images: whether they can be pulled at all.
//!
//! Source: the grammar of `github.com/distribution/reference`.

/// Characters of a tag.
const TAG_CHARS_MAX: usize = 128;

/// Returns why a text is not the name of an image; tags of templates are replaced before.
pub(super) fn fault(image: &str) -> Option<&'static str> {
    if image.contains("{{") {
        return None;
    }
    if image.contains(char::is_whitespace) {
        return Some("it has blanks");
    }
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Some("what stands behind `@` is no digest");
    }
    let (domain, path) = split_domain(name);
    let (path, tag) = path.split_once(':').map_or((path, None), |(path, tag)| (path, Some(tag)));
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Some("what stands behind `:` is no tag");
    }
    if path.chars().any(|c| c.is_ascii_uppercase()) {
        return Some("it has capital letters");
    }
    let is_path = !path.is_empty() && path.split('/').all(is_component);
    let is_domain =
        domain.is_none_or(|domain| domain.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c)));
    (!is_path || !is_domain).then_some("its parts hold letters, digits, and `.`, `_` or `-` between them")
}

/// The first part is a registry when it looks like the name of a machine.
fn split_domain(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, name),
    }
}

fn is_component(part: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(is_inner) && part.ends_with(is_inner) && part.chars().all(|c| is_inner(c) || "._-".contains(c))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.starts_with(is_word) && tag.len() <= TAG_CHARS_MAX && tag.chars().all(|c| is_word(c) || ".-".contains(c))
}

fn is_digest(digest: &str) -> bool {
    let parts =
        digest.split_once(':').filter(|(algorithm, _)| algorithm.starts_with(|c: char| c.is_ascii_alphabetic()));
    parts.is_some_and(|(_, hex)| hex.len() >= 4 && hex.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn names_of_images_can_be_pulled() {
        for image in [
            "alpine",
            "alpine:3",
            "docker/whalesay:latest",
            "localhost:5000/a/b:1.0",
            "Reg.example.com/a",
            "quay.io/x/y-z_a@sha256:0123",
            "a__b/c--d",
            "{{inputs.parameters.image}}:X Y",
        ] {
            assert_eq!(fault(image), None, "{image}");
        }
        for (image, why) in [
            ("a b", "blanks"),
            ("Alpine", "capital"),
            ("alpine:", "no tag"),
            ("alpine:-x", "no tag"),
            ("a@b", "no digest"),
            ("a//b", "parts"),
            ("http://x/y", "parts"),
        ] {
            assert!(fault(image).is_some_and(|fault| fault.contains(why)), "{image}: {:?}", fault(image));
        }
    }
}
