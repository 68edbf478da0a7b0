// A provider that a malicious organization runs: it looks honest until a test tells it how to behave.
// Options (JSON, first argument): tls {cert, key}, host, port. Prints {"issuer", "port", "admin", "tokens", "discoveries"}.
//
// Acts of the admin port (POST JSON):
//   /behave {token, discovery, document, claims, userinfo, parameters, mix_up}   /faults {path: {…}|null}   /seen {reset}   /hits
//     token       the class of ID token (tokens.mjs)              discovery   the kind of document (discovery.mjs)
//     document    members laid over the discovery document        claims      claims laid over the honest ones
//     userinfo    the answer of /userinfo                         parameters  laid over the authorization response (iss, error…; a list repeats the parameter)
//     mix_up      {authorize, client_id, code_challenge, nonce, redirect_uri?}: instead of answering, sends the browser to an honest provider's
//                 /authorize with the victim's state and the attacker's challenge and nonce (rule C5); redirect_uri defaults to what was asked
import { administer, bodyOf, listen, options, ready, sendJson } from '../common/listen.mjs';
import { Faults } from '../common/faults.mjs';
import { Journal } from '../common/journal.mjs';
import { discovery, discoveryKinds } from './discovery.mjs';
import { jwks, kinds, strangerJwks } from './tokens.mjs';

const faults = new Faults();
const journal = new Journal();
const codes = new Map();
let behaviour = {};
let serial = 0;

const pages = {
  '/.well-known/openid-configuration': (_query, response) =>
    sendJson(response, 200, discovery(behaviour.discovery ?? 'good', issuer, behaviour.document)),
  '/jwks': (_query, response) => sendJson(response, 200, jwks),
  '/stranger-jwks': (_query, response) => sendJson(response, 200, strangerJwks),
  '/authorize': (query, response) => authorize(query, response),
  '/token': (query, response, body) => token(new URLSearchParams(body), response),
  '/userinfo': (_query, response) => sendJson(response, 200, behaviour.userinfo ?? { sub: 'hostile-mallory', email: 'mallory@evil.example.test', email_verified: true }),
};

/** No form: the person is Mallory's, the answer comes at once. */
function authorize(query, response) {
  if (behaviour.mix_up) return redirect(response, mixedUp(query, behaviour.mix_up));
  serial += 1;
  const code = `hostile-code-${serial}`;
  codes.set(code, { nonce: query.get('nonce'), clientId: query.get('client_id') });
  const answer = { code, state: query.get('state'), ...behaviour.parameters };
  const pairs = Object.entries(answer).flatMap(([name, value]) => [value].flat().filter((one) => one !== null).map((one) => [name, one]));
  if (query.get('response_mode') === 'form_post') return formPost(response, query.get('redirect_uri'), pairs);
  const target = new URL(query.get('redirect_uri'));
  for (const [name, value] of pairs) target.searchParams.append(name, value);
  return redirect(response, target);
}

function mixedUp(query, { authorize: address, client_id: clientId, code_challenge: challenge, nonce, redirect_uri: redirectUri }) {
  const target = new URL(address);
  const parameters = { response_type: 'code', client_id: clientId, redirect_uri: redirectUri ?? query.get('redirect_uri'), scope: 'openid email profile',
    state: query.get('state'), code_challenge: challenge, code_challenge_method: 'S256', nonce };
  for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value);
  return target;
}

function redirect(response, target) {
  response.writeHead(302, { location: String(target), 'cache-control': 'no-store' });
  response.end();
}

function formPost(response, action, pairs) {
  const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const inputs = pairs.map(([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`).join('');
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><title>one moment</title><body onload="document.forms[0].submit()"><form method="post" action="${escape(action)}">${inputs}<button>Continue</button></form>`);
}

function token(body, response) {
  const { nonce, clientId } = codes.get(body.get('code')) ?? {};
  const accessToken = `hostile-access-${serial}`;
  const facts = { issuer, clientId: clientId ?? body.get('client_id'), nonce, accessToken, claims: behaviour.claims, clientSecret: body.get('client_secret') ?? undefined };
  const make = kinds[behaviour.token ?? 'good'];
  sendJson(response, 200, { token_type: 'Bearer', expires_in: 300, access_token: accessToken, id_token: make(facts), scope: 'openid email profile' });
}

async function front(request, response) {
  const url = new URL(request.url, 'http://hostile');
  const body = request.method === 'POST' ? await bodyOf(request) : '';
  journal.note({ method: request.method, path: url.pathname, query: url.search, headers: request.headers, body });
  if (await faults.play(url.pathname, request, response)) return;
  const page = pages[url.pathname];
  if (page) page(url.searchParams, response, body);
  else sendJson(response, 404, { error: 'not_found' });
}

const server = await listen((request, response) => front(request, response).catch((error) => sendJson(response, 500, { error: error.message })),
  { tls: options.tls, port: options.port });
const { port } = server.address();
const issuer = `${options.tls ? 'https' : 'http'}://${options.host ?? '127.0.0.1'}:${port}`;
const admin = await administer({
  '/behave': (wanted) => {
    if (wanted.token && !kinds[wanted.token]) throw new Error(`no token named ${wanted.token}: ${Object.keys(kinds).join(' ')}`);
    discovery(wanted.discovery ?? 'good', issuer);
    behaviour = wanted;
  },
  '/faults': (wanted) => faults.set(wanted),
  '/seen': (wanted) => journal.read(wanted),
  '/hits': () => journal.counts(),
});
ready({ issuer, port, admin: admin.address().port, tokens: Object.keys(kinds), discoveries: discoveryKinds });
