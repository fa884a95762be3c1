import { expect, test } from 'bun:test';
import { generateKeyPairSync } from 'node:crypto';
import { createFingerprints } from '../../src/adapters/fingerprints.ts';
import { parseConfig } from '../../src/shared/config.ts';
import type { Role } from '../../src/shared/ports/registry.ts';

const secret = 'a secret of at least thirty-two bytes';
const base = { JWT_SECRET: secret };

function fingerprints(environment: Record<string, string> = {}, { key = 'a key', isConnected = true } = {}) {
  return createFingerprints({
    key,
    config: parseConfig({ ...base, ...environment }),
    broker: () => (isConnected ? 'rabbit@one' : undefined),
    mark: async () => (isConnected ? 'a mark' : undefined),
  });
}
const all: readonly Role[] = ['api', 'worker', 'gateway'];

/** Which aspects differ between this environment and that. */
async function differing(one: Record<string, string>, another: Record<string, string>): Promise<string[]> {
  const [here, there] = [await fingerprints(one)(all), await fingerprints(another)(all)];
  const aspects = Object.keys({ ...here, ...there }) as (keyof typeof here)[];
  return aspects.filter((aspect) => here[aspect] !== there[aspect]);
}

test('a process tells of what it has to do with', async () => {
  const aspects = async (roles: readonly Role[]) => Object.keys(await fingerprints()(roles)).toSorted();
  const common = ['notifications', 'redis'];
  expect(await aspects(['worker'])).toEqual(['broker', ...common, 'partitions'].toSorted());
  expect(await aspects(['gateway'])).toEqual([...common, 'tokenClaims', 'tokenKey'].toSorted());
  expect(await aspects(['api'])).toEqual(await aspects(all));
});

test('of what cannot be told now it tells nothing', async () => {
  const told = await fingerprints({}, { isConnected: false })(all);
  expect(told).not.toHaveProperty('broker');
  expect(told).not.toHaveProperty('redis');
});

test('they are short, and nothing without the key', async () => {
  const told = await fingerprints()(all);
  const otherwise = await fingerprints({}, { key: 'another key' })(all);
  for (const [aspect, digest] of Object.entries(told)) {
    expect(digest).toMatch(/^[\w-]{8}$/);
    expect(digest).not.toBe(otherwise[aspect as keyof typeof otherwise]!);
  }
});

const { publicKey } = generateKeyPairSync('ed25519');
const pem = (eol: string) =>
  String(publicKey.export({ type: 'spki', format: 'pem' }))
    .trim()
    .replaceAll('\n', eol);

test.each([
  [{ CHAT_NOTIFICATION_CHANNEL: 'another' }, ['notifications']],
  [{ JWT_SECRET: `${secret}.` }, ['tokenKey']],
  // Its secret signs what is made beside the provider's.
  [{ JWT_JWKS_URL: 'https://id.example.com/jwks' }, ['tokenKey', 'madeTokens']],
  [{ JWT_ISSUER: 'another' }, ['tokenClaims']],
  [{ JWT_AUDIENCE: 'another' }, ['tokenClaims']],
  [{ RABBITMQ_CHAT_PARTITION_COUNT: '9' }, ['partitions']],
  [{ RABBITMQ_VHOST: 'another' }, ['broker']],
  [{ RABBITMQ_CHAT_EXCHANGE: 'another' }, ['broker']],
  [{ RABBITMQ_CHAT_QUEUE_PREFIX: 'another' }, ['broker']],
  [{ PORT: '3009', LOG_LEVEL: 'debug', RABBITMQ_PASSWORD: 'another', JWT_ACCESS_TTL: '5m' }, []],
])('%j is another', async (environment, aspects) => {
  expect(await differing({}, environment as Record<string, string>)).toEqual(aspects);
});

test('what is the same and written otherwise is the same', async () => {
  for (const path of ['', '/', '/%2F', '/%2f']) {
    expect(await differing({}, { RABBITMQ_URI: `amqp://user:secret@elsewhere:5673${path}` })).toEqual([]);
  }
  expect(await differing({ JWT_PUBLIC_KEY: pem('\n') }, { JWT_PUBLIC_KEY: pem('\r\n') })).toEqual([]);
  expect(await differing({ JWT_PUBLIC_KEY: pem('\n') }, { JWT_PUBLIC_KEY: pem('\\n') })).toEqual([]);
});
