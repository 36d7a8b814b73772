// The MCP Inspector's page in Chromium: a person connects, signs in and consents with a mouse and a keyboard, and is back.
import { spawn, execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { unless } from '../gateway/visit.mjs';

const LAUNCHER = `${process.env.PEERS_PACKAGES}/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js`;
const PATIENCE_MS = 15_000;
const MOST_PAGES = 6;

/** Signs `user` in to the server at `url`. `folder` takes the Inspector's files and a picture of every page. */
export async function inspectorPage({ url, user, password, folder }) {
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const env = { ...process.env, HOME: folder, CLIENT_PORT: String(port), MCP_AUTO_OPEN_ENABLED: 'false', MCP_INSPECTOR_SECRET_STORE: 'file' };
  const inspector = spawn(process.execPath, [LAUNCHER, '--server-url', url, '--transport', 'http'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const browser = await launch();
  try {
    const start = await announced(inspector);
    const walk = new Walk(await browser.newPage(), { user, password, folder });
    await walk.connect(start);
    return walk.verdict();
  } finally {
    await browser.close();
    inspector.kill();
  }
}

/** Debian's Chromium, or the one that CHROMIUM names. */
export async function launch() {
  const executablePath = process.env.CHROMIUM ?? execFileSync('sh', ['-c', 'command -v chromium || command -v google-chrome'], { encoding: 'utf8' }).trim();
  const asRoot = process.getuid() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args: [...asRoot, '--disable-gpu', '--disable-background-networking'] });
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

class Walk {
  #pages = [];
  #violations = [];

  constructor(page, settings) {
    Object.assign(this, { page, ...settings });
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) this.#violations.push(`${message.location().url}: ${message.text()}`);
    });
  }

  async connect(start) {
    const { page } = this;
    const home = new URL(start).origin;
    await page.goto(start);
    const button = page.locator('button:visible').filter({ hasText: /^\s*connect/i }).or(page.locator('[role=switch]'));
    await button.first().click({ force: true, timeout: PATIENCE_MS });
    await page.waitForURL((to) => to.origin !== home, { timeout: PATIENCE_MS });
    for (let step = 0; step < MOST_PAGES && new URL(page.url()).origin !== home; step += 1) await this.#press();
    const sign = page.getByText(/\bconnected\b|authentication succeeded/i).first();
    this.isConnected = await sign.waitFor({ timeout: PATIENCE_MS }).then(() => true, () => false);
    await this.#picture('end');
  }

  /** What a person does with a page of the authorization server. */
  async #press() {
    const { page } = this;
    await page.waitForLoadState('load');
    const path = new URL(page.url()).pathname;
    this.#pages.push(path);
    await this.#picture(this.#pages.length);
    const named = page.locator('button:visible').filter({ hasText: new RegExp(`\\b${this.user}\\b`, 'i') }).and(page.locator('[name=persona]'));
    const secret = page.locator('input[type=password]:visible');
    if (await named.count() === 0 && await secret.count()) {
      await page.locator('input[type=text]:visible, input[type=email]:visible').first().fill(this.user);
      await secret.first().fill(this.password);
    }
    const onward = page.locator('button:visible, input[type=submit]:visible').filter({ hasNotText: /deny|cancel|abort|sign out|not you/i });
    const before = page.url();
    // A person's pointer comes before the click, and the answers of the consent page wait for it.
    await page.locator('h1').first().hover();
    await (await named.count() ? named : onward).first().click();
    await page.waitForURL((to) => to.href !== before, { timeout: PATIENCE_MS });
  }

  #picture(name) {
    mkdirSync(this.folder, { recursive: true });
    return this.page.screenshot({ path: join(this.folder, `${name}.png`) });
  }

  verdict() {
    return {
      faults: [
        ...unless(this.isConnected, `not connected, at ${this.page.url().split('?')[0]}`),
        ...this.#violations,
      ],
      seen: `pages ${this.#pages.join(', ')}, ${this.isConnected ? 'connected' : 'not connected'}`,
    };
  }
}
