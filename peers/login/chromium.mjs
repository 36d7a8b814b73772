// A person in front of Chromium, who signs in and consents with a mouse and a keyboard.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const PATIENCE_MS = 30_000;
const MOST_PAGES = 6;

/** Chromium with a profile for each user. `pictures` is a folder that takes one of every page. */
export class Chromium {
  #profiles = new Map();

  static async launch({ program, pictures }) {
    mkdirSync(pictures, { recursive: true });
    const asRoot = process.getuid() === 0 ? ['--no-sandbox'] : [];
    const browser = await chromium.launch({ executablePath: program, args: [...asRoot, '--disable-gpu', '--disable-background-networking'] });
    return Object.assign(new Chromium(), { browser, pictures });
  }

  /** A new window of `user`, who is signed in where an earlier window was. */
  async open(user) {
    if (!this.#profiles.has(user)) this.#profiles.set(user, this.browser.newContext({ locale: 'en' }));
    const context = await this.#profiles.get(user);
    return new Window(await context.newPage(), join(this.pictures, user));
  }

  /** Whatever the user's windows kept is gone. */
  async forget(user) {
    const context = await this.#profiles.get(user);
    this.#profiles.delete(user);
    await context?.close();
  }

  close() {
    return this.browser.close();
  }
}

/** One window: which `pages` of the authorization server were shown, and the browser's `complaints` about them. */
export class Window {
  pages = [];
  complaints = [];

  constructor(page, pictures) {
    Object.assign(this, { page, pictures });
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) this.complaints.push(`${message.location().url.split('?')[0]}: ${message.text()}`);
    });
  }

  /** Does what each page of these origins asks for, until the browser is elsewhere. */
  async walk(origins, { user, password }) {
    const { page } = this;
    const isThere = (url) => origins.includes(new URL(url).origin);
    await page.waitForURL(isThere, { timeout: PATIENCE_MS });
    while (isThere(page.url())) {
      if (this.pages.length === MOST_PAGES) throw new Error(`the pages have no end: ${this.pages}`);
      await this.#press(user, password);
    }
    await page.waitForLoadState('load');
    await this.picture('after');
  }

  async #press(user, password) {
    const { page } = this;
    await page.waitForLoadState('load');
    this.pages.push(new URL(page.url()).pathname);
    await this.picture(this.pages.length);
    const persona = page.locator(`button[name=persona]:visible`).filter({ hasText: new RegExp(`\\b${user}\\b`, 'i') });
    const secret = page.locator('input[type=password]:visible');
    if (await persona.count() === 0 && await secret.count()) {
      await page.locator('input[type=text]:visible, input[type=email]:visible').first().fill(user);
      await secret.first().fill(password);
    }
    // A person's pointer comes before the click, and the answers of the consent page wait for it.
    if (await page.locator('h1').count()) await page.locator('h1').first().hover();
    const onward = page.getByRole('button', { name: /^(?!.*(deny|cancel|sign out|not you))/i }).and(page.locator(':not([type=button])'));
    const before = page.url();
    await (await persona.count() ? persona : onward).first().click();
    await page.waitForURL(({ href }) => href !== before, { timeout: PATIENCE_MS });
  }

  picture(name) {
    return this.page.screenshot({ path: `${this.pictures}-${name}.png` });
  }
}
