// What each client must meet behind the gateway. A visit is a job for the client, and the rows that its report makes.
import { spoken } from '../cases.mjs';
import { SESSIONS, STATELESS } from '../clients.mjs';
import { faults } from '../wire.mjs';
import { everythingVisits } from './everything.mjs';
import { LARGE_TEXT } from './start.mjs';
import { userVisits } from './users.mjs';
import { unless, Visit } from './visit.mjs';

/** All visits of one client. Some need what an earlier one was told. */
export async function* visits(gateway, client) {
  yield* everythingVisits(gateway, client);
  yield files(gateway, client);
  yield filesOfBob(gateway, client);
  yield* typescript(gateway, client);
  yield* python(gateway, client);
  yield* headers(gateway, client);
  yield foreign(gateway, client);
  yield* userVisits(gateway, client);
}

/** So many calls run at the same time. */
const MANY = 25;

/** A rule by pattern: the scope that is missing is asked for, and the work goes on. */
function files({ urls, folder }, client) {
  const file = `${folder}/${client.name}-${client.era}.txt`;
  const visit = new Visit('files', urls.files, client, { login: true, refresh: false });
  visit.step('write', { name: 'write_file', arguments: { path: file, content: 'kept' } });
  visit.step('read', { name: 'read_text_file', arguments: { path: file } });
  visit.step('large', { name: 'read_text_file', arguments: { path: `${folder}/large` } });
  visit.case('a large answer', (_, { large }) => unless(visit.text(large) === LARGE_TEXT, `${visit.text(large).length} characters, not ${LARGE_TEXT.length}`), (_, { large }) => `${visit.text(large).length} characters`);
  visit.case('whole login, fallback to sessions', (report) => visit.arrival(report, { protocol: SESSIONS, tools: ['write_file', 'read_text_file', 'move_file'] }));
  visit.case('step-up by a rule', (report, answers) => {
    const seen = report.refused.filter(({ challenge }) => challenge?.includes('insufficient_scope'));
    return [
      ...faults(seen[0], { url: urls.files, status: 403, error: 'insufficient_scope', scope: 'mcp:read mcp:write' }),
      ...unless(seen.length === 1, `${seen.length} times 403`),
      ...unless(/wrote/i.test(visit.text(answers.write)), `write: ${visit.text(answers.write)}`),
      ...unless(visit.text(answers.read) === 'kept', `read: ${visit.text(answers.read)}`),
    ];
  }, ({ asked }, answers) => `asked for ${asked.map((scope) => `"${scope}"`).join(', then ')}: ${visit.text(answers.write)}`);
  return visit;
}

/** A rule by role: who lacks it never learns of the tool. */
function filesOfBob({ urls, tokens, folder }, client) {
  const visit = new Visit('files', urls.files, client, { token: tokens.files.bob });
  const input = { source: `${folder}/a`, destination: `${folder}/b` };
  visit.step('hidden', { name: 'move_file', arguments: input });
  visit.step('missing', { name: 'missing_tool', arguments: input });
  visit.case('a tool that a role hides', (report, answers) => [
    ...unless(report.tools?.includes('write_file'), `lists ${report.tools}`),
    ...unless(!report.tools?.includes('move_file'), 'the tool is listed'),
    ...unless(answers.hidden?.error, 'the tool answers'),
    ...unless(!visit.text(answers.hidden).includes(folder), `the tool ran: ${visit.text(answers.hidden)}`),
    ...unless(/unknown|not found/i.test(visit.text(answers.hidden)), `not as if it were missing: ${visit.text(answers.hidden)}`),
  ], (_, answers) => visit.text(answers.hidden));
  return visit;
}

/** A server of both eras: a client gets the one it asks for. */
function* typescript(gateway, client) {
  for (const name of ['typescript', 'typescript-http']) yield typescriptAt(name, gateway, client);
  yield afterTheEnd(gateway, client);
}

