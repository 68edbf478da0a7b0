//! What an operator does while the gateway runs: commands on its store, revocation, keys for providers, an outage of the store,
//! a proxy of the operator's own in front.

#[path = "operator/acme.rs"]
mod acme;
#[path = "operator/admin_api.rs"]
mod admin_api;
#[path = "operator/client_keys.rs"]
mod client_keys;
#[path = "operator/cluster.rs"]
mod cluster;
#[path = "operator/commands.rs"]
mod commands;
#[path = "operator/domains.rs"]
mod domains;
#[path = "operator/failing.rs"]
mod failing;
#[path = "operator/failing_credentials.rs"]
mod failing_credentials;
#[path = "operator/failing_deletions.rs"]
mod failing_deletions;
#[path = "operator/failing_grants.rs"]
mod failing_grants;
#[path = "operator/failing_migrations.rs"]
mod failing_migrations;
#[path = "operator/failing_relinks.rs"]
mod failing_relinks;
#[path = "operator/failing_scim.rs"]
mod failing_scim;
#[path = "operator/forward_auth.rs"]
mod forward_auth;
#[path = "operator/front.rs"]
mod front;
#[path = "operator/ground.rs"]
mod ground;
#[path = "operator/imports.rs"]
mod imports;
#[path = "operator/in_front.rs"]
mod in_front;
#[path = "operator/kek.rs"]
mod kek;
#[path = "operator/mail.rs"]
mod mail;
#[path = "operator/online.rs"]
mod online;
#[path = "operator/outage.rs"]
mod outage;
#[expect(dead_code, reason = "only one scene of logins moves its clock")]
#[path = "operator/provider.rs"]
mod provider;
#[path = "operator/revocation.rs"]
mod revocation;
#[path = "support/postgres.rs"]
mod server;
#[path = "operator/server_store.rs"]
mod server_store;
#[path = "operator/shadow.rs"]
mod shadow;
#[path = "operator/shared_cache.rs"]
mod shared_cache;
#[path = "operator/sinks.rs"]
mod sinks;
#[path = "operator/store_copy.rs"]
mod store_copy;
#[expect(dead_code, reason = "no test binary uses all of the support")]
mod support;
#[path = "operator/two_nodes.rs"]
mod two_nodes;
#[path = "operator/two_nodes_measured.rs"]
mod two_nodes_measured;
#[path = "operator/warned.rs"]
mod warned;
