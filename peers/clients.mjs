// Clients that others wrote, each a program that takes jobs and gives reports.
import { fileURLToPath } from 'node:url';

export const SESSIONS = '2025-11-25';
export const STATELESS = '2026-07-28';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** A script beside this one, as Node's arguments. */
export const script = (name, ...args) => [...process.execArgv, path(name), ...args];

/** The person in front of a browser, as a command that takes a URL. */
export const PERSON = [process.execPath, ...script('user-agent.mjs')];

/** FastMCP as a program; `person` is what it finds in place of a browser. */
export const fastmcp = (python, person = PERSON) => [python, [path('clients/py_client.py'), ...person]];

/**
 * All of them. `sse`: it speaks the transport of 2024-11-05. `refreshes`: it uses a refresh token on a 401. `stepUp`:
 * does a call that lacks a scope succeed in the end, and how many times is it refused; `afresh`: the same for a client
 * without a refresh token. TypeScript SDK v1 answers the challenge with its refresh token, which brings no new scope;
 * over HTTP+SSE it knows no 403.
 */
export function clients({ python, rmcp }) {
  return [
    {
      name: 'TypeScript SDK v1',
      command: [process.execPath, script('clients/ts-client.mjs', 'v1')],
      eras: [SESSIONS],
      refreshes: true,
      stepUp: { succeeds: false, refusals: 2 },
    },
    {
      name: 'TypeScript SDK v2',
      command: [process.execPath, script('clients/ts-client.mjs', 'v2')],
      eras: [SESSIONS, STATELESS],
      refreshes: true,
      stepUp: { succeeds: true, refusals: 1 },
    },
    {
      name: 'FastMCP (Python)',
      command: fastmcp(python),
      eras: [SESSIONS, STATELESS],
      refreshes: false,
      stepUp: { succeeds: true, refusals: 1 },
    },
    {
      name: 'rmcp',
      command: [rmcp, [...PERSON, '--print']],
      eras: [SESSIONS, STATELESS],
      refreshes: false,
      stepUp: { succeeds: true, refusals: 1 },
    },
    {
      name: 'TypeScript SDK v1, HTTP+SSE',
      command: [process.execPath, script('clients/ts-client.mjs', 'v1')],
      eras: [SESSIONS],
      sse: true,
      refreshes: true,
      stepUp: { succeeds: false, refusals: 1 },
      afresh: { succeeds: false, refusals: 1 },
    },
    {
      name: 'FastMCP (Python), HTTP+SSE',
      command: fastmcp(python),
      eras: [SESSIONS],
      sse: true,
      refreshes: false,
      stepUp: { succeeds: true, refusals: 1 },
    },
  ];
}
