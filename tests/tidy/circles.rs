//! Circles of files: whoever is in one can only be understood together with all others in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::arrows::{Arrows, arrows};
use super::modules::{Files, Modules};

/// Files that all reach each other, and the arrows between them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Circle {
    files: BTreeSet<String>,
    arrows: Arrows,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "a circle of {} files:", self.files.len())?;
        self.arrows.iter().try_for_each(|((from, to), path)| writeln!(f, "  {from} knows {to} ({path})"))
    }
}

/// Every circle of these arrows.
pub(crate) fn circles(arrows: &Arrows) -> Vec<Circle> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        next.entry(from).or_default().push(to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = next.keys().map(|from| (*from, reached_from(from, &next))).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (from, others) in &reached {
        let back = |other: &&&str| reached.get(**other).is_some_and(|others| others.contains(from));
        let files: BTreeSet<String> = others.iter().filter(back).map(|file| (*file).to_owned()).collect();
        if !files.is_empty() && seen.insert(files.clone()) {
            let within = arrows.iter().filter(|((from, to), _)| files.contains(from) && files.contains(to));
            let arrows = within.map(|(ends, path)| (ends.clone(), path.clone())).collect();
            found.push(Circle { files, arrows });
        }
    }
    found
}

fn reached_from<'a>(from: &'a str, next: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        open.extend(next.get(file).into_iter().flatten().copied().filter(|to| reached.insert(*to)));
    }
    reached
}

/// The files of each circle in a crate of these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let files: Files = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    let circles = circles(&arrows(&Modules::of(&files, "src/lib.rs")));
    circles.into_iter().map(|circle| circle.files.into_iter().collect()).collect()
}

const NONE: [Vec<String>; 0] = [];
const A_AND_B: [[&str; 2]; 1] = [["src/a.rs", "src/b.rs"]];

#[test]
fn an_arrow_turned_round_is_found() {
    let root = ("src/lib.rs", "pub mod a; pub mod b;");
    let b = ("src/b.rs", "pub struct B; pub fn b() {}");
    assert_eq!(circles_of(&[root, ("src/a.rs", "use crate::b::B; fn a(_: B) {}"), b]), NONE);
    for turned in [
        "use crate::a::A; pub struct B;",
        "use super::{a::A as Other}; pub struct B;",
        "pub struct B; fn b() { crate::a::run() }",
        "pub struct B; fn b(_: &super::a::A) {}",
        "pub struct B; use crate::a; fn b() { a::run() }",
        "pub struct B; use crate::a::*;",
        "pub struct B; fn b() { println!(\"{}\", crate::a::A) }",
        "#[serde(with = \"crate::a::seconds\")] pub struct B;",
        "pub struct B; mod inner { use super::super::a::A; }",
        "pub struct B; #[cfg(not(test))] use crate::a::A;",
    ] {
        let files = [root, ("src/a.rs", "use crate::b::B; pub struct A(B); pub fn run() {}"), ("src/b.rs", turned)];
        assert_eq!(circles_of(&files), A_AND_B, "{turned}");
    }
}

#[test]
fn what_is_no_knowledge_makes_no_circle() {
    let root = ("src/lib.rs", "pub mod a; pub mod b;");
    let a = ("src/a.rs", "use crate::b::B; pub struct A(B);");
    for other in [
        "/// As [`A`](crate::a::A).\npub struct B;",
        "// crate::a::A\npub struct B; const TEXT: &str = \"crate::a::A\";",
        "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
        "pub struct B; #[cfg(test)] mod tests;",
        "pub struct B; #[cfg(test)] use crate::a::A;",
        "pub struct B; pub(in crate::a) fn b() {}",
        "pub struct B; use other::a::A; fn b(x: X) { x.a::<u8>() }",
    ] {
        assert_eq!(circles_of(&[root, a, ("src/b.rs", other)]), NONE, "{other}");
    }
}

#[test]
fn a_parent_may_hand_on_its_child_but_not_use_a_child_that_uses_it() {
    let root = ("src/lib.rs", "mod top;");
    let sibling = ("src/top/b.rs", "pub struct B;");
    // The child takes from its parent what its sibling defines: it knows the sibling.
    let child = ("src/top/a.rs", "use super::B; pub struct A(B);");
    let handing_on = ("src/top/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;");
    assert_eq!(circles_of(&[root, handing_on, child, sibling]), NONE);
    let using = ("src/top/mod.rs", "mod a; mod b; pub use a::A; pub use b::B; fn top(_: A) {}");
    assert_eq!(circles_of(&[root, using, child, sibling]), NONE);

    let child = ("src/top/a.rs", "use super::Top; pub struct A(Top);");
    let defining = ("src/top/mod.rs", "mod a; mod b; pub use a::A; pub struct Top;");
    assert_eq!(circles_of(&[root, defining, child, sibling]), NONE);
    let both = ("src/top/mod.rs", "mod a; mod b; pub use a::A; pub struct Top; fn top(_: A) {}");
    assert_eq!(circles_of(&[root, both, child, sibling]), [["src/top/a.rs", "src/top/mod.rs"]]);
}

#[test]
fn a_circle_is_told_with_the_paths_that_make_it() {
    let files =
        [("src/lib.rs", "mod a; mod b;"), ("src/a.rs", "use crate::b::B;"), ("src/b.rs", "fn b() { super::a::A }")];
    let files: Files = files.map(|(file, text)| (file.to_owned(), text.to_owned())).into();
    let told = circles(&arrows(&Modules::of(&files, "src/lib.rs")))[0].to_string();
    assert_eq!(
        told,
        "a circle of 2 files:\n  src/a.rs knows src/b.rs (crate::b::B)\n  src/b.rs knows src/a.rs (super::a::A)\n"
    );
}
