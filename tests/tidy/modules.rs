//! Reads the files of a crate as the compiler would find them: which modules there are, and whom each of them names.
//!
//! Tokens suffice: strings and comments are out of the way, and nothing has to be parsed beyond paths and `use`.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// The texts of a crate's files by their paths, such as `src/a/b.rs`.
pub(crate) type Files = BTreeMap<String, String>;

/// Where a module stands: the names from the root of its crate down to it.
pub(crate) type Place = Vec<String>;

/// `a::b::c`, its words.
pub(crate) type Words = Vec<String>;

/// One leaf of a `use`.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: Words,
    /// What it is called here; `*` for everything.
    pub(crate) name: String,
    /// Whether it hands on what it imports.
    pub(crate) is_public: bool,
}

/// What one module says, tests aside.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) file: String,
    pub(crate) children: BTreeSet<String>,
    /// What is defined here.
    pub(crate) defined: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Every path that its code names; a bare name is a path of one word.
    pub(crate) paths: BTreeSet<Words>,
}

/// The modules of a crate, those for tests left out.
#[derive(Debug, Default)]
pub(crate) struct Modules(BTreeMap<Place, Module>);

/// Words that begin an item with a name.
const ITEMS: [&str; 8] = ["struct", "enum", "trait", "fn", "const", "static", "type", "union"];

impl Modules {
    /// Follows `mod` from the root file on.
    pub(crate) fn of(files: &Files, root: &str) -> Self {
        let mut modules = Self::default();
        modules.read(files, root, Place::new(), folder(root));
        modules
    }

    pub(crate) fn get(&self, place: &Place) -> Option<&Module> {
        self.0.get(place)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Place, &Module)> {
        self.0.iter()
    }

    /// The files that belong to no test.
    pub(crate) fn files(&self) -> BTreeSet<&str> {
        self.0.values().map(|module| module.file.as_str()).collect()
    }

    fn read(&mut self, files: &Files, file: &str, place: Place, folder: String) {
        let tokens: TokenStream = files[file].parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut reader = Reader { modules: self, files, file, place, folder, module: Module::default() };
        reader.module.file = file.to_owned();
        reader.walk(tokens, true);
        let Reader { place, module, .. } = reader;
        self.0.insert(place, module);
    }
}

fn folder(file: &str) -> String {
    file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

/// Reads one module.
struct Reader<'a> {
    modules: &'a mut Modules,
    files: &'a Files,
    file: &'a str,
    place: Place,
    /// Where the files of its children are.
    folder: String,
    module: Module,
}

