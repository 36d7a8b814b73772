// What each client must meet. A case is a job for the client, and a look at its report that returns what is wrong.
import { faults } from './wire.mjs';

/** All cases for one client: `{ name, job, check, show }`. */
export function cases({ url, tokens, client }) {
  const job = (fields) => ({ url, era: client.era, sse: client.sse, ...fields });
  const refusal = (name, token, expected) => ({
    name,
    job: job({ token }),
    check: (report) => [
      ...unless(report.error, 'the client raised nothing'),
      ...unless(!/disconnected|closed|reset|fetch failed/i.test(report.error?.message), 'the connection broke'),
      ...(report.refused.length ? report.refused : [undefined]).flatMap((seen) => faults(seen, { url, ...expected })),
    ],
    show: ({ error }) => spoken(error),
  });
  const invalid = { status: 401, error: 'invalid_token', scope: 'mcp:read' };
  return [
    {
      name: 'whole login (M6)',
      job: job({ login: true, calls: [{ name: 'whoami' }, { name: 'echo', arguments: { text: 'hello' } }, { name: 'hidden' }] }),
      check: (report) => [
        ...unless(report.protocol === client.era, `protocol ${report.protocol}`),
        ...unless(report.refused.length >= 1 && report.asked.length === 1, `${report.refused.length} refusals, ${report.asked.length} logins`),
        ...report.refused.flatMap((seen) => faults(seen, { url, status: 401, error: undefined, scope: 'mcp:read' })),
        ...unless(['whoami', 'echo', 'hidden'].every((tool) => report.tools?.includes(tool)), `tools ${report.tools}`),
        ...unless(report.answers[0]?.value?.subject === 'alice', 'whoami is not alice'),
        ...unless(text(report.answers[1]) === 'hello', 'echo is not hello'),
        ...unless(report.answers[2]?.value, 'hidden is hidden from its role'),
      ],
      show: (report) => `asked for "${report.asked}", is ${report.answers[0]?.value?.subject}, lists ${report.tools}`,
    },
    stepUp('step-up to a tool (M1)', job({ login: true, calls: [{ name: 'admin_only' }] }), url, client.stepUp),
    {
      name: 'valid token',
      job: job({ token: tokens.reader, calls: [{ name: 'whoami' }] }),
      check: (report) => [
        ...unless(report.answers[0]?.value?.subject === 'bob', 'whoami is not bob'),
        ...unless(report.tools?.includes('admin_only'), 'a tool that a step-up opens is not listed'),
      ],
      show: (report) => `is ${report.answers[0]?.value?.subject}, lists ${report.tools}`,
    },
    {
      name: 'hidden tool',
      job: job({ token: tokens.reader, calls: [{ name: 'hidden' }, { name: 'missing' }] }),
      check: (report) => [
        ...unless(report.tools && !report.tools.includes('hidden'), `lists ${report.tools}`),
        ...unless(report.refused.length === 0, 'refused by status'),
        ...unless(alike(report.answers), 'a hidden tool does not look like a missing one'),
      ],
      show: (report) => spoken(report.answers[0]?.error),
    },
    {
      name: 'missing tool scope (M1)',
      job: job({ token: tokens.reader, calls: [{ name: 'admin_only' }] }),
      check: (report) => [
        ...unless(report.answers[0]?.error ?? report.error, 'the client raised nothing'),
        ...faults(report.refused[0], { url, status: 403, error: 'insufficient_scope', scope: 'mcp:read mcp:admin' }),
      ],
      show: (report) => spoken(report.answers[0]?.error ?? report.error),
    },
    refusal('missing server scope', tokens.writer, { status: 403, error: 'insufficient_scope', scope: 'mcp:read mcp:write' }),
    refusal('no token', undefined, { ...invalid, error: undefined }),
    refusal('wrong audience', tokens.wrongAudience, invalid),
    refusal('wrong issuer', tokens.wrongIssuer, invalid),
    refusal('expired', tokens.expired, invalid),
    refusal('tampered signature', tokens.tampered, invalid),
    refusal('ID token', tokens.identity, invalid),
    ...(client.refreshes ? [refreshed(job, url), stepUpWithoutRefresh(job, url, client)] : []),
  ];
}

/** The client meets a 403 in the middle of its work, asks for more, and ends: with the answer, or with its own error. */
function stepUp(name, job, url, { succeeds, refusals }) {
  return {
    name,
    job,
    check: (report) => {
      const seen = report.refused.filter(({ status }) => status === 403);
      return [
        ...faults(seen[0], { url, status: 403, error: 'insufficient_scope', scope: 'mcp:read mcp:admin' }),
        ...unless(seen.length === refusals, `${seen.length} times 403, not ${refusals}`),
        ...unless(Boolean(report.answers[0]?.value) === succeeds, succeeds ? 'the call failed' : 'the call succeeded, which this client could not do'),
      ];
    },
    show: ({ asked, answers: [answer] }) => `asked for ${asked.map((scope) => `"${scope}"`).join(', then ')}: ${text(answer) ?? spoken(answer?.error)}`,
  };
}

/** Without a refresh token nothing stands between the challenge and a new authorization. */
function stepUpWithoutRefresh(job, url, { afresh = { succeeds: true, refusals: 1 } }) {
  const work = job({ login: true, refresh: false, calls: [{ name: 'admin_only' }] });
  return stepUp('step-up without a refresh token (M1)', work, url, afresh);
}

/** An access token that dies: the client gets a new one with its refresh token, and nobody signs in again. */
function refreshed(job, url) {
  return {
    name: 'refresh',
    job: job({ login: true, spoil: true, calls: [{ name: 'whoami' }] }),
    check: (report) => [
      ...faults(report.refused.at(-1), { url, status: 401, error: 'invalid_token', scope: 'mcp:read' }),
      ...unless(report.asked.length === 1, `${report.asked.length} logins`),
      ...unless(report.answers[0]?.value?.subject === 'alice', 'whoami is not alice'),
    ],
    show: (report) => `${report.refused.length} refusals, ${report.asked.length} login, is ${report.answers[0]?.value?.subject}`,
  };
}

/** An error as the client raised it. */
export function spoken(error) {
  if (!error) return 'no error';
  const { type, code, status, message } = error;
  const marks = [code, status === code ? undefined : status].filter((mark) => mark !== undefined && mark !== null);
  return `${type}${marks.length ? ` ${marks.join(' ')}` : ''}: ${message}`;
}

function alike([hidden, missing]) {
  const shape = (answer, name) => answer?.error && JSON.stringify(answer.error).replaceAll(name, 'X');
  return Boolean(hidden?.error) && shape(hidden, 'hidden') === shape(missing, 'missing');
}

function text(answer) {
  const value = answer?.value;
  return typeof value === 'object' ? value?.result ?? JSON.stringify(value) : value;
}

function unless(condition, fault) {
  return condition ? [] : [fault];
}
