//! From the events of the YAML parser to trees.
//!
//! Files are cut into documents where Argo cuts them (`workflow/common/parse.go`): at each `---`
//! that starts a line, before YAML is read. JSON takes the same way, since what is valid JSON
//! means the same to the YAML reader (a property test holds it to that).
//!
//! The parser keeps its state on the heap and refuses what nests deeper than the bound while it
//! scans, so no depth of input can overflow the stack.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle};
use indexmap::IndexMap;

use super::parts::{self, PartEnd};
use super::resolve::{self, Tag};
use super::tree::{Entry, Tree, Value};
use super::weight::Weight;
use super::{Complaints, Diagnostic, Document, Fields, FileId, Sources, Span, quoting, rules};
use crate::base::limits;

/// Returns the documents of a file that could be read, and all that is wrong with it.
pub fn read(sources: &Sources, file: FileId) -> (Vec<Document>, Vec<Diagnostic>) {
    if let Some(fault) = sources.fault(file) {
        return (Vec::new(), vec![fault.clone()]);
    }
    let text = sources.text(file);
    let mut builder = Builder::new(text, file);
    let mut documents = Vec::new();
    for (start, part) in parts::parts(text) {
        if documents.len() == limits::OBJECTS_PER_FILE_MAX {
            builder.refuse_document(start);
            break;
        }
        documents.extend(builder.read_part(start, part));
    }
    (documents, builder.diagnostics.into_vec())
}

/// How many keys are kept to be shared: more than all kinds have fields.
const SHARED_KEYS_MAX: usize = 2000;

/// Returns how many nodes a text may have.
fn nodes_max(text: &str) -> usize {
    limits::YAML_NODES_MAX + text.len().saturating_sub(limits::YAML_LONG_BYTES) / limits::YAML_BYTES_PER_NODE
}

/// Builds the trees of a file, part by part.
struct Builder<'a> {
    text: &'a str,
    file: FileId,
    /// Where the part begins that is being read: the parser counts from there.
    part_start: usize,
    /// The lists and maps that are open, the innermost last.
    open: Vec<Open>,
    /// What each anchor of the part stands for, by the parser's number; none while it is open.
    anchors: IndexMap<usize, Rc<Tree>>,
    /// Keys that were met: those of each task are the same.
    keys: BTreeSet<Arc<str>>,
    nodes_left: usize,
    alias_bytes_left: usize,
    diagnostics: Complaints,
}

/// A list or map that is not closed yet.
struct Open {
    span: Span,
    style: StructureStyle,
    anchor: usize,
    items: Items,
    /// Whether it is what YAML makes of a tag without quotes.
    is_tag: bool,
}

enum Items {
    Seq(Vec<Tree>),
    Map(Fields, Next),
}

/// What the next node of a map is.
enum Next {
    Key,
    ValueOf(Arc<str>, Span),
    Merged(Span),
    /// The value of a key that cannot be one.
    Nothing,
}

/// A finished node on its way to its place.
struct Node {
    tree: Tree,
    /// Whether it is the plain text `<<`, which as a key merges.
    merges: bool,
}

/// The part cannot be read on; why is among the diagnostics.
struct Stop;

impl<'a> Builder<'a> {
    fn new(text: &'a str, file: FileId) -> Self {
        Self {
            text,
            file,
            part_start: 0,
            open: Vec::new(),
            anchors: IndexMap::new(),
            keys: BTreeSet::new(),
            nodes_left: nodes_max(text),
            alias_bytes_left: limits::YAML_ALIAS_BYTES_MAX,
            diagnostics: Complaints::default(),
        }
    }

    /// Reads one part; none when it says nothing or cannot be read.
    fn read_part(&mut self, start: usize, part: &str) -> Option<Document> {
        if self.diagnostics.is_full() {
            return None;
        }
        self.part_start = start;
        self.open.clear();
        self.anchors.clear();
        if let Some(at) = part.find(|c: char| !parts::is_printable(c)) {
            self.refuse_control_character(at, part);
            return None;
        }
        if let Some(directives) = parts::directives(part) {
            directives
                .other_version
                .into_iter()
                .for_each(|range| self.refuse_version(self.span_of(range.start, range.end)));
            return None;
        }
        let root = self.read_events(part).ok()?;
        root.filter(|root| root.value != Value::Null).map(|root| Document { file: self.file, root })
    }

