//! Placeholder.
/// Subscribe
#[derive(Debug, clap::Args)]
pub(crate) struct SubscribeArgs {}
pub(crate) fn run(_: SubscribeArgs) -> anyhow::Result<()> {
    Ok(())
}
