#!/usr/bin/env node
// The TypeScript SDKs as MCP clients. One JSON job a line on stdin, one JSON report a line on stdout.
//
//   node ts-client.mjs v1|v2        v1 is @modelcontextprotocol/sdk, v2 is @modelcontextprotocol/client
//
//   job     {"url", "era"?: "2026-07-28", "sse"?: true, "token"?, "login"?: true, "user"?, "refresh"?: false,
//            "spoil"?: true, "calls"?: [..]}
//   report  {"protocol", "tools", "answers", "asked", "refused", "error"?}
//
// With `sse` it speaks the transport of 2024-11-05 (v1). With `login` the SDK goes the whole way by itself, as `user`
// (alice), registered for refresh tokens unless `refresh` is false; with `token` it sends that one; else none. `spoil`
// breaks the access token before the first call. A call is
//
//   {"name", "arguments"?, "cancel"?: true}    a tool; `cancel` takes it back at the first sign of progress
//   {"method", "params"?}                      any other request
//   {"all": [CALL]}                            tools, all at the same time
//   {"heard": METHOD}                          waits for a notification
//   {"listen": FILTER}                         opens a stream of changes (2026-07-28)
//   {"signal": URL}                            tells whoever gave the job how far it is, and waits for the answer
//
// and its answer {"value"} or {"error"}, with {"progress"} of a tool. `asked` holds the scope of every authorization
// request, `refused` every answer of the MCP server that was 401 or 403, `error` what the SDK raised, as it raised it.
import { createInterface } from 'node:readline';
import { authorize } from '../user-agent.mjs';
import { makeClient, take } from './ts-steps.mjs';

const version = process.argv[2];
const { Client, StreamableHTTPClientTransport, SSEClientTransport } = version === 'v1'
  ? { ...(await import('@modelcontextprotocol/sdk/client/index.js')), ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')), ...(await import('@modelcontextprotocol/sdk/client/sse.js')) }
  : await import('@modelcontextprotocol/client');
const types = version === 'v1' ? await import('@modelcontextprotocol/sdk/types.js') : undefined;

async function work(job) {
  const report = { answers: [], asked: [], refused: [] };
  const person = job.login && new Person(job, report);
  const Transport = job.sse ? SSEClientTransport : StreamableHTTPClientTransport;
  const transport = () => new Transport(new URL(job.url), { ...credentials(job, person), fetch: watched(job.url, report) });
  const session = new Session(transport, person, job.era);
  try {
    await session.connect();
    report.protocol = session.protocol;
    report.tools = (await session.client.listTools()).tools.map((tool) => tool.name);
    if (job.spoil) person.spoil();
    for (const call of job.calls ?? []) report.answers.push(await session.take(call));
  } catch (error) {
    report.error = described(error);
  } finally {
    await session.leave();
  }
  return report;
}

/** A client that, sent to sign in, does so and tries again. */
class Session {
  constructor(transport, person, era) {
    Object.assign(this, { transport, person, era });
  }

  async connect() {
    this.current = this.transport();
    const options = this.era === '2026-07-28' ? { versionNegotiation: { mode: 'auto' } } : {};
    Object.assign(this, makeClient({ Client, types, name: `ts-${version}`, options }));
    try {
      await this.client.connect(this.current);
    } catch (error) {
      await this.#signIn(error);
      return this.connect();
    }
  }

  get protocol() {
    return this.client.getNegotiatedProtocolVersion?.() ?? this.current.protocolVersion ?? this.current._protocolVersion;
  }

  async take(call) {
    try {
      return await take({ client: this.client, heard: this.heard, hasSchemas: Boolean(types) }, call);
    } catch (error) {
      if (!this.person?.callback) return { error: described(error) };
      await this.#signIn(error);
      return this.take(call);
    }
  }

  /** Ends the session too, if there is one and the server still knows it. */
  async leave() {
    await this.current?.terminateSession?.().catch(() => {});
    await this.client?.close();
  }

  async #signIn(error) {
    const { callback } = this.person ?? {};
    if (!callback) throw error;
    const { searchParams } = callback.url;
    await this.current.finishAuth(version === 'v1' ? searchParams.get('code') : searchParams);
    this.person.callback = undefined;
  }
}

/** What an application adds to the SDK: a memory, and somebody in front of the browser. */
class Person {
  redirectUrl = 'http://127.0.0.1:9876/callback';
  #client;
  #tokens;
  #verifier;
  #discovery;

  constructor({ refresh = true, user }, report) {
    Object.assign(this, { refresh, user, report });
  }

  get clientMetadata() {
    return {
      client_name: `ts-${version}`,
      redirect_uris: [this.redirectUrl],
      grant_types: this.refresh ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    };
  }

  state() { return crypto.randomUUID(); }
  clientInformation() { return this.#client; }
  saveClientInformation(value) { this.#client = value; }
  tokens() { return this.#tokens; }
  saveTokens(value) { this.#tokens = value; }
  codeVerifier() { return this.callback?.verifier ?? this.#verifier; }
  saveCodeVerifier(value) { this.#verifier = value; }
  invalidateCredentials(what) {
    if (what === 'all' || what === 'client') this.#client = undefined;
    if (what === 'all' || what === 'tokens') this.#tokens = undefined;
  }
  discoveryState() { return this.#discovery; }
  saveDiscoveryState(value) { this.#discovery = value; }

  async redirectToAuthorization(url) {
    // A call and the stream, refused at once, are two walks; each has a verifier of its own.
    const verifier = this.#verifier;
    this.report.asked.push(url.searchParams.get('scope'));
    this.callback = { url: await authorize(url, this.user), verifier };
  }

  spoil() {
    this.#tokens = { ...this.#tokens, access_token: 'spoilt' };
  }
}

function credentials({ token }, person) {
  if (person) return { authProvider: person };
  return token ? { requestInit: { headers: { authorization: `Bearer ${token}` } } } : {};
}

/** `fetch` that notes each refusal of the MCP server. */
function watched(url, report) {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (isOurs(input, url) && [401, 403].includes(response.status)) {
      report.refused.push({ method: init?.method ?? 'GET', status: response.status, challenge: response.headers.get('www-authenticate') });
    }
    return response;
  };
}

/** The MCP endpoint, or where messages go that are answered on its stream. */
function isOurs(input, url) {
  return String(input) === url || new URL(input).pathname === '/messages';
}

function described(error) {
  const status = error.status ?? error.data?.status;
  return { type: error.constructor.name, code: error.code, status, message: error.message };
}

// Last, for classes exist only below their definition.
for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await work(JSON.parse(line))));
