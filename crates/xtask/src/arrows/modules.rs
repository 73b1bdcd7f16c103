//! Which module of a crate uses which, read from its sources.
//!
//! A path counts as a use of the file that defines what the path names: imports and re-exports are
//! followed to the definition. A re-export by itself is not a use, and neither is code under
//! `#[cfg(test)]`.
//!
//! This reads paths, not types, so it misses a dependency that no path names: a method call, a field
//! access, an inferred type, a path inside an attribute, or a `macro_rules!` macro in textual scope.
//! Inside the arguments of a macro it sees only paths that begin with `crate`, `self` or `super`.

use anyhow::{Context, bail};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// Re-exports that one name may go through; a longer chain never ends.
const MAX_HOPS: usize = 16;

/// The modules of one library or binary, in the order in which they are declared.
#[derive(Debug, Default)]
pub(super) struct Modules(Vec<Module>);

#[derive(Debug, Default)]
struct Module {
    parent: Option<usize>,
    /// Relative to the crate's `src`. An inline module has the file that it stands in.
    file: PathBuf,
    children: BTreeMap<String, usize>,
    /// Items defined here.
    items: BTreeSet<String>,
    /// Imported and re-exported names, with the path that each stands for.
    imports: BTreeMap<String, Vec<String>>,
    /// Paths of glob imports, without the `*`.
    globs: Vec<Vec<String>>,
    /// Every path that the code mentions.
    paths: BTreeSet<Vec<String>>,
}

/// What a name resolves to.
#[derive(Debug, Clone, Copy)]
enum Found {
    Module(usize),
    /// An item defined in that module.
    Item(usize),
}

