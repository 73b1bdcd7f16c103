use super::key::{AnyKey, Key};
use super::reader::Reader;

/// A table of the configuration, or an item of a list of tables, as [`section!`] declares it.
pub(super) trait Section: Sized {
    /// Such as `limits`, or `topics[]` for a list.
    const PATH: &'static str;
    const KEYS: &'static [&'static dyn AnyKey];

    /// Reads the table at a path, which has numbers where [`Section::PATH`] has `[]`.
    fn read_at(reader: &mut Reader, path: String) -> Self;

    /// The path it was read at.
    fn path(&self) -> &str;

    fn read(reader: &mut Reader) -> Self {
        Self::read_at(reader, Self::PATH.to_owned())
    }

    /// The path of the list of which it is an item.
    fn list() -> &'static str {
        Self::PATH.trim_end_matches("[]")
    }

    /// How many items the list has.
    fn count(reader: &Reader) -> usize {
        reader.items(Self::list())
    }

    fn item(reader: &mut Reader, at: usize) -> Self {
        Self::read_at(reader, format!("{}[{at}]", Self::list()))
    }

    /// Reports that a value is wrong for a reason that its key alone does not give.
    fn error<T>(&self, reader: &mut Reader, key: &Key<T>, expected: impl Into<String>) {
        reader.error(&format!("{}.{}", self.path(), key.name()), expected);
    }
}

/// Declares a table of keys as a struct with a field for each, so that a misspelt key does not compile.
///
/// ```text
/// section! {
///     Limits in "limits":
///     // The reason for the default.
///     /// What the key means, as docs/configuration.md says it.
///     live sessions: usize = integer(1, 1_000_000), default "20000";
/// }
/// ```
///
/// A reload applies a `live` key; a change of a `fixed` one needs a restart. A key has a `default`, or is
/// `required` or `absent`, which makes the field an `Option`: of an absent key, with what no value means.
/// `open` is a table of names that this program does not know. A key whose name is a keyword of Rust has
/// it after `as`.
macro_rules! section {
    ($section:ident in $path:literal: $(
        $(#[doc = $meaning:literal])+
        $reload:ident $key:ident $(as $name:literal)?: $value:ty = $kind:expr, $fallback:ident $($text:literal)?;
    )+) => {
        #[doc = concat!("`[", $path, "]` as it was given.")]
        pub(super) struct $section {
            path: String,
            $(pub(super) $key: section!(@field $fallback $value),)+
        }

        #[allow(non_upper_case_globals, reason = "a key is named as its field")]
        impl $section {
            $(
                $(#[doc = $meaning])+
                pub(super) const $key: $crate::config::key::Key<$value> = $crate::config::key::Key {
                    path: concat!($path, ".", section!(@name $key $($name)?)),
                    kind: $kind,
                    fallback: section!(@fallback $fallback $($text)?),
                    is_live: section!(@$reload),
                    meaning: &[$($meaning),+],
                };
            )+
        }

        impl $crate::config::section::Section for $section {
            const PATH: &'static str = $path;
            const KEYS: &'static [&'static dyn $crate::config::key::AnyKey] = &[$(&Self::$key),+];

            fn read_at(reader: &mut $crate::config::reader::Reader, path: String) -> Self {
                $(let $key = reader.$fallback(&Self::$key, &path);)+
                Self { path, $($key),+ }
            }

            fn path(&self) -> &str {
                &self.path
            }
        }
    };
    (@field default $value:ty) => { $value };
    (@field open $value:ty) => { $value };
    (@field $optional:ident $value:ty) => { Option<$value> };
    (@name $key:ident) => { stringify!($key) };
    (@name $key:ident $name:literal) => { $name };
    (@fallback default $text:literal) => { $crate::config::key::Fallback::Default($text) };
    (@fallback absent $text:literal) => { $crate::config::key::Fallback::Absent($text) };
    (@fallback open $text:literal) => { $crate::config::key::Fallback::Absent($text) };
    (@fallback required) => { $crate::config::key::Fallback::Required };
    (@live) => { true };
    (@fixed) => { false };
}

pub(super) use section;
