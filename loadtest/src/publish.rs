//! Placeholder.
/// Publish
#[derive(Debug, clap::Args)]
pub(crate) struct PublishArgs {}
pub(crate) fn run(_: &PublishArgs) -> anyhow::Result<()> {
    Ok(())
}
