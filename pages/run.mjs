// Every page in a real browser: `node run.mjs --packages DIR --browser PROGRAM --pages DIR --sheet FILE --pictures DIR [--only PART]`.
//
// Each page is looked at in light and dark, narrow and wide, and a picture is taken; then people without a mouse walk through some.
// A line a page and a walk; the last one has the counts. Status 0: all is well, 1: something is wrong, 2: a broken run.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Fixture, readPages } from './fixture.mjs';
import { VIEWS, faults } from './looks.mjs';
import { WALKS } from './walks.mjs';

process.on('uncaughtException', (error) => {
  console.error(error);
  process.exit(2);
});
const text = { type: 'string' };
const { values: options } = parseArgs({ options: { packages: text, browser: text, pages: text, sheet: text, pictures: text, only: { type: 'string', default: '' } } });
const require = createRequire(join(options.packages, 'package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const pages = readPages(options.pages, options.sheet);
mkdirSync(options.pictures, { recursive: true });
const launch = (more = {}) =>
  chromium.launch({
    executablePath: options.browser,
    args: ['--disable-gpu', '--disable-component-update', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
    ...more,
  });
const browser = await launch();
const counts = { passed: 0, failed: 0 };

const fixture = await new Fixture(pages).listen();
const seen = await Promise.all(VIEWS.map(look));
fixture.close();
for (const name of wanted([...pages.keys()])) report(name, seen.flatMap((view) => view.get(name) ?? []));
for (const name of wanted(Object.keys(WALKS))) report(name, await walk(WALKS[name]));
await browser.close();
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed || !counts.passed ? 1 : 0;

function wanted(names) {
  return names.filter((name) => name.includes(options.only));
}

function report(name, wrong) {
  counts[wrong.length ? 'failed' : 'passed'] += 1;
  console.log(`${wrong.length ? 'FAIL' : 'ok  '}  ${name}`);
  for (const what of wrong) console.log(`      ${what}`);
}

/** Opens every page in one view; what is wrong with each, by its name. */
async function look(view) {
  const wrong = new Map();
  const { page, complaints } = await newPage(view);
  for (const name of wanted(view.pages ?? [...pages.keys()])) {
    await page.goto(`${fixture.url}/${name}`);
    const found = await faults(page, { axe: view.axe && axe, status: pages.get(name).status });
    await page.screenshot({ path: join(options.pictures, `${name}.${view.name}.png`), fullPage: true });
    wrong.set(name, [...found, ...complaints.splice(0)].map((what) => `${view.name}: ${what}`));
  }
  await page.context().close();
  return wrong;
}

/** Walks through a page, with a client on another port to come back to. */
async function walk(steps) {
  const fixture = await new Fixture(pages).listen();
  const client = await new Fixture(new Map([['callback?code=x', { status: 200, headers: [], html: 'done' }]])).listen();
  client.url = client.url.replace('localhost', '127.0.0.1');
  const { page, complaints } = await newPage(VIEWS[2]);
  const open = (name) => page.goto(`${fixture.url}/${name}`);
  const posted = async () => {
    await page.waitForResponse((response) => response.request().method() === 'POST', { timeout: 5000 }).catch(() => null);
    return fixture.posts.at(-1);
  };
  let wrong = [];
  try {
    await steps({ page, open, posted, fixture, client, complaints, launch });
  } catch (error) {
    wrong = [error.message];
  }
  await page.context().close();
  fixture.close();
  client.close();
  return [...wrong, ...complaints];
}

/** A fresh browser context; what its console says is a complaint, the status of an error page apart. */
async function newPage({ colorScheme, forcedColors, media, viewport }) {
  const context = await browser.newContext({ colorScheme, forcedColors, viewport, locale: 'en' });
  const page = await context.newPage();
  if (media) await page.emulateMedia({ media });
  const complaints = [];
  page.on('console', (message) => {
    if (!message.text().startsWith('Failed to load resource: the server responded')) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  return { page, complaints };
}
