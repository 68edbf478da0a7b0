//! Names that others chose stand on pages as they stand in mails: by one rule, which is the kernel's.

pub use crate::kernel::values::{Name, legible};
