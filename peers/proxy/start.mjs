// Our server before one identity provider, as few or as many processes at one public address.
import { closeSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApi } from './api.mjs';
import { Relay } from './relay.mjs';
import { CLIENT } from './upstreams.mjs';

/** What every process calls back to. */
export const CALLBACK = '/oauth/callback';

const MOST_WARNINGS = 40;

/**
 * Starts the provider that `make` makes, for `users`, and a server before it for each of `places`, `{ name: processes }`.
 * What comes back has, by the same names, `{ url, issuer, restart }`; `api` is what a tool of theirs asks with the
 * provider's tokens.
 */
export async function startProxies({ start, running, programs, make, users, places }) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-peers-')));
  running.push(() => rmSync(folder, { recursive: true, force: true }));
  const names = Object.keys(places);
  const relays = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await Relay.start()])));
  for (const relay of Object.values(relays)) running.push(() => relay.close());
  const redirects = Object.values(relays).map(({ origin }) => `${origin}${CALLBACK}`);
  const upstream = await make({ start, ...programs, redirects, users });
  running.push(() => upstream.end());
  const api = await startApi(upstream.ask);
  running.push(() => api.close());
  const log = join(folder, 'log');
  const launch = async (name) => {
    const config = { ...upstream.config, client_id: CLIENT.id, secret: CLIENT.secret, base_url: relays[name].origin, state: join(folder, name), api: api.url };
    const stderr = openSync(log, 'a');
    const program = start(programs.server, ['--upstream', JSON.stringify(config)], { stderr });
    closeSync(stderr);
    const { listens } = await program.read().catch((error) => {
      throw new Error(`${error.message}\n${readFileSync(log, 'utf8')}`);
    });
    return { program, listens };
  };
  const place = async (name) => {
    const relay = relays[name];
    const processes = [];
    // One after the other: the first one makes the keys.
    for (let left = places[name]; left > 0; left -= 1) processes.push(await launch(name));
    relay.backends = processes.map(({ listens }) => listens);
    const restart = async () => {
      const [{ program }] = processes;
      program.child.kill('SIGKILL');
      await program.ended();
      processes[0] = await launch(name);
      relay.backends[0] = processes[0].listens;
    };
    return [name, { url: `${relay.origin}/mcp`, issuer: relay.origin, restart }];
  };
  return {
    upstream,
    api,
    places: Object.fromEntries(await Promise.all(names.map(place))),
    warnings: () => readFileSync(log, 'utf8').split('\n').filter((line) => /WARN|ERROR/.test(line)).slice(-MOST_WARNINGS).join('\n'),
    /** Faults: what the log must not show. */
    leaks: () => ['eyJ', CLIENT.secret].filter((secret) => readFileSync(log, 'utf8').includes(secret)).map((secret) => `the log shows "${secret}"`),
  };
}
