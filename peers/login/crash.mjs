// `kill -9` while codes and refresh tokens are redeemed many times at once. What was answered is kept, a code has one
// winner and a refresh token one successor, on either side of the end.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { send } from '../wire.mjs';
import { unless } from '../gateway/visit.mjs';
import { Plain } from './plain.mjs';

const CODES = 3;
const AT_ONCE = 8;
/** No request takes longer, so the end comes somewhere in the middle. */
const LONGEST_MS = 600;

/** `restart` starts the server again, on the same state. */
export async function crashes({ place, person, program, restart, rounds }) {
  const client = await new Plain(place, person).register();
  const faults = [];
  const seen = { answered: 0, lost: 0, later: 0 };
  let running = program;
  for (let round = 0; round < rounds; round += 1) {
    const codes = await several(CODES, () => client.grant());
    const kept = await several(CODES, async () => (await client.token(await client.grant())).body);
    const delay = Math.random() * LONGEST_MS;
    const before = Promise.all([
      Promise.all(codes.map((code) => volley(client, code))),
      Promise.all(kept.map(({ refresh_token: token }) => volley(client, client.refresh(token)))),
    ]);
    await pause(delay);
    running.child.kill('SIGKILL');
    await once(running.child, 'exit');
    const [redeemed, refreshed] = await before;
    running = await restart();
    for (const [at, code] of codes.entries()) faults.push(...await judgeCode(client, code, redeemed[at], seen));
    for (const [at, tokens] of kept.entries()) faults.push(...await judgeRefresh(client, tokens, refreshed[at], seen));
  }
  return {
    faults: [...faults, ...unless(seen.answered && seen.lost, 'the end came too early or too late to show anything')],
    seen: `${rounds} times: ${seen.answered} answers before the end, ${seen.lost} lost, ${seen.later} redeemed after it`,
  };
}

/** The same request many times at once: the answers that came. */
async function volley(client, fields) {
  const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => client.token(fields)));
  return answers.filter(Boolean);
}

/** One winner, whose tokens outlive the end, until somebody comes with the code again. */
async function judgeCode(client, code, before, seen) {
  const winners = before.filter(({ status }) => status === 200);
  tally(seen, before);
  const alive = winners.length ? await works(client, winners[0]) : undefined;
  const after = await volley(client, code);
  const late = after.filter(({ status }) => status === 200);
  seen.later += late.length;
  return [
    ...unless(winners.length + late.length <= 1, `a code was redeemed ${winners.length} times, then ${late.length} times`),
    // A volley is a replay too: its losers end the grant of its winner.
    ...unless(!alive || !(await works(client, winners[0])), 'a replay after the end left the grant alive'),
    ...unless([...before, ...after].every(({ status, body }) => status === 200 || body.error === 'invalid_grant'), 'an answer is neither tokens nor invalid_grant'),
  ];
}

/** One successor, the same for all who ask within a minute, on either side of the end. */
async function judgeRefresh(client, tokens, before, seen) {
  tally(seen, before);
  const after = await volley(client, client.refresh(tokens.refresh_token));
  const all = [...before, ...after];
  const successors = new Set(all.map(({ body }) => body.refresh_token));
  return [
    ...unless(all.every(({ status }) => status === 200), `a refresh was refused: ${all.find(({ status }) => status !== 200)?.body.error}`),
    ...unless(successors.size === 1, `a refresh token has ${successors.size} successors`),
    ...unless(await works(client, after[0]), 'the successor does not work'),
  ];
}

function tally(seen, answers) {
  seen.answered += answers.length;
  seen.lost += AT_ONCE - answers.length;
}

async function works({ url }, { body }) {
  return (await send(url, { token: body.access_token })).status === 200;
}

async function several(count, make) {
  const made = [];
  for (let left = count; left > 0; left -= 1) made.push(await make());
  return made;
}
