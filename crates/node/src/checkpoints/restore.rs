use ingest::OpenedPartition;
use market::{Handle, Now, PartitionIndex, Seq};
use metrics::label::CheckpointRefusal;
use streams::{Checkpoint, Publisher, RestoreError, SavedSource};

/// Restores from a checkpoint what belongs to a partition being opened. Returns false if nothing does.
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
        // Records between the checkpoint and the first one read would be missing; and a log that ends
        // before the checkpoint is a different log.
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
