//! What a process does.

/// What a process does: it shows the metrics of that and no others, because a zero where nothing is counted misleads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It measures when it is asked to.
    Server,
    /// It asks servers to.
    Scheduler,
    /// Both in one process, as a demonstration or a test has it.
    Both,
}

impl Role {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Scheduler => "scheduler",
            Self::Both => "both",
        }
    }
}
