// Debian's Chromium under remote control: one process, one context (cookie jar) per person, the tests' logic stays in Rust.
// Options (JSON, first argument): chromium (program), authorities [PEM files], hosts (resolver rules), shots (folder or null).
// Prints {"admin"} when the browser is up; ends it and itself when standard input closes.
//
// Acts (POST JSON; `who` names the person, `tab` a further tab of theirs):
//   /open {who, url}            goes there; gives what `look` gives       /look {who}       url, title, text, status of the document
//   /fill {who, fields}         selector → text                          /press {who, selector}   clicks, waits for what follows
//   /until {who, selector|url}  waits (10 s)                             /run {who, script, argument}   evaluates a function in the page
//   /audit {who, name}          axe and the width at 360 px, light and dark; screenshots where asked for
//   /authenticator {who, present}   a virtual one in the tab; gives its credentials
//   /back {who}  /cookies {who}  /attack {who, targets}  /leave {who}
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { administer, options, ready } from '../peers/common/listen.mjs';
import { attack } from './attack.mjs';
import { audit } from './audit.mjs';

const { chromium } = createRequire(new URL('../peers/package.json', import.meta.url))('playwright-core');
const PATIENCE = 10_000;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** A home that nobody else uses, whose certificate store trusts the tests' authorities as a managed desktop would. */
function makeHome(authorities) {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'fedgate-browser-'));
  const store = path.join(home, '.pki/nssdb');
  fs.mkdirSync(store, { recursive: true });
  execFileSync('certutil', ['-d', `sql:${store}`, '-N', '--empty-password']);
  authorities.forEach((file, index) =>
    execFileSync('certutil', ['-d', `sql:${store}`, '-A', '-t', 'C,,', '-n', `authority-${index}`, '-i', file]));
  return home;
}

const home = makeHome(options.authorities ?? []);
const browser = await chromium.launch({
  executablePath: options.chromium ?? '/usr/bin/chromium',
  headless: true,
  chromiumSandbox: false,
  args: [...FLAGS, `--host-resolver-rules=${options.hosts ?? 'MAP *.example.test 127.0.0.1'}`],
  env: { ...process.env, HOME: home },
});
process.on('exit', () => fs.rmSync(home, { recursive: true, force: true }));

const people = new Map();
const authenticators = new Map();

/** The person's tab, opened at first use. */
async function tabOf({ who, tab = 'main' }) {
  if (!people.has(who)) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, locale: 'en-GB' });
    context.setDefaultTimeout(PATIENCE);
    people.set(who, { context, tabs: new Map() });
  }
  const person = people.get(who);
  if (!person.tabs.has(tab)) person.tabs.set(tab, await person.context.newPage());
  return person.tabs.get(tab);
}

async function look(page, response) {
  return { url: page.url(), title: await page.title(), text: await page.innerText('body'), status: response?.status() ?? null };
}

const acts = {
  '/open': async (asked) => {
    const page = await tabOf(asked);
    const response = await page.goto(asked.url);
    await settle(page);
    return look(page, response);
  },
  '/look': async (asked) => look(await tabOf(asked)),
  '/fill': async (asked) => {
    const page = await tabOf(asked);
    for (const [selector, text] of Object.entries(asked.fields)) await page.fill(selector, text);
    return look(page);
  },
  '/press': async (asked) => {
    const page = await tabOf(asked);
    await page.click(asked.selector);
    await settle(page);
    return look(page);
  },
  '/until': async (asked) => {
    const page = await tabOf(asked);
    if (asked.selector) await page.waitForSelector(asked.selector);
    if (asked.url) await page.waitForURL((url) => String(url).startsWith(asked.url));
    return look(page);
  },
  '/run': async (asked) => {
    const page = await tabOf(asked);
    return { result: (await page.evaluate(`(${asked.script})(${JSON.stringify(asked.argument ?? null)})`)) ?? null };
  },
  '/back': async (asked) => {
    const page = await tabOf(asked);
    const response = await page.goBack();
    await settle(page);
    return look(page, response);
  },
  '/cookies': async (asked) => ({ cookies: await (await tabOf(asked)).context().cookies() }),
  '/audit': async (asked) => audit(await tabOf(asked), asked.name, options.shots),
  '/authenticator': async (asked) => {
    // CDP's WebAuthn domain: an authenticator in the device, whose person is verified; it answers while `present`.
    const page = await tabOf(asked);
    if (!authenticators.has(page)) {
      const session = await page.context().newCDPSession(page);
      await session.send('WebAuthn.enable');
      const kind = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true };
      const made = { ...kind, isUserVerified: true, automaticPresenceSimulation: asked.present };
      const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', { options: made });
      authenticators.set(page, { session, authenticatorId });
    }
    const { session, authenticatorId } = authenticators.get(page);
    await session.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled: asked.present });
    const { credentials } = await session.send('WebAuthn.getCredentials', { authenticatorId });
    return { credentials };
  },
  '/attack': async (asked) => ({ attempts: await attack(await tabOf(asked), asked.targets) }),
  '/leave': async ({ who }) => {
    await people.get(who)?.context.close();
    people.delete(who);
  },
};

/** Waits until a chain of redirects and immediate refreshes has come to rest. */
async function settle(page) {
  for (let hops = 0; hops < 10; hops += 1) {
    await page.waitForLoadState('load');
    const refreshes = await page.locator('meta[http-equiv="refresh" i]').count().catch(() => 1);
    if (!refreshes) return;
    await page.waitForTimeout(100);
  }
}

const admin = await administer(acts);
ready({ admin: admin.address().port, version: browser.version() }, () => browser.close());
