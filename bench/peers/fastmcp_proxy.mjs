// TypeScript FastMCP's OAuth proxy, in memory, with a tool that has the upstream's token. Prints {"issuer": "..", "resource": ".."}.
//
//   PACKAGES=node_modules node fastmcp_proxy.mjs PORT UPSTREAM
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const packages = createRequire(pathToFileURL(`${process.env.PACKAGES}/`));
const { FastMCP, OAuthProvider } = await import(pathToFileURL(packages.resolve('fastmcp')));
const { z } = await import(pathToFileURL(packages.resolve('zod')));

const [port, upstream] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const quiet = () => {};

const server = new FastMCP({
  name: 'bench',
  version: '1.0.0',
  logger: { debug: quiet, error: quiet, info: quiet, log: quiet, warn: quiet },
  auth: new OAuthProvider({
    authorizationEndpoint: `${upstream}/authorize`,
    baseUrl: issuer,
    clientId: 'proxy',
    clientSecret: 'proxy-secret',
    scopes: ['openid', 'notes:read'],
    tokenEndpoint: `${upstream}/token`,
  }),
});
server.addTool({
  name: 'echo',
  description: 'Say it again',
  parameters: z.object({ text: z.string() }),
  execute: async ({ text }, { session }) => {
    if (!session?.accessToken?.startsWith('eyJ')) throw new Error('no token of the upstream');
    return text;
  },
});
await server.start({ transportType: 'httpStream', httpStream: { enableJsonResponse: true, host: '127.0.0.1', port: Number(port) } });
console.log(JSON.stringify({ issuer, resource: `${issuer}/mcp` }));
