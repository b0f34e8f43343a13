//! The settings of a project: `.wf.yaml`, in the working folder or one above it.
//!
//! ```yaml
//! library: [templates]     # folders and files whose templates may be called
//! ignoreMissing: false     # whether templates that are nowhere are let pass
//! pedantic: false          # whether matters of taste are told
//! rules: {WF151: off}      # a level for a rule: off, note, warning, error
//! ```

use std::path::{Path, PathBuf};

use super::error::{Error, Kind};
use super::{input, planning, rulebook};
use crate::base::suggest;
use crate::plan::rules::PEDANTIC;
use crate::source::{self, Diagnostic, Entry, Level, Levels, RuleId, Sources, Tree, Value, rules};

/// The name of the file.
pub const NAME: &str = ".wf.yaml";

/// How many folders are looked at on the way up; a path has no more.
const FOLDERS_UP_MAX: usize = 64;

const KEYS: [&str; 4] = ["library", "ignoreMissing", "pedantic", "rules"];

/// What a project says of all its lints.
#[derive(Debug, Clone)]
pub struct Project {
    /// Folders and files whose templates may be called.
    pub library: Vec<PathBuf>,
    /// Whether templates that are nowhere are let pass.
    pub ignore_missing: bool,
    /// What each rule weighs.
    pub levels: Levels,
}

impl Default for Project {
    fn default() -> Self {
        Self { library: Vec::new(), ignore_missing: false, levels: rulebook::default_levels() }
    }
}

impl Project {
    /// Returns the settings of the file that is given or found; the usual ones where there is none.
    pub fn find(given: Option<&Path>, ui: &super::ui::Ui) -> Result<Self, Error> {
        let Some(path) = given.map(Path::to_owned).or_else(nearest) else { return Ok(Self::default()) };
        ui.detail(&format!("settings of {}", path.display()));
        let mut sources = Sources::new();
        let file = sources.add(path.display().to_string(), input::read_text(&path)?);
        let (documents, mut diagnostics) = source::read(&sources, file);
        let mut project = Self::default();
        if let Some(document) = documents.first() {
            diagnostics.extend(project.take(&document.root, path.parent().unwrap_or(Path::new("."))));
        }
        if diagnostics.is_empty() {
            return Ok(project);
        }
        planning::tell(&diagnostics, &sources, ui);
        Err(Error::new(
            Kind::Usage,
            format!("`{}` cannot be used: {}", path.display(), planning::summary(&diagnostics)),
        ))
    }

    /// Makes matters of taste known too.
    pub fn tell_all(&mut self) {
        PEDANTIC.iter().for_each(|rule| self.levels.reset(*rule));
    }

    /// Takes over what the file says; relative paths begin at its folder.
    fn take(&mut self, root: &Tree, folder: &Path) -> Vec<Diagnostic> {
        let Value::Map(map) = &root.value else { return vec![wrong(root, "the settings must be a map of keys")] };
        // Single rules win over `pedantic`, wherever they stand.
        if let Some(Value::Bool(true)) = map.get("pedantic").map(|entry| &entry.value.value) {
            self.tell_all();
        }
        map.iter().flat_map(|(key, entry)| self.take_key(key, entry, folder)).collect()
    }

    fn take_key(&mut self, key: &str, entry: &Entry, folder: &Path) -> Vec<Diagnostic> {
        let value = &entry.value;
        match (key, &value.value) {
            ("library", Value::Seq(paths)) => return paths.iter().filter_map(|path| self.lend(path, folder)).collect(),
            ("library", _) => return Vec::from_iter(self.lend(value, folder)),
            ("ignoreMissing", Value::Bool(is_on)) => self.ignore_missing = *is_on,
            ("pedantic", Value::Bool(_)) => {}
            ("rules", Value::Map(rules)) => {
                return rules.iter().filter_map(|(name, level)| self.set(name, level)).collect();
            }
            ("ignoreMissing" | "pedantic", _) => return vec![wrong(value, &format!("`{key}` must be true or false"))],
            ("rules", _) => return vec![wrong(value, "`rules` must be a map from rules to levels")],
            _ => return vec![no_setting(key, entry)],
        }
        Vec::new()
    }

    fn lend(&mut self, path: &Tree, folder: &Path) -> Option<Diagnostic> {
        let Some(text) = path.as_str() else { return Some(wrong(path, "`library` must be a list of folders")) };
        self.library.push(folder.join(text));
        None
    }

    fn set(&mut self, name: &str, entry: &Entry) -> Option<Diagnostic> {
        let known = rulebook::ids();
        let Some(rule) = known.iter().find(|rule| rule.0 == name) else {
            return Some(no_rule(name, entry, &known));
        };
        // YAML 1.1 reads `off` as false.
        let word = match &entry.value.value {
            Value::Bool(false) => "off",
            Value::Str(word) => word,
            _ => "",
        };
        match Level::from_word(word) {
            Some(level) => {
                self.levels.set(*rule, level);
                None
            }
            None => Some(wrong(&entry.value, "a level is one of `off`, `note`, `warning`, `error`")),
        }
    }
}

fn wrong(value: &Tree, message: &str) -> Diagnostic {
    Diagnostic::error(rules::SETTINGS, value.span, message)
}

fn no_setting(key: &str, entry: &Entry) -> Diagnostic {
    let fault = Diagnostic::error(rules::SETTINGS, entry.key_span, format!("there is no setting `{key}`"));
    match suggest::nearest(key, KEYS) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!("there is `{}`", KEYS.join("`, `"))),
    }
}

fn no_rule(name: &str, entry: &Entry, known: &[RuleId]) -> Diagnostic {
    let fault = Diagnostic::error(rules::SETTINGS, entry.key_span, format!("there is no rule `{name}`"));
    match suggest::nearest(name, known.iter().map(|rule| rule.0)) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help("`wf explain` lists all rules"),
    }
}

/// Returns the nearest file of that name, from the working folder up to the root of the repository.
fn nearest() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    for folder in here.ancestors().take(FOLDERS_UP_MAX) {
        let path = folder.join(NAME);
        if path.is_file() {
            // Relative where it can be, so that messages name files as people do.
            return Some(if folder == here { PathBuf::from(NAME) } else { path });
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    None
}
