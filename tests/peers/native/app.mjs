// A product's own app on the certified npm `openid-client`: what an app's developer would write. Options (JSON, first argument): issuer,
// client, redirect, trust [PEM files]. Prints {"admin"} when it serves.
//
// Acts of the admin port (POST JSON):
//   /begin {}          -> {url}: where it sends its person's browser
//   /arrived {url}     -> {type, expires_in}: the answer came back; it redeems the code and keeps the tokens
//   /get {url}         -> {status, body}: a request to the product, with its key
//   /refresh {}        -> {changed}
//   /revoke {}         -> {}
import * as client from 'openid-client';
import { administer, options, ready } from '../common/listen.mjs';
import { loopbackFetch } from '../common/fetch.mjs';

const fetch = loopbackFetch(options.trust);
const config = await client.discovery(new URL(options.issuer), options.client, undefined, client.None(), {
  algorithm: 'oauth2', [client.customFetch]: fetch,
});
config[client.customFetch] = fetch;
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
let begun;
let tokens;

const admin = await administer({
  '/begin': async () => {
    begun = { pkceCodeVerifier: client.randomPKCECodeVerifier(), expectedState: client.randomState() };
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: options.redirect, state: begun.expectedState, dpop_jkt: await DPoP.calculateThumbprint(),
      code_challenge: await client.calculatePKCECodeChallenge(begun.pkceCodeVerifier), code_challenge_method: 'S256',
    });
    return { url: url.href };
  },
  '/arrived': async ({ url }) => {
    tokens = await client.authorizationCodeGrant(config, new URL(url), begun, undefined, { DPoP });
    return { type: tokens.token_type, expires_in: tokens.expires_in };
  },
  '/get': async ({ url }) => {
    // It throws what a challenge says, as RFC 9110 §11.6.1 has it.
    try {
      const answer = await client.fetchProtectedResource(
        config, tokens.access_token, new URL(url), 'GET', undefined, undefined, { DPoP },
      );
      return { status: answer.status, body: await answer.text() };
    } catch (error) {
      if (!Array.isArray(error.cause)) throw error;
      return { status: error.status, challenges: error.cause };
    }
  },
  '/refresh': async () => {
    const next = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
    const changed = next.access_token !== tokens.access_token && next.refresh_token !== tokens.refresh_token;
    tokens = next;
    return { changed };
  },
  '/revoke': async () => client.tokenRevocation(config, tokens.refresh_token),
});
ready({ admin: admin.address().port }, async () => admin.close());
