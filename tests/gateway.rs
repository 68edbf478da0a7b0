//! The data path from outside: the library composed with sessions, pages and products of the test's own, spoken to over raw
//! sockets, TLS and HTTP/2.

#[path = "gateway/support.rs"]
mod support;

#[path = "gateway/forwarding.rs"]
mod forwarding;
