// The provider's own login form: real enough for a browser, plain enough for a script.
import { bodyOf } from '../common/listen.mjs';

const escape = (text) => String(text ?? '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function page(title, body) {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title></head><body><main><h1>${title}</h1>${body}</main></body></html>`;
}

function form(details, error) {
  return page('Sign in at the provider', `${error ? `<p id="error" role="alert">${error}</p>` : ''}
<form method="post" action="/interaction/${escape(details.uid)}">
<p><label>Login <input name="login" autocomplete="username" value="${escape(details.params.login_hint)}"></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
<p><button type="submit" id="signin">Sign in</button> <button name="abort" value="1" id="cancel">Cancel</button></p></form>`);
}

/** Answers /interaction/UID: shows the form, checks the password, and hands the result to oidc-provider. Consent is never asked. */
export async function interact(provider, people, request, response) {
  const details = await provider.interactionDetails(request, response);
  const finish = (result, merge) => provider.interactionFinished(request, response, result, { mergeWithLastSubmission: merge });
  if (details.prompt.name === 'consent') return finish({ consent: {} }, true);
  const show = (status, error) => {
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    response.end(form(details, error));
  };
  if (request.method !== 'POST') return show(200);
  const typed = new URLSearchParams(await bodyOf(request));
  if (typed.get('abort')) return finish({ error: 'access_denied', error_description: 'the person pressed cancel' }, false);
  const known = [...people].find(([, person]) => !person.disabled && person.password === typed.get('password')
    && [person.login, person.email].includes(typed.get('login')));
  if (!known) return show(401, 'Wrong login or password.');
  return finish({ login: { accountId: known[0], remember: true, amr: ['pwd'] }, consent: {} }, false);
}
