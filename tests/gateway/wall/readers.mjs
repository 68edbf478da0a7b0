// Node's HTTP parser (llhttp) as a judge.
//
//   node readers.mjs parse         a JSON array of requests in base64 on standard input; what each means on standard output
//   node readers.mjs serve SOCKET  a product on a unix socket that answers each request with what it means
import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { text } from "node:stream/consumers";

/** What Node read of a request, in the words that all judges use. */
async function meaning(request) {
  const body = [];
  for await (const chunk of request) body.push(chunk);
  const fields = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    fields.push([request.rawHeaders[at].toLowerCase(), request.rawHeaders[at + 1]]);
  }
  const trailers = request.rawTrailers.length / 2;
  return { method: request.method, target: request.url, fields, body: Buffer.concat(body).toString("base64"), trailers };
}

/** Every request in these bytes, or why there is none. */
async function requests(raw) {
  const found = [];
  const server = createServer({ maxHeaderSize: 1 << 20, keepAliveTimeout: 0 }, (request, response) => {
    const place = found.push({ error: "it has no end" }) - 1;
    const read = meaning(request).then((said) => { found[place] = said; });
    read.catch((error) => { found[place] = { error: error.code }; }).finally(() => response.end());
  });
  server.on("clientError", (error) => found.push({ error: error.code }));
  const socket = new Duplex({ read() {}, write(_, __, done) { done(); } });
  server.emit("connection", socket);
  socket.push(raw);
  // Everything there is to read is there: some turns of the loop, and it has been read.
  for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  return found;
}

if (process.argv[2] === "parse") {
  const all = JSON.parse(await text(process.stdin));
  const read = [];
  for (const raw of all) read.push(await requests(Buffer.from(raw, "base64")));
  process.stdout.write(JSON.stringify(read));
} else {
  const server = createServer({ maxHeaderSize: 1 << 20 }, async (request, response) => {
    const said = JSON.stringify(await meaning(request));
    response.setHeader("Content-Length", Buffer.byteLength(said));
    response.end(said);
  });
  server.listen(process.argv[3], () => console.log("ready"));
  // Whoever started this process is gone when this ends.
  process.stdin.on("end", () => process.exit()).resume();
}
