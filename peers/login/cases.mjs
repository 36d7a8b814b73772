// What each MCP client must meet at our own authorization server: `{ what, place, job, check }`. A check gets the report,
// and the trail that the job left in the audit log of `place`.
import { spoken } from '../cases.mjs';
import { SESSIONS } from '../clients.mjs';
import { unless } from '../gateway/visit.mjs';

const echo = { name: 'echo', arguments: { text: 'hello' } };
const note = { name: 'note', arguments: { text: 'kept' } };
/** What is asked for at first by a client that can be told; others ask for what the challenge says. */
const LITTLE = 'mcp:read';

/**
 * The cases of one client. `own` is a server with long-lived tokens, `brief` one whose access tokens die at once. `signal`
 * gives URLs that a client calls in the middle of its work: `revoke` takes back what `user` granted, `wait` answers when
 * the access tokens of `brief` are dead.
 */
export function loginCases({ own, brief, signal, client, reader }) {
  const { user } = client;
  const visit = (what, place, fields, check) => ({ what: `own login: ${what}`, place, job: { url: place.url, era: client.era, login: true, user, ...fields }, check });
  return [
    visit('whole', own, { calls: [echo] }, async (report, trail) => [
      ...unless(report.protocol === client.era, `protocol ${report.protocol}`),
      ...unless(report.tools?.includes('echo') && report.tools.includes('note'), `lists ${report.tools}`),
      ...unless(!report.tools?.includes('abandoned'), 'lists what the role hides'),
      ...unless(report.asked.length === 1, `${report.asked.length} logins`),
      ...says(report, 0, 'hello'),
      ...await trail.shows('logged_in', 'consent_approved', 'grant_made', 'allowed echo'),
    ]),
    visit('step-up', own, { scope: LITTLE, refresh: !client.keepsRefreshing, calls: [note] }, steppedUp),
    visit('a scope that the user lacks', own, { user: reader, calls: [note] }, (report) => [
      ...unless(report.tools?.includes('echo') && !report.tools.includes('note'), `lists ${report.tools}`),
      ...unless(report.answers[0]?.error, 'the tool ran'),
      ...unless(report.asked.length === 1, `asked for ${JSON.stringify(report.asked)}`),
    ]),
    visit('refresh', brief, { calls: [echo, { signal: signal('wait') }, echo] }, async (report, trail) => [
      ...unless(report.asked.length === 1, `${report.asked.length} logins`),
      ...says(report, 0, 'hello'),
      ...unless(report.answers[1]?.value === 200, `the token still works: ${JSON.stringify(report.answers[1])}`),
      ...says(report, 2, 'hello'),
      ...await trail.shows('grant_made', 'allowed echo', 'token_refreshed', 'allowed echo'),
    ]),
    visit('taken back', own, { calls: [echo, { signal: signal('revoke', { user }) }, echo] }, async (report, trail) => [
      ...says(report, 0, 'hello'),
      ...unless(report.answers[1]?.value === 200, `the account page: ${JSON.stringify(report.answers[1])}`),
      ...ended(report, client, 'hello'),
      ...await trail.shows('allowed echo', 'grant_ended'),
      ...trail.nothingBetween('grant_ended', 'grant_made'),
    ]),
  ];
}

/** The same person in front of Chromium: signs in, consents, and consents to more. */
export function chromiumCases({ own, client }) {
  const job = { url: own.url, era: client.era, login: true, user: client.user, scope: LITTLE, calls: [note] };
  return [{ what: 'own login: in Chromium, with a step-up', place: own, job, check: steppedUp }];
}

async function steppedUp(report, trail) {
  return [
    ...unless(report.asked.length === 2 && !report.asked[0]?.includes('mcp:write') && report.asked[1]?.includes('mcp:write'), `asked for ${JSON.stringify(report.asked)}`),
    ...says(report, 0, 'noted'),
    ...await trail.shows('consent_approved', 'grant_made', 'insufficient_scope note', 'consent_approved', 'grant_made', 'allowed note'),
  ];
}

/** The same at `portcullis dev`, where a click is the login. */
export function devCases({ dev, signal, client }) {
  const job = (fields) => ({ url: dev.url, era: client.era, login: true, ...fields });
  const whoami = { name: 'whoami' };
  const add = { name: 'add_note', arguments: { text: client.name } };
  return [
    {
      what: 'dev login: alice',
      place: dev,
      job: job({ user: 'alice', calls: [whoami, add] }),
      check: (report) => [
        ...unless(report.tools?.includes('admin_stats'), `lists ${report.tools}`),
        ...says(report, 0, 'alice (role admin)'),
        ...says(report, 1, 'noted'),
      ],
    },
    {
      what: 'dev login: bob, taken back',
      place: dev,
      job: job({ user: 'bob', calls: [whoami, { signal: signal('revoke', { user: 'bob' }) }, whoami] }),
      check: (report) => [
        ...unless(report.tools && !report.tools.includes('admin_stats') && !report.tools.includes('add_note'), `lists ${report.tools}`),
        ...says(report, 0, 'bob (role user)'),
        ...ended(report, client, 'bob'),
      ],
    },
  ];
}

/** What a client's report is shown as. */
export function shown({ error, asked, answers }) {
  if (error) return spoken(error);
  const each = answers.map(({ value, error: refusal }) => (refusal ? spoken(refusal) : text(value)));
  return `asked for ${asked.map((scope) => `"${scope}"`).join(', then ')}: ${each.join(', ')}`;
}

function says({ answers, error }, at, expected) {
  const answer = answers[at];
  const found = answer?.error ? spoken(answer.error) : answer ? text(answer.value) : error ? spoken(error) : 'no answer';
  return unless(answer && !answer.error && found.includes(expected), `answer ${at} is no "${expected}": ${found}`);
}

function text(value) {
  return typeof value === 'string' ? value : value?.result ?? JSON.stringify(value);
}

/**
 * The third answer, after the grant was taken back: an error, or one after a new login. A session ends with the grant that
 * it was opened under; not every client opens another one when it hears that (404).
 */
function ended(report, { era, signsInAgain = true }, expected) {
  if (!signsInAgain) return unless(report.answers[2]?.error, 'the token still works');
  const isGone = era === SESSIONS && /session/i.test(report.answers[2]?.error?.message ?? '');
  return [
    ...unless(report.asked.length >= 2, `${report.asked.length} logins`),
    ...(isGone ? [] : says(report, 2, expected)),
  ];
}
