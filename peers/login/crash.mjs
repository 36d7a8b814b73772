// `kill -9` at random moments, while clients register, sign in, redeem, refresh and revoke. What was answered holds after the
// restart: a client is known, a code is redeemed once, a refresh token has one successor, a token works until it is revoked,
// and never again afterwards.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { send } from '../wire.mjs';
import { Plain } from './plain.mjs';

const WORKERS = 6;
/** The program lives for so many requests at most, and a moment longer. */
const MOST_REQUESTS = 24;
const LONGEST_MS = 20;
const AT_ONCE = 3;
const MOST_REFRESHES = 6;
const MOST_ATTEMPTS = 50;
/** What becomes of a request that asks for nothing, with a token that is alive, and with one that is not. */
const [ACCEPTED, REFUSED] = [400, 401];

/** `{ place, users, password, rounds }`: the running server, whose `launch` starts it again; its users; how many ends. */
export async function crashes({ place, users, password, rounds }) {
  const mortal = new Mortal(place);
  const book = new Book();
  const workers = Array.from({ length: WORKERS }, (_, at) => work(mortal, book, { user: users[at % users.length], password }));
  try {
    await Promise.all([mortal.die(rounds), ...workers]);
  } finally {
    mortal.isOver = true;
  }
  for (const family of book.families) await family.judge();
  return book.verdict(rounds);
}

/** The program, which ends in the middle of things and comes back. */
class Mortal {
  deaths = 0;
  /** It ended for the last time. */
  isOver = false;
  #asked = 0;
  #up = Promise.resolve();

  constructor(place) {
    Object.assign(this, { place, program: place.program });
  }

  async die(times) {
    while (this.deaths < times && !this.isOver) {
      const enough = this.#asked + Math.random() * MOST_REQUESTS;
      while (this.#asked < enough && !this.isOver) await pause(1);
      await pause(Math.random() * LONGEST_MS);
      const { promise, resolve } = Promise.withResolvers();
      this.#up = promise;
      const ended = once(this.program.child, 'exit');
      this.program.child.kill('SIGKILL');
      await ended;
      this.deaths += 1;
      ({ program: this.program } = await this.place.launch());
      resolve();
    }
    this.isOver = true;
  }

  /** One attempt, while it is there: what came back, or nothing when it ended meanwhile. Any other fault is thrown. */
  async attempt(ask) {
    await this.#up;
    const before = this.deaths;
    this.#asked += 1;
    try {
      return await ask();
    } catch (error) {
      await this.#up;
      if (this.deaths === before) throw error;
      return undefined;
    }
  }

  /** As many attempts as it takes. */
  async insist(ask) {
    for (let left = MOST_ATTEMPTS; left > 0; left -= 1) {
      const answer = await this.attempt(ask);
      if (answer !== undefined) return answer;
    }
    throw new Error('it ends too often to be asked anything');
  }
}

/** What was seen, all clients together. */
class Book {
  faults = new Set();
  families = [];
  counts = { codes: 0, refreshes: 0, revocations: 0 };
  /** Answers that never came, and what the next attempt was told: it had happened, or it had not. */
  lost = { code: 0, refresh: 0, revocation: 0 };
  late = { happened: 0, 'had not': 0 };

  unless(condition, fault) {
    if (!condition) this.faults.add(fault);
  }

