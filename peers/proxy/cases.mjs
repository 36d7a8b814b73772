// What each MCP client must meet where somebody else's identity provider is behind us, as `ask` takes it.
import { STATELESS } from '../clients.mjs';
import { unless } from '../gateway/visit.mjs';
import { shown } from '../login/cases.mjs';

/** It asks the provider's API with the provider's token: `{ subject, token }`. */
const profile = { name: 'profile' };
const whoami = { name: 'whoami' };
/** The same with a token of another API, which the provider gives for the user's. */
const elsewhere = { name: 'elsewhere' };

/** The cases of one client before the provider `name`. `places` are servers, `signal` gives URLs that a client calls. */
export function* proxyCases({ name, places, signal, canSignOut, canExchange, client }) {
  const { user, era } = client;
  const visit = (what, place, calls, check) => ({
    job: { url: place.url, era, login: true, user, calls },
    rows: (report) => [{ what: `${name} behind us: ${what}`, faults: [...once(report), ...check(report)], seen: shown(report) }],
  });
  yield visit('whole login', places.one, [whoami, profile], ({ answers: [who, me], protocol }) => [
    ...unless(protocol === era, `protocol ${protocol}`),
    ...unless(me?.value?.subject, `the API does not know the token: ${JSON.stringify(me)}`),
    ...unless(who?.value?.subject === me?.value?.subject, `the token is ${who?.value?.subject}'s, the API's ${me?.value?.subject}'s`),
  ]);
  yield visit('its token has died', places.one, [profile, { signal: signal('wait') }, profile], anotherToken);
  if (canExchange) {
    // What lives as short as here is asked for anew each time.
    yield visit('a token of another API', places.one, [profile, elsewhere], ({ answers: [own, other] }) => [
      ...same(own, other),
      ...unless(own?.value?.token !== other?.value?.token, 'it is the token of the user'),
    ]);
  }
  // In a session of 2025-11-25, what a process knows ends with it.
  if (era !== STATELESS) return;
  yield visit('kill -9 and a new process', places[user], [profile, { signal: signal('restart', { place: user }) }, profile], ({ answers: [first, , second] }) => same(first, second));
  yield visit('two processes in turns', places.two, [profile, { signal: signal('wait') }, profile, whoami, profile], (report) => [
    ...anotherToken(report),
    ...same(report.answers[2], report.answers[4]),
  ]);
  if (canSignOut) yield signedOut({ name, places, signal, client });
}

/** The same person in front of Chromium: consents on our page, signs in on the provider's. */
export function* chromiumCase({ name, places, client: { user, era } }) {
  const job = { url: places.one.url, era, login: true, user, calls: [whoami, profile] };
  yield {
    job,
    rows: (report) => [{ what: `${name} behind us: in Chromium`, faults: [...once(report), ...same(report.answers[0], report.answers[1])], seen: shown(report) }],
  };
}

/** Whoever signs out there is signed out here; the client sends its person to sign in again. */
function signedOut({ name, places, signal, client: { user, era } }) {
  const job = { url: places.one.url, era, login: true, user, calls: [profile, { signal: signal('signOut', { user }) }, { signal: signal('wait') }, profile, profile] };
  const check = ({ asked, answers }) => [
    ...unless(answers[0]?.value?.subject, `not signed in: ${JSON.stringify(answers[0])}`),
    ...unless(asked.length === 2, `${asked.length} logins`),
    ...unless(answers.at(-1)?.value?.subject === answers[0]?.value?.subject, `not signed in again: ${JSON.stringify(answers.at(-1))}`),
  ];
  return { job, rows: (report) => [{ what: `${name} behind us: signed out there`, faults: check(report), seen: shown(report) }] };
}

/** Nobody had to sign in again, and no call failed. */
function once({ asked, answers, error }) {
  return [
    ...unless(asked.length === 1, `${asked.length} logins`),
    ...unless(!error && answers.length && answers.every((answer) => answer.value), `a call failed: ${JSON.stringify(error ?? answers)}`),
  ];
}

function anotherToken({ answers: [first, , second] }) {
  return [
    ...same(first, second),
    ...unless(first?.value?.token !== second?.value?.token, 'the API got a token that is dead'),
  ];
}

function same(one, other) {
  return unless(one?.value?.subject && one.value.subject === other?.value?.subject, `${JSON.stringify(one)} is not ${JSON.stringify(other)}`);
}
