// Identity providers that others wrote behind our OAuth proxy, and MCP clients that others wrote before it.
import { STATELESS } from '../clients.mjs';
import { Chromium } from '../login/chromium.mjs';
import { headless, inChromium } from '../login/clients.mjs';
import { serveSignals } from '../login/signals.mjs';
import { chromiumCase, proxyCases } from './cases.mjs';
import { keycloak } from './keycloak.mjs';
import { startProxies } from './start.mjs';
import { PASSWORD, upstreams } from './upstreams.mjs';

/** One of each kind: the others are the same code before the same proxy. */
const CLIENTS = ['TypeScript SDK v1', 'TypeScript SDK v2', 'FastMCP (Python)'];
const WINDOW = 'FastMCP (Python), Chromium';

/** `ask` sends one client through jobs, `byHand` runs cases without one; both fill the table. */
export async function meetProxy(harness) {
  await meetAll(harness, upstreams);
}

/** The same with Keycloak. */
export async function meetKeycloak(harness) {
  await meetAll(harness, { keycloak: keycloak(harness.programs.keycloak) });
}

async function meetAll(harness, providers) {
  process.env.PEERS_PASSWORD = PASSWORD;
  const chromium = await Chromium.launch({ program: harness.programs.chromium, pictures: harness.programs.pictures });
  harness.running.push(() => chromium.close());
  await Promise.all(Object.entries(providers).map(([name, make]) => meet(harness, { name, make, chromium })));
  delete process.env.PEERS_PASSWORD;
}

/** All clients before one provider. */
async function meet(harness, { name, make, chromium }) {
  const { start, running, programs, ask, byHand, table } = harness;
  const clients = headless(programs).filter((client) => CLIENTS.includes(client.name));
  const users = [...clients, ...inChromium(programs)].map(({ user }) => user);
  // A restart is nobody else's business.
  const own = Object.fromEntries(clients.filter(({ eras }) => eras.includes(STATELESS)).map(({ user }) => [user, 1]));
  const proxies = await startProxies({ start, running, programs, make, users, places: { one: 1, two: 2, ...own } });
  const { upstream, api, places } = proxies;
  const signals = await serveSignals({
    wait: api.outlived,
    restart: ({ place }) => places[place].restart(),
    signOut: ({ user }) => upstream.signOut(user),
    open: async ({ user, url }) => {
      const window = await chromium.open(`${name}-${user}`);
      await window.page.goto(url);
      await window.walk([places.one.issuer, upstream.pages], { user, password: PASSWORD });
      if (window.complaints.length) throw new Error(window.complaints.join('; '));
    },
  });
  running.push(signals.close);
  const before = table.failed;
  const windows = upstream.pages ? inChromium(programs, signals.url('open')).filter((client) => client.name === WINDOW) : [];
  const context = { name, places, signal: signals.url, canSignOut: Boolean(upstream.signOut), canExchange: Boolean(upstream.config.audience) };
  await Promise.all([
    ...clients.map((client) => ask(client, (each) => proxyCases({ ...context, client: each }))),
    ...windows.map((client) => ask({ ...client, eras: [STATELESS] }, (each) => chromiumCase({ ...context, client: each }))),
  ]);
  await byHand([{ name: `${name} behind us: the logs`, run: async () => ({ faults: proxies.leaks(), seen: 'no token, no secret' }) }]);
  if (table.failed > before) console.error(proxies.warnings());
}