  verdict(rounds) {
    const { codes, refreshes, revocations } = this.counts;
    const lost = Object.values(this.lost).reduce((sum, count) => sum + count);
    this.unless(lost > 0, 'no request was under way at any end: that shows nothing');
    return {
      faults: [...this.faults],
      seen: `${rounds} times: ${codes} codes, ${refreshes} refreshes, ${revocations} revocations answered; lost ${this.lost.code}, ${this.lost.refresh}, ${this.lost.revocation}; of the codes ${this.late.happened} had been redeemed`,
    };
  }
}

/** One person and their clients, a new one now and then. */
async function work(mortal, book, { user, password }) {
  const client = new Plain(mortal.place, { user, password });
  for (let turn = 0; !mortal.isOver; turn += 1) {
    if (turn % 5 === 0) await mortal.insist(() => client.register());
    const code = await mortal.insist(() => client.grant());
    const tokens = turn % 3 === 2 ? await fought(mortal, book, client, code) : await redeemed(mortal, book, client, code);
    if (!tokens) continue;
    const family = new Family({ mortal, book, client, tokens });
    for (let left = Math.random() * MOST_REFRESHES; left > 0; left -= 1) await family.refresh();
    if (Math.random() < 0.5) await family.revoke();
    await family.judge();
    book.families.push(family);
  }
}

/** A code, redeemed by one request, or by those that it takes until one is answered. */
async function redeemed(mortal, book, client, code) {
  for (let lost = 0; ; lost += 1) {
    const answer = await mortal.attempt(() => client.token(code));
    if (answer?.status === 200) {
      book.counts.codes += 1;
      if (lost) book.late['had not'] += 1;
      return answer.body;
    }
    if (answer) {
      book.unless(lost && answer.body.error === 'invalid_grant', `a code that was never answered for is refused: ${answer.status} ${answer.body.error}`);
      book.late.happened += 1;
      return undefined;
    }
    book.lost.code += 1;
  }
}

/** A code, redeemed many times at once: one winner at most, whose tokens the losers end, then or after the restart. */
async function fought(mortal, book, client, code) {
  const volley = async () => {
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => mortal.attempt(() => client.token(code))));
    book.lost.code += answers.filter((answer) => !answer).length;
    return answers.filter(Boolean);
  };
  const answers = [...await volley(), ...await volley()];
  const winners = answers.filter(({ status }) => status === 200);
  const others = answers.filter(({ status }) => status !== 200);
  book.counts.codes += winners.length;
  book.unless(winners.length <= 1, `a code was redeemed ${winners.length} times`);
  book.unless(others.every(({ body }) => body.error === 'invalid_grant'), 'a replay is told neither tokens nor invalid_grant');
  if (winners.length && others.length) {
    const { status } = await mortal.insist(() => use(client, winners[0].body));
    book.unless(status === REFUSED, `a replayed code left its grant alive: ${status}`);
  }
  return undefined;
}

/** What grew out of one code. */
class Family {
  constructor(fields) {
    Object.assign(this, fields);
    /** Revoked, and told so. */
    this.isRevoked = false;
  }

  /** Many times at once, or once; again until it is answered, as a client does. */
  async refresh() {
    const { mortal, book, client, tokens } = this;
    const times = Math.random() < 0.5 ? AT_ONCE : 1;
    const ask = () => mortal.attempt(() => client.token(client.refresh(tokens.refresh_token)));
    const answers = await Promise.all(Array.from({ length: times }, ask));
    book.lost.refresh += answers.filter((answer) => !answer).length;
    if (answers.some((answer) => !answer)) answers.push(await mortal.insist(ask));
    const told = answers.filter(Boolean);
    const successors = new Set(told.map(({ body }) => body.refresh_token));
    const refusal = told.find(({ status }) => status !== 200);
    book.unless(!refusal, `a refresh is refused: ${refusal?.status} ${refusal?.body.error}`);
    book.unless(successors.size === 1, `a refresh token has ${successors.size} successors`);
    book.counts.refreshes += 1;
    if (!refusal) this.tokens = told[0].body;
  }

  async revoke() {
    const { mortal, book, client, tokens } = this;
    while (!this.isRevoked) {
      const answer = await mortal.attempt(() => client.revoke(tokens.refresh_token));
      if (!answer) book.lost.revocation += 1;
      else book.unless(answer.status === 200, `a revocation is refused: ${answer.status}`);
      this.isRevoked = Boolean(answer);
    }
    book.counts.revocations += 1;
  }

  /** The last tokens that it was given work; once it is revoked, nothing does. */
  async judge() {
    const { mortal, book, client, tokens } = this;
    const { status } = await mortal.insist(() => use(client, tokens));
    book.unless(status === (this.isRevoked ? REFUSED : ACCEPTED), `${this.isRevoked ? 'revoked, and its' : 'an'} access token is answered with ${status}`);
    if (!this.isRevoked) return;
    const { body } = await mortal.insist(() => client.token(client.refresh(tokens.refresh_token)));
    book.unless(body.error === 'invalid_grant', `revoked, and its refresh token is answered with ${body.error ?? 'tokens'}`);
  }
}

/** A request that nobody behind has to answer: the token is looked at, then there is no session to end. */
function use({ url }, { access_token: token }) {
  return send(url, { method: 'DELETE', token });
}
