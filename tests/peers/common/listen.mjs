// How every peer starts and ends: it listens on ephemeral ports of 127.0.0.1, prints one line of JSON that names them, and
// leaves when its standard input closes, so that a test that dies takes its peers with it.
import http from 'node:http';
import https from 'node:https';
import { readFileSync } from 'node:fs';

/** What the starter asks for: one JSON object as the first argument. */
export const options = JSON.parse(process.argv[2] ?? '{}');

/** A server on an ephemeral port (or on `port`); TLS where `tls` names a `cert` and a `key` file. */
export function listen(handler, { tls, port = 0 } = {}) {
  const server = tls
    ? https.createServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, handler)
    : http.createServer(handler);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** Says where the peer can be reached, and ties its life to the starter's. */
export function ready(facts) {
  process.stdout.write(`${JSON.stringify(facts)}\n`);
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
}

export async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

export function sendJson(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(value));
}

/**
 * The port through which a test tells a peer what to do: `acts` maps a path to a function of (JSON body, URL) whose result is
 * the JSON answer. An act that throws is answered 500 with its message, so that a test fails where the mistake is.
 */
export function administer(acts) {
  return listen(async (request, response) => {
    const url = new URL(request.url, 'http://admin');
    const act = acts[url.pathname];
    if (!act) return sendJson(response, 404, { acts: Object.keys(acts) });
    try {
      const text = await bodyOf(request);
      sendJson(response, 200, (await act(text ? JSON.parse(text) : {}, url)) ?? {});
    } catch (error) {
      sendJson(response, 500, { error: `${error.name}: ${error.message}` });
    }
  });
}
