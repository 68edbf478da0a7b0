// A SAML identity provider on npm `samlify`. Options (JSON, first argument): key, cert (PEM files), sign ("assertion", "message" or
// "both"), encrypt, order ("sign-then-encrypt" or "encrypt-then-sign"). Prints {"entity_id", "metadata", "base", "admin"} when it serves.
//
// Acts of the admin port (POST JSON):
//   /sp {metadata: XML}   /mode {sign, encrypt, order, now, email, name_id, audience, destination, recipient, in_response_to}   /seen
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import samlify from 'samlify';
import { administer, bodyOf, listen, options, ready } from '../common/listen.mjs';

const { Constants, IdentityProvider, SamlLib, ServiceProvider } = samlify;
// The peer trusts what the test sends it; schemas are checked by the gateway.
samlify.setSchemaValidator({ validate: async () => 'not looked at' });

const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
const people = {
  ann: { password: 'ann-pw', name_id: 'p-ann-7', mail: 'ann@acme.example.test', displayName: 'Ann Acme' },
  bob: { password: 'bob-pw', name_id: 'p-bob-8', mail: 'bob@acme.example.test', displayName: 'Bob "Zoë" <Acme> & 李' },
};
const names = ['mail', 'displayName'];
const mode = { sign: options.sign ?? 'both', encrypt: options.encrypt === true, order: options.order ?? 'sign-then-encrypt' };
const asked = new Map();
const sessions = new Map();
const seen = [];
let sp;
let spMetadata;
let base;

