// The certified npm `oidc-provider` as a peer. Options (JSON, first argument): tls {cert, key}, host, issuer, people, clients,
// redirect_uris, post_logout_redirect_uris, trust [PEM files], claims_only_in_userinfo, port. Prints {"issuer", "port", "admin"} when it serves.
//
// Acts of the admin port (POST JSON):
//   /people {id: {…}|null}   /clients {client_id, …}   /redirects {add: […], post_logout: […]}   /rotate {keep: true|false}
//   /faults {path: {…}|null} /mode {id_token: {…}, userinfo: {…}}   /trust {files: […]}   /end-sessions {sub}
//   /hits   /seen {reset}    /errors
import { administer, listen, options, ready } from '../common/listen.mjs';
import { Faults } from '../common/faults.mjs';
import { Journal } from '../common/journal.mjs';
import { build } from './provider.mjs';
import { generation } from './keys.mjs';
import { interact } from './login.mjs';
import { people } from './people.mjs';
import { endSessions } from './storage.mjs';

const SECRET = 'a secret of the test client, long enough: 0123456789abcdef';
const faults = new Faults();
const journal = new Journal();
const world = {
  issuer: options.issuer, keys: await generation(), clients: new Map(), trust: options.trust ?? [], mode: {}, errors: [],
  claimsOnlyInUserinfo: options.claims_only_in_userinfo === true,
  people: new Map(Object.entries(options.people ?? people)),
};
let provider;
let serve;

function rebuild() {
  provider = build(world);
  serve = provider.callback();
}

/** Registers a client; what is not said is taken from the ordinary one (code flow, the redirect URIs of the start). */
function register(metadata) {
  const client = {
    redirect_uris: options.redirect_uris ?? ['https://id.example.test/login/callback'],
    post_logout_redirect_uris: options.post_logout_redirect_uris ?? [],
    grant_types: ['authorization_code'], response_types: ['code'], client_secret: SECRET, ...metadata,
  };
  if (['none', 'private_key_jwt'].includes(client.token_endpoint_auth_method)) delete client.client_secret;
  world.clients.set(client.client_id, client);
  return client;
}

function addRedirects({ add = [], post_logout = [] }) {
  for (const client of world.clients.values()) {
    client.redirect_uris = [...new Set([...client.redirect_uris, ...add])];
    client.post_logout_redirect_uris = [...new Set([...client.post_logout_redirect_uris, ...post_logout])];
  }
  rebuild();
}

async function front(request, response) {
  const path = new URL(request.url, 'http://op').pathname;
  journal.note({ method: request.method, path, query: new URL(request.url, 'http://op').search, headers: request.headers });
  try {
    if (await faults.play(path, request, response)) return;
    if (path.startsWith('/interaction/')) await interact(provider, world.people, request, response);
    else await serve(request, response);
  } catch (error) {
    world.errors.push({ error: error.name, detail: error.message });
    response.writeHead(400, { 'content-type': 'text/plain' });
    response.end(`${error.name}: ${error.message}`);
  }
}

const server = await listen(front, { tls: options.tls, port: options.port });
const { port } = server.address();
world.issuer ??= `${options.tls ? 'https' : 'http'}://${options.host ?? '127.0.0.1'}:${port}`;
for (const client of options.clients ?? [
  { client_id: 'fedgate' },
  { client_id: 'fedgate-post', token_endpoint_auth_method: 'client_secret_post' },
  { client_id: 'fedgate-es256', id_token_signed_response_alg: 'ES256' },
  { client_id: 'fedgate-public', token_endpoint_auth_method: 'none' },
]) register(client);
rebuild();

const admin = await administer({
  '/people': (changes) => {
    for (const [id, change] of Object.entries(changes)) {
      if (change === null) world.people.delete(id);
      else world.people.set(id, { ...world.people.get(id), ...change });
    }
    return Object.fromEntries(world.people);
  },
  '/clients': (metadata) => {
    const client = register(metadata);
    rebuild();
    return client;
  },
  '/redirects': addRedirects,
  '/rotate': async ({ keep = true }) => {
    world.keys = [...(await generation()), ...(keep ? world.keys : [])];
    rebuild();
    return { kids: world.keys.map(({ kid }) => kid) };
  },
  '/faults': (wanted) => faults.set(wanted),
  '/mode': (mode) => {
    world.mode = mode;
  },
  '/trust': ({ files }) => {
    world.trust.push(...files);
  },
  '/end-sessions': ({ sub }) => endSessions(sub),
  '/hits': () => journal.counts(),
  '/seen': (wanted) => journal.read(wanted),
  '/errors': () => world.errors,
});
ready({ issuer: world.issuer, port, admin: admin.address().port, client_secret: SECRET });
