// Our own authorization server among clients that others wrote: MCP clients, and libraries that know OAuth alone.
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { PERSON } from '../clients.mjs';
import { freePort } from '../processes.mjs';
import { send } from '../wire.mjs';
import { takeBack } from './account.mjs';
import { chromiumCases, devCases, loginCases, shown } from './cases.mjs';
import { Chromium } from './chromium.mjs';
import { headless, inChromium } from './clients.mjs';
import { crashes } from './crash.mjs';
import { inspectorPage } from './inspector-page.mjs';
import { openidCases } from './openid.mjs';
import { Plain } from './plain.mjs';
import { serveSignals } from './signals.mjs';
import { PASSWORD, startOwn } from './start.mjs';

/** How long access tokens of the second server live. */
const BRIEF = '1s';
const MOST_LIFE_MS = 60_000;

const [ALICE, PAGE_USER, READER] = ['alice', 'inspector-page', 'reader'];
const BOTH_SCOPES = 'mcp:read mcp:write';

/** So many ends; more by PEERS_CRASHES. */
const CRASHES = Number(process.env.PEERS_CRASHES ?? 12);

/** `ask` sends one client through jobs, `byHand` runs cases without one; both fill the table. */
export async function meetLogin(harness) {
  const { running, programs, byHand, table } = harness;
  process.env.PEERS_PASSWORD = PASSWORD;
  const chromium = await Chromium.launch({ program: programs.chromium, pictures: programs.pictures });
  running.push(() => chromium.close());
  const clients = headless(programs);
  const [own, brief] = await startBoth(harness, [...clients, ...inChromium(programs)]);
  const { signal, close } = await withSignals({ own, brief, chromium });
  running.push(close);
  await Promise.all([
    ...clients.map((client) => harness.ask(client, (each) => visits(loginCases({ own, brief, signal, client: each, reader: READER })))),
    ...inChromium(programs, signal('open')).map((client) => harness.ask(client, (each) => visits(chromiumCases({ own, client: each })))),
    byHand(libraries({ harness, chromium, own }).map(guarded)),
  ]);
  await byHand([own, brief].map((server) => ({ name: 'own login: what is left of it', run: () => server.end() })));
  if (table.failed) console.error(own.warnings(), brief.warnings());
  await byHand([{ name: 'own login: kill -9 in the middle', run: () => crash(harness) }].map(guarded));
  delete process.env.PEERS_PASSWORD;
  await Promise.all(clients.map((client) => meetDev(harness, client)));
}

async function startBoth({ start, programs, running }, clients) {
  const users = [ALICE, PAGE_USER, ...clients.map(({ user }) => user)].map((name) => ({ name, scopes: BOTH_SCOPES }));
  const accounts = [...users, { name: READER, scopes: 'mcp:read' }];
  return Promise.all(['1h', BRIEF].map(async (lifetime) => {
    const server = await startOwn({ start, programs, accounts, lifetime });
    running.push(() => server.clean());
    return server;
  }));
}

/** Cases as `ask` takes them. */
function* visits(cases) {
  for (const { what, place, job, check } of cases) {
    const trail = place.trail?.(job.user);
    yield { job, rows: async (report) => [{ what, faults: await check(report, trail), seen: shown(report) }] };
  }
}

async function crash({ start, programs, running }) {
  const users = ['one', 'two', 'three'];
  const accounts = users.map((name) => ({ name, scopes: 'mcp:read' }));
  const place = await startOwn({ start, programs, accounts, port: await freePort() });
  running.push(() => place.clean());
  return crashes({ place, users, password: PASSWORD, rounds: CRASHES });
}

/** `portcullis dev`, where two users are ready. */
async function meetDev({ start, running, programs, ask }, client) {
  const { servers: [{ url }] } = await start(programs.gateway, ['dev', '--json', '--listen', '127.0.0.1:0'], { stderr: 'ignore' }).read();
  const dev = { url, issuer: new URL(url).origin };
  const { signal, close } = await withSignals({ own: dev });
  running.push(close);
  await ask(client, (each) => visits(devCases({ dev, signal, client: each })));
}

async function withSignals({ own, brief, chromium }) {
  const server = await serveSignals({
    revoke: async ({ user }) => {
      if (await takeBack(own.issuer, user, process.env.PEERS_PASSWORD ?? user) === 0) throw new Error(`${user} has no connection`);
    },
    wait: () => outlived(brief),
    open: async ({ user, url }) => {
      const window = await chromium.open(user);
      await window.page.goto(url);
      await window.walk([own.issuer], { user, password: PASSWORD });
      if (window.complaints.length) throw new Error(window.complaints.join('; '));
    },
  });
  return { signal: server.url, close: server.close };
}

/** Until an access token of now is dead, and with it every older one. */
async function outlived(place) {
  const client = await new Plain(place, { user: ALICE, password: PASSWORD }).register();
  const { body: { access_token: token } } = await client.token(await client.grant());
  for (let waited = 0; waited < MOST_LIFE_MS; waited += 250) {
    if ((await send(place.url, { token, method: 'DELETE' })).status === 401) return;
    await pause(250);
  }
  throw new Error(`an access token for ${BRIEF} lives longer than ${MOST_LIFE_MS} ms`);
}

function libraries({ harness, chromium, own }) {
  const place = { issuer: own.issuer, url: own.url, scope: 'mcp:read', password: PASSWORD, machines: own.machines };
  return [
    ...openidCases(place),
    { name: 'authlib', run: () => authlib(harness, place) },
    {
      name: 'Inspector: its page in Chromium',
      run: () => inspectorPage({ chromium, ...place, user: PAGE_USER, folder: `${own.folder}/inspector`, trail: own.trail(PAGE_USER) }),
    },
  ];
}

/** A library that throws has failed its case, and the next one comes. */
function guarded({ name, run }) {
  const told = (error) => ({ faults: [`${error.code ?? ''} ${error.stack} ${JSON.stringify(error.cause) ?? ''}`.slice(0, 800)], seen: error.message });
  return { name, run: () => run().catch(told) };
}

/** Every case of authlib's, as one. */
async function authlib({ start, programs }, place) {
  const program = fileURLToPath(new URL('authlib_client.py', import.meta.url));
  const worker = start(programs.python, [program, ...PERSON, '--print']);
  const machines = place.machines.map(({ name, id, secret, key }) => ({ name, id, secret, key }));
  worker.tell({ ...place, machines });
  const reports = [];
  for (let left = 3 + machines.length; left > 0; left -= 1) reports.push(await worker.read());
  return {
    faults: reports.flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`)),
    seen: reports.map(({ name, seen }) => `${name}: ${seen}`).join('; '),
  };
}
