// A SAML identity provider on npm `samlify`. Options (JSON, first argument): key, cert (PEM files), sign ("assertion", "message" or
// "both"), encrypt, order ("sign-then-encrypt" or "encrypt-then-sign"), more (further {key, cert}). Prints {"entity_id", "metadata",
// "base", "admin"} when it serves.
//
// Acts of the admin port (POST JSON):
//   /sp {metadata: XML}   /mode {sign, encrypt, order, now, email, name_id, audience, destination, recipient, in_response_to,
//     bindings (of /sso), moved (/sso was at another host, which sends on), logout ("none" or a list of bindings), logout_status, unsigned_logout, publish (places of keys), use (one),
//     sign_metadata (place of the key that signs it, or "changed": an address changed after that)}
//   /logout-request {login, binding, session_index, name_id, id, now, to}: a signed LogoutRequest, as {url} or {action, message}
//   /logout-response {in_response_to, relay_state}: a signed LogoutResponse that nobody asked for, as {url}
//   /seen
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import samlify from 'samlify';
import { SignedXml } from 'xml-crypto';
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

const keys = [{ key: options.key, cert: options.cert }, ...(options.more ?? [])];

/** Where the provider was before it moved: the same server by another name. */
const formerly = () => base.replace('127.0.0.1', 'localhost');

