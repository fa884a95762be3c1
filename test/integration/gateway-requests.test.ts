import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { serveGateway } from '../../src/gateway/serve.ts';
import { createGateway, type Gateway } from '../../src/gateway/server.ts';
import { createHealthApp } from '../../src/process/http/health.ts';
import { createLifecycle } from '../../src/process/lifecycle.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { unlimited } from '../../src/shared/rate-limits.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';

const base = await embeddedBase();

/** What is logged, as it is written. */
const lines: string[] = [];
const log = createLog({ logLevel: 'info' }, 'test', { write: (line: string) => void lines.push(line) });

describe('gateway: requests as they come', () => {
  const lifecycle = createLifecycle(log);
  let port: number;
  beforeAll(async () => {
    const gateway: Gateway = createGateway({
      metrics: createMetrics(),
      ...base,
      verifyToken: () => Promise.reject(new Error('not asked')),
      allowedOrigin: () => true,
      trustProxy: false,
      rateLimits: unlimited,
      maxSocketsPerUser: 20,
      log,
    });
    const health = createHealthApp({ dependencies: [], leaving: () => false }, log);
    ({ port } = serveGateway({
      gateway,
      others(request) {
        if (request.url.endsWith('/throws')) throw new Error('/srv/secret/path.ts is not here');
        if (request.url.endsWith('/rejects')) return Promise.reject(new Error('nor is /srv/secret/path.ts'));
        return health.fetch(request);
      },
      port: 0,
      variable: 'GATEWAY_PORT',
      lifecycle,
      drainMs: 0,
      log,
      host: '127.0.0.1',
      shutdownDelayMs: 0,
    }));
  });
  afterAll(() => lifecycle.stop());

  const ask = (...lines: string[]) => send(`${lines.join('\r\n')}\r\n\r\n`);

  const post = (body: string, ...lines: string[]) =>
    send(`POST ${[...lines, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`);

  /** The whole answer to this text. */
  async function send(request: string): Promise<{ status: number; head: string; body: string }> {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    let closed = false;
    socket.setEncoding('latin1').on('data', (data) => {
      received += data;
    });
    socket.on('close', () => {
      closed = true;
    });
    socket.on('error', () => {});
    socket.write(request);
    const lengthOf = (head: string) => Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
    await eventually('it is answered', () => {
      const [head = '', body] = received.split('\r\n\r\n');
      return closed || (body !== undefined && body.length >= lengthOf(head));
    });
    socket.destroy();
    const [head = '', ...rest] = received.split('\r\n\r\n');
    return { status: Number(head.split(' ')[1]), head, body: rest.join('\r\n\r\n') };
  }

  const hosts = ['[', 'x:99999', 'a b', 'x/y', 'u:p@x', 'x?y', '[::1', 'xn--', '\x80', '1.2.3.4.5'];
  test.each(hosts)('Host: %p is 400, and says nothing of us', async (host) => {
    for (const version of ['1.1', '1.0']) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const path = `/socket.io/?EIO=4&transport=polling`;
        const { status, head, body } = await ask(`${method} ${path} HTTP/${version}`, `Host: ${host}`);
        expect([status, JSON.parse(body)]).toEqual([400, { code: 3, message: 'Bad request' }]);
        expect(head.toLowerCase()).toContain('x-content-type-options: nosniff');
      }
      // What is not the gateway's own, on the same port.
      const beside = await ask(`GET /healthz HTTP/${version}`, `Host: ${host}`);
      expect([200, 400]).toContain(beside.status);
      expect(beside.body).not.toContain('.ts');
    }
  });

  test.each([['HTTP/1.0, no host'], ['HTTP/1.0, an empty host'], ['HTTP/1.1, an empty host']])(
    '%s is served',
    async (name) => {
      const version = name.slice(0, 8);
      const host = name.includes('empty') ? ['Host:'] : [];
      expect((await ask(`GET /healthz ${version}`, ...host)).status).toBe(200);
      expect((await ask(`GET /nowhere ${version}`, ...host)).status).toBe(404);
      const opened = await ask(`GET /socket.io/?EIO=4&transport=polling ${version}`, ...host);
      expect([opened.status, opened.body]).toEqual([200, expect.stringMatching(/^0{"sid"/)]);
      const { sid } = JSON.parse(opened.body.slice(1));
      const posted = await post(
        '40/chat,{}',
        `/socket.io/?EIO=4&transport=polling&sid=${sid} ${version}`,
        ...host,
      );
      expect([posted.status, posted.body]).toEqual([200, 'ok']);
    },
  );

  test('HTTP/1.1 without a host is 400', async () => {
    expect((await ask('GET /healthz HTTP/1.1')).status).toBe(400);
  });

  test.each(['throws', 'rejects'])(
    'what nobody caught is a problem that tells nothing: it %s',
    async (path) => {
      lines.length = 0;
      const { status, head, body } = await ask(`GET /${path} HTTP/1.1`, 'Host: x');
      const { requestId, ...problem } = JSON.parse(body);
      expect(problem).toEqual({
        type: 'urn:confab:error:internal_error',
        title: 'Something went wrong',
        status: 500,
        code: 'internal_error',
        detail: 'Something went wrong',
      });
      expect([status, head]).toEqual([500, expect.stringContaining('application/problem+json')]);
      expect(body + head).not.toContain('secret');
      expect(lines.filter((line) => line.includes(requestId) && line.includes('path.ts'))).toHaveLength(1);
    },
  );

  test.each(['h2c', 'TLS/1.3', 'h2c, websocket', 'WebSocket'])(
    'Upgrade: %s at polling is served as if it were not there',
    async (upgrade) => {
      const offer = ['Host: x', 'Connection: Upgrade, HTTP2-Settings', `Upgrade: ${upgrade}`];
      const settings = ['HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA'];
      const opened = await ask('GET /socket.io/?EIO=4&transport=polling HTTP/1.1', ...offer, ...settings);
      expect([opened.status, opened.body]).toEqual([200, expect.stringMatching(/^0{"sid"/)]);
      const { sid } = JSON.parse(opened.body.slice(1));
      const at = `/socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1`;
      expect((await post('40/x', at, ...offer)).body).toBe('ok');
      const polled = await ask(`GET ${at}`, ...offer);
      expect([polled.status, polled.body]).toEqual([200, '44/x,{"message":"Invalid namespace"}']);
    },
  );

  test('an upgrade without a key is 400, at the beginning and for a session', async () => {
    const offer = ['Host: x', 'Connection: Upgrade', 'Upgrade: websocket'];
    const opened = await ask('GET /socket.io/?EIO=4&transport=polling HTTP/1.1', 'Host: x');
    const { sid } = JSON.parse(opened.body.slice(1));
    for (const query of ['', `&sid=${sid}`]) {
      const { status } = await ask(`GET /socket.io/?EIO=4&transport=websocket${query} HTTP/1.1`, ...offer);
      expect([query, status]).toEqual([query, 400]);
    }
  });
});
