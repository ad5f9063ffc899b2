//! The machine as a process meets it. From the bottom up:
//!
//! - [`memory`], [`machine`]: what there is: memory within the limits of cgroups, cores, addresses
//! - [`files`]: how many may be open
//! - [`freed`]: what becomes of memory that is freed
//! - [`process`]: what this process takes of it
//! - [`terminal`]: whether it was started from one that is still there
//! - [`log`]: a stream for lines that may block, fill up or close without harm to whoever writes

pub mod files;
pub mod freed;
pub mod log;
pub mod machine;
pub mod memory;
pub mod process;
pub mod terminal;