function provider(places = [mode.use ?? 0]) {
  const at = (path, bindings = ['redirect', 'post'], host = base) => bindings.map((name) => ({ Binding: Constants.namespace.binding[name], Location: `${host}${path}` }));
  return IdentityProvider({
    entityID: `${base}/metadata`,
    privateKey: readFileSync(keys[mode.use ?? 0].key), signingCert: places.map((place) => readFileSync(keys[place].cert)),
    wantLogoutRequestSigned: true, wantLogoutResponseSigned: true,
    ...(mode.logout === 'none' ? {} : { singleLogoutService: at('/slo', mode.logout) }),
    isAssertionEncrypted: mode.encrypt, messageSigningOrder: mode.order, wantAuthnRequestsSigned: true,
    requestSignatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    dataEncryptionAlgorithm: 'http://www.w3.org/2009/xmlenc11#aes256-gcm',
    keyEncryptionAlgorithm: 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
    nameIDFormat: [PERSISTENT], singleSignOnService: at('/sso', mode.bindings, mode.moved ? formerly() : base), generateID: () => `_${randomUUID()}`,
    loginResponseTemplate: {
      context: SamlLib.defaultLoginResponseTemplate.context,
      attributes: names.map((name) => ({ name, valueTag: name, nameFormat: 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic', valueXsiType: 'xs:string' })),
    },
  });
}

/** The metadata, signed as a federation's operator signs it, where `mode` says so. */
function metadata() {
  const plain = provider(mode.publish).getMetadata();
  if (mode.sign_metadata === undefined) return plain;
  const { key, cert } = keys[mode.sign_metadata === 'changed' ? 1 : mode.sign_metadata];
  const named = plain.replace('<EntityDescriptor ', `<EntityDescriptor ID="_${randomUUID()}" `);
  const exclusive = 'http://www.w3.org/2001/10/xml-exc-c14n#';
  const signer = new SignedXml({
    privateKey: readFileSync(key), publicCert: readFileSync(cert), canonicalizationAlgorithm: exclusive,
    signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  });
  const transforms = ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', exclusive];
  signer.addReference({ xpath: '/*', transforms, digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256' });
  signer.computeSignature(named, { location: { reference: '/*', action: 'prepend' }, prefix: 'ds' });
  const signed = signer.getSignedXml();
  return mode.sign_metadata === 'changed' ? signed.replace('/sso"', '/elsewhere"') : signed;
}

/** samlify knows one key of each use: the first, which is the one in force. */
function firstKeys(metadata) {
  const seen = new Set();
  return metadata.replace(/<md:KeyDescriptor use="(\w+)">.*?<\/md:KeyDescriptor>/gs, (all, use) => (seen.has(use) ? '' : (seen.add(use), all)));
}

function registerSp(given) {
  spMetadata = given;
  const metadata = firstKeys(given);
  sp = ServiceProvider({ metadata, wantLogoutRequestSigned: !mode.unsigned_logout, wantLogoutResponseSigned: !mode.unsigned_logout, wantMessageSigned: mode.sign !== 'assertion', wantAssertionsSigned: mode.sign !== 'message' });
}

const html = (text) => String(text ?? '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** The response's values; what `mode` names is said in place of the truth. */
function fill(request, login, session) {
  return (template) => {
    const person = people[login];
    const now = new Date(Date.now() + (mode.now ?? 0) * 1000);
    const soon = new Date(now.getTime() + 300_000);
    const acs = sp.entityMeta.getAssertionConsumerService('post');
    const id = `_${randomUUID()}`;
    const text = template.replace('{AuthnStatement}', `<saml:AuthnStatement AuthnInstant="${now.toISOString()}" SessionIndex="${session.index}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`);
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

async function respond(response, ticket, session, cookie) {
  const { login } = session;
  const { request, relayState } = asked.get(ticket);
  asked.delete(ticket);
  const made = await provider().createLoginResponse(sp, request ?? { extract: { request: {} } }, 'post', { email: people[login].mail }, fill(request, login, session), mode.order === 'encrypt-then-sign', relayState);
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...(cookie ? { 'set-cookie': `idp=${cookie}; Path=/; HttpOnly` } : {}) });
  const relay = relayState === undefined ? '' : `<input type="hidden" name="RelayState" value="${html(relayState)}">`;
  response.end(`<!doctype html><title>Back</title><form method="post" action="${html(made.entityEndpoint)}"><input type="hidden" name="SAMLResponse" value="${html(made.context)}">${relay}<button>Go on</button></form>`);
}

/** A page with a form that the browser posts. */
function postForm(response, action, field, message, relayState) {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  const relay = relayState ? `<input type="hidden" name="RelayState" value="${html(relayState)}">` : '';
  response.end(`<!doctype html><title>On</title><form method="post" action="${html(action)}"><input type="hidden" name="${field}" value="${html(message)}">${relay}<button>Go on</button></form><script>document.forms[0].submit()</script>`);
}

/** A LogoutRequest of this provider. */
function logoutRequest({ login, binding = 'redirect', session_index: index, name_id: name, id, now, to }, relayState) {
  const values = {
    ID: id ?? `_${randomUUID()}`, Destination: to ?? sp.entityMeta.getSingleLogoutService(binding), Issuer: `${base}/metadata`,
    IssueInstant: new Date(Date.now() + (now ?? 0) * 1000).toISOString(), NameIDFormat: PERSISTENT,
    NameID: name ?? people[login].name_id, SessionIndex: index ?? undefined,
  };
  const write = () => ({ id: values.ID, context: SamlLib.replaceTagsByValue(SamlLib.defaultLogoutRequestTemplate.context, values) });
  return provider().createLogoutRequest(sp, binding, { logoutNameID: values.NameID, sessionIndex: index }, { relayState, customTagReplacement: write });
}

/** A LogoutResponse of this provider. */
function logoutResponse(request, binding, relayState) {
  const values = {
    ID: `_${randomUUID()}`, Destination: sp.entityMeta.getSingleLogoutService(binding), Issuer: `${base}/metadata`,
    IssueInstant: new Date().toISOString(), InResponseTo: request, StatusCode: 'urn:oasis:names:tc:SAML:2.0:status:Success',
  };
  const partial = '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:PartialLogout"/></samlp:StatusCode>';
  const template = SamlLib.defaultLogoutResponseTemplate.context;
  const text = mode.logout_status === 'partial' ? template.replace('<samlp:StatusCode Value="{StatusCode}"/>', partial) : template;
  const write = () => ({ id: values.ID, context: SamlLib.replaceTagsByValue(text, values) });
  return provider().createLogoutResponse(sp, { extract: { request: { id: request } } }, binding, { relayState, customTagReplacement: write });
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
      return response.end(metadata());
    }
    if (mode.moved && `https://${request.headers.host}` === formerly()) {
      response.writeHead(307, { location: `${base}${request.url}` });
      return response.end();
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
    // Single logout: a party's request, or its answer to the request of /logout.
    if (url.pathname === '/slo') {
      const octetString = url.search.slice(1).split('&').filter((pair) => /^(SAMLRequest|SAMLResponse|RelayState|SigAlg)=/.test(pair)).join('&');
      const binding = request.method === 'POST' ? 'post' : 'redirect';
      const said = { query, body, octetString };
      if (query.SAMLResponse ?? body.SAMLResponse) {
        const parsed = await provider().parseLogoutResponse(sp, binding, said);
        seen.push({ logout_response: parsed.extract, content: parsed.samlContent, relay_state: query.RelayState ?? body.RelayState ?? null });
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
        return response.end('<!doctype html><title>Done</title><p>Everything is over.</p>');
      }
      const parsed = await provider().parseLogoutRequest(sp, binding, said);
      seen.push({ logout_request: parsed.extract, binding });
      for (const [cookie, session] of sessions) if (session.index === parsed.extract.sessionIndex) sessions.delete(cookie);
      const back = (mode.logout ?? ['redirect'])[0];
      const made = logoutResponse(parsed.extract.request.id, back, query.RelayState ?? body.RelayState);
      if (back === 'post') return postForm(response, made.entityEndpoint, 'SAMLResponse', made.context, query.RelayState ?? body.RelayState);
      response.writeHead(302, { location: made.context });
      return response.end();
    }
    // The person leaves at the provider.
    if (url.pathname === '/logout') {
      const binding = query.binding ?? 'redirect';
      const made = logoutRequest({ login: me.login, binding, session_index: query.all ? null : me.index }, 'https://evil.example/');
      if (binding === 'post') return postForm(response, made.entityEndpoint, 'SAMLRequest', made.context, 'https://evil.example/');
      response.writeHead(302, { location: made.context });
      return response.end();
    }
    // A tile of the company's portal: a response that nobody asked for.
    if (url.pathname === '/portal') {
      asked.set(ticket, { request: null, relayState: query.RelayState });
      return me ? await respond(response, ticket, me) : askPerson(response, ticket);
    }
    if (url.pathname === '/login') {
      if (people[body.login]?.password !== body.password) return askPerson(response, body.ticket, 401);
      const cookie = randomUUID();
      const session = { login: body.login, index: `_s-${randomUUID()}` };
      sessions.set(cookie, session);
      return await respond(response, body.ticket, session, cookie);
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
  '/logout-request': (wanted) => {
    const made = logoutRequest(wanted);
    return wanted.binding === 'post' ? { action: made.entityEndpoint, message: made.context } : { url: made.context };
  },
  '/logout-response': ({ in_response_to: request, relay_state: relayState }) => ({ url: logoutResponse(request, 'redirect', relayState).context }),
  '/sessions': () => ({ sessions: [...sessions.values()] }),
  '/seen': () => ({ seen: seen.splice(0) }),
});
ready({ base, entity_id: `${base}/metadata`, metadata: provider().getMetadata(), admin: admin.address().port });
