// The MCP clients that sign in at our own authorization server.
import { clients, fastmcp, PERSON, script, SESSIONS, STATELESS } from '../clients.mjs';

const BOTH = [SESSIONS, STATELESS];

/** mcp-remote and the Inspector; `person` is what they find in place of a browser. */
const remote = (person = PERSON) => [process.execPath, script('clients/remote.mjs', ...person)];
const inspector = (person = PERSON) => [process.execPath, script('clients/inspector.mjs', ...person)];

/**
 * Each with its own `user`. `signsInAgain: false`: a token that is dead for good ends its work. `keepsRefreshing`: it
 * answers a challenge for more scopes with its refresh token, if it has one, and so never gets them.
 */
export function headless(programs) {
  const others = clients(programs).filter(({ sse }) => !sse).map((client) => ({
    ...client,
    signsInAgain: client.name !== 'rmcp',
    keepsRefreshing: !client.stepUp.succeeds,
  }));
  return [
    ...others,
    { name: 'mcp-remote', command: remote(), eras: BOTH },
    { name: 'Inspector', command: inspector(), eras: BOTH },
  ].map(withUser);
}

/** Those that open a browser themselves, in front of Chromium. `signal` is where windows are opened. */
export function inChromium({ python }, signal) {
  const person = [process.execPath, ...script('clients/window.mjs', signal)];
  return [
    { name: 'FastMCP (Python), Chromium', command: fastmcp(python, person), eras: BOTH },
    { name: 'mcp-remote, Chromium', command: remote(person), eras: BOTH },
    { name: 'Inspector, Chromium', command: inspector(person), eras: BOTH },
  ].map(withUser);
}

function withUser(client) {
  return { ...client, user: client.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replace(/-$/, '') };
}