function provider() {
  const at = (path) => [Constants.namespace.binding.redirect, Constants.namespace.binding.post].map((Binding) => ({ Binding, Location: `${base}${path}` }));
  return IdentityProvider({
    entityID: `${base}/metadata`,
    privateKey: readFileSync(options.key), signingCert: readFileSync(options.cert),
    isAssertionEncrypted: mode.encrypt, messageSigningOrder: mode.order, wantAuthnRequestsSigned: true,
    requestSignatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    dataEncryptionAlgorithm: 'http://www.w3.org/2009/xmlenc11#aes256-gcm',
    keyEncryptionAlgorithm: 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
    nameIDFormat: [PERSISTENT], singleSignOnService: at('/sso'), generateID: () => `_${randomUUID()}`,
    loginResponseTemplate: {
      context: SamlLib.defaultLoginResponseTemplate.context,
      attributes: names.map((name) => ({ name, valueTag: name, nameFormat: 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic', valueXsiType: 'xs:string' })),
    },
  });
}

function registerSp(metadata) {
  spMetadata = metadata;
  sp = ServiceProvider({ metadata, wantMessageSigned: mode.sign !== 'assertion', wantAssertionsSigned: mode.sign !== 'message' });
}

const html = (text) => String(text ?? '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** The response's values; what `mode` names is said in place of the truth. */
function fill(request, login) {
  return (template) => {
    const person = people[login];
    const now = new Date(Date.now() + (mode.now ?? 0) * 1000);
    const soon = new Date(now.getTime() + 300_000);
    const acs = sp.entityMeta.getAssertionConsumerService('post');
    const id = `_${randomUUID()}`;
    const text = template.replace('{AuthnStatement}', `<saml:AuthnStatement AuthnInstant="${now.toISOString()}" SessionIndex="${id}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`);
    const values = {
      ID: id, AssertionID: mode.assertion_id ?? `_${randomUUID()}`, Destination: mode.destination ?? acs, Audience: mode.audience ?? sp.entityMeta.getEntityID(),
      SubjectRecipient: mode.recipient ?? acs, AssertionConsumerServiceURL: acs, EntityID: sp.entityMeta.getEntityID(),
      NameIDFormat: PERSISTENT, NameID: mode.name_id ?? person.name_id, Issuer: `${base}/metadata`, IssueInstant: now.toISOString(),
      ConditionsNotBefore: now.toISOString(), ConditionsNotOnOrAfter: soon.toISOString(), SubjectConfirmationDataNotOnOrAfter: soon.toISOString(),
      InResponseTo: mode.in_response_to ?? request?.extract?.request?.id ?? '', StatusCode: 'urn:oasis:names:tc:SAML:2.0:status:Success',
      attrMail: mode.email ?? person.mail, attrDisplayName: person.displayName,
    };
    return { id, context: SamlLib.replaceTagsByValue(text, values) };
  };
}

async function respond(response, ticket, login, cookie) {
  const { request, relayState } = asked.get(ticket);
  asked.delete(ticket);
  const made = await provider().createLoginResponse(sp, request ?? { extract: { request: {} } }, 'post', { email: people[login].mail }, fill(request, login), mode.order === 'encrypt-then-sign', relayState);
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...(cookie ? { 'set-cookie': `idp=${cookie}; Path=/; HttpOnly` } : {}) });
  const relay = relayState === undefined ? '' : `<input type="hidden" name="RelayState" value="${html(relayState)}">`;
  response.end(`<!doctype html><title>Back</title><form method="post" action="${html(made.entityEndpoint)}"><input type="hidden" name="SAMLResponse" value="${html(made.context)}">${relay}<button>Go on</button></form>`);
}

function askPerson(response, ticket, status = 200) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><title>Sign in</title><form method="post" action="/login"><input type="hidden" name="ticket" value="${ticket}"><input name="login"><input type="password" name="password"><button>Sign in</button></form>`);
}

async function front(request, response) {
  const url = new URL(request.url, base);
  const body = Object.fromEntries(new URLSearchParams(await bodyOf(request)));
  const query = Object.fromEntries(url.searchParams);
  const me = sessions.get(/idp=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]);
  seen.push({ method: request.method, path: url.pathname });
  try {
    if (url.pathname === '/metadata') {
      response.writeHead(200, { 'content-type': 'application/samlmetadata+xml' });
      return response.end(provider().getMetadata());
    }
    const ticket = randomUUID();
    if (url.pathname === '/sso') {
      const octetString = url.search.slice(1).split('&').filter((pair) => /^(SAMLRequest|RelayState|SigAlg)=/.test(pair)).join('&');
      const parsed = await provider().parseLoginRequest(sp, request.method === 'POST' ? 'post' : 'redirect', { query, body, octetString });
      if (parsed.extract.issuer !== sp.entityMeta.getEntityID()) throw new Error(`unknown service provider ${parsed.extract.issuer}`);
      seen.push({ request: parsed.extract });
      asked.set(ticket, { request: parsed, relayState: query.RelayState ?? body.RelayState });
      const force = /ForceAuthn="true"/.test(parsed.samlContent);
      return me && !force ? await respond(response, ticket, me) : askPerson(response, ticket);
    }
    // A tile of the company's portal: a response that nobody asked for.
    if (url.pathname === '/portal') {
      asked.set(ticket, { request: null, relayState: query.RelayState });
      return me ? await respond(response, ticket, me) : askPerson(response, ticket);
    }
    if (url.pathname === '/login') {
      if (people[body.login]?.password !== body.password) return askPerson(response, body.ticket, 401);
      const cookie = randomUUID();
      sessions.set(cookie, body.login);
      return await respond(response, body.ticket, body.login, cookie);
    }
    response.writeHead(404).end();
  } catch (error) {
    response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(`the provider refuses: ${error.message ?? error}`);
  }
}

const server = await listen(front, { tls: options.tls });
base = `${options.tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
const admin = await administer({
  '/sp': ({ metadata }) => { registerSp(metadata); },
  '/mode': (changes) => {
    for (const [name, value] of Object.entries(changes)) if (value === null) delete mode[name]; else mode[name] = value;
    if (spMetadata) registerSp(spMetadata);
  },
  '/seen': () => ({ seen: seen.splice(0) }),
});
ready({ base, entity_id: `${base}/metadata`, metadata: provider().getMetadata(), admin: admin.address().port });
