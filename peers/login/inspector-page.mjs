// The MCP Inspector's page in Chromium: a person connects, signs in, consents, calls a tool and consents to more.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../processes.mjs';

const LAUNCHER = `${process.env.PEERS_PACKAGES}/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js`;
const PATIENCE_MS = 30_000;

/**
 * Signs `user` in to the server at `url`, and has the tool `note` called, for which the Inspector has to ask for more.
 * `folder` takes the Inspector's files, `trail` is what the audit log says of the user.
 */
export async function inspectorPage({ chromium, url, issuer, user, password, folder, trail }) {
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'servers.json');
  writeFileSync(config, JSON.stringify({ mcpServers: { peer: { type: 'streamable-http', url, oauth: { scopes: 'mcp:read' } } } }));
  const env = { ...process.env, HOME: folder, CLIENT_PORT: String(await freePort()), MCP_AUTO_OPEN_ENABLED: 'false', MCP_INSPECTOR_SECRET_STORE: 'file' };
  const inspector = spawn(process.execPath, [LAUNCHER, '--config', config], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const window = await chromium.open(user);
    window.page.setDefaultTimeout(PATIENCE_MS);
    await window.page.goto(await announced(inspector));
    await window.page.locator('[role=switch]').first().click({ force: true });
    await window.walk([issuer], { user, password });
    await window.page.getByText(/^connected$/i).first().waitFor();
    await takeNote(window, () => window.walk([issuer], { user, password }));
    await window.picture('end');
    return {
      faults: [
        ...await trail.shows('consent_approved', 'grant_made', 'insufficient_scope note', 'consent_approved', 'grant_made', 'allowed note'),
        ...window.complaints,
      ],
      seen: `pages ${window.pages.join(', ')}: ${trail.words.filter((word) => word.endsWith('note')).join(', then ')}`,
    };
  } finally {
    inspector.kill();
    await chromium.forget(user);
  }
}

/** Sends the tool's form; agrees to ask for more scopes, which `consent` grants; comes back to the form and sends it again. */
async function takeNote({ page }, consent) {
  const execute = page.getByRole('button', { name: 'Execute Tool' });
  await page.getByText('Tools', { exact: true }).first().click();
  await page.getByText('note', { exact: true }).first().click();
  await page.getByRole('textbox', { name: /text/i }).first().fill('kept');
  await execute.click();
  await page.getByRole('button', { name: /^authorize/i }).click();
  await consent();
  await page.getByText(/step-up authorization succeeded/i).first().waitFor();
  await execute.click();
  await page.getByText('noted').first().waitFor();
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
