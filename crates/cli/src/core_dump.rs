//! What a crash leaves behind: nothing that holds a key or a token.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// No core dump of this process. Programs that it starts may raise the limit again, up to what the
/// system allows them.
pub(crate) fn none() {
    let limit = getrlimit(Resource::Core);
    // Everybody may ask for less.
    // SECURITY: a dump holds all that the process knows, and lies where others read it (CWE-528);
    // sec_st_16_a_crash_leaves_no_core_behind
    let _lowered = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            ..limit
        },
    );
}
