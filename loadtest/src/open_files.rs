use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Allows as many connections as the system permits.
pub(crate) fn raise_open_files() {
    let now = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    // If it fails, connecting reports it.
    let _raised = setrlimit(Resource::Nofile, raised);
}
