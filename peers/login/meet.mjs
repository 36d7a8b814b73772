// Our own authorization server among clients that others wrote: MCP clients, and libraries that know OAuth alone.
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { clients, script, SESSIONS, STATELESS } from '../clients.mjs';
import { freePort } from '../gateway/start.mjs';
import { takeBack } from './account.mjs';
import { devCases, loginCases, shown } from './cases.mjs';
import { crashes } from './crash.mjs';
import { inspectorPage } from './inspector-page.mjs';
import { openidCases } from './openid.mjs';
import { serveSignals } from './signals.mjs';
import { PASSWORD, startOwn } from './start.mjs';

/** How long access tokens of the second server live, and when they are certainly dead: clocks may differ by 30 s. */
const BRIEF = '1s';
const DEAD_AFTER_MS = 33_000;

const READER = 'reader';
const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/**
 * `asksForAll`: a client that asks for every scope there is when it first signs in. `signsInAgain: false`: a token that is
 * dead for good ends its work.
 */
function loginClients(programs) {
  const others = clients(programs).filter(({ sse }) => !sse);
  const node = (name) => [process.execPath, script(name)];
  return [
    ...others.map((client) => (client.name === 'rmcp' ? { ...client, signsInAgain: false } : client)),
    { name: 'mcp-remote', command: node('clients/remote.mjs'), eras: [SESSIONS, STATELESS] },
    { name: 'Inspector', command: node('clients/inspector.mjs'), eras: [SESSIONS, STATELESS], asksForAll: true },
  ].map((client) => ({ ...client, user: client.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replace(/-$/, '') }));
}

/** `ask` sends one client through jobs, `byHand` runs cases without one; both fill the table. */
export async function meetLogin({ start, running, programs, ask, byHand, table }) {
  process.env.PEERS_PASSWORD = PASSWORD;
  const all = loginClients(programs);
  await Promise.all(all.map((client) => meetOne({ start, running, programs, ask, table, client })));
  const own = await startOwn({ start, programs, accounts: [{ name: 'alice', scopes: 'mcp:read mcp:write' }] });
  running.push(() => own.clean());
  await byHand(libraries({ start, programs, own }).map(guarded));
  await byHand([{ name: 'own login: kill -9 in the middle', run: () => crash({ start, programs, running }) }].map(guarded));
  await byHand([{ name: 'own login: what is left of it', run: () => own.end() }]);
  if (table.failed) console.error(own.warnings());
  delete process.env.PEERS_PASSWORD;
  for (const client of all) await meetDev({ start, running, programs, ask, client });
}

/** One client, at servers of its own: they count how often an address comes, and everybody here comes from one. */
async function meetOne({ start, running, programs, ask, table, client }) {
  const accounts = [{ name: client.user, scopes: 'mcp:read mcp:write' }, { name: READER, scopes: 'mcp:read' }];
  const [own, brief] = await Promise.all(['1h', BRIEF].map((lifetime) => startOwn({ start, programs, accounts, lifetime })));
  const { signals, close } = await withSignals(own);
  running.push(close, () => own.clean(), () => brief.clean());
  await ask(client, (each) => loginCases({ own, brief, signals, client: each, user: client.user, reader: READER }).map(row));
  for (const server of [own, brief]) {
    table.add({ what: 'own login: what is left of it', who: client.name, ...(await server.end()) });
    if (table.failed) console.error(server.warnings());
  }
}

/** So many ends; more by PEERS_CRASHES. */
const CRASHES = Number(process.env.PEERS_CRASHES ?? 5);

async function crash({ start, programs, running }) {
  const user = 'alice';
  const place = await startOwn({ start, programs, accounts: [{ name: user, scopes: 'mcp:read' }], port: await freePort() });
  running.push(() => place.clean());
  const restart = async () => (await place.launch()).program;
  return crashes({ place, person: { user, password: PASSWORD }, program: place.program, restart, rounds: CRASHES });
}

/** `portcullis dev`, where two users are ready. */
async function meetDev({ start, running, programs, ask, client }) {
  const { servers: [{ url }] } = await start(programs.gateway, ['dev', '--json', '--listen', '127.0.0.1:0'], { stderr: 'ignore' }).read();
  const dev = { url, issuer: new URL(url).origin };
  const { signals, close } = await withSignals(dev);
  running.push(close);
  await ask(client, (each) => devCases({ dev, signals, client: each }).map(row));
}

async function withSignals({ issuer }) {
  const server = await serveSignals({
    revoke: async (user) => {
      if (await takeBack(issuer, user, process.env.PEERS_PASSWORD ?? user) === 0) throw new Error(`${user} has no connection`);
    },
    wait: () => pause(DEAD_AFTER_MS),
  });
  return { signals: { wait: server.url('wait'), revoke: (user) => server.url('revoke', user) }, close: server.close };
}

/** A case as `ask` takes it. */
function row({ what, job, check }) {
  return { job, rows: (report) => [{ what, faults: check(report), seen: shown(report) }] };
}

function libraries({ start, programs, own }) {
  const place = { issuer: own.issuer, url: own.url, scope: 'mcp:read', password: PASSWORD, machines: own.machines };
  const user = 'alice';
  return [
    ...openidCases(place),
    { name: 'authlib', run: () => authlib({ start, programs, place }) },
    { name: 'Inspector: its page in Chromium', run: () => inspectorPage({ url: own.url, user, password: PASSWORD, folder: `${own.folder}/inspector` }) },
  ];
}

/** A library that throws has failed its case, and the next one comes. */
function guarded({ name, run }) {
  const told = (error) => ({ faults: [`${error.code ?? ''} ${error.stack} ${JSON.stringify(error.cause) ?? ''}`.slice(0, 800)], seen: error.message });
  return { name, run: () => run().catch(told) };
}

/** Every case of authlib's, as one. */
async function authlib({ start, programs, place }) {
  const person = [process.execPath, path('../user-agent.mjs'), '--print'];
  const worker = start(programs.python, [path('authlib_client.py'), ...person]);
  const machines = place.machines.map(({ name, id, secret, key }) => ({ name, id, secret, key }));
  worker.tell({ ...place, machines });
  const reports = [];
  for (let left = 3 + machines.length; left > 0; left -= 1) reports.push(await worker.read());
  return {
    faults: reports.flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`)),
    seen: reports.map(({ name, seen }) => `${name}: ${seen}`).join('; '),
  };
}
