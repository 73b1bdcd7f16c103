use ingest::OpenedPartition;
use market::{Handle, Now, PartitionIndex, Seq};
use metrics::label::CheckpointRefusal;
use streams::{Checkpoint, Publisher, RestoreError, SavedSource};

/// Takes over what a checkpoint has of a partition that is being opened. `Ok(false)` when it has
/// nothing of it.
pub(crate) fn restore(
    publisher: &mut Publisher,
    (index, partition): (PartitionIndex, &OpenedPartition),
    handle: Handle,
    checkpoint: &Checkpoint,
    now: Now,
) -> Result<bool, CheckpointRefusal> {
    let identity = &partition.identity;
    let of_it =
        |home: &&SavedSource| home.topic == identity.topic && home.partition == identity.partition;
    let mut homes = checkpoint.sources().filter(of_it).peekable();
    if homes.peek().is_none() {
        return Ok(false);
    }
    for home in homes {
        if home.topic_id != identity.topic_id || home.topic_id == [0; 16] {
            return Err(CheckpointRefusal::OtherTopic);
        }
        // What stands between the checkpoint and where reading begins would be missing; and a log
        // that ends before has another future.
        if Seq(home.read_to.0 + 1) < partition.start_offset || home.read_to >= partition.end_offset
        {
            return Err(CheckpointRefusal::OffsetGone);
        }
    }
    match publisher.restore(index, handle, checkpoint, now) {
        Ok(()) => Ok(true),
        Err(RestoreError::OtherScale) => Err(CheckpointRefusal::OtherScale),
        Err(RestoreError::OtherPartition) => Err(CheckpointRefusal::OtherTopic),
        Err(_) => Err(CheckpointRefusal::Malformed),
    }
}
