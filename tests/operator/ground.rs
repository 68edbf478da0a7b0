//! What operators' scenes share: a gateway with two products and a company, and people who log in.

use super::provider::LightOp;
use super::support::agent::UserAgent;
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::page::Page;
use super::support::upstream::Upstream;

/// A gateway process with the light provider behind it.
pub struct Ground {
    pub gateway: Gateway,
    _products: [Upstream; 2],
    op: LightOp,
}

/// The configuration of two products, a company, and one whose provider does not answer.
pub fn configuration(op: &LightOp, trello: &Upstream, loom: &Upstream) -> Configuration {
    Configuration::new()
        .trust(&op.ca_file())
        .product("trello", &trello.url(), "")
        .product("loom", &loom.url(), "")
        .organization("acme", "acme.example.test", op.issuer(), "a secret")
        .organization("globex", "globex.example.test", "https://127.0.0.1:9", "a secret")
}

impl Ground {
    pub fn start() -> Self {
        let (op, trello, loom) = (LightOp::start(), Upstream::start(), Upstream::start());
        let gateway = Gateway::start(&configuration(&op, &trello, &loom));
        Self { gateway, _products: [trello, loom], op }
    }

    /// A person's browser that has just logged in at `/page` of this product.
    pub async fn log_in(&self, name: &str, product: &str) -> (UserAgent, Page) {
        let agent = self.gateway.agent(&[&self.op.ca_file()]);
        let page = log_in(&agent, &self.gateway.url(product, "/"), name).await;
        let refused = || self.gateway.command(&["audit", "search", "--outcome", "refused", "--json"]).1;
        assert_eq!(page.status, 200, "{}\n{}", page.describe(), refused());
        (agent, page)
    }
}

/// Opens a product's page as a stranger, and logs in on the way.
pub async fn log_in(agent: &UserAgent, url: &str, name: &str) -> Page {
    let page = agent.visit(url).await;
    agent.submit(&page, "email", &[("email", &format!("{name}@acme.example.test"))]).await
}
