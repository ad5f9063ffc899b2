//! Processes that are killed (SIGKILL) or frozen (SIGSTOP).
