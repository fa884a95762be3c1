import { afterAll, expect, test } from 'bun:test';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keptTokenSecret } from '../../src/process/secret.ts';

const folder = await mkdtemp(join(tmpdir(), 'confab-secret-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('those that start together get the same secret, and nothing else is left', async () => {
  const dataDir = join(folder, 'together', 'deep');
  const secrets = await Promise.all(Array.from({ length: 50 }, () => keptTokenSecret(dataDir)));
  expect(new Set(secrets).size).toBe(1);
  expect(Buffer.from(secrets[0]!, 'base64url')).toHaveLength(32);
  expect(await readdir(dataDir)).toEqual(['token-secret']);
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
  expect((await stat(join(dataDir, 'token-secret'))).mode & 0o777).toBe(0o600);
  expect(await keptTokenSecret(dataDir)).toBe(secrets[0]!);
});

test('a file that holds no secret is refused, and left alone', async () => {
  await writeFile(join(folder, 'token-secret'), 'short');
  await expect(keptTokenSecret(folder)).rejects.toThrow('does not hold a secret');
  expect(await Bun.file(join(folder, 'token-secret')).text()).toBe('short');
});
