//! Which file of a crate knows which.
//!
//! A file knows another one if its code names something that is *defined* there. Where something is defined is looked up through all `use`s on the way,
//! so that it does not matter by which door it comes. From this follows what does not count:
//!
//! - `mod child;`: a parent declares its children so that the compiler finds them.
//! - `pub use child::Name;`: a parent that only hands on a name does not need it. Somebody else who takes the name from the
//!   parent knows the child, not the parent. It does count as soon as the parent's own code uses the name.
//! - Tests: they stand above what they test, and may look at everything.
//!
//! What does count: a parent that uses its child, which takes something from `super` that is defined there. Neither
//! can be read, moved or tested without the other. What both need belongs into a third file.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Import, Module, Modules, Place, Words};

/// From whom to whom, with one of the paths that say so.
pub(crate) type Arrows = BTreeMap<(String, String), String>;

/// What a path leads to.
enum Found {
    Module(Place),
    /// Something that is defined in this module.
    Item(Place),
}

/// More `use`s in a row than anybody writes: one that leads to itself is another crate's name.
const MAX_STEPS: usize = 12;

/// Every arrow between files of a crate.
pub(crate) fn arrows(modules: &Modules) -> Arrows {
    let mut arrows = Arrows::new();
    for (place, module) in modules.iter() {
        let imported = module.imports.iter().filter(|import| is_needed(import, module)).map(|import| &import.path);
        let globs: BTreeSet<&Words> =
            module.imports.iter().filter(|import| import.name == "*").map(|import| &import.path).collect();
        for path in imported.chain(module.paths.iter().filter(|path| path.len() > 1)) {
            let defined = match find(modules, place, path, MAX_STEPS) {
                Some(Found::Item(defined)) => defined,
                // Of a module that is imported whole, something is needed.
                Some(Found::Module(defined)) if globs.contains(path) => defined,
                _ => continue,
            };
            let file = &modules.get(&defined).expect("a place that was found").file;
            if *file != module.file {
                arrows.entry((module.file.clone(), file.clone())).or_insert_with(|| path.join("::"));
            }
        }
    }
    arrows
}

/// Whether the module itself uses what it imports.
fn is_needed(import: &Import, module: &Module) -> bool {
    !import.is_public || module.paths.iter().any(|path| path[0] == import.name)
}

/// Follows a path that is named at this place; nothing if it leads out of the crate.
fn find(modules: &Modules, from: &Place, path: &[String], steps: usize) -> Option<Found> {
    let (first, mut rest) = path.split_first()?;
    let mut here = match first.as_str() {
        "crate" => Place::new(),
        "self" => from.clone(),
        "super" => parent(from)?,
        name => match look_up(modules, from, name, steps)? {
            Found::Module(place) => place,
            Found::Item(place) if place == *from && !modules.get(from)?.defined.contains(name) => return None,
            item => return Some(item),
        },
    };
    while let Some((word, after)) = rest.split_first() {
        here = match word.as_str() {
            "super" => parent(&here)?,
            "self" => here,
            name => match look_up(modules, &here, name, steps)? {
                Found::Module(place) => place,
                item => return Some(item),
            },
        };
        rest = after;
    }
    Some(Found::Module(here))
}

fn parent(place: &Place) -> Option<Place> {
    place.split_last().map(|(_, parent)| parent.to_vec())
}

/// What a name stands for in a module: its child, something that it imports, or something that it defines.
fn look_up(modules: &Modules, place: &Place, name: &str, steps: usize) -> Option<Found> {
    let (module, steps) = (modules.get(place)?, steps.checked_sub(1)?);
    if module.children.contains(name) {
        let child: Place = place.iter().cloned().chain([name.to_owned()]).collect();
        // A child for tests was not read.
        return modules.get(&child).is_some().then_some(Found::Module(child));
    }
    if let Some(import) = module.imports.iter().find(|import| import.name == name) {
        return find(modules, place, &import.path, steps);
    }
    if !module.defined.contains(name) {
        for glob in module.imports.iter().filter(|import| import.name == "*") {
            let Some(Found::Module(other)) = find(modules, place, &glob.path, steps) else { continue };
            let has = modules.get(&other).is_some_and(|other| {
                other.defined.contains(name)
                    || other.children.contains(name)
                    || other.imports.iter().any(|import| import.name == name)
            });
            if has {
                return look_up(modules, &other, name, steps);
            }
        }
    }
    Some(Found::Item(place.clone()))
}
