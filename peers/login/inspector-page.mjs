// The MCP Inspector's page in Chromium: a person connects, signs in, consents and is back.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { unless } from '../gateway/visit.mjs';
import { freePort } from '../processes.mjs';

const LAUNCHER = `${process.env.PEERS_PACKAGES}/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js`;
const PATIENCE_MS = 30_000;

/** Signs `user` in to the server at `url`. `folder` takes the Inspector's files. */
export async function inspectorPage({ chromium, url, issuer, user, password, folder }) {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const env = { ...process.env, HOME: folder, CLIENT_PORT: String(port), MCP_AUTO_OPEN_ENABLED: 'false', MCP_INSPECTOR_SECRET_STORE: 'file' };
  const inspector = spawn(process.execPath, [LAUNCHER, '--server-url', url, '--transport', 'http'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const window = await chromium.open(user);
    await window.page.goto(await announced(inspector));
    const connect = window.page.locator('button:visible').filter({ hasText: /^\s*connect/i }).or(window.page.locator('[role=switch]'));
    await connect.first().click({ force: true, timeout: PATIENCE_MS });
    await window.walk(issuer, { user, password });
    const sign = window.page.getByText(/\bconnected\b|authentication succeeded/i).first();
    const isConnected = await sign.waitFor({ timeout: PATIENCE_MS }).then(() => true, () => false);
    await window.picture('end');
    return {
      faults: [...unless(isConnected, `not connected, at ${window.page.url().split('?')[0]}`), ...window.complaints],
      seen: `pages ${window.pages.join(', ')}, ${isConnected ? 'connected' : 'not connected'}`,
    };
  } finally {
    inspector.kill();
    await chromium.forget(user);
  }
}

async function announced(inspector) {
  const said = [];
  for (const output of [inspector.stdout, inspector.stderr]) output.on('data', (text) => said.push(text));
  for await (const line of createInterface({ input: inspector.stdout })) {
    const found = line.match(/https?:\/\/\S+MCP\S*TOKEN=\S+/i);
    if (found) return found[0];
  }
  throw new Error(`the Inspector ended: ${said.join('')}`);
}
