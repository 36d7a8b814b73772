// Makes a key pair, writes the public key to FILE as PEM, and prints an access token (RFC 9068) that it verifies.
//
//   node token.mjs FILE ISSUER AUDIENCE
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const [file, iss, aud] = process.argv.slice(2);
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
writeFileSync(file, publicKey.export({ type: 'spki', format: 'pem' }));

const now = Math.floor(Date.now() / 1000);
const header = { alg: 'ES256', typ: 'at+jwt' };
const claims = { iss, aud, sub: 'suite', client_id: 'suite', iat: now, exp: now + 3600, jti: randomUUID() };
const encoded = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
const signature = sign('sha256', Buffer.from(encoded), { key: privateKey, dsaEncoding: 'ieee-p1363' });
console.log(`${encoded}.${signature.toString('base64url')}`);
