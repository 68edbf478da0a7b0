// A product behind the door of deploy/middleware/node, whose `jose` is the tests' own. Options (JSON, first argument): issuer, product, keys
// (where the key set is fetched; the door's own address where absent), trust [PEM files], ahead (seconds that its clock is fast).
// Prints {"port"}; answers with the person's `sub`.
import { registerHooks } from 'node:module';
import { listen, options, ready } from '../common/listen.mjs';
import { loopbackFetch } from '../common/fetch.mjs';

registerHooks({
  resolve: (name, context, next) => next(name, name === 'jose' ? { ...context, parentURL: import.meta.url } : context),
});
const { door } = await import('../../../deploy/middleware/node/door.mjs');

const network = loopbackFetch(options.trust);
const enter = door({
  issuer: options.issuer, product: options.product, fetch: (url, how) => network(options.keys ?? url, how),
  now: () => new Date(Date.now() + (options.ahead ?? 0) * 1000),
});
const server = await listen((request, response) => enter(request, response, () => response.end(request.person.sub)));
ready({ port: server.address().port }, async () => server.close());
