// The door of a product in Node: it lets in whoever the gateway says is there, and nobody else.
//
//   npm install jose
//   import { door } from './door.mjs';
//   app.use(door({ issuer: 'https://id.example.com', product: 'trello' }));    // Express, Connect, or node:http by hand
//   app.get('/', (request, response) => response.end(request.person.sub));
//
// What it checks is in docs/middleware.md. It reads no other field: X-Fedgate-User and its siblings prove nothing.
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose';

const SKEW = 60;                // seconds that two clocks may differ
const LONGEST = 300;            // seconds that the gateway lets an assertion live
const KEPT = 300_000;           // milliseconds that the keys are kept; an unknown one has them fetched anew, every 30 s at most

/** `issuer` is the login host's URL, `product` the NAME of `[product.NAME]`; `fetch` and `now` are the platform's unless given. */
export function door({ issuer, product, fetch = globalThis.fetch, now = () => new Date() }) {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', issuer), { cacheMaxAge: KEPT, [customFetch]: fetch });
  return async (request, response, next) => {
    // Every value that came: two are as good as none, because it would be a guess which of them the gateway wrote.
    const values = request.headersDistinct['fedgate-assertion'] ?? [];
    try {
      if (values.length !== 1) throw new errors.JWTInvalid('one Fedgate-Assertion is needed');
      const { payload } = await jwtVerify(values[0], keys, {
        algorithms: ['ES256'], typ: 'fedgate+jwt', issuer, audience: product,
        requiredClaims: ['sub', 'sid', 'iat', 'exp'], maxTokenAge: LONGEST, clockTolerance: SKEW, currentDate: now(),
      });
      if (typeof payload.sub !== 'string' || payload.sub === '') throw new errors.JWTInvalid('sub is no text');
      request.person = payload;
    } catch (error) {
      return refuse(response, error);
    }
    next();
  };
}

/** 401 for what was wrong with the request, 503 where the keys cannot be had. Nobody enters either way. */
function refuse(response, error) {
  const keys = !(error instanceof errors.JOSEError)
    || ['ERR_JOSE_GENERIC', 'ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID'].includes(error.code);
  response.writeHead(keys ? 503 : 401, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
  response.end(keys ? 'the keys of the gateway cannot be had\n' : 'open this product through the gateway\n');
}