    /// Returns the first document of a part, which for Argo is the only one.
    fn read_events(&mut self, part: &str) -> Result<Option<Tree>, Stop> {
        let mut options = granit_parser::options! {
            emit_unresolved_aliases: true,
            flow_nesting_limit: limits::YAML_DEPTH_MAX,
            block_nesting_limit: limits::YAML_DEPTH_MAX,
        };
        options.set_emit_comments(false);
        let part_end = PartEnd::of(part, self.span_of(part.len(), part.len()).end);
        let mut root = None;
        for event in Parser::new_from_str_with_options(part, options) {
            let (event, span) = event.map_err(|error| self.refuse_syntax(&error))?;
            let span = self.span(&span);
            if root.is_some() && matches!(event, Event::DocumentStart(..)) {
                self.diagnostics.push(ignored_text(span));
                break;
            }
            root = self.take_event(event, span, part_end)?.or(root);
        }
        Ok(root)
    }

    /// Takes one event; returns the document when this completes it.
    fn take_event(&mut self, event: Event<'_>, span: Span, part_end: PartEnd) -> Result<Option<Tree>, Stop> {
        match event {
            Event::SequenceStart(style, anchor, _) => self.enter(span, style, anchor, Items::Seq(Vec::new())),
            Event::MappingStart(style, anchor, _) => {
                self.enter(span, style, anchor, Items::Map(Fields::default(), Next::Key))
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(span),
            Event::Scalar(text, style, anchor, tag) => {
                let tag = scalar_tag(style, tag.as_deref());
                let merges = tag == Tag::Implicit && text == "<<";
                let tree = self.scalar(part_end.without_added_newline(&text, style, span.end), tag, span);
                self.finish(Node { tree, merges }, anchor)
            }
            Event::Alias(anchor) => {
                let tree = self.alias(anchor, span)?;
                self.finish(Node { tree, merges: false }, 0)
            }
            Event::UnresolvedAlias(name) => {
                let tree = self.unknown_alias(&name, span);
                self.finish(Node { tree, merges: false }, 0)
            }
            _ => Ok(None),
        }
    }

    fn scalar(&mut self, text: &str, tag: Tag, span: Span) -> Tree {
        let value = resolve::scalar(text, tag).unwrap_or_else(|fault| {
            let fault = Diagnostic::error(rules::VALUE, span, fault);
            self.diagnostics.push(fault.help("quote it if the text itself is meant"));
            Value::Null
        });
        Tree { value, span }
    }

    fn enter(&mut self, span: Span, style: StructureStyle, anchor: usize, items: Items) -> Result<Option<Tree>, Stop> {
        if self.open.len() == limits::YAML_DEPTH_MAX {
            return Err(self.refuse_depth(span));
        }
        self.open.push(Open { span, style, anchor, items, is_tag: false });
        Ok(None)
    }

    fn leave(&mut self, end: Span) -> Result<Option<Tree>, Stop> {
        let open = self.open.pop().expect("the parser closes only what it opened");
        let (value, last_end) = match open.items {
            Items::Seq(mut items) => {
                items.shrink_to_fit();
                let last_end = items.iter().map(|item| item.span.end).max();
                (Value::Seq(items), last_end)
            }
            Items::Map(mut map, _) => {
                map.close();
                // The largest, since what came by an alias stands elsewhere, before.
                let last_end = map.values().map(|entry| entry.value.span.end.max(entry.key_span.end)).max();
                (Value::Map(Box::new(map)), last_end)
            }
        };
        // A block has no end of its own: the parser only sees that the next line is not in it.
        let end = match open.style {
            StructureStyle::Flow => end.end,
            StructureStyle::Block => last_end.unwrap_or(open.span.end),
        };
        let span = Span { end: end.max(open.span.start), ..open.span };
        // The text was meant, and is checked further as that.
        let tag = open.is_tag.then(|| self.text.get(span.start as usize..span.end as usize)).flatten();
        let value = tag.map_or(value, |tag| Value::Str(tag.into()));
        self.finish(Node { tree: Tree { value, span }, merges: false }, open.anchor)
    }

    /// Puts a node where it belongs; returns it when it is the document itself.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<Option<Tree>, Stop> {
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or_else(|| self.refuse_expansion(node.tree.span))?;
        if anchor != 0 {
            let copy = self.copy(&node.tree, node.tree.span)?;
            self.anchors.insert(anchor, Rc::new(copy));
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => return Ok(Some(node.tree)),
            Some(Items::Seq(items)) => items.push(node.tree),
            Some(Items::Map(_, next)) => match std::mem::replace(next, Next::Key) {
                Next::Key => self.take_key(node),
                Next::ValueOf(key, key_span) => self.insert(key, Entry { key_span, value: node.tree }),
                Next::Merged(key_span) => self.merge(node.tree, key_span),
                Next::Nothing => {}
            },
        }
        Ok(None)
    }

