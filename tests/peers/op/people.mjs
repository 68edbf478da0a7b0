// The people this provider knows unless the starter says otherwise. Each is there for a reason that a test names.
export const people = {
  'op-ann': { login: 'ann', password: 'ann-pw', email: 'ann@acme.example.test', email_verified: true, name: 'Ann Acme', groups: ['staff', 'video'] },
  'op-bob': { login: 'bob', password: 'bob-pw', email: 'bob@acme.example.test', email_verified: true, name: 'Bob Acme', groups: ['staff'] },
  'op-cem': { login: 'cem', password: 'cem-pw', email: 'cem@acme.example.test', email_verified: false, name: 'Cem (address never verified)' },
  'op-dot': { login: 'dot', password: 'dot-pw', name: 'Dot (no address)' },
  'op-eve': { login: 'eve', password: 'eve-pw', email: 'eve@evil.example.test', email_verified: true, name: 'Eve (another domain)' },
  'op-zoe': { login: 'zoë', password: 'zoë-pw', email: 'zoe@acme.example.test', email_verified: true, name: 'Zoë 李 "Quote" <b>' },
};
