import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import * as v from 'valibot';
import { jsonText } from '../../src/process/http/answer.ts';
import { createHttpApp } from '../../src/process/http/http-app.ts';
import { route } from '../../src/process/http/route.ts';
import { createLog } from '../../src/shared/log.ts';

/** Of any length, with characters of one, two, three and four bytes. */
const jsonOf = (characters: number): string => JSON.stringify({ data: 'aé€😀'.repeat(characters / 5) });

const forms = { text: (json: string) => json, UTF8: (json: string) => new TextEncoder().encode(json) };

describe.each(['text', 'UTF8'] as const)('an answer of JSON over a socket, made of %s', (form) => {
  let server: Bun.Server<undefined>;
  beforeAll(() => {
    const page = route({
      method: 'GET',
      path: '/:characters',
      params: v.strictObject({ characters: v.string() }),
      async handle({ params: { characters } }) {
        // As after a query: Bun collects on its own what is answered at once.
        await new Promise((resolve) => setImmediate(resolve));
        return jsonText(forms[form](jsonOf(Number(characters))));
      },
    });
    const app = createHttpApp({ routes: [page], log: createLog({ logLevel: 'silent' }, 'test') });
    server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: app.fetch });
  });
  afterAll(() => server.stop(true));

  /** What comes until the server closes the connection, read by read. */
  async function exchange(request: string, slowly = false): Promise<Buffer[]> {
    const chunks: Buffer[] = [];
    const closed = Promise.withResolvers<void>();
    await Bun.connect({
      hostname: '127.0.0.1',
      port: server.port ?? 0,
      socket: {
        open: (socket) => void socket.write(request),
        data(socket, chunk) {
          chunks.push(Buffer.from(chunk));
          if (!slowly) return;
          socket.pause();
          setTimeout(() => socket.resume(), 1);
        },
        close: () => closed.resolve(),
        error: (_, error) => closed.reject(error),
      },
    });
    await closed.promise;
    return chunks;
  }

  test('whatever its length it is whole and has its length stated, on one connection after the other', async () => {
    for (const characters of [5, 4_400, 4_500, 7_600, 8_200, 20_000, 1_000_000, 10]) {
      const answer = await fetch(`${server.url}${characters}`);
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json']);
      expect(answer.headers.get('content-length')).toBe(String(Buffer.byteLength(jsonOf(characters))));
      expect((await answer.text()) === jsonOf(characters)).toBe(true);
    }
  });

  test('HTTP/1.0 gets it, too', async () => {
    const answer = Buffer.concat(await exchange('GET /10000 HTTP/1.0\r\nHost: here\r\n\r\n')).toString();
    const [head = '', body] = answer.split('\r\n\r\n');
    expect(head.toLowerCase()).not.toContain('transfer-encoding');
    expect(body === jsonOf(10_000)).toBe(true);
  });

  test('who reads slowly gets it all', async () => {
    const parts = await exchange('GET /2000000 HTTP/1.0\r\nHost: here\r\n\r\n', true);
    expect(parts.length).toBeGreaterThan(5);
    const answer = Buffer.concat(parts).toString();
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4) === jsonOf(2_000_000)).toBe(true);
  });

  test('who leaves in the middle of it disturbs nobody', async () => {
    for (let time = 0; time < 20; time += 1) {
      const leaver = new AbortController();
      const asked = fetch(`${server.url}1000000`, { signal: leaver.signal });
      if (time % 2 === 0) await asked;
      leaver.abort();
      await asked.catch(() => {});
    }
    expect((await (await fetch(`${server.url}20000`)).text()) === jsonOf(20_000)).toBe(true);
  });

  test('HEAD has no body', async () => {
    const answer = await fetch(`${server.url}20000`, { method: 'HEAD' });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  });
});