    fn take_key(&mut self, node: Node) {
        let span = node.tree.span;
        let next = match node {
            Node { merges: true, .. } => Next::Merged(span),
            Node { tree: Tree { value: value @ (Value::Null | Value::Seq(_) | Value::Map(_)), .. }, .. } => {
                self.refuse_key(&value, span);
                Next::Nothing
            }
            Node { tree, .. } => match resolve::key(tree.value) {
                Some(key) => Next::ValueOf(self.shared(&key), span),
                None => Next::Nothing,
            },
        };
        if let Some(Items::Map(_, place)) = self.open.last_mut().map(|open| &mut open.items) {
            *place = next;
        }
    }

    /// Returns a key in one copy for all maps that have it.
    fn shared(&mut self, key: &str) -> Arc<str> {
        if let Some(known) = self.keys.get(key) {
            return known.clone();
        }
        let key: Arc<str> = key.into();
        if self.keys.len() < SHARED_KEYS_MAX {
            self.keys.insert(key.clone());
        }
        key
    }

    fn insert(&mut self, key: Arc<str>, mut entry: Entry) {
        if entry.value.span.start == entry.value.span.end {
            // The parser puts an absent value where the next thing stands, which may be far away.
            let end = entry.key_span.end;
            entry.value.span = Span { start: end, end, ..entry.value.span };
        }
        let Some(Items::Map(map, _)) = self.open.last_mut().map(|open| &mut open.items) else { return };
        if let Some(first) = map.get(&key) {
            self.diagnostics.push(duplicate_key(&key, entry.key_span, first.key_span));
        } else {
            map.insert(key, entry);
        }
    }

