//! The edges and rules that the sources name: what must have a tooth.

use std::fs;
use std::path::{Path, PathBuf};

/// An edge or a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name {
    /// `edge log.publish`, `log S1`, `registry M2`.
    pub(super) name: String,
    /// The file that defines it.
    pub(super) source: String,
}

/// Known defects of earlier designs: each must be caught as well.
pub(super) const DEFECTS: [&str; 5] = [
    "defect a late joiner is counted and never pointed at",
    "defect interest does not shrink",
    "defect the depth is checked outside of the claim",
    "defect a callback that unregisters itself",
    "defect teardown frees twice",
];

/// Every name in the sources of the library, and the known defects.
pub(super) fn scan(root: &Path) -> Result<Vec<Name>, String> {
    let mut files = Vec::new();
    sources(&root.join("smd-lockfree/src"), &mut files)?;
    files.sort();
    let mut names: Vec<Name> = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let source = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        // What stands in for reclamation in a model is the checker's, not what ships.
        if source.starts_with("smd-lockfree/src/sync/") {
            continue;
        }
        for name in in_text(&text, &part(&path)) {
            if !names.iter().any(|known| known.name == name) {
                names.push(Name { name, source: source.clone() });
            }
        }
    }
    if names.is_empty() {
        return Err("no edge and no rule was found in smd-lockfree/src".to_owned());
    }
    names.extend(
        DEFECTS.iter().map(|name| Name { name: (*name).to_owned(), source: String::new() }),
    );
    Ok(names)
}

pub(super) fn sources(directory: &Path, into: &mut Vec<PathBuf>) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", directory.display());
    for entry in fs::read_dir(directory).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
    Ok(())
}

/// The part of the library that a file belongs to: what rules are qualified by.
fn part(path: &Path) -> String {
    let folder = path.parent().and_then(|parent| parent.file_name()?.to_str()).unwrap_or_default();
    if folder == "src" {
        path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned()
    } else {
        folder.to_owned()
    }
}

/// Names in a text: rows of tables of edges, rules in lists, and edges that only comments name.
fn in_text(text: &str, part: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut in_edges = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        if let Some(row) = trimmed.strip_prefix("//! |") {
            if row.contains("edge |") {
                in_edges = true;
            } else if in_edges && let Some(name) = quoted(row) {
                names.push(format!("edge {name}"));
            }
        } else {
            in_edges = false;
        }
        if let Some(rule) = trimmed.strip_prefix("//! - **")
            && let Some((rule, _)) = rule.split_once("**")
            && is_rule(rule)
        {
            names.push(format!("{part} {rule}"));
        }
        for kind in ["// EDGE ", "// FENCE "] {
            let Some(rest) = trimmed
                .strip_prefix(kind)
                .or_else(|| trimmed.strip_prefix(&kind.replace("//", "///")))
            else {
                continue;
            };
            let (head, _) = rest.split_once(": ").unwrap_or((rest, ""));
            for name in head.split(" / ").filter_map(|name| name.split_whitespace().next()) {
                let name = name.trim_end_matches([':', ',']);
                if is_edge(name) {
                    names.push(format!("edge {name}"));
                }
            }
        }
    }
    names
}

fn quoted(row: &str) -> Option<&str> {
    let name = row.split('|').next()?.split('`').nth(1)?;
    is_edge(name).then_some(name)
}

fn is_edge(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    name.split_once('.').is_some_and(|(part, edge)| is_word(part) && is_word(edge))
}

/// A letter and a number.
fn is_rule(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|letter| letter.is_ascii_uppercase())
        && !letters.as_str().is_empty()
        && letters.all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_and_rules_are_found() {
        let text = "//! - **S1** Claim: one.\n//! - **Bold** no rule\n//!\n//! | edge | release end |\n//! |---|---|\n\
                    //! | `log.publish` | x |\n//! | `spill.stand` (fence) | y |\n\n//! | word | state |\n\
                    //! | `frame.claim` | open |\n    // EDGE log.install / log.low: Acquire here\n\
                    // FENCE wait.park: a\n";
        let found = in_text(text, "log");
        let expected = [
            "log S1",
            "edge log.publish",
            "edge spill.stand",
            "edge log.install",
            "edge log.low",
            "edge wait.park",
        ];
        assert_eq!(found, expected);
    }
}
