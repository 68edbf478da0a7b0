// Makes the samlify vectors in vectors/ anew: a provider and a party on npm's samlify, and what one answers the other.
//
//     cd /tmp/samlify && npm install samlify@2.13.1
//     NODE_MODULES=/tmp/samlify/node_modules node tests/peers/saml/make-samlify.mjs
//
// Run it after make.py, whose vectors/sp.key.der the encrypted ones are for. The provider's private key is thrown away.
import { execFileSync as run } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const saml = createRequire(path.join(process.env.NODE_MODULES, 'x.js'))('samlify');
saml.setSchemaValidator({ validate: async () => 'ok' });
const out = path.join(path.dirname(fileURLToPath(import.meta.url)), 'vectors');
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'samlify-'));
const IDP = 'https://idp.example/metadata', SP = 'https://id.example/saml/acme/metadata', ACS = 'https://id.example/saml/acme/acs';
const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent', POST = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST';

run('openssl', ['req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-keyout', `${work}/idp.key`, '-out', `${work}/idp.crt`, '-subj', '/CN=samlify', '-days', '3650'], { stdio: 'ignore' });
run('openssl', ['x509', '-in', `${work}/idp.crt`, '-outform', 'DER', '-out', `${out}/samlify.crt.der`]);
run('openssl', ['pkey', '-in', `${out}/sp.key.der`, '-inform', 'DER', '-out', `${work}/sp.key`]);
run('openssl', ['req', '-x509', '-new', '-key', `${work}/sp.key`, '-out', `${work}/sp.crt`, '-subj', '/CN=sp', '-days', '3650']);

const party = (message, assertion) => saml.ServiceProvider({
  entityID: SP, encryptCert: fs.readFileSync(`${work}/sp.crt`), encPrivateKey: fs.readFileSync(`${work}/sp.key`), wantMessageSigned: message,
  authnRequestsSigned: false, wantAssertionsSigned: assertion, assertionConsumerService: [{ Binding: POST, Location: ACS }],
});
const provider = (encrypted, order) => saml.IdentityProvider({
  entityID: IDP, privateKey: fs.readFileSync(`${work}/idp.key`), signingCert: fs.readFileSync(`${work}/idp.crt`), isAssertionEncrypted: encrypted,
  messageSigningOrder: order, requestSignatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', nameIDFormat: [PERSISTENT],
  dataEncryptionAlgorithm: 'http://www.w3.org/2009/xmlenc11#aes128-gcm', keyEncryptionAlgorithm: 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
  singleSignOnService: [{ Binding: POST, Location: 'https://idp.example/sso' }],
  loginResponseTemplate: {
    context: saml.SamlLib.defaultLoginResponseTemplate.context,
    attributes: [{ name: 'mail', valueTag: 'mail', nameFormat: 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic', valueXsiType: 'xs:string' }],
  },
});
const statement = '<saml:AuthnStatement AuthnInstant="2026-11-22T11:59:59Z" SessionIndex="_s1"><saml:AuthnContext><saml:AuthnContextClassRef>urn:mfa</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>';
const fill = (template) => ({
  id: '_r1',
  context: saml.SamlLib.replaceTagsByValue(template.replace('{AuthnStatement}', statement), {
    ID: '_r1', AssertionID: '_a1', Destination: ACS, Audience: SP, SubjectRecipient: ACS, AssertionConsumerServiceURL: ACS, EntityID: SP, NameIDFormat: PERSISTENT,
    NameID: 'ann&<>A', Issuer: IDP, IssueInstant: '2026-11-22T12:00:00.000Z', ConditionsNotBefore: '2026-11-22T11:59:30.000Z', InResponseTo: '_request1',
    ConditionsNotOnOrAfter: '2026-11-22T12:05:00.000Z', SubjectConfirmationDataNotOnOrAfter: '2026-11-22T12:05:00.000Z',
    StatusCode: 'urn:oasis:names:tc:SAML:2.0:status:Success', attrMail: 'ann@acme.example',
  }),
});
for (const [name, message, assertion, encrypted, order] of [
  ['assertion', false, true, false, undefined], ['response', true, false, false, undefined], ['both', true, true, false, undefined],
  ['encrypted', false, true, true, undefined], ['encrypted-then-signed', true, true, true, 'encrypt-then-sign'],
  ['refused-signed-then-encrypted', true, true, true, 'sign-then-encrypt'],
]) {
  const answer = await provider(encrypted, order).createLoginResponse(party(message, assertion), { extract: { request: { id: '_request1' } } }, 'post', {}, fill, order === 'encrypt-then-sign');
  fs.writeFileSync(path.join(out, `samlify-${name}.xml`), Buffer.from(answer.context, 'base64'));
}