    /// Adds the entries of one map or several. As in Argo's strict reader, a merged key may not
    /// stand beside the same key again, whichever comes first.
    fn merge(&mut self, tree: Tree, key_span: Span) {
        match tree.value {
            Value::Map(map) => map.into_iter().for_each(|(key, entry)| self.insert(key, entry)),
            Value::Seq(items) if items.iter().all(|item| matches!(item.value, Value::Map(_))) => {
                items.into_iter().for_each(|item| self.merge(item, key_span));
            }
            other => {
                let message = format!("`<<` merges maps, but is given {}", other.kind());
                self.diagnostics
                    .push(Diagnostic::error(rules::MERGE, tree.span, message).also(key_span, "merged here"));
            }
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Tree, Stop> {
        match self.anchors.get(&anchor).cloned() {
            Some(tree) => self.copy(&tree, span),
            None => {
                let message = "the alias stands inside of what its anchor names";
                self.diagnostics.push(Diagnostic::error(rules::ALIAS, span, message));
                Ok(Tree { value: Value::Null, span })
            }
        }
    }

    fn unknown_alias(&mut self, name: &str, span: Span) -> Tree {
        let fault = Diagnostic::error(rules::ALIAS, span, format!("no anchor `&{name}` comes before this alias"));
        let help = format!("quote the text if it is no alias: `\"*{name}\"`");
        self.diagnostics.push(fault.help(help));
        Tree { value: Value::Null, span }
    }

    /// Returns a copy, for which the bounds of the file pay.
    fn copy(&mut self, tree: &Tree, at: Span) -> Result<Tree, Stop> {
        let weight = Weight::of(tree);
        if weight.depth + self.open.len() > limits::YAML_DEPTH_MAX {
            return Err(self.refuse_depth(at));
        }
        let nodes_left = self.nodes_left.checked_sub(weight.nodes);
        let bytes_left = self.alias_bytes_left.checked_sub(weight.bytes);
        let (Some(nodes_left), Some(bytes_left)) = (nodes_left, bytes_left) else {
            return Err(self.refuse_expansion(at));
        };
        self.nodes_left = nodes_left;
        self.alias_bytes_left = bytes_left;
        Ok(tree.clone())
    }

    fn span(&self, span: &granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or_default();
        self.span_of(range.start, range.end)
    }

    /// Returns the span of a range of the part.
    fn span_of(&self, start: usize, end: usize) -> Span {
        let place = |offset: usize| u32::try_from(self.part_start + offset).unwrap_or(u32::MAX);
        Span { file: self.file, start: place(start), end: place(end) }
    }

    fn refuse_syntax(&mut self, error: &ScanError) -> Stop {
        let at = error.marker().byte_offset().unwrap_or_default();
        let span = self.span_of(at, at);
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            return self.refuse_depth(span);
        }
        let fault = match quoting::near(self.text, self.part_start, span.start as usize) {
            Some(value) => quoting::unquoted_tag(self.text, self.file, value),
            None => Diagnostic::error(rules::SYNTAX, span, error.info()),
        };
        // A tag without quotes was perhaps seen already, as a map for a key.
        if self.diagnostics.last() != Some(&fault) {
            self.diagnostics.push(fault);
        }
        Stop
    }

    fn refuse_key(&mut self, value: &Value, span: Span) {
        let map_start = self.open.last().map_or(0, |open| open.span.start as usize);
        let fault = match value {
            Value::Map(_) if self.text[map_start..].starts_with("{{") => {
                self.open.iter_mut().for_each(|open| open.is_tag |= open.span.start as usize == map_start);
                quoting::unquoted_tag(self.text, self.file, map_start)
            }
            _ => Diagnostic::error(rules::KEY_TYPE, span, format!("{} cannot be a key", value.kind()))
                .help("quote the key if its text is meant"),
        };
        self.diagnostics.push(fault);
    }

    fn refuse_control_character(&mut self, at: usize, part: &str) {
        let character = part[at..].chars().next().unwrap_or_default();
        let span = self.span_of(at, at + character.len_utf8());
        let message = format!("the character U+{:04X} is not allowed in YAML", u32::from(character));
        let help = "write it as an escape in double quotes, or remove it";
        self.diagnostics.push(Diagnostic::error(rules::SYNTAX, span, message).help(help));
    }

    fn refuse_version(&mut self, span: Span) {
        let fault = Diagnostic::error(rules::VERSION, span, "Argo reads YAML 1.1 and refuses other versions");
        self.diagnostics.push(fault.help("remove the directive").fix(span, ""));
    }

    fn refuse_document(&mut self, start: usize) {
        self.part_start = start;
        let message = format!("the file holds more than {} documents", limits::OBJECTS_PER_FILE_MAX);
        let fault = Diagnostic::error(rules::SIZE, self.span_of(0, 0), message);
        self.diagnostics.push(fault.help("what follows is not read: split the file"));
    }

    fn refuse_depth(&mut self, span: Span) -> Stop {
        let message = format!("the text nests deeper than {} levels", limits::YAML_DEPTH_MAX);
        self.diagnostics.push(Diagnostic::error(rules::DEPTH, span, message));
        Stop
    }

    fn refuse_expansion(&mut self, span: Span) -> Stop {
        let message = format!(
            "the file holds more than {} values, or its aliases make more than {} bytes",
            nodes_max(self.text),
            limits::YAML_ALIAS_BYTES_MAX,
        );
        self.diagnostics.push(Diagnostic::error(rules::EXPANSION, span, message));
        Stop
    }
}

fn scalar_tag(style: ScalarStyle, tag: Option<&granit_parser::Tag>) -> Tag {
    match tag.map(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:")) {
        None if style == ScalarStyle::Plain => Tag::Implicit,
        None | Some(None) => Tag::Str,
        Some(Some(name)) => Tag::from_core_name(&name),
    }
}

fn duplicate_key(key: &str, again: Span, first: Span) -> Diagnostic {
    let message = format!("the key `{key}` stands twice in this map");
    Diagnostic::error(rules::DUPLICATE_KEY, again, message)
        .says("again here")
        .also(first, "first here")
        .help("remove one of the two")
}

fn ignored_text(span: Span) -> Diagnostic {
    Diagnostic::warning(rules::IGNORED_TEXT, span, "what follows the end of the document is not read")
        .help("separate documents by a line that starts with `---`")
}
