//! Refusals of an app's login, in the shape that the product's app knows (`password_api`).

use super::{Site, render, texts, visitor};
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
        let why = match self.login.judge_app(&visitor(request), &at, api, &request.body).await {
            AppEntry::Passed => return AppLogin::Passed,
            AppEntry::Refused(why) => why,
        };
        let mut response: Response<Bytes> = render::json(api.refuse.with(&sentence(&why, &product.label)));
        let status = match why {
            AppRefused::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::from_u16(api.refuse.status).unwrap_or(StatusCode::UNAUTHORIZED),
        };
        *response.status_mut() = status;
        AppLogin::Refused(response)
    }
}

fn sentence(why: &AppRefused, product: &str) -> String {
    match why {
        AppRefused::Malformed => "That request can’t be read.".to_owned(),
        AppRefused::Wrong => "That didn’t work. Check the address and the password.".to_owned(),
        AppRefused::Company(label) if label.is_empty() => {
            "Your company logs its people in itself. Log in in a browser.".to_owned()
        }
        AppRefused::Company(label) => {
            format!("{label} logs its people in itself. Log in to {product} in a browser.")
        }
        AppRefused::InBrowser => format!("Log in to {product} in a browser, with the account that you use there."),
        AppRefused::SecondStep => format!("Your account asks for a second step. Log in to {product} in a browser."),
        AppRefused::TooMany => "Too many tries. Wait a quarter of an hour and try again.".to_owned(),
        AppRefused::Rule(refusal) => {
            format!("{}. Log in to {product} in a browser to learn more.", texts::title(*refusal))
        }
        AppRefused::Unavailable => "Logins can’t be checked just now. Try again in a moment.".to_owned(),
    }
}
