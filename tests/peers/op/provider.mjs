// The certified provider as this suite configures it: code flow, PKCE, RP-initiated and back-channel logout, form_post.
import Provider from 'oidc-provider';
import * as jose from 'jose';
import { MemoryAdapter } from './storage.mjs';
import { loopbackFetch } from '../common/fetch.mjs';
import { resign } from './keys.mjs';

const CLAIMS = {
  openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'given_name', 'family_name'], groups: ['groups'],
  acr: null, auth_time: null, amr: null, sid: null,
};

/** One generation of the provider over the world's keys, clients and people. */
export function build(world) {
  const provider = new Provider(world.issuer, {
    adapter: MemoryAdapter,
    jwks: { keys: world.keys },
    clients: [...world.clients.values()],
    cookies: { keys: ['a key for the cookies of a test provider'] },
    claims: CLAIMS,
    scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
    conformIdTokenClaims: world.claimsOnlyInUserinfo,
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      claimsParameter: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource },
    },
    ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 600, Session: 3600, Grant: 3600, Interaction: 600 },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, id) => account(world, id),
    loadExistingGrant: (context) => grantEverything(context),
    fetch: loopbackFetch(world.trust), // its own fetch refuses loopback addresses, where the whole test lives
    renderError: (context, out, error) => {
      world.errors.push({ ...out, detail: error.error_detail });
      context.type = 'html';
      context.body = `<!doctype html><title>provider error</title><pre id="error">${out.error}</pre>`;
    },
  });
  provider.use((context, next) => alter(world, context, next));
  return provider;
}

async function account(world, id) {
  const person = world.people.get(id);
  if (!person || person.disabled) return undefined;
  const { login, password, disabled, ...claims } = person;
  return { accountId: id, claims: async () => ({ sub: id, ...claims }) };
}

async function grantEverything(context) {
  const { provider, client, session } = context.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid email profile groups offline_access');
  await grant.save();
  return grant;
}

async function logoutSource(context, form) {
  context.body = `<!doctype html><html lang="en"><title>Sign out</title><h1>Sign out at the provider?</h1>${form}
<button autofocus type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button></html>`;
}

/** What a misbehaving but signed answer looks like: `mode.id_token` and `mode.userinfo` replace claims; null removes one. */
async function alter({ mode, keys }, context, next) {
  await next();
  const { body } = context;
  if (context.path === '/token' && body?.id_token && mode.id_token) {
    body.id_token = await resign(body.id_token, change(jose.decodeJwt(body.id_token), mode.id_token), keys);
  }
  if (context.path === '/me' && body?.sub && mode.userinfo) context.body = change(body, mode.userinfo);
}

function change(claims, wanted) {
  return Object.fromEntries(Object.entries({ ...claims, ...wanted }).filter(([, value]) => value !== null));
}
