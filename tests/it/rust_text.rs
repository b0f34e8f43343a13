//! Rust sources as far as rules about their text need: code apart from comments and literals, and
//! what ships apart from its tests.

use std::path::{Path, PathBuf};

/// One source file.
pub struct RustFile {
    /// Its path from the package's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its text with a blank for each character of a comment or literal; lines stay lines.
    pub code: String,
    /// `code`, with blanks for what is compiled for tests alone as well.
    pub shipped: String,
    /// Its comments, with blanks for all else.
    pub comments: String,
}

impl RustFile {
    /// Returns the top-level module that it belongs to; `lib` and `main` are their own.
    pub fn module(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split(['/', '.']).next().unwrap_or_default()
    }

    /// Returns the number of the line that has the byte at `offset`, from 1.
    pub fn line_at(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    /// Returns the named functions that ship and have a body: their first byte and their length in lines.
    pub fn functions(&self) -> Vec<(usize, usize)> {
        let starts = word_starts(&self.shipped, "fn");
        let named = starts.filter(|start| self.shipped[start + 2..].trim_start().starts_with(is_name));
        named.filter_map(|start| body(&self.shipped, start).map(|end| (start, self.lines(start, end)))).collect()
    }

    fn lines(&self, start: usize, end: usize) -> usize {
        self.text[start..=end].matches('\n').count() + 1
    }
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Returns where `word` stands as a word of its own.
pub fn word_starts<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(start, _)| start).filter(move |start| {
        let before = code[..*start].chars().next_back().is_none_or(|letter| !is_name(letter));
        let after = code[start + word.len()..].chars().next().is_none_or(|letter| !is_name(letter));
        before && after
    })
}

/// Returns all Rust files of the package below `folder`, by path.
pub fn read_folder(root: &Path, folder: &str) -> Vec<RustFile> {
    let mut paths = Vec::new();
    find(&root.join(folder), &mut paths);
    paths.sort();
    let mut files: Vec<RustFile> = paths.iter().map(|path| read(root, path)).collect();
    let for_tests = modules_for_tests(&files);
    for file in &mut files {
        if for_tests.iter().any(|module| file.path == format!("{module}.rs") || file.path.starts_with(&format!("{module}/"))) {
            file.shipped = blank(&file.shipped);
        }
    }
    files
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the package can be read") {
        let path = entry.expect("a folder of the package can be read").path();
        if path.is_dir() {
            find(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> RustFile {
    let text = std::fs::read_to_string(path).expect("a source is text");
    let path = path.strip_prefix(root).expect("it was found below the root").display().to_string();
    let (code, comments) = split(&text);
    let shipped = without_tests(&code);
    RustFile { path, text, code, shipped, comments }
}

/// Returns the modules, as paths without `.rs`, that are declared for tests alone.
fn modules_for_tests(files: &[RustFile]) -> Vec<String> {
    let mut modules = Vec::new();
    for file in files {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let stem = name.trim_end_matches(".rs");
        let own = if ["mod", "lib", "main"].contains(&stem) { folder.to_owned() } else { format!("{folder}/{stem}") };
        for declared in file.code.split("#[cfg(test)]").skip(1) {
            let declared = declared.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            let name = declared.strip_prefix("mod ").and_then(|rest| rest.split([';', '{']).next());
            modules.extend(name.map(|name| format!("{own}/{}", name.trim())));
        }
    }
    modules
}

/// Returns the code with blanks in the place of each item under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut shipped = code.to_owned();
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let Some(end) = body(code, start).or_else(|| code[start..].find(';').map(|end| start + end)) else { continue };
        shipped.replace_range(start..=end, &blank(&code[start..=end]));
    }
    shipped
}

/// Returns the last byte of the braces of the item that starts at `start`; `None` when it has none.
fn body(code: &str, start: usize) -> Option<usize> {
    let mut brackets = 0;
    let mut braces = 0;
    for (at, letter) in code[start..].char_indices() {
        match letter {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            '}' => braces -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            _ => continue,
        }
        if letter == '}' && braces == 0 {
            return Some(start + at);
        }
    }
    None
}

fn blank(text: &str) -> String {
    text.chars().flat_map(|letter| [if letter == '\n' { '\n' } else { ' ' }].repeat(letter.len_utf8())).collect()
}

/// Returns the code and the comments of a text, each with blanks in the place of all else.
fn split(text: &str) -> (String, String) {
    let (mut code, mut comments) = (String::new(), String::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (kind, length) = next(rest, code.chars().next_back());
        let (part, after) = rest.split_at(length);
        code.push_str(&if kind == Part::Code { part.to_owned() } else { blank(part) });
        comments.push_str(&if kind == Part::Comment { part.to_owned() } else { blank(part) });
        rest = after;
    }
    (code, comments)
}

#[derive(PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Literal,
}

/// Returns what a text begins with, and its length.
fn next(text: &str, before: Option<char>) -> (Part, usize) {
    let to = |end: &str| text.find(end).map_or(text.len(), |at| at + end.len());
    if text.starts_with("//") {
        return (Part::Comment, text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return (Part::Comment, to("*/"));
    }
    if let Some(length) = raw_string(text).filter(|_| !before.is_some_and(is_name)) {
        return (Part::Literal, length);
    }
    if text.starts_with('"') {
        return (Part::Literal, quoted(text, '"'));
    }
    // A quote is a character when it closes after one character or escape; else it is a lifetime.
    let mut letters = text.chars();
    if letters.next() == Some('\'') && (letters.next() == Some('\\') || letters.next() == Some('\'')) {
        return (Part::Literal, quoted(text, '\''));
    }
    let first = text.chars().next().map_or(0, char::len_utf8);
    let plain = text[first..].find(['/', '"', '\'', 'r', 'b']).unwrap_or(text.len() - first);
    (Part::Code, first + plain)
}

fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    let content = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let close = content.find(&end)? + end.len();
    Some(text.len() - content.len() + close)
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return at + letter.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[test]
fn code_comments_and_tests_are_told_apart() {
    let text = "let a = '\"'; // \"x\"\nlet b: &'a str = r#\"un\"wrap\"#; /* c */ f(\"\\\"\");\n#[cfg(test)]\nmod t { fn x() {} }\nfn y(a: [u8; 2]) {\n}\n";
    let (code, comments) = split(text);
    assert_eq!(code.lines().next(), Some("let a =    ;       "));
    assert_eq!(code.lines().nth(1), Some("let b: &'a str =             ;         f(    );"));
    assert_eq!(comments.lines().next(), Some("             // \"x\""));
    let shipped = without_tests(&code);
    let file = RustFile { path: "src/a/b.rs".into(), text: text.into(), code, shipped, comments };
    assert_eq!(file.functions().iter().map(|(start, lines)| (file.line_at(*start), *lines)).collect::<Vec<_>>(), [(5, 2)]);
    assert_eq!(file.module(), "a");
}
