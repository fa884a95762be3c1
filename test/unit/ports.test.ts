import { expect, test } from 'bun:test';
import { freePort } from '../../src/commands/servers/ports.ts';
import { eventually } from '../support/eventually.ts';

test('a port is given once, though nobody listens there yet, whichever process asks', async () => {
  const [from, to] = [16_000, 16_030];
  const script = `
    import { freePort } from '${import.meta.dir}/../../src/commands/servers/ports.ts';
    for (let count = 0; count < 6; count += 1) console.log(await freePort(${from}, ${to}));
    await Bun.stdin.text();`;
  const others = [1, 2].map(() =>
    Bun.spawn([process.execPath, '-e', script], { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' }),
  );
  const given: number[] = [];
  const take = async (stdout: ReadableStream<Uint8Array>) => {
    for await (const piece of stdout)
      for (const port of new TextDecoder().decode(piece).trim().split('\n')) given.push(Number(port));
  };
  const taking = others.map(({ stdout }) => take(stdout));
  for (let count = 0; count < 6; count += 1) given.push(await freePort(from, to));
  await eventually('all are given', () => given.length === 18);
  for (const { stdin } of others) stdin.end();
  await Promise.all(taking);
  expect(new Set(given).size).toBe(18);
});
