// Faults on demand, by path: {"/token": {"status": 503, "delay_ms": 200, "drop": true, "body": "…", "type": "…", "headers": {}, "times": 2,
// "stall": "headers" | "body", "endless": true, "bytes": 5000000}}. A fault without `times` stays until it is replaced by null.
import { setTimeout as pause } from 'node:timers/promises';

export class Faults {
  #byPath = new Map();

  /** Sets (or, with null, removes) the fault of each path in `wanted`; returns what is set now. */
  set(wanted) {
    for (const [path, fault] of Object.entries(wanted)) {
      if (fault === null) this.#byPath.delete(path);
      else this.#byPath.set(path, { ...fault });
    }
    return Object.fromEntries(this.#byPath);
  }

  /** Plays the fault of this path. True where the request has been answered (or left to hang) and nobody else may. */
  async play(path, request, response) {
    const fault = this.#byPath.get(path);
    if (!fault) return false;
    if (fault.times !== undefined && --fault.times <= 0) this.#byPath.delete(path);
    if (fault.delay_ms) await pause(fault.delay_ms);
    if (fault.drop) {
      request.socket.destroy();
      return true;
    }
    if (fault.stall === 'headers') return true;
    if (!fault.status && !fault.stall && !fault.endless && !fault.bytes) return false;
    response.writeHead(fault.status ?? 200, { 'content-type': fault.type ?? 'application/json', ...fault.headers });
    if (fault.stall === 'body') response.write(fault.body ?? '{');
    else if (fault.endless) trickle(response);
    else if (fault.bytes) response.end(`{"padding":"${'x'.repeat(fault.bytes)}"}`);
    else response.end(fault.body ?? '');
    return true;
  }
}

/** An answer that never ends: some bytes ten times a second, so that no read of the client ever times out. */
function trickle(response) {
  response.write('{"padding":"');
  const timer = setInterval(() => response.write('x'.repeat(64)), 100);
  response.on('close', () => clearInterval(timer));
}
