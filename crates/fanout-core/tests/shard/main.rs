//! What a shard guarantees, on one thread and on virtual time: the core, a publisher's port and the
//! publisher itself, with clients that read, answer, flood or are silent.

mod limits;
mod requests;
mod rig;
mod time;
