#!/usr/bin/env node
// A protected MCP server between an identity provider and clients that others wrote. A line a case; the last line is
// the counts. Exit status: 0 all passed, 1 a case failed, 2 nothing was decided.
//
//   PEERS_PACKAGES=DIR node --import ./modules.mjs run.mjs --server PROGRAM --python PROGRAM
//
// DIR holds the `node_modules` of package-lock.json, Python the packages of requirements.txt. The server is started
// as `PROGRAM --issuer URL` and prints {"url": "http://127.0.0.1:PORT/mcp"} when it is ready.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cases, spoken } from './cases.mjs';
import { startIdp } from './idp.mjs';
import { Program } from './processes.mjs';
import { collect, SCOPES } from './tokens.mjs';
import { wireCases } from './wire-cases.mjs';

const WIDTH = 150;
const SESSIONS = '2025-11-25';
const STATELESS = '2026-07-28';

const { values: programs } = parseArgs({ options: { server: { type: 'string' }, python: { type: 'string' } } });
const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const script = (name, ...args) => [...process.execArgv, path(name), ...args];

// `sse`: it speaks the transport of 2024-11-05. `refreshes`: it uses a refresh token on a 401. `stepUp`: does a call that lacks a scope succeed in the end, and how
// many times is it refused; `afresh`: the same for a client without a refresh token. TypeScript SDK v1 answers the
// challenge with its refresh token, which brings no new scope; over HTTP+SSE it knows no 403.
const CLIENTS = [
  {
    name: 'TypeScript SDK v1',
    command: [process.execPath, script('clients/ts-client.mjs', 'v1')],
    eras: [SESSIONS],
    refreshes: true,
    stepUp: { succeeds: false, refusals: 2 },
  },
  {
    name: 'TypeScript SDK v2',
    command: [process.execPath, script('clients/ts-client.mjs', 'v2')],
    eras: [SESSIONS, STATELESS],
    refreshes: true,
    stepUp: { succeeds: true, refusals: 1 },
  },
  {
    name: 'FastMCP (Python)',
    command: [programs.python, [path('clients/py_client.py'), process.execPath, ...script('user-agent.mjs')]],
    eras: [SESSIONS, STATELESS],
    refreshes: false,
    stepUp: { succeeds: true, refusals: 1 },
  },
  {
    name: 'TypeScript SDK v1, HTTP+SSE',
    command: [process.execPath, script('clients/ts-client.mjs', 'v1')],
    eras: [SESSIONS],
    sse: true,
    refreshes: true,
    stepUp: { succeeds: false, refusals: 1 },
    afresh: { succeeds: false, refusals: 1 },
  },
  {
    name: 'FastMCP (Python), HTTP+SSE',
    command: [programs.python, [path('clients/py_client.py'), process.execPath, ...script('user-agent.mjs')]],
    eras: [SESSIONS],
    sse: true,
    refreshes: false,
    stepUp: { succeeds: true, refusals: 1 },
  },
];

const rows = [];
const running = [];

function start(command, args) {
  const program = new Program(command, args);
  running.push(() => program.end());
  return program;
}

async function provider() {
  const idp = await startIdp({ scopes: SCOPES });
  running.push(() => idp.close());
  return idp;
}

async function ask({ name, command, eras, ...traits }, context) {
  const worker = start(...command);
  for (const era of eras) {
    for (const { name: what, job, check, show } of cases({ ...context, client: { ...traits, era } })) {
      const report = await worker.ask(job);
      const stopped = report.error && !report.answers.length ? spoken(report.error) : undefined;
      rows.push({ what, who: `${name} ${era}`, faults: check(report), seen: stopped ?? show(report) });
    }
  }
}

async function wire(context) {
  for (const { name: what, run } of wireCases(context)) {
    const { faults, seen } = await run();
    rows.push({ what, who: 'by hand', faults, seen });
  }
}

function print() {
  const order = new Map(rows.map(({ what }, index) => [what, index]).reverse());
  const sorted = rows.toSorted((a, b) => order.get(a.what) - order.get(b.what) || a.who.localeCompare(b.who));
  const width = (key) => Math.max(...rows.map((row) => row[key].length));
  const [what, who] = [width('what'), width('who')];
  for (const row of sorted) {
    const seen = row.seen.replaceAll(/\s+/g, ' ');
    console.log(`${row.faults.length ? 'FAIL' : 'PASS'}  ${row.what.padEnd(what)}  ${row.who.padEnd(who)}  ${seen.slice(0, WIDTH)}`);
    for (const fault of row.faults) console.log(`      ^ ${fault}`);
  }
  const failed = rows.filter((row) => row.faults.length).length;
  console.log(`${rows.length - failed} passed, ${failed} failed`);
  return failed;
}

async function main() {
  const [idp, stranger] = [await provider(), await provider()];
  const { url } = await start(programs.server, ['--issuer', idp.issuer]).read();
  const [sse, foreign] = ['/sse', '/other'].map((path) => new URL(path, url).href);
  for (const each of [idp, stranger]) for (const resource of [url, sse, foreign]) each.resources.add(resource);
  const at = async (resource) => ({ url: resource, idp, tokens: await collect({ idp, stranger, resource, foreign }) });
  const [context, legacy] = [await at(url), await at(sse)];
  await wire(context); // First, for it turns the provider's knobs.
  await Promise.all(CLIENTS.map((client) => ask(client, client.sse ? legacy : context)));
  return print();
}

try {
  process.exitCode = (await main()) ? 1 : 0;
} catch (error) {
  console.error(`error: ${error.stack}`);
  process.exitCode = 2;
} finally {
  for (const end of running) end();
}
