// Two users on one server: who sees whose data.
import { SESSIONS, STATELESS } from '../clients.mjs';
import { unless, Visit } from './visit.mjs';

export async function* userVisits(gateway, client) {
  for (const name of ['memory', 'memory-session']) yield* memory(name, gateway, client);
  for (const name of ['typescript', 'typescript-user', 'typescript-shared']) yield* notes(name, gateway, client);
}

/** Each user's graph is in a file of the user's own; both come, and the first comes back. */
function* memory(name, { urls }, client) {
  const mark = `${name} ${client.name} ${client.era}`.replaceAll(/[^a-z0-9]+/gi, '-');
  const [ann, ben] = [`ann-${mark}`, `ben-${mark}`];
  const visit = (user) => new Visit(name, urls[name], client, { login: true, user });
  const entity = (user) => ({ name: 'create_entities', arguments: { entities: [{ name: `of ${user}`, entityType: 'secret', observations: [] }] } });
  const graph = (answer) => JSON.stringify(answer?.value ?? answer?.error ?? 'no answer');

  const first = visit(ann);
  first.step('write', entity(ann));
  first.case('a user writes', (report, { write }) => [
    ...first.arrival(report, { protocol: SESSIONS, tools: ['create_entities', 'read_graph'] }),
    ...unless(graph(write).includes(ann), graph(write)),
  ], (_, { write }) => graph(write));
  yield first;

  const second = visit(ben);
  second.step('before', { name: 'read_graph' });
  second.step('write', entity(ben));
  second.step('after', { name: 'read_graph' });
  second.case('another user sees nothing of it', (_, { before, after }) => [
    ...unless(graph(before).includes('"entities":[]') || graph(before).includes('\\"entities\\": []'), graph(before)),
    ...unless(graph(after).includes(ben) && !graph(after).includes(ann), graph(after)),
  ], (_, { before, after }) => `${graph(before)} then ${graph(after)}`);
  yield second;

  const third = visit(ann);
  third.step('read', { name: 'read_graph' });
  third.case('the first user finds it again', (_, { read }) => unless(graph(read).includes(ann) && !graph(read).includes(ben), graph(read)), (_, { read }) => graph(read));
  yield third;
}

/** What a server keeps in memory belongs to those who share the process. */
function* notes(name, { urls, tokens }, client) {
  const mark = `${client.name} ${client.era}`;
  const visit = (user) => new Visit(name, urls[name], client, { token: tokens[name][user] });
  const read = (user, is, what) => {
    const reader = visit(user);
    reader.step('notes', { name: 'notes' });
    reader.case(what, (report, { notes }) => [
      ...unless(!report.error && notes?.value !== undefined, reader.text(notes)),
      ...unless(reader.text(notes).includes(mark) === is, reader.text(notes)),
    ], (_, { notes }) => reader.text(notes));
    return reader;
  };
  const writer = visit('alice');
  writer.step('note', { name: 'note', arguments: { text: mark } });
  writer.says('a note is kept', 'note', 'noted');
  yield writer;
  const isShared = name === 'typescript-shared';
  yield read('bob', isShared, isShared ? 'shared: everybody reads it' : 'nobody else reads it');
  // Without sessions a principal is the least that a process can belong to.
  const comesBack = name !== 'typescript' || client.era === STATELESS;
  yield read('alice', comesBack, comesBack ? 'its writer reads it again' : 'another session does not read it');
}
