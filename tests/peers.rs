//! The ground that black-box tests stand on, tested itself: cookie rules, the agent's journeys, the providers, the products.

#[expect(dead_code, reason = "no test binary uses all of the support")]
mod support;

#[path = "peers/agent.rs"]
mod agent;
#[path = "peers/cookies.rs"]
mod cookies;
#[path = "peers/products.rs"]
mod products;
#[path = "peers/providers.rs"]
mod providers;
