// oidc-provider's adapter over one map that outlives each generation of the provider, so that sessions and codes survive a key
// rotation or a new client.
const records = new Map();
const sessionByUid = new Map();
const keysByGrant = new Map();

export class MemoryAdapter {
  #model;

  constructor(model) {
    this.#model = model;
  }

  #key(id) {
    return `${this.#model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    const key = this.#key(id);
    records.set(key, { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (this.#model === 'Session') sessionByUid.set(payload.uid, id);
    if (payload.grantId) keysByGrant.set(payload.grantId, new Set([...(keysByGrant.get(payload.grantId) ?? []), key]));
  }

  async find(id) {
    const record = records.get(this.#key(id));
    return record && record.until > Date.now() ? record.payload : undefined;
  }

  async findByUid(uid) {
    return this.find(sessionByUid.get(uid));
  }

  async findByUserCode() {
    return undefined;
  }

  async consume(id) {
    records.get(this.#key(id)).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    records.delete(this.#key(id));
  }

  async revokeByGrantId(grantId) {
    for (const key of keysByGrant.get(grantId) ?? []) records.delete(key);
    keysByGrant.delete(grantId);
  }
}

/** Ends every session of this person at the provider, as its administrator would. */
export function endSessions(accountId) {
  for (const [key, { payload }] of records) {
    if (key.startsWith('Session:') && payload.accountId === accountId) records.delete(key);
  }
}
