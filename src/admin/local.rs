//! Local accounts of a product, made by the operator.

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::Call;
use super::shapes::{LocalAccount, NewLocalAccount};
use crate::kernel::values::{EmailAddress, ProductName};
use crate::login::local::{NewLocal, NotCreated};
use http::StatusCode;

impl Admin {
    pub(super) async fn create_local_account(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        if !call.who.is_operator() {
            return Err(Problem::new(StatusCode::FORBIDDEN, "role", "Operators make local accounts."));
        }
        let product = ProductName::parse(call.name(0)?).map_err(|_| Problem::not_found())?;
        if !self.world.catalog.load().products.contains_key(&product) {
            return Err(Problem::not_found());
        }
        let wanted: NewLocalAccount = call.body()?;
        let email =
            EmailAddress::parse(&wanted.email).map_err(|_| Problem::invalid("`email` is not an e-mail address."))?;
        let new = NewLocal {
            product,
            email,
            verified: wanted.verified,
            name: wanted.name,
            hash: wanted.hash,
            sub: wanted.sub,
            actor: Some(call.who.author(call.request).actor),
        };
        let made = self.login.create_local(new).await?;
        let shown = LocalAccount {
            id: made.id.to_string(),
            product: made.product.to_string(),
            account: made.account.to_string(),
            sub: made.sub,
        };
        Ok(Reply::of(&shown)?.created())
    }
}

impl From<NotCreated> for Problem {
    fn from(why: NotCreated) -> Self {
        let detail = format!("{why}.");
        match why {
            NotCreated::Product(_) | NotCreated::Hash(_) | NotCreated::Sub => Self::invalid(detail),
            NotCreated::Taken => Self::new(StatusCode::CONFLICT, "exists", detail),
            NotCreated::Busy(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail),
            NotCreated::Unavailable(fault) => fault.into(),
        }
    }
}
