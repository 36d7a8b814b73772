// The gateway as `portcullis run` has it, with all the servers behind it.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { login } from '../login.mjs';
import { freePort } from '../processes.mjs';
import { call, send } from '../wire.mjs';

/** In the gateway's own environment, and to be seen nowhere else. */
export const CANARY = 'canary-of-the-gateway';

/** In the file `large`: what JSON escapes, what it may, and what takes several bytes. */
export const LARGE_TEXT = '"\\é\u2028'.repeat(100_000);

const MOST_WARNINGS = 60;
const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const node = (name, ...args) => [process.execPath, ...process.execArgv, path(name), ...args];

/** The program of an npm package that is a server. */
export const everything = (...args) => [process.execPath, packaged('server-everything'), ...args];
export const memory = () => [process.execPath, packaged('server-memory')];

/**
 * Starts the servers that are reached by HTTP, then the gateway in front of all of them. What comes back knows each
 * server's public URL (`urls`) and tokens of alice and bob for it (`tokens`).
 */
export async function startGateway({ start, programs, idp, stranger }) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-peers-')));
  const behind = await startServers(start, programs);
  const config = join(folder, 'portcullis.toml');
  writeFileSync(config, toml(idp.issuer, upstreams({ folder, behind, programs })));
  writeFileSync(join(folder, 'large'), LARGE_TEXT);
  const log = join(folder, 'log');
  const stderr = openSync(log, 'w');
  const env = { ...process.env, PEERS_CANARY: CANARY };
  const program = start(programs.gateway, ['run', '--config', config], { env, stderr });
  closeSync(stderr);
  const { servers } = await program.read().catch((error) => {
    throw new Error(`${error.message}\n${readFileSync(log, 'utf8')}`);
  });
  const urls = Object.fromEntries(servers.map(({ name, url }) => [name, url]));
  const places = Object.values(urls).flatMap((url) => [url, `${url}/sse`]);
  for (const each of [idp, stranger]) for (const place of places) each.resources.add(place);
  const tokens = await tokensFor(urls, idp);
  await wake(urls.python, tokens.python.alice);
  return {
    idp,
    stranger,
    folder,
    urls,
    tokens,
    end: () => end(program, log),
    warnings: () => readFileSync(log, 'utf8').split('\n').filter((line) => /"(WARN|ERROR)"/.test(line)).slice(-MOST_WARNINGS).join('\n'),
    clean: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function upstreams({ folder, behind, programs }) {
  const env = { PEERS_PACKAGES: process.env.PEERS_PACKAGES };
  const memories = { command: memory(), env: { MEMORY_FILE_PATH: `${folder}/{sub}.jsonl` } };
  const typescript = { command: node('../upstreams/typescript.mjs'), env };
  return [
    { name: 'everything', command: everything('stdio'), legacy_sse: true },
    { name: 'everything-http', url: behind.everything, legacy_sse: true },
    { name: 'everything-sse', url: behind.old, transport: 'sse', legacy_sse: true },
    {
      name: 'files',
      command: [process.execPath, packaged('server-filesystem'), folder],
      tool: [{ match: 'write_*', scopes: ['mcp:write'] }, { match: 'move_*', roles: ['admin'] }],
    },
    { name: 'memory', ...memories, isolation: 'user' },
    { name: 'memory-session', ...memories },
    { name: 'typescript', ...typescript },
    { name: 'typescript-user', ...typescript, isolation: 'user' },
    { name: 'typescript-shared', ...typescript, isolation: 'shared' },
    { name: 'typescript-http', url: behind.typescript },
    { name: 'python', command: [programs.python, path('../upstreams/python_server.py')], isolation: 'shared' },
    { name: 'python-http', url: behind.python },
    { name: 'headers', url: behind.headers },
    { name: 'headers-identity', url: behind.headers, identity: { 'X-User': '{sub}', 'X-Client': '{client_id}', 'X-Team': '{claim:team}' } },
    { name: 'nobody', url: 'http://127.0.0.1:1/mcp' },
  ];
}

/** Those that the gateway does not start itself, by name. */
async function startServers(start, { python }) {
  const [port, oldPort] = [await freePort(), await freePort()];
  for (const [transport, at] of [['streamableHttp', port], ['sse', oldPort]]) {
    const [command, ...args] = everything(transport);
    start(command, args, { env: { ...process.env, PORT: String(at) }, mute: true });
  }
  const announced = async ([program, ...words]) => (await start(program, words).read()).url;
  const [typescript, fastmcp, headers] = await Promise.all([
    announced(node('../upstreams/typescript.mjs', 'http')),
    announced([python, path('../upstreams/python_server.py'), 'http']),
    announced(node('../upstreams/headers.mjs')),
    reachable(port),
    reachable(oldPort),
  ]);
  return { everything: `http://127.0.0.1:${port}/mcp`, old: `http://127.0.0.1:${oldPort}/sse`, typescript, python: fastmcp, headers };
}

function toml(issuer, servers) {
  const table = (values) => `{ ${Object.entries(values).map(([key, value]) => `${JSON.stringify(key)} = ${JSON.stringify(value)}`).join(', ')} }`;
  const lines = ['listen = "127.0.0.1:0"', '[auth]', 'mode = "remote"', `authorization_servers = ["${issuer}"]`, 'required_scopes = ["mcp:read"]'];
  for (const { env, identity, tool = [], ...plain } of servers) {
    lines.push('[[upstream]]', `path = "/${plain.name}"`);
    for (const [key, value] of Object.entries(plain)) lines.push(`${key} = ${JSON.stringify(value)}`);
    if (env) lines.push(`env = ${table(env)}`);
    if (identity) lines.push('[upstream.identity]', `headers = ${table(identity)}`);
    for (const rule of tool) lines.push('[[upstream.tool]]', ...Object.entries(rule).map(([key, value]) => `${key} = ${JSON.stringify(value)}`));
  }
  return `${lines.join('\n')}\n`;
}

async function tokensFor(urls, idp) {
  const token = async (resource, user) => (await login(idp, { resource, scope: 'openid mcp:read', user })).access_token;
  const pairs = Object.entries(urls).map(async ([name, url]) => [name, { alice: await token(url, 'alice'), bob: await token(url, 'bob') }]);
  return Object.fromEntries(await Promise.all(pairs));
}

/**
 * Python takes seconds to start where many programs do at once, and rmcp waits ten for its first answer: one that comes
 * later is taken for the answer to its second request.
 */
async function wake(url, token) {
  const answers = await Promise.all([send(url, { token }), call(url, { token, name: 'echo', input: { text: 'awake' } })]);
  if (answers.some(({ status }) => status !== 200)) throw new Error(`${url}: ${answers.map(({ body }) => body)}`);
}

/** It drains, ends well, takes every process with it, and told its log no secret. */
async function end(program, log) {
  const children = descendants(program.child.pid);
  const status = await program.ended();
  const left = children.filter(isAlive);
  const text = readFileSync(log, 'utf8');
  const leaks = ['eyJ', CANARY].filter((secret) => text.includes(secret));
  return {
    faults: [
      ...(status === 0 ? [] : [`exit status ${status}`]),
      ...(children.length ? [] : ['there was no process']),
      ...left.map((pid) => `process ${pid} is left`),
      ...leaks.map((secret) => `the log shows "${secret}"`),
    ],
    seen: `exit status ${status}, ${children.length} processes before, ${left.length} after`,
  };
}

function descendants(pid) {
  const parents = existsSync('/proc/self/stat') ? parentsInProc() : parentsByPs();
  const below = (parent) => parents.filter(([, ppid]) => ppid === parent).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

/** Each process with its parent: `[pid, ppid]`. */
function parentsInProc() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return [[Number(pid), Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2])]];
    } catch {
      return []; // It ended meanwhile.
    }
  });
}

function parentsByPs() {
  return execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function packaged(name) {
  return `${process.env.PEERS_PACKAGES}/node_modules/@modelcontextprotocol/${name}/dist/index.js`;
}

async function reachable(port) {
  for (let tries = 200; tries > 0; tries -= 1) {
    const socket = net.connect(port, '127.0.0.1');
    const came = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false, () => false)]).catch(() => false);
    socket.destroy();
    if (came) return;
    await pause(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}
