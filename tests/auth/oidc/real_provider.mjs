// The npm package `oidc-provider` as an issuer on loopback, with the login and consent pages it brings for development.
// Each line on standard input is a JSON object {clients, accounts, alg}: the issuer starts anew by it, with fresh
// keys, at the same address. Each is answered by a line: the address of the issuer.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const found = createRequire(`${process.env.OIDC_PROVIDER_MODULES}/`).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(found));

const kinds = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
  Ed25519: ['ed25519', {}],
};

function key(alg) {
  const { privateKey } = generateKeyPairSync(...kinds[alg]);
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg };
}

function application({ clients, accounts, alg }) {
  const provider = new Provider(issuer, {
    clients,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: [randomUUID()] },
    jwks: { keys: [key(alg), key(alg === 'RS256' ? 'ES256' : 'RS256')] },
    pkce: { required: () => true },
    findAccount: (ctx, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider.callback();
}

const server = createServer().listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
for await (const line of createInterface({ input: process.stdin })) {
  server.removeAllListeners('request').on('request', application(JSON.parse(line)));
  console.log(issuer);
}
process.exit(0);
