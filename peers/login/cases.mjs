// What each MCP client must meet at our own authorization server: `{ what, job, check }`.
import { spoken } from '../cases.mjs';
import { SESSIONS } from '../clients.mjs';
import { unless } from '../gateway/visit.mjs';

const echo = { name: 'echo', arguments: { text: 'hello' } };
const note = { name: 'note', arguments: { text: 'kept' } };

/**
 * The cases of one client. `own` is a server with long-lived tokens, `brief` one whose access tokens die at once. `signals`
 * are URLs that a client calls in the middle of its work: `revoke` takes back what `user` granted, `wait` answers when the
 * access tokens of `brief` are dead.
 */
export function loginCases({ own, brief, signals, client, user, reader }) {
  const job = (fields) => ({ url: own.url, era: client.era, login: true, user, ...fields });
  return [
    {
      what: 'own login: whole',
      job: job({ calls: [echo] }),
      check: (report) => [
        ...unless(report.protocol === client.era, `protocol ${report.protocol}`),
        ...unless(report.tools?.includes('echo') && report.tools.includes('note'), `lists ${report.tools}`),
        ...unless(!report.tools?.includes('abandoned'), 'lists what the role hides'),
        ...unless(report.asked.length === 1, `${report.asked.length} logins`),
        ...says(report, 0, 'hello'),
      ],
    },
    {
      what: 'own login: step-up',
      job: job({ refresh: false, calls: [note] }),
      check: (report) => [
        ...unless(report.asked.length === (client.asksForAll ? 1 : 2) && report.asked.at(-1)?.includes('mcp:write'), `asked for ${JSON.stringify(report.asked)}`),
        ...says(report, 0, 'noted'),
      ],
    },
    {
      what: 'own login: a scope that the user lacks',
      job: job({ user: reader, calls: [note] }),
      check: (report) => [
        ...unless(report.tools?.includes('echo') && !report.tools.includes('note'), `lists ${report.tools}`),
        ...unless(report.answers[0]?.error, 'the tool ran'),
        ...unless(report.asked.length === 1, `asked for ${JSON.stringify(report.asked)}`),
      ],
    },
    {
      what: 'own login: refresh',
      job: job({ url: brief.url, calls: [echo, { signal: signals.wait }, echo] }),
      check: (report) => [
        ...unless(report.asked.length === 1, `${report.asked.length} logins`),
        ...says(report, 0, 'hello'),
        ...says(report, 2, 'hello'),
        ...unless(refreshes(brief, report) > 0, 'the audit log tells of no refresh'),
      ],
    },
    {
      what: 'own login: taken back',
      job: job({ calls: [echo, { signal: signals.revoke(user) }, echo] }),
      check: (report) => [
        ...says(report, 0, 'hello'),
        ...unless(report.answers[1]?.value === 200, `the account page: ${JSON.stringify(report.answers[1])}`),
        ...(client.signsInAgain === false
          ? unless(report.answers[2]?.error, 'the token still works')
          : [...unless(report.asked.length === 2, `${report.asked.length} logins`), ...again(report, client, 'hello')]),
      ],
    },
  ];
}

/** The same at `portcullis dev`, where a click is the login. */
export function devCases({ dev, signals, client }) {
  const job = (fields) => ({ url: dev.url, era: client.era, login: true, refresh: false, ...fields });
  const whoami = { name: 'whoami' };
  const add = { name: 'add_note', arguments: { text: client.name } };
  return [
    {
      what: 'dev login: alice, step-up',
      job: job({ user: 'alice', calls: [whoami, add] }),
      check: (report) => [
        ...unless(report.tools?.includes('admin_stats'), `lists ${report.tools}`),
        ...says(report, 0, 'alice (role admin)'),
        ...says(report, 1, 'noted'),
      ],
    },
    {
      what: 'dev login: bob, taken back',
      job: job({ user: 'bob', calls: [whoami, { signal: signals.revoke('bob') }, whoami] }),
      check: (report) => [
        ...unless(report.tools && !report.tools.includes('admin_stats') && !report.tools.includes('add_note'), `lists ${report.tools}`),
        ...says(report, 0, 'bob (role user)'),
        ...(client.signsInAgain === false ? unless(report.answers[2]?.error, 'the token still works') : again(report, client, 'bob')),
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
 * After a new login. A session ends with the grant that it was opened under; not every client opens another one when it
 * hears that (404).
 */
function again(report, { era }, expected) {
  const isGone = era === SESSIONS && /session/i.test(report.answers[2]?.error?.message ?? '');
  return isGone ? [] : says(report, 2, expected);
}

/** How often a token was refreshed so far. */
function refreshes({ audit }) {
  return audit().filter((line) => JSON.stringify(line).includes('refreshed')).length;
}
