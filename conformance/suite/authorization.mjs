// The suite's authorization-server leg without a person: registers a client, starts the suite, and signs in and consents
// at the URL that it prints. What the suite says goes to standard output; its verdicts are in OUT.
//
//   node authorization.mjs SUITE ISSUER REVISION OUT [--resource URL] [--user NAME] [--scope SCOPE] [--deny]
//
// SUITE is the suite's program. ISSUER is spelled as in the server's metadata. `--scope` is asked for in addition: the
// suite itself asks for none. `--deny` presses the other button. The password is PEERS_PASSWORD, else the user's name.
// Exit status: 2 when the suite never came to its end, else 0.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { authorize, deliver } from '../../peers/user-agent.mjs';

const PATIENCE_MS = 30_000;

const options = { resource: { type: 'string' }, user: { type: 'string' }, scope: { type: 'string' }, deny: { type: 'boolean' } };
const { values, positionals: [suite, issuer, revision, out] } = parseArgs({ options, allowPositionals: true });

/** A port that was free a moment ago: the redirect URI has to be known before the suite listens. */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** The server's metadata, at the places where the suite looks too. */
async function metadata() {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const places = [`${origin}/.well-known/oauth-authorization-server${path}`, `${origin}/.well-known/openid-configuration${path}`, `${origin}${path}/.well-known/openid-configuration`];
  for (const place of places) {
    const answer = await fetch(place);
    if (answer.ok) return answer.json();
  }
  throw new Error(`${issuer} shows no metadata`);
}

/** A public client: the suite uses no secret where the metadata names `none`. */
async function register(redirect) {
  const { registration_endpoint: endpoint } = await metadata();
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'conformance',
      redirect_uris: [redirect],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    }),
  });
  if (!answer.ok) throw new Error(`no registration: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).client_id;
}

async function signIn(page) {
  const url = new URL(page);
  if (values.scope) url.searchParams.set('scope', values.scope);
  const answer = await authorize(url, values.user, { denies: values.deny });
  console.log(`back at ${answer.origin}${answer.pathname}`);
  await deliver(answer);
}

async function run() {
  const port = await freePort();
  const client = await register(`http://127.0.0.1:${port}/callback`);
  const words = ['authorization', '--url', issuer, '--spec-version', revision, '--client-id', client, '-p', String(port), '-o', out];
  if (values.resource) words.push('--resource', values.resource);
  const child = spawn(process.execPath, [suite, ...words], { stdio: ['ignore', 'pipe', 'inherit'], timeout: PATIENCE_MS });
  const ended = once(child, 'exit');
  let isAnnounced = false;
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    if (isAnnounced && /^https?:\/\//.test(line)) {
      isAnnounced = false;
      // The suite waits for minutes; whoever is stuck ends it.
      signIn(line).catch((error) => {
        console.log(`the login failed: ${error.message}`);
        child.kill();
      });
    }
    isAnnounced ||= line.includes('authentication process');
  }
  const [status] = await ended;
  if (status === null) throw new Error('the suite was ended before it was done');
}

try {
  await run();
} catch (error) {
  console.log(`error: ${error.message}`);
  process.exitCode = 2;
}
