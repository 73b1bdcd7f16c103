//! The command line, taken apart.

use anyhow::{Context, bail};
use std::collections::VecDeque;
use std::str::FromStr;

/// What is left of the command line; each chore takes what it knows and refuses the rest.
#[derive(Debug)]
pub(crate) struct Arguments(VecDeque<String>);

impl Arguments {
    pub(crate) fn from_env() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// The next word that is not an option.
    pub(crate) fn word(&mut self) -> Option<String> {
        match self.0.front() {
            Some(next) if !next.starts_with("--") || next == "--help" => self.0.pop_front(),
            _ => None,
        }
    }

    /// Whether the option was given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let place = self.0.iter().position(|argument| argument == name);
        place.is_some_and(|place| self.0.remove(place).is_some())
    }

    /// The value that follows the option, when it was given.
    pub(crate) fn value<T>(&mut self, name: &str) -> anyhow::Result<Option<T>>
    where
        T: FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let Some(place) = self.0.iter().position(|argument| argument == name) else {
            return Ok(None);
        };
        let _ = self.0.remove(place);
        let Some(text) = self.0.remove(place) else {
            bail!("{name} wants a value")
        };
        let value = text.parse().with_context(|| format!("{name} {text}"))?;
        Ok(Some(value))
    }

    /// Refuses whatever nobody took.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        match self.0.front() {
            Some(unknown) => bail!("unknown argument {unknown:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Arguments {
        Arguments(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn options_may_stand_in_any_order() {
        let mut arguments = arguments("up --port 0 --fast --dir somewhere");
        assert_eq!(arguments.word().as_deref(), Some("up"));
        assert_eq!(
            arguments.value::<String>("--dir").unwrap().as_deref(),
            Some("somewhere")
        );
        assert!(arguments.flag("--fast"));
        assert_eq!(arguments.value::<u16>("--port").unwrap(), Some(0));
        arguments.finish().unwrap();
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        assert!(arguments("--prot 1").finish().is_err());
        assert!(arguments("--port").value::<u16>("--port").is_err());
        assert!(arguments("--port 70000").value::<u16>("--port").is_err());
    }
}
