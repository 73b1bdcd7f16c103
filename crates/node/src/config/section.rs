use super::key::{AnyKey, Key};
use super::reader::Reader;

/// A table of the configuration, or an item of a list of tables; declared by [`section!`].
pub(super) trait Section: Sized {
    /// Such as `limits`, or `topics[]` for a list.
    const PATH: &'static str;
    const KEYS: &'static [&'static dyn AnyKey];

    /// Reads the table at a path, which has the number of an item where [`Section::PATH`] has `[]`.
    fn read_at(reader: &mut Reader, path: String) -> Self;

    /// The path it was read from.
    fn path(&self) -> &str;

    fn read(reader: &mut Reader) -> Self {
        Self::read_at(reader, Self::PATH.to_owned())
    }

    /// The path of its list.
    fn list() -> &'static str {
        Self::PATH.trim_end_matches("[]")
    }

    /// Number of items in the list.
    fn count(reader: &Reader) -> usize {
        reader.items(Self::list())
    }

    fn item(reader: &mut Reader, at: usize) -> Self {
        Self::read_at(reader, format!("{}[{at}]", Self::list()))
    }

    /// Reports an error that depends on more than the key itself.
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
///     /// The meaning of the key, as in docs/configuration.md.
///     live sessions: usize = integer(1, 1_000_000), default "20000";
/// }
/// ```
///
/// A reload applies `live` keys; changing a `fixed` one takes a restart. A key has a `default`, or it is `required`
/// or `absent`, which makes the field an `Option`; the text after `absent` describes what no value means. `open` is a
/// table with arbitrary names. A name that is a keyword of Rust is given after `as`.
macro_rules! section {
    ($section:ident in $path:literal: $(
        $(#[doc = $meaning:literal])+
        $reload:ident $key:ident $(as $name:literal)?: $value:ty = $kind:expr, $fallback:ident $($text:literal)?;
    )+) => {
        #[doc = concat!("The keys of `[", $path, "]`.")]
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
