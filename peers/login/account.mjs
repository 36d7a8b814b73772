// *My connections*: a person looks at what they granted, and takes it back.
import { Browser } from '../browser.mjs';
import { filled, forms } from '../page.mjs';
import { onward } from '../user-agent.mjs';

const MOST_STEPS = 20;

/** Signs `user` in at the account page and takes back every connection; returns how many there were. */
export async function takeBack(issuer, user, password) {
  const browser = new Browser();
  let page = await arrive(browser, new URL('/account', issuer), { user, password });
  for (let taken = 0; taken < MOST_STEPS; taken += 1) {
    const revocation = revocationIn(page);
    if (!revocation) return taken;
    page = await settle(browser, await browser.visit(new URL(revocation.form.action || page.url.href, page.url), { form: filled(revocation.form, revocation.button) }));
  }
  throw new Error('the connections have no end');
}

/** By way of the login. */
async function arrive(browser, url, person) {
  let page = await settle(browser, await browser.visit(url));
  for (let steps = 0; page.url.pathname !== url.pathname && steps < MOST_STEPS; steps += 1) {
    const next = onward(page, person);
    page = await settle(browser, await browser.visit(next.url, { form: next.form }));
  }
  return page;
}

/** Follows redirects. */
async function settle(browser, answer) {
  for (let page = answer, steps = 0; steps < MOST_STEPS; steps += 1) {
    if (!page.location) return page;
    page = await browser.visit(page.location);
  }
  throw new Error('the redirects have no end');
}

function revocationIn({ text }) {
  const pairs = forms(text).flatMap((form) => form.buttons.map((button) => ({ form, button })));
  const isRevocation = ({ form, button }) => button.value === 'revoke' || form.fields.some(({ name, value }) => name === 'action' && value === 'revoke');
  return pairs.find(isRevocation);
}
