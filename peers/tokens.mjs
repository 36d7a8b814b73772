// Every kind of token that a server meets, each issued by a real provider.
import { login, claims } from './login.mjs';

const TWO_HOURS = 7200;

/** Scopes: the server asks for `mcp:read`, the tool `admin_only` for `mcp:admin` too. */
export const SCOPES = ['mcp:read', 'mcp:write', 'mcp:admin'];

export async function collect({ idp, stranger, resource, foreign }) {
  const issue = async (options, provider = idp) => login(provider, { resource, scope: 'openid mcp:read', ...options });
  const { access_token: reader, id_token: identity } = await issue({ user: 'bob' });
  const token = async (options, provider) => (await issue(options, provider)).access_token;
  const issued = claims(reader);
  return {
    reader,
    identity,
    reissued: idp.reissue(issued),
    expired: idp.reissue({ ...issued, iat: issued.iat - TWO_HOURS, exp: issued.exp - TWO_HOURS }),
    // Each is wrong in one point alone, so that nothing else refuses it.
    relabelled: idp.reissue({ ...issued, iss: stranger.issuer }),
    dressedUp: idp.reissue({ ...claims(identity), aud: resource, scope: issued.scope, client_id: issued.client_id }, 'JWT'),
    tampered: tampered(reader),
    admin: await token({ scope: 'mcp:read mcp:admin' }),
    writer: await token({ scope: 'mcp:write' }),
    wrongAudience: await token({ resource: foreign }),
    wrongIssuer: await token({}, stranger),
  };
}

/** One bit of the signature turned over. */
function tampered(token) {
  const [header, payload, signature] = token.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  bytes[8] ^= 1;
  return `${header}.${payload}.${bytes.toString('base64url')}`;
}
