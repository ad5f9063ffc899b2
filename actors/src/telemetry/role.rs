//! The role of a process.

/// The role of a process. It shows only the metrics of its role, because a zero where nothing is counted misleads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It measures when it is asked to.
    Server,
    /// It asks servers to measure.
    Scheduler,
    /// It shows what was measured.
    Page,
    /// Both in one process, as in a demonstration or a test.
    Both,
}

impl Role {
    /// The role as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Scheduler => "scheduler",
            Self::Page => "page",
            Self::Both => "both",
        }
    }
}