impl Reader<'_> {
    /// Reads tokens of this module; `outermost` is whether they stand in no block.
    fn walk(&mut self, tokens: TokenStream, outermost: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let (mut at, mut is_public) = (0, false);
        while at < tokens.len() {
            let was_public = std::mem::take(&mut is_public);
            match &tokens[at] {
                TokenTree::Punct(punct) if punct.as_char() == '#' => at = self.attribute(&tokens, at),
                TokenTree::Ident(word) if *word == "pub" => {
                    is_public = true;
                    // Not `pub(in …)`: who may see something is not whom it knows.
                    at += 1 + usize::from(group(tokens.get(at + 1), Delimiter::Parenthesis).is_some());
                }
                TokenTree::Ident(word) if *word == "mod" => at = self.child(&tokens, at),
                TokenTree::Ident(word) if *word == "use" && !is_punct(tokens.get(at + 1), '<') => {
                    let end = (at..tokens.len()).find(|at| is_punct(tokens.get(*at), ';')).unwrap_or(tokens.len());
                    self.imports(&tokens[at + 1..end], &Words::new(), was_public);
                    at = end;
                }
                TokenTree::Ident(word) => at = self.word(&tokens, at, word, outermost),
                // A lifetime is no name.
                TokenTree::Punct(punct) if punct.as_char() == '\'' => at += 2,
                TokenTree::Group(group) => {
                    self.walk(group.stream(), false);
                    at += 1;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
            }
        }
    }

    /// Reads an attribute; one for tests takes what follows out of sight. Returns where to go on.
    fn attribute(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let inner = usize::from(is_punct(tokens.get(at + 1), '!'));
        let Some(attribute) = group(tokens.get(at + 1 + inner), Delimiter::Bracket) else { return at + 1 };
        let after = at + 2 + inner;
        let words: Vec<String> = words_in(attribute.stream());
        match words.first().map(String::as_str) {
            Some("doc") => after,
            Some("cfg") if words.iter().any(|word| word == "test") && !words.iter().any(|word| word == "not") => {
                let ends =
                    |token: &TokenTree| is_punct(Some(token), ';') || group(Some(token), Delimiter::Brace).is_some();
                tokens[after..].iter().position(ends).map_or(tokens.len(), |end| after + end + 1)
            }
            _ => {
                self.walk(attribute.stream(), false);
                self.quoted(attribute.stream());
                after
            }
        }
    }

    /// Paths in the strings of an attribute, such as serde's `with = "crate::seconds"`.
    fn quoted(&mut self, attribute: TokenStream) {
        for token in attribute {
            match token {
                TokenTree::Group(group) => self.quoted(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if let (true, Ok(tokens)) = (text.contains("::"), text.trim_matches('"').parse::<TokenStream>()) {
                        self.walk(tokens, false);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }

    /// Reads `mod name;` or `mod name { … }`.
    fn child(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else { return at + 1 };
        let name = name.to_string();
        let place: Place = self.place.iter().cloned().chain([name.clone()]).collect();
        let folder = format!("{}/{name}", self.folder);
        match group(tokens.get(at + 2), Delimiter::Brace) {
            Some(body) => {
                let module = Module { file: self.file.to_owned(), ..Module::default() };
                let (files, file) = (self.files, self.file);
                let mut inner = Reader { modules: self.modules, files, file, place, folder, module };
                inner.walk(body.stream(), true);
                let Reader { place, module, .. } = inner;
                self.modules.0.insert(place, module);
            }
            None => {
                let files = [format!("{folder}.rs"), format!("{folder}/mod.rs")];
                let file = files.iter().find(|file| self.files.contains_key(*file));
                let file = file.unwrap_or_else(|| panic!("{}: no file of the module {name}", self.file));
                self.modules.read(self.files, file, place, folder);
            }
        }
        self.module.children.insert(name);
        at + 3
    }

    /// Reads the leaves of a `use`.
    fn imports(&mut self, tree: &[TokenTree], prefix: &Words, is_public: bool) {
        let mut path = prefix.clone();
        let mut tokens = tree.iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if *word == "as" => {
                    let name = tokens.next().map(ToString::to_string).unwrap_or_default();
                    return self.import(path, name, is_public);
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == '*' => {
                    return self.import(path, "*".to_owned(), is_public);
                }
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    for part in inner.split(|token| is_punct(Some(token), ',')).filter(|part| !part.is_empty()) {
                        self.imports(part, &path, is_public);
                    }
                    return;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        if path.len() > 1 && path.last().is_some_and(|word| word == "self") {
            path.pop();
        }
        let name = path.last().cloned().unwrap_or_default();
        self.import(path, name, is_public);
    }

    fn import(&mut self, path: Words, name: String, is_public: bool) {
        self.module.imports.push(Import { path, name, is_public });
    }

    /// Reads a word with the path that it may begin, and what it may define.
    fn word(&mut self, tokens: &[TokenTree], at: usize, word: &Ident, outermost: bool) -> usize {
        if outermost
            && ITEMS.iter().any(|item| word == item)
            && let Some(TokenTree::Ident(name)) = tokens.get(at + 1)
        {
            self.module.defined.insert(name.to_string());
        }
        let mut path = vec![word.to_string()];
        let mut next = at + 1;
        while is_punct(tokens.get(next), ':')
            && is_punct(tokens.get(next + 1), ':')
            && let Some(TokenTree::Ident(word)) = tokens.get(next + 2)
        {
            path.push(word.to_string());
            next += 3;
        }
        // What follows a dot is a field or a method, and what follows two colons belongs to something that is no module.
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        if !is_punct(before, '.') && !is_punct(before, ':') || is_colon_of_a_type(tokens, at) {
            self.module.paths.insert(path);
        }
        next
    }
}

/// Whether the colon before this is a single one, as in `name: Type`.
fn is_colon_of_a_type(tokens: &[TokenTree], at: usize) -> bool {
    at >= 1 && is_punct(tokens.get(at - 1), ':') && !(at >= 2 && is_punct(tokens.get(at - 2), ':'))
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<&Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

fn words_in(tokens: TokenStream) -> Vec<String> {
    let words = tokens.into_iter().flat_map(|token| match token {
        TokenTree::Group(group) => words_in(group.stream()),
        TokenTree::Ident(word) => vec![word.to_string()],
        TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
    });
    words.collect()
}
