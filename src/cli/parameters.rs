//! `-p NAME=VALUE` and `-f FILE`: the arguments of a run from the command line.

use indexmap::IndexMap;
use serde_json::Value;

use super::error::{Error, Kind};
use super::input;

/// A `NAME=VALUE` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Before the first `=`.
    pub name: String,
    /// After it.
    pub value: String,
}

impl std::str::FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Pair { name: name.to_owned(), value: value.to_owned() }),
            _ => Err(format!("`{text}` is not NAME=VALUE")),
        }
    }
}

/// Returns the arguments of parameter files and of the command line, which comes last.
pub fn gather(files: &[std::path::PathBuf], pairs: &[Pair]) -> Result<IndexMap<String, String>, Error> {
    let mut gathered = IndexMap::new();
    for file in files {
        let text = input::read_text(file)?;
        gathered.extend(parse_file(&file.display().to_string(), &text)?);
    }
    gathered.extend(pairs.iter().map(|pair| (pair.name.clone(), pair.value.clone())));
    Ok(gathered)
}

/// Parses a parameter file: a map of names to values, where a value that is no text is taken as
/// its JSON form. Source: Argo's `ReadParametersFile`.
fn parse_file(name: &str, text: &str) -> Result<IndexMap<String, String>, Error> {
    let fault = |reason: String| {
        Error::new(Kind::Usage, format!("`{name}` is no parameter file: {reason}"))
            .hint("write a map, such as `message: hello`")
    };
    let value: Value = serde_yaml::from_str(text).map_err(|error| fault(error.to_string()))?;
    match value {
        Value::Null => Ok(IndexMap::new()),
        Value::Object(map) => Ok(map.into_iter().map(|(name, value)| (name, plain(value))).collect()),
        _ => Err(fault("it holds no map".to_owned())),
    }
}

fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Returns the labels of `-l a=b,c=d`.
pub fn labels(lists: &[String]) -> Result<IndexMap<String, String>, Error> {
    let parts = lists.iter().flat_map(|list| list.split(',')).filter(|part| !part.is_empty());
    let pairs = parts.map(|part| part.parse::<Pair>().map_err(|reason| Error::new(Kind::Usage, reason)));
    pairs.map(|pair| pair.map(|pair| (pair.name, pair.value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_give_texts_and_json() {
        let parsed = parse_file("p.yaml", "message: hello\ncount: 3\nlist: [1, two]\n")
            .map(|map| map.into_iter().collect::<Vec<_>>());
        let expected = [("message", "hello"), ("count", "3"), ("list", "[1,\"two\"]")];
        assert_eq!(parsed, Ok(expected.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()));
        for bad in ["- a", "a: [", "text"] {
            assert!(parse_file("p.yaml", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_are_pairs() {
        assert_eq!(labels(&["a=b,c=d=e".to_owned()]).map(|map| map.len()), Ok(2));
        assert!(labels(&["a".to_owned()]).is_err());
        assert_eq!("a=b=c".parse(), Ok(Pair { name: "a".into(), value: "b=c".into() }));
    }
}
