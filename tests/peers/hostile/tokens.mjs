// ID tokens of every class that a relying party must refuse, one function each, beside `good`. Each takes the facts of the
// request and gives the compact token, so that all but the named fault is right: what is refused is refused for that fault.
//
// A new class: one entry in `kinds`.
import crypto from 'node:crypto';
import * as jose from 'jose';

const pair = await jose.generateKeyPair('RS256', { extractable: true, modulusLength: 2048 });
const stranger = await jose.generateKeyPair('RS256', { extractable: true, modulusLength: 2048 });
const encryption = await jose.generateKeyPair('RS256', { extractable: true, modulusLength: 2048 });
const weak = crypto.generateKeyPairSync('rsa', { modulusLength: 1024 });
const KID = 'hostile-1';

/** The public keys as published: the signing key, a key for encryption only, a weak key, and one of a type nobody knows. */
export const jwks = {
  keys: [
    { ...(await jose.exportJWK(pair.publicKey)), kid: KID, alg: 'RS256', use: 'sig' },
    { ...(await jose.exportJWK(encryption.publicKey)), kid: 'for-encryption', use: 'enc' },
    { ...weak.publicKey.export({ format: 'jwk' }), kid: 'weak', use: 'sig', alg: 'RS256' },
    { kty: 'QUANTUM', kid: 'of-the-future', use: 'sig', alg: 'XX999', z: 'AAAA' },
  ],
};

/** The stranger's key set, for `jku`: a relying party that follows the header would fetch it from /stranger-jwks. */
export const strangerJwks = { keys: [{ ...(await jose.exportJWK(stranger.publicKey)), kid: 'stranger', alg: 'RS256', use: 'sig' }] };

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A compact token signed as given, whatever header and payload say. `payload` may be text, for members that JSON.stringify cannot write. */
function sign(header, payload, key = pair.privateKey) {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${crypto.sign('sha256', Buffer.from(input), key instanceof crypto.KeyObject ? key : crypto.KeyObject.from(key)).toString('base64url')}`;
}

function mac(header, payload, secret) {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${crypto.createHmac('sha256', secret).update(input).digest('base64url')}`;
}

const half = (value) => crypto.createHash('sha256').update(value).digest().subarray(0, 16).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);
const HEADER = { alg: 'RS256', kid: KID, typ: 'JWT' };

/** The claims of an honest answer to this request. */
function honest({ issuer, clientId, nonce, accessToken, claims }) {
  return { iss: issuer, aud: clientId, sub: 'hostile-mallory', iat: now(), exp: now() + 300, auth_time: now(), nonce,
    at_hash: half(accessToken), email: 'mallory@evil.example.test', email_verified: true, name: 'Mallory', ...claims };
}

/** An otherwise honest token whose claims are changed; null removes one. */
const claimed = (change) => (facts) => sign(HEADER, Object.fromEntries(
  Object.entries({ ...honest(facts), ...(typeof change === 'function' ? change(facts) : change) }).filter(([, value]) => value !== null)));
/** An otherwise honest token whose header is changed. */
const headed = (change, key) => (facts) => sign({ ...HEADER, ...(typeof change === 'function' ? change(facts) : change) }, honest(facts), key);

/** Appends members to the honest payload's text, after the true ones: the last of two wins in most parsers. */
const appended = (members) => (facts) => sign(HEADER, JSON.stringify(honest(facts)).replace(/\}$/, `,${members}}`));

const publicPem = () => crypto.KeyObject.from(pair.publicKey).export({ type: 'spki', format: 'pem' });
const strangerJwk = strangerJwks.keys[0];

export const kinds = {
  good: claimed({}),
  'alg-none': (facts) => `${encode({ alg: 'none' })}.${encode(honest(facts))}.`,
  'alg-none-mixed-case': (facts) => `${encode({ alg: 'nOnE' })}.${encode(honest(facts))}.`,
  'hs256-public-key-pem': (facts) => mac({ alg: 'HS256', kid: KID }, honest(facts), publicPem()),
  'hs256-public-key-modulus': (facts) => mac({ alg: 'HS256', kid: KID }, honest(facts), Buffer.from(jwks.keys[0].n, 'base64url')),
  'hs256-client-secret': (facts) => mac({ alg: 'HS256' }, honest(facts), facts.clientSecret ?? ''),
  'hs256-empty-key': (facts) => mac({ alg: 'HS256' }, honest(facts), ''),
  'stranger-key': headed({}, stranger.privateKey),
  'stranger-key-in-jwk': headed({ kid: 'stranger', jwk: strangerJwk }, stranger.privateKey),
  'stranger-key-in-jku': headed(({ issuer }) => ({ kid: 'stranger', jku: `${issuer}/stranger-jwks` }), stranger.privateKey),
  'stranger-key-in-x5u': headed(({ issuer }) => ({ kid: 'stranger', x5u: `${issuer}/stranger-x5u` }), stranger.privateKey),
  'unknown-kid': headed({ kid: 'never-published' }, stranger.privateKey),
  'kid-as-path': headed({ kid: '../../../../dev/null' }, stranger.privateKey),
  'encryption-key': headed({ kid: 'for-encryption' }, encryption.privateKey),
  'weak-key': headed({ kid: 'weak' }, weak.privateKey),
  'alg-of-another-family': headed({ alg: 'ES256' }),
  'crit-unknown': headed({ crit: ['http://example.test/must'], 'http://example.test/must': true }),
  'b64-false': headed({ crit: ['b64'], b64: false }),
  'signature-missing': (facts) => `${claimed({})(facts).split('.').slice(0, 2).join('.')}.`,
  'signature-cut': (facts) => claimed({})(facts).slice(0, -8),
  'two-parts': (facts) => claimed({})(facts).split('.').slice(0, 2).join('.'),
  jwe: () => `${encode({ alg: 'RSA-OAEP', enc: 'A256GCM', kid: KID })}.${encode('k')}.${encode('iv')}.${encode('c')}.${encode('t')}`,
  'wrong-iss': claimed({ iss: 'https://other.example.test' }),
  'iss-with-slash': claimed(({ issuer }) => ({ iss: `${issuer}/` })),
  'no-iss': claimed({ iss: null }),
  'wrong-aud': claimed({ aud: 'somebody-else' }),
  'no-aud': claimed({ aud: null }),
  'empty-aud': claimed({ aud: [] }),
  'second-aud': claimed(({ clientId }) => ({ aud: [clientId, 'somebody-else'] })),
  'wrong-azp': claimed({ azp: 'somebody-else' }),
  'wrong-nonce': claimed({ nonce: 'of-another-login' }),
  'no-nonce': claimed({ nonce: null }),
  'no-sub': claimed({ sub: null }),
  'empty-sub': claimed({ sub: '' }),
  'sub-not-text': claimed({ sub: 17 }),
  'long-sub': claimed({ sub: 'x'.repeat(300) }),
  expired: claimed(() => ({ exp: now() - 3600 })),
  'no-exp': claimed({ exp: null }),
  'exp-text': claimed({ exp: '9999999999' }),
  'iat-in-the-future': claimed(() => ({ iat: now() + 3600, exp: now() + 7200 })),
  'iat-long-ago': claimed(() => ({ iat: now() - 86400 })),
  'no-iat': claimed({ iat: null }),
  'not-yet': claimed(() => ({ nbf: now() + 3600 })),
  'wrong-at-hash': claimed({ at_hash: half('another token') }),
  'duplicate-sub': appended('"sub":"op-ann"'),
  'duplicate-email-verified': appended('"email_verified":true'),
  'duplicate-by-escape': appended('"s\\u0075b":"op-ann"'),
};
