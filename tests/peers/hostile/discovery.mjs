// Discovery documents, honest and not. A new kind: one entry in `kinds`; each changes the honest document.

const honest = (issuer) => ({
  issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks`,
  userinfo_endpoint: `${issuer}/userinfo`, response_types_supported: ['code'], subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'], code_challenge_methods_supported: ['S256'],
  token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  grant_types_supported: ['authorization_code'], scopes_supported: ['openid', 'email', 'profile'],
});

const kinds = {
  good: () => ({}),
  'other-issuer': () => ({ issuer: 'https://victim.example.test' }),
  'issuer-with-slash': (issuer) => ({ issuer: `${issuer}/` }),
  'private-token-endpoint': () => ({ token_endpoint: 'https://10.0.0.1/token' }),
  'private-jwks': () => ({ jwks_uri: 'https://192.168.1.1/jwks' }),
  'metadata-address': () => ({ token_endpoint: 'http://169.254.169.254/latest/meta-data/' }),
  'mapped-address': () => ({ token_endpoint: 'https://[::ffff:10.0.0.1]/token' }),
  'unspecified-address': () => ({ userinfo_endpoint: 'https://0.0.0.0/userinfo' }),
  'plain-endpoints': (issuer) => ({ token_endpoint: `${issuer}/token`.replace('https:', 'http:') }),
  'file-jwks': () => ({ jwks_uri: 'file:///etc/passwd' }),
  'script-authorize': () => ({ authorization_endpoint: 'javascript:alert(1)' }),
  'only-none': () => ({ id_token_signing_alg_values_supported: ['none'] }),
  'only-hs256': () => ({ id_token_signing_alg_values_supported: ['HS256'] }),
  'advertises-iss': () => ({ authorization_response_iss_parameter_supported: true }),
  'says-demo': () => ({ fedgate_demo: true }),
};

/** The document of this kind; a function of the issuer because every address in it hangs on that. */
export function discovery(kind, issuer, change = {}) {
  const make = kinds[kind];
  if (!make) throw new Error(`no discovery document named ${kind}: ${Object.keys(kinds).join(' ')}`);
  return { ...honest(issuer), ...make(issuer), ...change };
}

export const discoveryKinds = Object.keys(kinds);
