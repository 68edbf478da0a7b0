//! The data path: listen, route, check the session, forward.

pub mod options;
