// `portcullis run` in mode `server`, as an operator sets it up: accounts, clients, a server behind it, an audit log.
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Trail } from './trail.mjs';

export const PASSWORD = 'stands at the gate and sings';
export const SECRET = 'a secret of a machine, 40 characters long';

const UPSTREAM = fileURLToPath(new URL('../upstreams/typescript.mjs', import.meta.url));
const MOST_WARNINGS = 60;

/**
 * Starts it with `accounts`, `{ name, role?, scopes }`, and access tokens that live `lifetime`. What comes back knows its
 * `issuer`, the `url` of its one server, and the `machines` that may ask for tokens of their own; `trail` is what the audit
 * log says of a user from now on. `launch` starts it once more on the same state, which takes a `port` that stays.
 */
export async function startOwn({ start, programs, accounts, lifetime = '1h', port = 0 }) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-peers-')));
  const config = join(folder, 'portcullis.toml');
  mkdirSync(join(folder, 'state'), { mode: 0o700 });
  const machines = makeMachines(folder);
  writeFileSync(config, toml({ folder, lifetime, machines, port }));
  writeFileSync(join(folder, 'password'), PASSWORD, { mode: 0o600 });
  const operate = operator(programs.gateway, config);
  for (const account of accounts) await add(operate, folder, account);
  const { users } = JSON.parse(await operate('user', 'list', '--json'));
  const subjects = new Map(users.map(({ name, subject }) => [name, subject]));
  const log = join(folder, 'log');
  const launch = async () => {
    const stderr = openSync(log, 'a');
    const program = start(programs.gateway, ['run', '--json', '--config', config], { stderr });
    closeSync(stderr);
    const { servers: [{ url }] } = await program.read().catch((error) => {
      throw new Error(`${error.message}\n${readFileSync(log, 'utf8')}`);
    });
    return { program, url };
  };
  const { program, url } = await launch();
  return {
    program,
    launch,
    url,
    issuer: new URL(url).origin,
    folder,
    machines,
    trail: (user) => new Trail(join(folder, 'audit'), subjects.get(user)),
    end: () => end(program, folder),
    warnings: () => readFileSync(log, 'utf8').split('\n').filter((line) => /"(WARN|ERROR)"/.test(line)).slice(-MOST_WARNINGS).join('\n'),
    clean: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Runs one of the program's other commands, and returns what it printed. */
function operator(program, config) {
  const run = promisify(execFile);
  return async (...words) => (await run(program, [...words, '--config', config])).stdout;
}

function add(operate, folder, { name, role, scopes }) {
  const optional = [...(role ? ['--role', role] : []), ...(scopes ? ['--scopes', scopes] : [])];
  return operate('user', 'add', name, '--password-file', join(folder, 'password'), ...optional);
}

/** One machine with a secret, one with a key. */
function makeMachines(folder) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = privateKey.export({ format: 'jwk' });
  writeFileSync(join(folder, 'secret'), SECRET, { mode: 0o600 });
  writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [{ kty, crv, x, y, kid: 'one', alg: 'ES256', use: 'sig' }] }));
  return [
    { name: 'by a secret', id: 'machine', secret: SECRET, config: { secret_file: join(folder, 'secret') } },
    { name: 'by a key', id: 'keyed', key: privateKey.export({ type: 'pkcs8', format: 'pem' }), kid: 'one', config: { jwks_file: join(folder, 'jwks.json') } },
  ];
}

function toml({ folder, lifetime, machines, port }) {
  const table = (values) => Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  const env = { PEERS_PACKAGES: process.env.PEERS_PACKAGES };
  return `${[
    `listen = "127.0.0.1:${port}"`,
    '[auth]', 'mode = "server"', 'required_scopes = ["mcp:read"]',
    '[store]', `url = "sqlite:${folder}/state/portcullis.db"`,
    '[tokens]', `access_lifetime = "${lifetime}"`,
    '[audit]', `file = "${folder}/audit"`,
    ...machines.flatMap(({ id, config }) => ['[[client]]', ...table({ id, name: `Machine ${id}`, grant_types: ['client_credentials'], scopes: ['mcp:read'], introspects: ['*'], ...config })]),
    '[[upstream]]', ...table({ name: 'typescript', path: '/mcp', command: [process.execPath, ...process.execArgv, UPSTREAM], isolation: 'shared' }),
    `env = { ${table(env).join(', ')} }`,
    '[[upstream.tool]]', ...table({ match: 'note', scopes: ['mcp:write'] }),
    '[[upstream.tool]]', ...table({ match: 'abandoned', roles: ['admin'] }),
  ].join('\n')}\n`;
}

/** It ends well, and told neither its log nor its audit log a secret. */
async function end(program, folder) {
  const status = await program.ended();
  const text = ['log', 'audit'].map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
  const leaks = ['eyJ', PASSWORD, SECRET].filter((secret) => text.includes(secret));
  return {
    faults: [...(status === 0 ? [] : [`exit status ${status}`]), ...leaks.map((secret) => `a log shows "${secret}"`)],
    seen: `exit status ${status}`,
  };
}
