//! The surroundings, read once: variables, terminals, the clock. Everything below gets values.

use std::hash::{BuildHasher, RandomState};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use dialoguer::console::Term;
use etcetera::BaseStrategy;

use super::error::Error;
use crate::backend::local::LocalOptions;
use crate::base::Timestamp;

/// Columns assumed where there is no terminal to ask.
const COLUMNS_DEFAULT: usize = 100;

/// Rows assumed where the terminal does not say.
const ROWS_DEFAULT: usize = 24;

/// What the program starts in.
#[derive(Debug, Clone)]
pub struct Env {
    /// Whether the locale allows more than ASCII. Unset means yes: containers rarely set one.
    pub utf8: bool,
    /// Whether standard input is a person's terminal.
    pub stdin_is_terminal: bool,
    /// Whether standard error is a person's terminal.
    pub stderr_is_terminal: bool,
    /// Columns of the terminal, or of `COLUMNS`.
    pub columns: usize,
    /// Rows of the terminal.
    pub rows: usize,
    /// Where state lives when no flag says so: `wf` under XDG's state folder.
    pub state_dir: Option<PathBuf>,
    /// Where a cluster's configuration was found, if anywhere.
    pub cluster: Option<String>,
    /// Whether this process runs in a pod of a cluster.
    pub is_in_cluster: bool,
    /// The page of a step of a GitHub action: `GITHUB_STEP_SUMMARY`.
    pub step_summary: Option<PathBuf>,
}

impl Env {
    /// Reads the surroundings.
    pub fn read() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let stderr_is_terminal = std::io::stderr().is_terminal();
        let size = stderr_is_terminal.then(|| Term::stderr().size_checked()).flatten();
        let columns = variable("COLUMNS").and_then(|columns| columns.parse().ok());
        Self {
            utf8: locale_is_utf8(["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).as_deref()),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stderr_is_terminal,
            columns: columns.or(size.map(|(_, columns)| usize::from(columns))).unwrap_or(COLUMNS_DEFAULT),
            rows: size.map_or(ROWS_DEFAULT, |(rows, _)| usize::from(rows)),
            state_dir: etcetera::base_strategy::Xdg::new().ok().and_then(|xdg| Some(xdg.state_dir()?.join("wf"))),
            is_in_cluster: variable("KUBERNETES_SERVICE_HOST").is_some(),
            cluster: cluster(variable),
            step_summary: variable("GITHUB_STEP_SUMMARY").map(PathBuf::from),
        }
    }
}

/// What every step has in its environment, unless its container says otherwise.
const BASE_VARIABLES: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

impl Env {
    /// Returns what the local backend takes from the surroundings.
    pub fn local_options(&self) -> Result<LocalOptions, Error> {
        let executable = std::env::current_exe().map_err(|error| Error::io("find this program's own file", &error))?;
        let variable = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
        Ok(LocalOptions { executable, base_env: BASE_VARIABLES.into_iter().filter_map(variable).collect() })
    }
}

fn locale_is_utf8(locale: Option<&str>) -> bool {
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Returns where a cluster's configuration is, in kubectl's order.
fn cluster(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    if let Some(path) = variable("KUBECONFIG") {
        return Some(format!("KUBECONFIG={path}"));
    }
    let home = variable("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    match home.filter(|path| path.is_file()) {
        Some(path) => Some(path.display().to_string()),
        None => variable("KUBERNETES_SERVICE_HOST").map(|_| "the cluster around this pod".to_owned()),
    }
}

/// Returns a name of this process that people can read, and that no other ever has.
pub fn process_name() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(variable);
    let host = variable("HOSTNAME").or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    let host = host.map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
    let (user, host) = (user.as_deref().unwrap_or("wf"), host.as_deref().unwrap_or("here"));
    format!("{user}@{host}-{}-{}", std::process::id(), random_suffix(8))
}

/// Returns the time.
pub fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// Returns `count` characters by chance, of those that Kubernetes completes generated names with:
/// letters that form no words. Source: Kubernetes' `rand.String`.
pub fn random_suffix(count: usize) -> String {
    random_of(b"bcdfghjklmnpqrstvwxz2456789", count)
}

/// Returns `count` hexadecimal digits by chance.
pub fn random_hex(count: usize) -> String {
    random_of(b"0123456789abcdef", count)
}

/// The keys of a hash map's hasher are the chance that the standard library offers.
fn random_of(letters: &[u8], count: usize) -> String {
    let chance = |at| RandomState::new().hash_one(at) % letters.len() as u64;
    (0..count).map(|at| char::from(letters[chance(at) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_say_whether_symbols_are_fine() {
        for (locale, expected) in [
            (None, true),
            (Some("C.UTF-8"), true),
            (Some("de_DE.utf8"), true),
            (Some("C"), false),
            (Some("POSIX"), false),
        ] {
            assert_eq!(locale_is_utf8(locale), expected, "{locale:?}");
        }
    }

    #[test]
    fn a_cluster_is_looked_for_as_kubectl_does() {
        let found = |pairs: &'static [(&str, &str)]| {
            cluster(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(found(&[("HOME", "/nonexistent")]), None);
        assert_eq!(found(&[("KUBECONFIG", "/x")]).as_deref(), Some("KUBECONFIG=/x"));
        assert_eq!(found(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]).as_deref(), Some("the cluster around this pod"));
    }

    #[test]
    fn suffixes_differ() {
        assert_ne!(random_suffix(12), random_suffix(12));
        assert_eq!(random_suffix(5).len(), 5);
    }
}
