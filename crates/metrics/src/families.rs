//! One declaration for a cell: its name in code, its family in Prometheus and its help.

/// Defines the cells of one kind of writer, and how they are exported.
///
/// A field that is declared with `= "family"` is exported under that name, and its doc comment is the
/// family's help, as `docs/metrics.md` shows it. Other fields are exported by the registry or not at
/// all.
macro_rules! families {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[doc = $help:literal])* $vis:vis $field:ident: $type:ty $(= $family:literal)?,)*
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $($(#[doc = $help])* $vis $field: $type,)*
        }

        impl $name {
            /// Exports each family, summed over all writers.
            pub(crate) fn scrape(
                writers: &[std::sync::Arc<Self>],
                out: &mut crate::family::Scrape,
            ) {
                $(crate::families::family!(writers, out, $field, [$($help),*] $(, $family)?);)*
            }
        }
    };
}

/// One field of [`families`].
macro_rules! family {
    ($writers:ident, $out:ident, $field:ident, [$($help:literal),*]) => {};
    ($writers:ident, $out:ident, $field:ident, [$($help:literal),*], $family:literal) => {
        $out.sum($family, concat!($($help),*).trim_start(), $writers, |cells| &cells.$field);
    };
}

pub(crate) use {families, family};
