//! Links between the documents: each leads to a file that exists, and to a heading that the file has.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every document in the repository, by its path from the root.
fn documents() -> Vec<String> {
    let files = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(files.status.success(), "{}", String::from_utf8_lossy(&files.stderr));
    let files = String::from_utf8(files.stdout).unwrap();
    files.lines().map(str::to_owned).filter(|file| root().join(file).exists()).collect()
}

/// The text without its blocks of code, in which nothing is a link or a heading.
fn prose(text: &str) -> String {
    let mut in_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        if !in_code && !fence {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// Where the links of a document lead: what stands between `](` and `)`.
fn links(text: &str) -> Vec<String> {
    let ends = prose(text);
    ends.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link.to_owned()).collect()
}

/// What GitHub calls the headings of a document.
fn anchors(text: &str) -> Vec<String> {
    let of = |heading: &str| {
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    prose(text).lines().filter(|line| line.starts_with('#')).map(|line| of(line.trim_start_matches('#'))).collect()
}

/// What is wrong with a link in a document, if anything is.
fn fault(document: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let from = root().join(document);
    let target = if file.is_empty() { from } else { from.parent().unwrap().join(file) };
    if !target.exists() {
        return Some(format!("{document}: {link}: there is no {}", target.display()));
    }
    if anchor.is_empty() || anchors(&fs::read_to_string(target).unwrap()).iter().any(|known| known == anchor) {
        return None;
    }
    Some(format!("{document}: {link}: there is no such heading"))
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let (mut seen, mut faults) = (0, Vec::new());
    for document in documents() {
        for link in links(&fs::read_to_string(root().join(&document)).unwrap()) {
            seen += 1;
            faults.extend(fault(&document, &link));
        }
    }
    assert!(seen > 20, "only {seen} links were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    assert_eq!(fault("README.md", "docs/methods.md#the-strategies"), None);
    assert_eq!(fault("README.md", "https://example.com/nothing"), None);
    assert!(fault("README.md", "docs/no-such-file.md").is_some());
    assert!(fault("README.md", "docs/methods.md#no-such-heading").is_some());
    assert_eq!(links("[a](b.md)\n```\n[c](d.md)\n```\n![e](f.svg)"), ["b.md", "f.svg"]);
}
