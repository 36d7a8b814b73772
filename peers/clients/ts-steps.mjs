// What the TypeScript SDKs do once they are connected: steps, answers to what servers ask, and what they hear.
import { setTimeout as pause } from 'node:timers/promises';

const PATIENCE_MS = 10_000;
const CAPABILITIES = { sampling: {}, elicitation: { form: {} } };

const METHODS = {
  'completion/complete': (client, params) => client.complete(params),
  'logging/setLevel': (client, { level }) => client.setLoggingLevel(level),
  'prompts/get': (client, params) => client.getPrompt(params),
  'prompts/list': (client) => client.listPrompts(),
  'resources/list': (client) => client.listResources(),
  'resources/read': (client, params) => client.readResource(params),
  'resources/subscribe': (client, params) => client.subscribeResource(params),
  'resources/templates/list': (client) => client.listResourceTemplates(),
};

/** Answers that never change. */
const REPLIES = {
  'sampling/createMessage': () => ({ model: 'peers', role: 'assistant', content: { type: 'text', text: 'sampled by the client' } }),
  'elicitation/create': () => ({ action: 'accept', content: { name: 'Ada' } }),
};

/** A client of either SDK, and what it heard. `types` is v1's module of schemas. */
export function makeClient({ Client, types, name, options }) {
  const client = new Client({ name, version: '1' }, { capabilities: CAPABILITIES, ...options });
  const schemas = types && { 'sampling/createMessage': types.CreateMessageRequestSchema, 'elicitation/create': types.ElicitRequestSchema };
  for (const [method, reply] of Object.entries(REPLIES)) client.setRequestHandler(schemas?.[method] ?? method, reply);
  const heard = [];
  client.fallbackNotificationHandler = async (note) => { heard.push(note); };
  return { client, heard };
}

/** Takes one step. Returns `{ value, progress }`, or `{ error }` where a tool said that it failed; else throws. */
export async function take(session, step) {
  const { client, heard, hasSchemas } = session;
  if (step.all) return { value: (await Promise.all(step.all.map((each) => take(session, each)))).map(({ value }) => value) };
  if (step.heard) return { value: await note(heard, step.heard) };
  if (step.signal) return { value: (await fetch(step.signal)).status };
  if (step.listen) return { value: Boolean(await client.listen(step.listen)) };
  if (step.method) return { value: await METHODS[step.method](client, step.params ?? {}) };
  const progress = [];
  const abort = new AbortController();
  const onprogress = (seen) => {
    progress.push(seen.progress);
    if (step.cancel) abort.abort('no longer wanted');
  };
  const options = { signal: abort.signal, onprogress };
  const params = { name: step.name, arguments: step.arguments ?? {} };
  const call = hasSchemas ? client.callTool(params, undefined, options) : client.callTool(params, options);
  const answer = await call.catch((error) => {
    if (!abort.signal.aborted) throw error;
    return { cancelled: { type: error.constructor.name, message: error.message } };
  });
  if (answer.cancelled) return { error: answer.cancelled, progress };
  const text = answer.content?.[0]?.text;
  if (answer.isError) return { error: { type: 'isError', message: text }, progress };
  return { value: answer.structuredContent ?? text, progress };
}

/** The first notification of a method, waited for. */
async function note(heard, method) {
  for (let waited = 0; waited < PATIENCE_MS; waited += 50) {
    const found = heard.find((each) => each.method === method);
    if (found) return found.params;
    await pause(50);
  }
  throw new Error(`no ${method}`);
}
