//! The routes of local logins under `/.fedgate/` of a product host, and its doors for reset and sign-up.

use super::Site;
use super::forms::Fields;
use super::local::paths;
use super::login_host::is_page_navigation;
use super::render::At;
use crate::kernel::model::{Passwords, Signup};
use crate::login::local::{LocalPage, LocalStep, Said};
use crate::login::{Answer, ProductHost, Step, Visitor};
use crate::web::{Door, PageRequest};
use bytes::Bytes;
use http::Response;
use std::sync::Arc;

impl Site {
    /// A page of a local login, if people of the product have passwords and the request is for one.
    pub(super) async fn on_local(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        at: &ProductHost,
    ) -> Option<Response<Bytes>> {
        if at.product.passwords == Passwords::None {
            return None;
        }
        let answer = match (request.door, request.head.method.as_str(), request.head.uri.path()) {
            (Some(Door::Reset), "GET" | "HEAD" | "POST", _) => self.login.ask_reset(visitor, at),
            (Some(Door::Signup), "GET" | "HEAD" | "POST", _) if at.product.signup != Signup::Open => no_signup(at),
            (None, "GET" | "HEAD", path) => self.show_local(request, visitor, at, path).await?,
            (None, "POST", path) => self.act_local(request, visitor, at, path).await?,
            _ => return None,
        };
        Some(self.respond(answer, At::Product, visitor))
    }

    async fn show_local(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        at: &ProductHost,
        path: &str,
    ) -> Option<Answer> {
        if !is_page_navigation(request) {
            return None;
        }
        let query = Fields::of_query(request);
        Some(match path {
            paths::SIGN_IN => self.login.sign_in(visitor, at, query.text("to"), query.text("hint")).await,
            paths::PASSKEY_BACK => self.login.back_from_ceremony(visitor, at, query.text("proof")).await,
            paths::RESET => self.login.ask_reset(visitor, at),
            paths::MAIL_LINK => self.login.show_link(visitor, at, query.text("token")).await,
            paths::SECURITY => self.login.security(visitor, at).await,
            paths::CHANGE => self.login.ask_change(visitor, at).await,
            paths::MOVE => self.login.ask_move(visitor, at).await,
            paths::PROVE => self.login.ask_prove(visitor, at, query.text("t")).await,
            _ => return None,
        })
    }

    async fn act_local(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        at: &ProductHost,
        path: &str,
    ) -> Option<Answer> {
        let form = Fields::of_form(request);
        let sealed = (form.text("csrf"), form.text("to"));
        let secret = |name: &str| form.text(name).to_owned();
        let login = &self.login;
        Some(match path {
            paths::IDENTIFY => login.identify_at_door(visitor, at, sealed, form.text("email")).await,
            paths::DEPART => login.depart_from_door(visitor, at, sealed, (form.text("email"), form.text("way"))).await,
            paths::PASSWORD => {
                login.password_at_door(visitor, at, sealed, (form.text("email"), secret("password"))).await
            }
            paths::STEP => login.second_step(visitor, at, sealed, form.text("code")).await,
            paths::STEP_PASSKEY => login.step_by_passkey(visitor, at, sealed).await,
            paths::RESET => login.begin_reset(visitor, at, sealed, form.text("email")).await,
            paths::MAIL_CODE => login.mailed_code(visitor, at, sealed, form.text("code")).await,
            paths::MAIL_LINK => login.use_link(visitor, at, sealed).await,
            paths::NEW_PASSWORD => login.set_new_password(visitor, at, sealed, secret("password")).await,
            paths::NOT_ME => login.not_me(visitor, at, sealed).await,
            paths::SECURITY => {
                let act = form.text("act");
                let label = act.strip_prefix("name ").map_or("", |id| form.text(&format!("label {id}")));
                let wanted = (act, secret("current"), form.text("code"), label);
                login.change_security(visitor, at, sealed, wanted).await
            }
            paths::CHANGE => login.change(visitor, at, sealed, (secret("current"), secret("password"))).await,
            paths::MOVE => login.begin_move(visitor, at, sealed).await,
            paths::PROVE_MAIL => login.prove_by_mail(visitor, at, sealed).await,
            paths::ANEW => login.begin_anew(visitor, at, sealed).await,
            paths::PROVE => login.prove(visitor, at, sealed, (secret("password"), form.text("code"))).await,
            paths::ENROL if form.text("act") == "passkey" => login.enrol_passkey(visitor, at, sealed).await,
            paths::ENROL => login.enrol(visitor, at, sealed, form.text("code")).await,
            _ => return None,
        })
    }
}

fn no_signup(at: &ProductHost) -> Answer {
    let step = LocalStep { product: Arc::clone(&at.product), page: LocalPage::Said(Said::NoSignup) };
    Answer { step: Step::Local(Box::new(step)), cookies: Vec::new(), clear_site: false }
}