function typescriptAt(name, { urls }, client) {
  const isHttp = name.endsWith('http');
  const [isStateless, key] = [client.era === STATELESS, `${name} ${client.name} ${client.era}`];
  const visit = new Visit(name, urls[name], client, { login: true });
  visit.step('echo', { name: 'echo', arguments: { text: key } });
  const texts = Array.from({ length: MANY }, (_, at) => `${key} ${at}`);
  visit.step('all', { all: texts.map((text) => ({ name: 'echo', arguments: { text } })) });
  // Over HTTP this server keeps nothing for the older era: what it would ask of a client, it cannot.
  const remembers = isStateless || !isHttp;
  if (remembers) {
    visit.step('ask', { name: 'ask' });
    visit.step('slow', { name: 'slow', arguments: { key }, cancel: true });
    visit.step('abandoned', { name: 'abandoned', arguments: { key } });
  }
  if (isStateless) {
    visit.step('listen', { listen: { resourceSubscriptions: ['notes://all'] } });
    visit.step('note', { name: 'note', arguments: { text: key } });
    visit.step('heard', { heard: 'notifications/resources/updated' });
  }
  visit.case('whole login', (report, answers) => [
    ...visit.arrival(report, { protocol: client.era, tools: ['echo', 'ask'] }),
    ...unless(visit.text(answers.echo) === key, `echo: ${visit.text(answers.echo)}`),
  ]);
  visit.case('many calls at the same time', (_, { all }) => unless(all?.value?.map((value) => value?.result ?? value).join() === texts.join(), visit.text(all)), (_, { all }) => visit.text(all));
  if (remembers) {
    visit.says('elicitation', 'ask', 'hello, Ada');
    visit.case('cancellation', (_, answers) => [
      ...unless(answers.slow?.error, `the call ended: ${visit.text(answers.slow)}`),
      ...unless(answers.slow?.progress?.length, 'no progress'),
      ...unless(visit.text(answers.abandoned) === 'true', 'the server did not hear of it'),
    ], (_, answers) => visit.text(answers.slow));
  }
  if (isStateless) visit.says('stream of changes', 'heard', 'notes://all');
  return visit;
}

/** A process that ends takes its sessions with it; whoever comes back gets another. */
function afterTheEnd({ urls }, client) {
  const visit = new Visit('typescript', urls.typescript, client, { login: true });
  visit.step('quit', { name: 'quit' });
  visit.step('echo', { name: 'echo', arguments: { text: 'again' } });
  visit.case('a process that ends', (_, answers) => [
    ...unless(answers.quit?.error, 'the call that ended it succeeded'),
    // A session ended with it (404): only some clients open another by themselves.
    ...unless(client.era === SESSIONS || visit.text(answers.echo) === 'again', `then: ${visit.text(answers.echo)}`),
  ], (_, answers) => `${visit.text(answers.quit)}; then: ${visit.text(answers.echo)}`);
  return visit;
}

function* python({ urls }, client) {
  for (const name of ['python', 'python-http']) {
    const key = `${name} ${client.name} ${client.era}`;
    const visit = new Visit(name, urls[name], client, { login: true });
    visit.step('echo', { name: 'echo', arguments: { text: key } });
    visit.step('prompt', { method: 'prompts/get', params: { name: 'greeting', arguments: { name: 'Ada' } } });
    visit.step('resource', { method: 'resources/read', params: { uri: 'greeting://Ada' } });
    visit.step('slow', { name: 'slow', arguments: { key }, cancel: true });
    visit.step('abandoned', { name: 'abandoned', arguments: { key } });
    visit.case('whole login', (report, answers) => [
      ...visit.arrival(report, { protocol: client.era, tools: ['echo', 'slow'] }),
      ...unless(visit.text(answers.echo) === key, `echo: ${visit.text(answers.echo)}`),
    ]);
    visit.says('prompt', 'prompt', 'Greet Ada');
    visit.says('resource of a template', 'resource', 'Hello, Ada');
    visit.case('cancellation', (_, answers) => [
      ...unless(answers.slow?.error, `the call ended: ${visit.text(answers.slow)}`),
      ...unless(visit.text(answers.abandoned) === 'true', 'the server did not hear of it'),
    ], (_, answers) => visit.text(answers.slow));
    yield visit;
  }
}

/** The server behind learns of nobody's credentials, and of the caller what is configured. */
function* headers({ urls }, client) {
  for (const name of ['headers', 'headers-identity']) {
    const visit = new Visit(name, urls[name], client, { login: true });
    visit.step('headers', { name: 'headers' });
    const fields = (answers) => Object.fromEntries(answers.headers?.value?.fields ?? []);
    visit.case('what the server behind receives', (report, answers) => {
      const seen = fields(answers);
      const told = Object.keys(seen).filter((field) => /authorization|cookie|token|forwarded|origin/.test(field));
      return [
        ...visit.arrival(report, { protocol: SESSIONS, tools: ['headers'] }),
        ...unless(seen['content-type'], 'no header fields came back'),
        ...unless(!told.length, `received ${told}`),
        ...unless(!JSON.stringify(seen).includes('eyJ'), 'received a token'),
        ...unless(seen['x-user'] === (name === 'headers' ? undefined : 'alice'), `x-user is ${seen['x-user']}`),
      ];
    }, (_, answers) => Object.keys(fields(answers)).join(' '));
    yield visit;
  }
}

/** A token is for one server, not for its neighbour (MT-05). */
function foreign({ urls, tokens }, client) {
  const visit = new Visit('files', urls.files, client, { token: tokens.everything.alice });
  visit.case('token of another server', (report) => [
    ...unless(report.error, 'the client raised nothing'),
    ...report.refused.flatMap((seen) => faults(seen, { url: urls.files, status: 401, error: 'invalid_token', scope: 'mcp:read' })),
    ...unless(report.refused.length, 'no refusal'),
  ], ({ error }) => spoken(error));
  return visit;
}
