//! Refusals of an app's login, in the shape that the product's app knows (`password_api`).

use super::{Site, render, texts};
use crate::language::{Fact, Text};
use crate::login::ProductHost;
use crate::login::local::{AppEntry, AppRefused};
use crate::web::{AppLogin, PageRequest, Place};
use bytes::Bytes;
use http::{Response, StatusCode};

impl Site {
    pub(super) async fn app_login(&self, request: &PageRequest) -> AppLogin {
        let Place::Product { product, host, cookie_domain, .. } = &request.place else {
            return AppLogin::Refused(render::empty(StatusCode::NOT_FOUND));
        };
        let Some(api) = product.password_api.iter().find(|api| api.path == request.head.uri.path()) else {
            return AppLogin::Refused(render::empty(StatusCode::NOT_FOUND));
        };
        let at = ProductHost {
            product: self.as_it_holds(product),
            host: host.clone(),
            cookie_domain: cookie_domain.clone(),
        };
        let visitor = self.visitor(request);
        let why = match self.login.judge_app(&visitor, &at, api, &request.body).await {
            AppEntry::Passed => return AppLogin::Passed,
            AppEntry::Refused(why) => why,
        };
        // A sentence that cannot be said is a defect of ours; the status alone still refuses.
        let said = self.pages.say(&sentence(&why, &product.label), &visitor.language).unwrap_or_default();
        let mut response: Response<Bytes> = render::json(api.refuse.with(&said));
        let status = match why {
            AppRefused::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::from_u16(api.refuse.status).unwrap_or(StatusCode::UNAUTHORIZED),
        };
        *response.status_mut() = status;
        AppLogin::Refused(response)
    }
}

fn sentence(why: &AppRefused, product: &str) -> Text {
    match why {
        AppRefused::Malformed => Text::of("app-malformed"),
        AppRefused::Wrong => Text::of("app-wrong"),
        AppRefused::Company(label) if label.is_empty() => Text::of("app-company"),
        AppRefused::Company(label) => Text::of("app-company-named").with("org", label).with("product", product),
        AppRefused::InBrowser => Text::of("app-in-browser").with("product", product),
        AppRefused::SecondStep => Text::of("app-second-step").with("product", product),
        AppRefused::TooMany => Text::of("app-too-many"),
        AppRefused::Rule(refusal) => {
            Text::of("app-rule").and("title", Fact::Said(texts::title(*refusal))).with("product", product)
        }
        AppRefused::Unavailable => Text::of("app-unavailable"),
    }
}
