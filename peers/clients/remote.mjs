#!/usr/bin/env node
// mcp-remote, the bridge that brings a remote server to a client on stdio. One JSON job a line on stdin, one JSON report
// a line on stdout.
//
//   node remote.mjs BROWSER...      BROWSER is the command that opens an authorization URL
//
// Jobs and reports are those of `ts-client.mjs`, as far as the client on stdio sees them: `asked` holds the scope of every
// authorization request, `refused` stays empty. The bridge keeps its tokens in a folder that ends with the job.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import * as types from '@modelcontextprotocol/sdk/types.js';
import { freePort } from '../processes.mjs';
import { Opener } from './opener.mjs';
import { makeClient, take } from './ts-steps.mjs';

const PROGRAM = `${process.env.PEERS_PACKAGES}/node_modules/mcp-remote/dist/proxy.js`;
const person = process.argv.slice(2);

async function work(job) {
  const report = { answers: [], asked: [], refused: [] };
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-peers-'));
  const opener = new Opener(folder, person, job.user);
  const env = { ...process.env, ...opener.env, MCP_REMOTE_CONFIG_DIR: folder };
  const protocol = job.era === '2026-07-28' ? ['--protocol', 'auto'] : [];
  // A port of its own: by itself it has one for each server, and two bridges to the same one would share it.
  const transport = new StdioClientTransport({ command: process.execPath, args: [PROGRAM, job.url, String(await freePort()), ...protocol], env, stderr: 'pipe' });
  const said = [];
  transport.stderr.on('data', (text) => said.push(String(text)));
  const { client, heard } = makeClient({ Client, types, name: 'remote' });
  try {
    await client.connect(transport);
    report.protocol = job.era;
    report.tools = (await client.listTools()).tools.map((tool) => tool.name);
    for (const call of job.calls ?? []) report.answers.push(await step({ client, heard }, call));
  } catch (error) {
    report.error = { type: error.constructor.name, code: error.code, message: `${error.message} ${said.join('').slice(-1500)}${opener.complaints()}` };
  } finally {
    await client.close().catch(() => {});
    report.asked = opener.asked();
    rmSync(folder, { recursive: true, force: true });
  }
  return report;
}

async function step(session, call) {
  try {
    return await take({ ...session, hasSchemas: true }, call);
  } catch (error) {
    return { error: { type: error.constructor.name, code: error.code, message: error.message } };
  }
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await work(JSON.parse(line))));
