use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many connections as the system lets this process have.
pub(crate) fn raise_open_files() {
    let now = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    // Where it is not allowed, connecting says so.
    let _raised = setrlimit(Resource::Nofile, raised);
}
