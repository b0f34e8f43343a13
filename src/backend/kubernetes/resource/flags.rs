//! `flags` of a resource template: arguments for `kubectl`, as far as they say which object is meant.
//! Pure.

/// What the flags say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// The kind, in any of `kubectl`'s spellings.
    pub kind: Option<String>,
    /// The object.
    pub name: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The labels of the objects.
    pub selector: Option<String>,
    /// Whether all objects of the kind are meant.
    pub all: bool,
}

/// Flags that say how `kubectl` works and nothing about the object: what they ask for is done, or
/// makes no difference here.
const WITHOUT_EFFECT: [&str; 7] =
    ["--validate", "--ignore-not-found", "--wait", "--force-conflicts", "--server-side", "--save-config", "--cascade"];

impl Flags {
    /// Parses the flags; what would not be heeded is refused.
    pub(super) fn parse(flags: &[String]) -> Result<Self, String> {
        let mut parsed = Self::default();
        // A manifest may put several into one text, which a shell would have split.
        let mut words = flags.iter().flat_map(|flag| flag.split_whitespace());
        while let Some(word) = words.next() {
            let (flag, value) = word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
            let mut value = || {
                value
                    .or_else(|| words.next())
                    .map(str::to_owned)
                    .ok_or_else(|| format!("the flag `{flag}` has no value"))
            };
            match flag {
                "-n" | "--namespace" => parsed.namespace = Some(value()?),
                "-l" | "--selector" => parsed.selector = Some(value()?),
                "--all" => parsed.all = true,
                _ if WITHOUT_EFFECT.contains(&flag) => {}
                _ if flag.starts_with('-') => {
                    return Err(format!("the flag `{flag}` of `kubectl` is not known here; leave it out"));
                }
                _ => parsed.take(word)?,
            }
        }
        Ok(parsed)
    }

    /// Takes `KIND`, `NAME` or `KIND/NAME`.
    fn take(&mut self, word: &str) -> Result<(), String> {
        match (word.split_once('/'), &self.kind, &self.name) {
            (Some((kind, name)), None, None) => {
                (self.kind, self.name) = (Some(kind.to_owned()), Some(name.to_owned()));
            }
            (None, None, _) => self.kind = Some(word.to_owned()),
            (None, Some(_), None) => self.name = Some(word.to_owned()),
            _ => return Err(format!("`{word}` is one argument too many: one object can be named")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_say_which_object_is_meant() {
        let parse = |flags: &[&str]| Flags::parse(&flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>());
        let found = parse(&["configmap", "--selector", "a=b"]).expect("flags");
        assert_eq!((found.kind.as_deref(), found.selector.as_deref()), (Some("configmap"), Some("a=b")));
        let found = parse(&["pod/x", "-n=other", "--validate=false"]).expect("flags");
        assert_eq!((found.name.as_deref(), found.namespace.as_deref()), (Some("x"), Some("other")));
        let found = parse(&["pods x"]).expect("flags");
        assert_eq!((found.kind.as_deref(), found.name.as_deref()), (Some("pods"), Some("x")));
        for (flags, expected) in [
            (vec!["--subresource=status"], "the flag `--subresource` of `kubectl` is not known here; leave it out"),
            (vec!["-n"], "the flag `-n` has no value"),
            (vec!["pod/x", "y"], "`y` is one argument too many: one object can be named"),
        ] {
            assert_eq!(parse(&flags), Err(expected.to_owned()));
        }
    }
}
