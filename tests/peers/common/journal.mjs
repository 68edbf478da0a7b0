// What a peer has seen: every request with its parameters, for tests that assert who was asked what.
export class Journal {
  #seen = [];

  note(entry) {
    this.#seen.push({ at: Date.now(), ...entry });
  }

  /** All entries, oldest first; with `reset` the journal starts anew. */
  read({ reset = false } = {}) {
    const entries = [...this.#seen];
    if (reset) this.#seen.length = 0;
    return entries;
  }

  /** How often each "METHOD path" was asked. */
  counts() {
    const counts = {};
    for (const { method, path } of this.#seen) counts[`${method} ${path}`] = (counts[`${method} ${path}`] ?? 0) + 1;
    return counts;
  }
}
