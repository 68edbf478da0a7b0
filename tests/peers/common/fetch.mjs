// Outgoing requests of a provider (a client's `jwks_uri`, back-channel logout) inside the test's little world: every name is
// 127.0.0.1, and besides the system's the authorities in `trust` are believed. The files are read at each request, because the
// gateway makes its own authority only when it starts.
import http from 'node:http';
import https from 'node:https';
import { existsSync, readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';

export function loopbackFetch(trust) {
  return (address, { method = 'GET', headers = {}, body, signal } = {}) => new Promise((resolve, reject) => {
    const url = new URL(address);
    const secure = url.protocol === 'https:';
    const ca = [...rootCertificates, ...trust.filter((file) => existsSync(file)).map((file) => readFileSync(file))];
    const request = (secure ? https : http).request({
      host: '127.0.0.1', port: url.port || (secure ? 443 : 80), path: url.pathname + url.search, method, signal,
      servername: url.hostname, ca, headers: { ...Object.fromEntries(new Headers(headers)), host: url.host },
    }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => resolve(new Response([204, 304].includes(answer.statusCode) ? null : Buffer.concat(parts), {
        status: answer.statusCode, headers: Object.entries(answer.headers).filter(([, value]) => typeof value === 'string'),
      })));
    });
    request.on('error', reject);
    // A form comes as the object that fetch takes for one.
    request.end(body instanceof URLSearchParams ? body.toString() : body);
  });
}
