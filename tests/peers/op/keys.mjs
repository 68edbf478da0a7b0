// The provider's signing keys: one per algorithm in use, in generations.
import * as jose from 'jose';

const ALGORITHMS = [['RS256', {}], ['ES256', {}], ['PS256', {}]];
let serial = 0;

/** A fresh generation: private JWKs, newest algorithms first. */
export async function generation() {
  serial += 1;
  return Promise.all(ALGORITHMS.map(async ([alg, extra]) => {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true, modulusLength: 2048, ...extra });
    return { ...(await jose.exportJWK(privateKey)), alg, use: 'sig', kid: `${alg.toLowerCase()}-${serial}` };
  }));
}

/** Signs `claims` anew under the header of `token` with the key that the header names (or the first of that algorithm). */
export async function resign(token, claims, keys) {
  const header = jose.decodeProtectedHeader(token);
  const key = keys.find(({ kid }) => kid === header.kid) ?? keys.find(({ alg }) => alg === header.alg);
  return new jose.SignJWT(claims).setProtectedHeader(header).sign(await jose.importJWK(key, header.alg));
}
