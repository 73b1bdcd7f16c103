use std::ffi::OsString;
use std::path::Path;

use super::kafka::Kafka;
use super::log::LogTable;
use super::public::{Admin, Public};

/// Where a configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    pub(super) file: Option<File>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) flags: Vec<(Flag, String)>,
}

/// A TOML text and its name.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) text: String,
}

impl Sources {
    /// Reads a file.
    pub fn file(self, path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Ok(self.text(path.display().to_string(), text))
    }

    /// Sets the text of the file.
    pub fn text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.file = Some(File {
            name: name.into(),
            text: text.into(),
        });
        self
    }

    /// Adds environment variables.
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let variables = variables.into_iter().filter_map(|(name, value)| {
            // Our names are ASCII; a value that is not UTF-8 is reported when it is parsed.
            Some((
                name.into_string().ok()?,
                value.to_string_lossy().into_owned(),
            ))
        });
        self.environment.extend(variables);
        self
    }

    /// Adds a flag, if it was given.
    pub fn flag(mut self, flag: Flag, value: Option<&str>) -> Self {
        self.flags
            .extend(value.map(|value| (flag, value.to_owned())));
        self
    }
}

/// A key that the command line sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `public.listen`
    Listen,
    /// `admin.listen`
    Admin,
    /// `kafka.brokers`
    Brokers,
    /// `log.level`
    Log,
}

impl Flag {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Listen => Public::listen.path,
            Self::Admin => Admin::listen.path,
            Self::Brokers => Kafka::brokers.path,
            Self::Log => LogTable::level.path,
        }
    }
}
