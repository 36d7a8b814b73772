// People without a mouse: each walk goes through a page with the keyboard alone, and looks at what was sent.
import assert from 'node:assert/strict';

/** Presses Tab until the focus leaves the page; returns what it stood on, and checks that it could be seen there. */
async function tabThrough(page) {
  const stops = [];
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const seen = outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2;
      return { name: element.getAttribute('aria-label') ?? (element.textContent.trim() || element.id), seen };
    });
    if (!stop) break;
    assert.ok(stop.seen, `the focus on "${stop.name}" is visible`);
    stops.push(stop.name);
  }
  return stops;
}

/** For so long the answers are behind a pane, and a little longer. */
const PANE_MS = 800;

const focused = (page) => page.evaluate(() => document.activeElement.id);

/** What browsers say of a form of our own: with `no-referrer` there is no origin (Fetch, section 3.2), so Sec-Fetch-Site tells. */
function isSameOrigin({ headers }) {
  assert.equal(headers['sec-fetch-site'], 'same-origin');
  assert.equal(headers['sec-fetch-mode'], 'navigate');
  assert.equal(headers.origin, 'null');
  assert.equal(headers.referer, undefined);
}

export const WALKS = {
  'login by name and password': async ({ page, open, posted }) => {
    await open('login');
    assert.equal(await focused(page), 'username');
    await page.keyboard.type('alice');
    await page.keyboard.press('Tab');
    await page.keyboard.type('a secret');
    await page.keyboard.press('Enter');
    const post = await posted();
    assert.equal(post.path, '/oauth/login');
    assert.deepEqual(post.fields, { request: 'sealed-request', csrf: 'csrf-value', username: 'alice', password: 'a secret' });
    isSameOrigin(post);
  },

  'a wrong password is said, and the field is next': async ({ page, open }) => {
    await open('login_wrong');
    assert.equal(await focused(page), 'password');
    const alert = await page.getByRole('alert').textContent();
    assert.equal(await page.getByLabel('Password').getAttribute('aria-describedby'), 'fault');
    assert.match(alert, /is wrong/);
    const described = await page.evaluate(() => document.getElementById('fault').textContent);
    assert.equal(described, alert);
  },

  'an empty login sends nothing': async ({ page, open, fixture }) => {
    await open('login');
    await page.keyboard.press('Enter');
    assert.equal(fixture.posts.length, 0);
  },

  'a persona by one key': async ({ page, open, posted }) => {
    await open('login_personas');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.deepEqual((await posted()).fields, { request: 'sealed-request', csrf: 'csrf-value', persona: 'alice' });
  },

  'consent: nothing is approved by a stray Enter': async ({ page, open, fixture }) => {
    await open('consent_loopback');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Space');
    assert.deepEqual(await tabThrough(page), ['Not you? Sign out', 'Deny', 'Approve', 'My connections', 'Technical details']);
    assert.equal(fixture.posts.length, 0);
  },

  'consent: both answers are of one size, side by side': async ({ page, open }) => {
    await open('consent_loopback');
    const [deny, approve] = await Promise.all(['Deny', 'Approve'].map((name) => page.getByRole('button', { name, exact: true }).boundingBox()));
    assert.deepEqual([deny.width, deny.height, deny.y], [approve.width, approve.height, approve.y]);
  },

  'consent: approved, and on to a client on this computer': async ({ page, open, posted, fixture, client }) => {
    await open('consent_loopback');
    fixture.leave = `${client.url}/callback?code=x`;
    await page.getByRole('button', { name: 'Approve', exact: true }).focus();
    await page.keyboard.press('Space');
    const post = await posted();
    assert.equal(post.path, '/oauth/consent');
    assert.deepEqual(post.fields, { request: 'sealed-request', csrf: 'csrf-value', action: 'approve' });
    isSameOrigin(post);
    await page.waitForURL(`${client.url}/callback?code=x`, { timeout: 5000 });
  },

  'consent: approved, and on to an app by its scheme': async ({ page, open, posted, fixture }) => {
    await open('consent_app');
    fixture.leave = 'cursor://anysphere.cursor-retrieval/oauth/callback?code=x';
    const asked = page.waitForRequest((request) => request.url().startsWith('cursor://'), { timeout: 5000 }).catch(() => null);
    await page.getByRole('button', { name: 'Approve', exact: true }).press('Enter');
    assert.equal((await posted()).fields.action, 'approve');
    await asked;
  },

  'consent: a denial need not wait': async ({ page, open, posted }) => {
    await open('consent_loopback');
    await page.getByRole('button', { name: 'Deny', exact: true }).click({ timeout: 2000 });
    assert.equal((await posted()).fields.action, 'deny');
  },

  'consent: a click counts when the pointer was there for a moment': async ({ page, open, posted, fixture }) => {
    await open('consent_loopback');
    const { x, y, width, height } = await page.getByRole('button', { name: 'Approve', exact: true }).boundingBox();
    const click = () => page.mouse.click(x + width / 2, y + height / 2);
    // What is left of a double click whose first half closed a window above.
    await click();
    await click();
    await page.waitForTimeout(PANE_MS);
    assert.equal(fixture.posts.length, 0, 'neither half counts');
    // The same on a page that opens below a pointer that rests.
    await open('consent_loopback');
    await click();
    await page.waitForTimeout(PANE_MS);
    assert.equal(fixture.posts.length, 0, 'nor does one that began on the page before');
    await click();
    assert.equal((await posted()).fields.action, 'approve');
  },

  'consent: nothing comes back from memory without its pane': async ({ launch, fixture, client }) => {
    // Tools switch that memory off; users have it.
    const users = await launch({ ignoreDefaultArgs: ['--disable-back-forward-cache'] });
    try {
      const page = await users.newPage({ viewport: { width: 1280, height: 800 } });
      page.setDefaultTimeout(5000);
      client.pages.set('before', { status: 200, headers: [['content-type', 'text/html']], html: '<h1>Click twice</h1>' });
      await page.goto(`${client.url}/before`);
      const fetched = page.waitForResponse((response) => response.url().endsWith('/oauth/shown'));
      await page.goto(`${fixture.url}/consent_loopback`);
      await fetched;
      const { x, y, width, height } = await page.getByRole('button', { name: 'Approve', exact: true }).boundingBox();
      await page.mouse.move(x + width / 2, y + height / 2);
      await page.waitForTimeout(PANE_MS);
      await page.goBack({ waitUntil: 'commit' });
      // The first click leads there again; the second one finds what was there before.
      await page.goForward({ waitUntil: 'commit' });
      await page.waitForTimeout(PANE_MS / 4);
      await page.mouse.click(x + width / 2, y + height / 2);
      await page.waitForTimeout(PANE_MS);
      assert.equal(fixture.gets.get('/consent_loopback'), 2, 'it is fetched anew');
      assert.equal(fixture.posts.length, 0, 'the click does not count');
    } finally {
      await users.close();
    }
  },

  'consent: a finger need not wait': async ({ page, fixture }) => {
    const phone = await page.context().browser().newContext({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } });
    const held = await phone.newPage();
    await held.goto(`${fixture.url}/consent_loopback`);
    await held.getByRole('button', { name: 'Approve', exact: true }).tap();
    await held.waitForURL('**/oauth/consent', { timeout: 5000 }).catch(() => null);
    assert.equal(fixture.posts.at(-1)?.fields.action, 'approve');
    await phone.close();
  },

  'consent: denied': async ({ page, open, posted }) => {
    await open('consent_document');
    await page.getByRole('button', { name: 'Deny', exact: true }).press('Enter');
    assert.deepEqual((await posted()).fields, { request: 'sealed-request', csrf: 'csrf-value', action: 'deny' });
  },

  'consent: somebody else': async ({ page, open, posted }) => {
    await open('consent_document');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const post = await posted();
    assert.equal(post.path, '/oauth/logout');
    assert.deepEqual(post.fields, { request: 'sealed-request', csrf: 'csrf-value' });
  },

  'connections: one is removed': async ({ page, open, posted }) => {
    await open('account');
    const name = 'Remove access of Notebook to mcp.example.com/notes/mcp';
    assert.ok((await tabThrough(page)).includes(name));
    await page.getByRole('button', { name }).press('Enter');
    const post = await posted();
    assert.equal(post.path, '/account');
    assert.deepEqual(post.fields, { csrf: 'csrf-value', grant: 'BBBBBBBBBBBBBBBBBBBBBB', action: 'revoke' });
  },

  'connections: all of an app are removed': async ({ page, open, posted }) => {
    await open('account');
    await page.getByRole('button', { name: 'Remove all access of Claude Code' }).press('Enter');
    assert.deepEqual((await posted()).fields, { csrf: 'csrf-value', client: 'k3Zq7hVnT1yWc9bR', action: 'revoke_client' });
  },

  'connections: signed out': async ({ page, open, posted }) => {
    await open('account');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const post = await posted();
    assert.deepEqual([post.path, post.fields], ['/oauth/logout', { csrf: 'csrf-value' }]);
  },

  'an error: the way back is a link that says where to': async ({ page, open }) => {
    await open('error_return');
    const link = page.getByRole('link', { name: 'Return to notebook.example' });
    assert.equal(await link.getAttribute('href'), 'https://notebook.example/oauth/callback?error=invalid_scope&state=a%22b');
  },

  'nobody can frame a page': async ({ page, open, fixture, client, complaints }) => {
    client.pages.set('frame', { status: 200, headers: [['content-type', 'text/html']], html: `<iframe src="${fixture.url}/consent_loopback"></iframe>` });
    await page.goto(`${client.url}/frame`);
    await page.waitForFunction(() => document.querySelector('iframe'));
    const frame = page.frames().find((frame) => frame !== page.mainFrame());
    assert.equal(await frame.getByRole('button').count(), 0);
    assert.ok(complaints.some((text) => text.includes('frame-ancestors')), 'the browser names the policy');
    complaints.length = 0;
  },
};
