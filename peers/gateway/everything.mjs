// The server that has everything of the older era, on stdio and over HTTP.
import { SESSIONS } from '../clients.mjs';
import { faults } from '../wire.mjs';
import { CANARY } from './start.mjs';
import { unless, Visit } from './visit.mjs';

const RESOURCE = 'demo://resource/dynamic/text/7';

/** It knows sessions alone: whoever asks for the newer era falls back. */
export function* everythingVisits(gateway, client) {
  for (const name of ['everything', 'everything-http', 'everything-sse']) {
    yield features(name, gateway, client);
    if (client.refreshes) yield refreshed(name, gateway, client);
  }
}

/** A client of the oldest transport, in front of each of the three. */
export function* oldVisits({ urls }, client) {
  for (const name of ['everything', 'everything-http', 'everything-sse']) {
    const visit = new Visit(name, `${urls[name]}/sse`, client, { sse: true, login: true });
    visit.step('echo', { name: 'echo', arguments: { message: 'hello' } });
    visit.step('resource', { method: 'resources/read', params: { uri: RESOURCE } });
    visit.step('long', { name: 'trigger-long-running-operation', arguments: { duration: 0.2, steps: 4 } });
    visit.step('sampling', { name: 'trigger-sampling-request', arguments: { prompt: 'hi', maxTokens: 10 } });
    visit.case('whole login, over HTTP+SSE', (report) => visit.arrival(report, { protocol: report.protocol, tools: ['echo'] }));
    visit.says('tool', 'echo', 'Echo: hello');
    visit.says('resource of a template', 'resource', 'Resource 7');
    visit.case('progress', (_, { long }) => unless(/^1,2,3(,4)?$/.test(long?.progress), `progress ${long?.progress}`), (_, { long }) => visit.text(long));
    visit.says('sampling', 'sampling', 'sampled by the client');
    yield visit;
  }
}

/** The access token dies; the client gets a new one, and goes on in the session that it has. */
function refreshed(name, { urls }, client) {
  const visit = new Visit(name, urls[name], client, { login: true, spoil: true });
  visit.step('echo', { name: 'echo', arguments: { message: 'again' } });
  visit.case('a session outlives its token', (report, { echo }) => [
    ...faults(report.refused.at(-1), { url: urls[name], status: 401, error: 'invalid_token', scope: 'mcp:read' }),
    ...unless(report.asked.length === 1, `${report.asked.length} logins`),
    ...unless(visit.text(echo) === 'Echo: again', visit.text(echo)),
  ], (report, { echo }) => `${report.refused.length} refusals, ${report.asked.length} login, ${visit.text(echo)}`);
  return visit;
}

function features(name, { urls }, client) {
  const visit = new Visit(name, urls[name], client, { login: true });
  const tool = (step, tool, input) => visit.step(step, { name: tool, ...(input && { arguments: input }) });
  const request = (step, method, params) => visit.step(step, { method, params });
  tool('echo', 'echo', { message: 'hello' });
  request('prompts', 'prompts/list');
  request('prompt', 'prompts/get', { name: 'args-prompt', arguments: { city: 'Oslo' } });
  request('resource', 'resources/read', { uri: RESOURCE });
  request('templates', 'resources/templates/list');
  request('completion', 'completion/complete', { ref: { type: 'ref/prompt', name: 'completable-prompt' }, argument: { name: 'department', value: 'Eng' } });
  tool('long', 'trigger-long-running-operation', { duration: 0.2, steps: 4 });
  tool('sampling', 'trigger-sampling-request', { prompt: 'hi', maxTokens: 10 });
  tool('elicitation', 'trigger-elicitation-request');
  // Longer than the gateway waits with the head of its answer, which becomes a stream then.
  if (name === 'everything') tool('silent', 'trigger-long-running-operation', { duration: 2.4, steps: 1 });
  visit.step('cancelled', { name: 'trigger-long-running-operation', arguments: { duration: 20, steps: 400 }, cancel: true });
  request('level', 'logging/setLevel', { level: 'debug' });
  tool('logging', 'toggle-simulated-logging');
  visit.step('logged', { heard: 'notifications/message' });
  tool('quiet', 'toggle-simulated-logging');
  request('subscribe', 'resources/subscribe', { uri: RESOURCE });
  tool('updates', 'toggle-subscriber-updates');
  visit.step('updated', { heard: 'notifications/resources/updated' });
  tool('no updates', 'toggle-subscriber-updates');
  tool('environment', 'get-env');

  visit.case('whole login, fallback to sessions', (report) => visit.arrival(report, { protocol: SESSIONS, tools: ['echo', 'trigger-sampling-request'] }));
  visit.says('tool', 'echo', 'Echo: hello');
  visit.says('list of prompts', 'prompts', 'args-prompt');
  visit.says('prompt', 'prompt', 'Oslo');
  visit.says('resource of a template', 'resource', 'Resource 7');
  visit.says('templates', 'templates', 'demo://resource/dynamic/text/{resourceId}');
  visit.says('completion', 'completion', 'Engineering');
  // rmcp hands out the last one beside the answer, now and then behind it.
  visit.case('progress', (_, { long }) => unless(/^1,2,3(,4)?$/.test(long?.progress), `progress ${long?.progress}`), (_, { long }) => visit.text(long));
  if (name === 'everything') visit.says('a late answer', 'silent', 'completed');
  visit.says('sampling', 'sampling', 'sampled by the client');
  visit.says('elicitation', 'elicitation', 'User provided');
  visit.case('cancellation', (_, { cancelled, level }) => [
    ...unless(cancelled?.error, `the call ended: ${visit.text(cancelled)}`),
    ...unless(cancelled?.progress?.length, 'no progress'),
    ...unless(level && !level.error, `afterwards: ${visit.text(level)}`),
  ], (_, { cancelled }) => visit.text(cancelled));
  visit.case('log messages', (_, { level, logged }) => unless(level?.value && logged?.value, visit.text(logged)), (_, { logged }) => visit.text(logged));
  visit.says('subscription', 'updated', RESOURCE);
  // Over HTTP the environment is not the gateway's to give.
  if (name === 'everything') visit.case('environment', (_, { environment }) => surroundings(visit.text(environment)), (_, { environment }) => visit.text(environment));
  return visit;
}

function surroundings(text) {
  return [
    ...unless(text.includes('PATH'), 'it has no environment'),
    ...unless(!text.includes(CANARY), "it has the gateway's"),
    ...unless(!text.includes('eyJ'), 'it has a token'),
  ];
}
