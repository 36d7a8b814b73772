#!/usr/bin/env node
// The person and the browser in one: follows redirects, keeps cookies, signs in, consents.
//
//   node user-agent.mjs AUTHORIZATION_URL [USER]             walks the pages, then delivers the answer to the client
//   node user-agent.mjs --print AUTHORIZATION_URL [USER]     prints the URL of the answer instead
//
// Knows server-rendered forms and nothing of scripts.
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const MOST_STEPS = 20;
const DENY = /deny|cancel|abort|reject|decline/i;

/** Walks from the authorization URL to the redirect back to the client; returns that URL. */
export async function authorize(url, user = 'alice') {
  const back = new URL(url).searchParams.get('redirect_uri');
  if (!back) throw new Error('the authorization URL has no redirect_uri');
  const cookies = new CookieJar();
  let next = { url: new URL(url) };
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if (next.url.href.startsWith(back)) return next.url;
    next = await visit(next, cookies, user);
  }
  throw new Error(`no way back to ${back} after ${MOST_STEPS} pages`);
}

/** One request; returns what a person would do next, as `{ url, form }`. */
async function visit({ url, form }, cookies, user) {
  const response = await fetch(url, {
    method: form ? 'POST' : 'GET',
    body: form,
    headers: { accept: 'text/html', cookie: cookies.header(url), ...(form && { origin: url.origin }) },
    redirect: 'manual',
  });
  cookies.store(url, response.headers.getSetCookie());
  const location = response.headers.get('location');
  const page = await response.text();
  if (location) return { url: new URL(location, url) };
  const found = page.match(/<form\b([^>]*)>([\s\S]*?)<\/form>/i);
  if (!response.ok || !found) throw new Error(`stuck at ${url.origin}${url.pathname}: ${response.status} ${page.slice(0, 200)}`);
  const [, attributes, body] = found;
  return { url: new URL(attribute(attributes, 'action') ?? '', url), form: filled(body, user) };
}

/** The form's fields with the name typed in, and its first button that does not refuse. */
function filled(body, user) {
  const form = new URLSearchParams();
  for (const [, attributes] of body.matchAll(/<input\b([^>]*)>/gi)) {
    const name = attribute(attributes, 'name');
    const kind = attribute(attributes, 'type') ?? 'text';
    if (!name || /submit|button|radio/.test(kind)) continue;
    const typed = /text|email|password/.test(kind) ? user : undefined;
    form.append(name, attribute(attributes, 'value') || typed || 'on');
  }
  const button = [...body.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/gi)].find(([, attributes, label]) => !DENY.test(attributes + label));
  const name = button && attribute(button[1], 'name');
  if (name) form.append(name, attribute(button[1], 'value') ?? '');
  return form;
}

function attribute(attributes, name) {
  const value = attributes.match(new RegExp(`\\b${name}="([^"]*)"`, 'i'))?.[1];
  return value?.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');
}

/** Cookies by host, name and path. Like browsers, it sends `Secure` ones to loopback without TLS. */
class CookieJar {
  #cookies = new Map();

  store(url, lines) {
    for (const line of lines) {
      const [pair, ...rest] = line.split(/;\s*/);
      const [name, value] = cut(pair);
      const options = new Map(rest.map((part) => cut(part)).map(([key, text]) => [key.toLowerCase(), text]));
      const path = options.get('path') || '/';
      const ends = options.has('max-age') ? Number(options.get('max-age')) <= 0 : Date.parse(options.get('expires')) <= Date.now();
      const key = JSON.stringify([url.hostname, path, name]);
      if (ends) this.#cookies.delete(key);
      else this.#cookies.set(key, { host: url.hostname, path, pair: `${name}=${value}` });
    }
  }

  header(url) {
    const covers = (path) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
    return [...this.#cookies.values()].filter(({ host, path }) => host === url.hostname && covers(path)).map(({ pair }) => pair).join('; ');
  }
}

function cut(text) {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Gives the answer to a client that may still be opening the port it listens on. */
async function deliver(url) {
  for (let attempts = 100; ; attempts -= 1) {
    try {
      return await fetch(url);
    } catch (error) {
      if (attempts === 0) throw error;
      await pause(50);
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const words = process.argv.slice(2);
  const prints = words[0] === '--print';
  const [url, user] = prints ? words.slice(1) : words;
  const answer = await authorize(url, user);
  if (prints) console.log(answer.href);
  else await deliver(answer);
}
