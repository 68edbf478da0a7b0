//! The data path from outside: the library composed with sessions, pages and products of the test's own, spoken to over raw
//! sockets, TLS and HTTP/2.

#[path = "gateway/support.rs"]
mod support;

#[path = "gateway/arrival.rs"]
mod arrival;
#[path = "support/authority.rs"]
mod authority;
#[path = "gateway/floods.rs"]
mod floods;
#[expect(dead_code, reason = "what these tests compare is whole certificates, not their root")]
#[path = "support/pebble.rs"]
mod pebble;
#[path = "support/ports.rs"]
mod ports;

#[path = "gateway/connection_auth.rs"]
mod connection_auth;
#[path = "gateway/direct.rs"]
mod direct;
#[path = "gateway/forward_auth.rs"]
mod forward_auth;
#[path = "gateway/forwarding.rs"]
mod forwarding;
#[path = "gateway/front.rs"]
mod front;
#[path = "gateway/fuzz.rs"]
mod fuzz;
#[path = "gateway/grpc.rs"]
mod grpc;
#[path = "gateway/h2_product.rs"]
mod h2_product;
#[path = "gateway/issued.rs"]
mod issued;
#[path = "gateway/life.rs"]
mod life;
#[path = "gateway/overload.rs"]
mod overload;
#[path = "gateway/renewal.rs"]
mod renewal;
#[path = "gateway/replay.rs"]
mod replay;
#[path = "gateway/replies.rs"]
mod replies;
#[path = "gateway/routing.rs"]
mod routing;
#[path = "gateway/smuggling.rs"]
mod smuggling;
#[path = "gateway/speaking.rs"]
mod speaking;
#[path = "gateway/step_up.rs"]
mod step_up;
#[path = "gateway/streams.rs"]
mod streams;
#[path = "gateway/tls.rs"]
mod tls;
#[path = "gateway/tunnels.rs"]
mod tunnels;
#[path = "gateway/upstream_tls.rs"]
mod upstream_tls;
#[path = "gateway/upstreams.rs"]
mod upstreams;
#[path = "gateway/wall/mod.rs"]
mod wall;
#[path = "gateway/windows.rs"]
mod windows;
