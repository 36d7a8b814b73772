#!/usr/bin/env node
// The person in front of the browser: signs in, consents, and goes back to the client.
//
//   node user-agent.mjs AUTHORIZATION_URL [USER]             walks the pages, then delivers the answer to the client
//   node user-agent.mjs --print AUTHORIZATION_URL [USER]     prints the URL of the answer instead
//   node user-agent.mjs --deny AUTHORIZATION_URL [USER]      presses the other button where consent is asked for
//
// Knows server-rendered forms and nothing of scripts, but for what those of Glewlwyd's login page do. Without USER it is PEERS_USER, else alice. The password is
// PEERS_PASSWORD, else the user's name.
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Browser } from './browser.mjs';
import { filled, forms, plain } from './page.mjs';
import { isGlewlwyd, passGlewlwyd } from './proxy/glewlwyd.mjs';

const MOST_STEPS = 20;
const REFUSAL = /deny|cancel|abort|reject|decline/i;
const DETOUR = /sign ?out|log ?out|not you/i;

/**
 * Walks from the authorization URL to the redirect back to the client; returns that URL. `denies` presses the other
 * button; `browser` brings cookies of earlier walks; `seen` collects the pages.
 */
export async function authorize(url, user = 'alice', { denies = false, browser = new Browser(), password, seen = [] } = {}) {
  browser.leave();
  let back = new URL(url).searchParams.get('redirect_uri');
  let next = { url: new URL(url) };
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if (back && next.url.href.startsWith(back)) return next.url;
    const answer = await browser.visit(next.url, { form: next.form });
    // A client may open a page of its own, which leads to the authorization URL.
    back ??= answer.location?.searchParams.get('redirect_uri');
    if (!answer.location) seen.push(answer);
    if (answer.location) next = { url: answer.location };
    else if (isGlewlwyd(answer.url)) next = { url: await passGlewlwyd(answer.url, { browser, user, password: password ?? passwordOf(user) }) };
    else next = onward(answer, { user, denies, password });
  }
  throw new Error(`no way back to ${back} after ${MOST_STEPS} pages`);
}

const passwordOf = (user) => process.env.PEERS_PASSWORD ?? user;

/** What a person does with a page, as `{ url, form }`. */
export function onward({ url, status, text }, { user, denies = false, password = passwordOf(user) }) {
  const chosen = status < 400 && choice(forms(text), user, denies);
  if (!chosen) throw new Error(`stuck at ${url.origin}${url.pathname}: ${status} ${plain(text).slice(0, 200)}`);
  const { form, button } = chosen;
  const target = new URL(button?.formaction || form.action || url.href, url);
  const sent = filled(form, button, ({ type }) => (type === 'password' ? password : user));
  if (form.method === 'post') return { url: target, form: sent };
  target.search = sent;
  return { url: target };
}

/** Signs in where that is asked for, by the button with the person's name if there is one; else approves, or denies. */
function choice(all, user, denies) {
  const pairs = all.flatMap((form) => (form.buttons.length ? form.buttons : [undefined]).map((button) => ({ form, button, label: `${button?.label} ${button?.value}` })));
  const onwards = pairs.filter(({ label }) => !DETOUR.test(label) && !REFUSAL.test(label));
  const isTyped = ({ form }) => form.fields.some(({ type }) => type === 'password');
  const isNamed = ({ button }) => button?.name && [button.value, button.label].some((text) => new RegExp(`\\b${user}\\b`, 'i').test(text));
  const refusal = denies && pairs.find(({ label }) => REFUSAL.test(label) && !/cancel|abort/i.test(label));
  return onwards.find(isNamed) ?? onwards.find(isTyped) ?? (refusal || onwards[0]);
}

/** Gives the answer to a client that may still be opening the port it listens on. */
export async function deliver(url) {
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
  const options = { print: { type: 'boolean' }, deny: { type: 'boolean' } };
  const { values, positionals: [url, user = process.env.PEERS_USER] } = parseArgs({ options, allowPositionals: true });
  const answer = await authorize(url, user, { denies: values.deny });
  if (values.print) console.log(answer.href);
  else await deliver(answer);
}
