//! The disk that rows wait on is broken: they wait in memory then, and operators are told.
