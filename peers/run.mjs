#!/usr/bin/env node
// Protected MCP servers between an identity provider and clients that others wrote: first one that is written with
// Portcullis, then the gateway in front of servers that others wrote, then the program as its own authorization server,
// then our OAuth proxy between clients and identity providers that others wrote.
// A line a case; the last line is the counts. Exit status: 0 all passed, 1 a case failed, 2 nothing was decided.
//
//   PEERS_PACKAGES=DIR node --import ./modules.mjs run.mjs --server P --gateway P --rmcp P --python P \
//     --chromium P --pictures DIR [--only NAME] [--client NAME] [--keycloak DIR]
//
// DIR holds the `node_modules` of package-lock.json, Python the packages of requirements.txt. The server is started
// as `P --issuer URL` and prints {"url": "http://127.0.0.1:PORT/mcp"} when it is ready, the gateway as
// `P run --config FILE`. Pictures of the pages that Chromium showed go to --pictures. `--only` leaves one part (`server`,
// `gateway`, `login`, `proxy`), `--client` the clients with this in their name and what needs none; `--keycloak`
// adds a part of that name, with the distribution in DIR.
import { parseArgs } from 'node:util';
import { cases, spoken } from './cases.mjs';
import { clients } from './clients.mjs';
import { gatewayCases } from './gateway/by-hand.mjs';
import { devCases } from './gateway/dev.mjs';
import { oldVisits } from './gateway/everything.mjs';
import { startGateway } from './gateway/start.mjs';
import { visits } from './gateway/visits.mjs';
import { startIdp } from './idp.mjs';
import { meetLogin } from './login/meet.mjs';
import { Program } from './processes.mjs';
import { meetKeycloak, meetProxy } from './proxy/meet.mjs';
import { Table } from './table.mjs';
import { collect, SCOPES } from './tokens.mjs';
import { wireCases } from './wire-cases.mjs';

const options = Object.fromEntries(['server', 'gateway', 'rmcp', 'python', 'chromium', 'pictures', 'only', 'client', 'keycloak'].map((name) => [name, { type: 'string' }]));
const { values: programs } = parseArgs({ options });
const table = new Table();
const running = [];

function start(command, args, settings) {
  const program = new Program(command, args, settings);
  running.push(() => program.end());
  return program;
}

async function provider() {
  const idp = await startIdp({ scopes: SCOPES });
  running.push(() => idp.close());
  return idp;
}

/** Sends a client through jobs; `rows` says what each of its reports means. */
async function ask({ name, command, ...client }, jobs) {
  if (programs.client && !name.includes(programs.client)) return;
  const worker = start(...command);
  for (const era of client.eras) {
    for await (const { job, rows } of jobs({ ...client, name, era })) {
      const report = await worker.ask(job);
      for (const row of await rows(report)) table.add({ ...row, who: `${name} ${era}` });
    }
  }
}

/** The cases of one server, one job each. */
function* jobsOf(context, client) {
  for (const { name: what, job, check, show } of cases({ ...context, client })) {
    const rows = (report) => {
      const stopped = report.error && !report.answers.length ? spoken(report.error) : undefined;
      return [{ what, faults: check(report), seen: stopped ?? show(report) }];
    };
    yield { job, rows };
  }
}

async function byHand(list) {
  for (const { name: what, run } of list) {
    const { faults, seen } = await run();
    table.add({ what, who: 'by hand', faults, seen });
  }
}

/** A server written with Portcullis. */
async function meetServer({ idp, stranger }) {
  const { url } = await start(programs.server, ['--issuer', idp.issuer]).read();
  const [sse, foreign] = ['/sse', '/other'].map((path) => new URL(path, url).href);
  for (const each of [idp, stranger]) for (const resource of [url, sse, foreign]) each.resources.add(resource);
  const at = async (resource) => ({ url: resource, idp, tokens: await collect({ idp, stranger, resource, foreign }) });
  const [context, legacy] = [await at(url), await at(sse)];
  await byHand(wireCases(context)); // First, for it turns the provider's knobs.
  await Promise.all(clients(programs).map((client) => ask(client, (each) => jobsOf(client.sse ? legacy : context, each))));
}

/** The gateway, in front of servers that others wrote. */
async function meetGateway({ idp, stranger }) {
  const gateway = await startGateway({ start, programs, idp, stranger });
  running.push(() => gateway.clean());
  const visitsOf = (client) => (client.sse ? oldVisits : visits)(gateway, client);
  await Promise.all([byHand(gatewayCases(gateway)), ...clients(programs).map((client) => ask(client, visitsOf))]);
  await byHand(devCases({ start, programs }));
  await byHand([{ name: 'gateway: nothing is left of it', run: () => gateway.end() }]);
  if (table.failed) console.error(gateway.warnings());
}

async function main() {
  const harness = { start, running, programs, ask, byHand, table };
  const parts = { server: meetServer, gateway: meetGateway, login: () => meetLogin(harness), proxy: () => meetProxy(harness) };
  if (programs.keycloak) parts.keycloak = () => meetKeycloak(harness);
  const providers = { idp: await provider(), stranger: await provider() };
  const wanted = programs.only ? [programs.only] : Object.keys(parts);
  for (const name of wanted) await parts[name](providers);
  return table.print();
}

try {
  process.exitCode = (await main()) ? 1 : 0;
} catch (error) {
  console.error(`error: ${error.stack}`);
  process.exitCode = 2;
} finally {
  for (const end of running.reverse()) end();
}