impl Modules {
    /// Reads the module tree of a library or binary. `root` is `lib.rs` or `main.rs` in `sources`.
    pub(super) fn read(sources: &Path, root: &str) -> anyhow::Result<Self> {
        let mut modules = Self::default();
        let read = |file: &Path| {
            let path = sources.join(file);
            fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        modules.add_file(None, PathBuf::from(root), Path::new(""), &read)?;
        Ok(modules)
    }

    /// Each file with the other files that it uses, except that a child may use its parent.
    pub(super) fn arrows(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let mut arrows = BTreeMap::<_, BTreeSet<_>>::new();
        for (from, module) in self.0.iter().enumerate() {
            let uses = arrows.entry(&*module.file).or_default();
            for path in &module.paths {
                let Some(Found::Module(to) | Found::Item(to)) = self.resolve(from, path, MAX_HOPS)
                else {
                    continue;
                };
                if self.0[to].file != module.file && module.parent != Some(to) {
                    uses.insert(&*self.0[to].file);
                }
            }
        }
        arrows
    }

    /// Resolves a path as seen from a module. Returns `None` if it leaves the crate.
    fn resolve(&self, from: usize, path: &[String], hops: usize) -> Option<Found> {
        let (first, rest) = path.split_first()?;
        let mut found = match first.as_str() {
            "crate" => Found::Module(0),
            "self" => Found::Module(from),
            "super" => Found::Module(self.0[from].parent?),
            name => self.look_up(from, name, hops)?,
        };
        for name in rest {
            let Found::Module(module) = found else { break };
            let next = match name.as_str() {
                "super" => self.0[module].parent.map(Found::Module),
                "self" => Some(found),
                name => self.look_up(module, name, hops),
            };
            // Enum variants, associated items and names from other crates end here.
            let Some(next) = next else { break };
            found = next;
        }
        Some(found)
    }

    fn look_up(&self, module: usize, name: &str, hops: usize) -> Option<Found> {
        let hops = hops.checked_sub(1)?;
        let here = &self.0[module];
        if let Some(child) = here.children.get(name) {
            return Some(Found::Module(*child));
        }
        if here.items.contains(name) {
            return Some(Found::Item(module));
        }
        if let Some(path) = here.imports.get(name) {
            // `use tokio;` imports a crate, and would resolve to itself forever.
            let is_outside = path.first().is_some_and(|first| first == name);
            return (!is_outside)
                .then(|| self.resolve(module, path, hops))
                .flatten();
        }
        here.globs.iter().find_map(|path| {
            let Found::Module(source) = self.resolve(module, path, hops)? else {
                return None;
            };
            self.look_up(source, name, hops)
        })
    }

    fn add_file(
        &mut self,
        parent: Option<usize>,
        file: PathBuf,
        children: &Path,
        read: &dyn Fn(&Path) -> anyhow::Result<String>,
    ) -> anyhow::Result<usize> {
        let text = read(&file)?;
        let syntax = syn::parse_file(&text).with_context(|| file.display().to_string())?;
        self.add(parent, &file, children, &syntax.items, read)
    }

    /// Adds a module and, recursively, its children, whose files are in `directory`.
    fn add(
        &mut self,
        parent: Option<usize>,
        file: &Path,
        directory: &Path,
        items: &[Item],
        read: &dyn Fn(&Path) -> anyhow::Result<String>,
    ) -> anyhow::Result<usize> {
        let number = self.0.len();
        self.0.push(Module {
            parent,
            file: file.to_owned(),
            ..Module::default()
        });
        for item in items {
            let Item::Mod(module) = item else {
                self.0[number].visit_item(item);
                continue;
            };
            if is_test(&module.attrs) {
                continue;
            }
            if module.attrs.iter().any(|one| one.path().is_ident("path")) {
                bail!("{}: #[path] is not supported", file.display());
            }
            let name = module.ident.to_string();
            let below = directory.join(&name);
            let child = match &module.content {
                Some((_, items)) => self.add(Some(number), file, &below, items, read)?,
                None => {
                    let file = below.with_extension("rs");
                    self.add_file(Some(number), file, &below, read)?
                }
            };
            self.0[number].children.insert(name, child);
        }
        Ok(number)
    }
}

impl Module {
    /// Records each name that a `use` brings in. `is_use` is false for a re-export.
    fn import(&mut self, tree: &UseTree, mut path: Vec<String>, is_use: bool) {
        match tree {
            UseTree::Path(branch) => {
                path.push(branch.ident.to_string());
                self.import(&branch.tree, path, is_use);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), is_use);
                }
            }
            UseTree::Glob(_) => {
                if is_use {
                    self.paths.insert(path.clone());
                }
                self.globs.push(path);
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.import_name(&name, None, path, is_use);
            }
            UseTree::Rename(name) => {
                let (name, alias) = (name.ident.to_string(), name.rename.to_string());
                self.import_name(&name, Some(alias), path, is_use);
            }
        }
    }

    fn import_name(
        &mut self,
        name: &str,
        alias: Option<String>,
        mut path: Vec<String>,
        is_use: bool,
    ) {
        // `a::b::{self}` is `a::b`.
        if name != "self" {
            path.push(name.to_owned());
        }
        if let Some(name) = alias.or_else(|| path.last().cloned()) {
            if is_use {
                self.paths.insert(path.clone());
            }
            self.imports.insert(name, path);
        }
    }

    /// Records the paths in the arguments of a macro.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut is_open = false;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    let name = name.to_string();
                    let is_root = matches!(name.as_str(), "crate" | "self" | "super");
                    if !is_open || path.is_empty() {
                        self.close(&mut path);
                        if !is_root {
                            continue;
                        }
                    }
                    path.push(name);
                    is_open = false;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => is_open = !path.is_empty(),
                TokenTree::Group(group) => {
                    self.close(&mut path);
                    self.read_tokens(group.stream());
                }
                _ => self.close(&mut path),
            }
        }
        self.close(&mut path);
    }

    fn close(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.paths.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = match item {
            Item::Const(item) => (&item.attrs, Some(&item.ident)),
            Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            Item::Impl(item) => (&item.attrs, None),
            Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            Item::Static(item) => (&item.attrs, Some(&item.ident)),
            Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            Item::Type(item) => (&item.attrs, Some(&item.ident)),
            Item::Union(item) => (&item.attrs, Some(&item.ident)),
            Item::Use(item) => {
                if !is_test(&item.attrs) {
                    let is_use = matches!(item.vis, Visibility::Inherited);
                    self.import(&item.tree, Vec::new(), is_use);
                }
                return;
            }
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            self.items.extend(name.map(ToString::to_string));
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_const(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_test(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    /// `pub(super)` is not a use of `super`.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|one| one.ident.to_string());
            self.paths.insert(names.collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.read_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Path>()
                    .is_ok_and(|condition| condition.is_ident("test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Modules {
        /// Reads a crate from pairs of file and text, the root first.
        pub(in crate::arrows) fn parse(files: &[(&str, &str)]) -> Self {
            let read = |wanted: &Path| {
                let found = files.iter().find(|(name, _)| Path::new(name) == wanted);
                Ok(found.context("no such file")?.1.to_owned())
            };
            let mut modules = Self::default();
            let root = PathBuf::from(files[0].0);
            modules.add_file(None, root, Path::new(""), &read).unwrap();
            modules
        }
    }

    fn check(files: &[(&str, &str)], expected: &[(&str, &str)]) {
        let modules = Modules::parse(files);
        let arrows = modules.arrows();
        let arrows = arrows
            .iter()
            .flat_map(|(from, to)| to.iter().map(|to| (from.to_str(), to.to_str())));
        let mut arrows: Vec<_> = arrows
            .map(|(from, to)| (from.unwrap(), to.unwrap()))
            .collect();
        arrows.sort_unstable();
        assert_eq!(arrows, expected);
    }

    const ROOT: (&str, &str) = ("lib.rs", "mod a; mod b;");
    const A: (&str, &str) = ("a.rs", "pub struct A;");

    #[test]
    fn an_import_and_a_path_in_place_are_arrows() {
        for code in [
            "use crate::a::A;",
            "use crate::{a::{self as other}};",
            "use super::a::*;",
            "fn f(_: crate::a::A) {}",
            "fn f() { use crate::a; }",
            "fn f() { print(super::a::A { x: 1 }) }",
            "fn f() { vec![1, g(crate::a::A)] }",
            "impl crate::a::A {}",
        ] {
            check(&[ROOT, A, ("b.rs", code)], &[("b.rs", "a.rs")]);
        }
    }

    #[test]
    fn other_crates_and_tests_are_no_arrows() {
        for code in [
            "use a::A;",
            "use ::a::A;",
            "#[cfg(test)] use crate::a::A;",
            "#[cfg(test)] mod tests { use crate::a::A; }",
            "#[cfg(test)] mod tests;",
            "struct B; impl B { #[cfg(test)] fn f(_: crate::a::A) {} }",
            "// crate::a::A",
        ] {
            check(&[ROOT, A, ("b.rs", code)], &[]);
        }
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_defines() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c; pub use a::A;"),
            ("a.rs", "mod inner; pub use inner::Inner as A;"),
            ("a/inner.rs", "pub struct Inner;"),
            ("b.rs", "use crate::A;"),
            ("c.rs", "use crate::a::*; fn f(_: A) {}"),
        ];
        // The glob import is a use of `a.rs` itself.
        let expected = [
            ("b.rs", "a/inner.rs"),
            ("c.rs", "a.rs"),
            ("c.rs", "a/inner.rs"),
        ];
        check(&files, &expected);
    }

    #[test]
    fn a_child_may_use_its_parent_but_not_its_grandparent() {
        let files = [
            ("main.rs", "mod a; mod b; struct Root;"),
            ("a.rs", "mod inner; use inner::Inner; pub struct A;"),
            ("a/inner.rs", "use super::A; pub struct Inner(crate::Root);"),
            ("b.rs", "use crate::a::inner::Inner;"),
        ];
        let expected = [
            ("a.rs", "a/inner.rs"),
            ("a/inner.rs", "main.rs"),
            ("b.rs", "a/inner.rs"),
        ];
        check(&files, &expected);
    }
}
