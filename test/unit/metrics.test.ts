import { describe, expect, test } from 'bun:test';
import { createEmbeddedRateLimits } from '../../src/adapters/embedded/admission.ts';
import { createSequencerMetrics } from '../../src/gateway/sequencer-metrics.ts';
import { createHttpApp } from '../../src/process/http/http-app.ts';
import {
  type MetricsPage,
  metricsRoute,
  pageOfSeveral,
  pageOfSingle,
} from '../../src/process/http/metrics-route.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { metricTable } from '../../src/shared/metrics/table.ts';
import type { LimitName } from '../../src/shared/ports/admission.ts';
import { eventually } from '../support/eventually.ts';
import { pageOf } from '../support/metrics-page.ts';

const log = createLog({ logLevel: 'silent' }, 'test');

describe('a page', () => {
  test('has what was named, once, and shares nothing with another', async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.counter('confab_refresh_reuse_total')();
    one.counter('confab_refresh_reuse_total')(2);
    one.histogram('confab_password_seconds')(0.2);
    expect([...(await pageOf(one)).names]).toEqual(['confab_refresh_reuse_total', 'confab_password_seconds']);
    expect((await pageOf(one)).value('confab_refresh_reuse_total')).toBe(3);
    expect((await pageOf(one)).text.match(/# HELP/g)).toHaveLength(2);
    expect((await pageOf(other)).names.size).toBe(0);
  });

  test('has 0 for what has not happened yet', async () => {
    const metrics = createMetrics();
    metrics.counter('confab_gap_fills_total', { cause: 'comparison' });
    const { text } = await pageOf(metrics);
    for (const cause of ['lost_hint', 'unknown', 'comparison'])
      expect(text).toContain(`confab_gap_fills_total{cause="${cause}"} 0`);
  });

  test('adds up what several read, at each scrape, those at the same time too', async () => {
    const metrics = createMetrics();
    let more = 1;
    metrics.read('db_client_connection_max', async () => more);
    metrics.read('db_client_connection_max', () => 10);
    const both = await Promise.all([pageOf(metrics), pageOf(metrics)]);
    expect(both.map((page) => page.value('db_client_connection_max'))).toEqual([11, 11]);
    more = 5;
    expect((await pageOf(metrics)).value('db_client_connection_max')).toBe(15);
  });

  test('leaves out what is not known, and what cannot be read', async () => {
    const metrics = createMetrics();
    metrics.read('confab_dead_letters', () => undefined);
    metrics.read('confab_queue_messages', async () => {
      throw new Error('the database is away');
    });
    metrics.read('confab_local_chats', () => 0);
    expect([...(await pageOf(metrics)).names]).toEqual(['confab_local_chats']);
  });
});

describe('without a token', () => {
  const ask = async (
    openTo: MetricsPage['openTo'],
    address: string | undefined,
    headers = {},
    host = 'localhost',
  ) => {
    const routes = [metricsRoute({ metrics: createMetrics(), tokens: [], openTo })];
    const app = createHttpApp({ routes, log });
    const request = new Request(`http://${host}/metrics`, { headers });
    const server = { requestIP: () => (address === undefined ? null : { address }) } as never;
    return (await app.fetch(request, server)).status;
  };

  test.each(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1', '::FFFF:127.0.0.1'])(
    'this machine is told: %s',
    async (address) => {
      expect(await ask('this machine', address)).toBe(200);
      expect(await ask('private networks', address)).toBe(200);
      expect(await ask('private networks', address, { 'X-Forwarded-For': '10.0.0.1' })).toBe(403);
    },
  );

  test.each([
    ...['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '169.254.1.1'],
    ...['::ffff:10.1.2.3', 'fd12::1', 'fe80::1%eth0'],
  ])('a network of one’s own is told by several processes, and not by one: %s', async (address) => {
    expect(await ask('private networks', address)).toBe(200);
    expect(await ask('private networks', address, { Via: '1.1 kong' })).toBe(403);
    expect(await ask('this machine', address)).toBe(403);
  });

  test('through a proxy on this machine that adds nothing nobody is told who asks for another name', async () => {
    for (const host of ['localhost:3000', '127.0.0.1:3000', '127.8.9.1', '[::1]:3000'])
      expect(await ask('this machine', '127.0.0.1', {}, host), host).toBe(200);
    for (const host of ['chat.example.com', 'localhost.example.com', '203.0.113.7', '[2001:db8::1]'])
      expect(await ask('this machine', '127.0.0.1', {}, host), host).toBe(403);
    expect(await ask('private networks', '10.1.2.3', {}, 'gateway-1:3001')).toBe(200);
  });

  test.each([
    ...['203.0.113.7', '172.32.0.1', '100.128.0.1', '11.0.0.1', '::ffff:203.0.113.7', '2001:db8::1'],
    ...[undefined, 'unknown', '0.0.0.0'],
  ])('nobody else is: %s', async (address) => {
    expect(await ask('private networks', address)).toBe(403);
    expect(await ask('this machine', address)).toBe(403);
  });
});

test('several processes tell private networks where a proxy of ours says what comes through it, one never', () => {
  const metrics = createMetrics();
  const production = {
    NODE_ENV: 'production',
    JWT_PUBLIC_KEY: '',
    JWT_SECRET: 'mIdR0yI5mQmxXl2pVnq3bq2cZz1hJw8k',
  };
  const [direct, behind] = [parseConfig(production), parseConfig({ ...production, TRUST_PROXY: 'true' })];
  expect([direct, behind].map((config) => pageOfSeveral(metrics, config).openTo)).toEqual([
    'this machine',
    'private networks',
  ]);
  expect([direct, behind].map((config) => pageOfSingle(metrics, config).openTo)).toEqual([
    'this machine',
    'this machine',
  ]);
});

test('any word as a method is one series', async () => {
  const metrics = createMetrics();
  const app = createHttpApp({ routes: [], log, metrics });
  for (const method of ['PROPFIND', 'MKCOL', 'GET'])
    await app.fetch(new Request('http://localhost/x', { method }));
  const page = await pageOf(metrics);
  const of = (http_request_method: string) =>
    page.value('http_server_request_duration_seconds_count', { http_request_method, http_route: '/*' });
  expect([of('_OTHER'), of('GET'), of('PROPFIND')]).toEqual([2, 1, 0]);
  expect(page.value('http_server_active_requests')).toBe(0);
});

test('the lag is that of the message, whatever it says', async () => {
  const metrics = createMetrics();
  const measured = createSequencerMetrics(metrics);
  const message = {
    content: '","sentAt":"2001-01-01T00:00:00.000Z","',
    sentAt: new Date(Date.now() - 2_000).toISOString(),
    metadata: { sentAt: '1999-01-01T00:00:00.000Z' },
  };
  const change = { chatId: 'c', eventSequence: 1, body: JSON.stringify({ message }) };
  measured.told({ ...change, event: 'chat.message.new' }, 3);
  measured.told({ ...change, event: 'chat.message.updated' }, 2);
  measured.told({ ...change, event: 'chat.message.new', body: '{}' }, 1);
  const page = await pageOf(metrics);
  expect(page.value('confab_deliveries_total')).toBe(6);
  expect(page.value('confab_message_lag_seconds_count', { stage: 'delivered' })).toBe(1);
  expect(page.value('confab_message_lag_seconds_sum', { stage: 'delivered' })).toBeWithin(2, 60);
});

test('the comparison has found what nobody announces later', async () => {
  const metrics = createMetrics();
  const measured = createSequencerMetrics(metrics, 20);
  for (const chatId of ['lost', 'late']) measured.found(chatId, 7);
  measured.heard('late', 7);
  measured.heard('lost', 8);
  measured.heard('lost', 6);
  measured.filled('comparison', 3);
  measured.filled('lost_hint', 2);
  measured.filled('unknown', 0);
  await eventually('it is counted', async () => {
    return (await pageOf(metrics)).value('confab_gap_fills_total', { cause: 'comparison' }) > 0;
  });
  const page = await pageOf(metrics);
  const fills = ['comparison', 'lost_hint', 'unknown'].map((cause) =>
    page.value('confab_gap_fills_total', { cause }),
  );
  expect(fills).toEqual([1, 1, 0]);
  expect(page.value('confab_gap_rows_total')).toBe(5);
});

test('who is over a limit is counted by the limit', async () => {
  const metrics = createMetrics();
  const { rateLimits: config } = parseConfig({ RATE_LIMIT_USER: '1', RATE_LIMIT_READ: '1' });
  const limits = createEmbeddedRateLimits(config, metrics);
  const take = (limit: LimitName) => limits.consume([{ limit, key: 'ada' }]).catch(() => {});
  for (const limit of ['user', 'user', 'user', 'read', 'address'] as const) await take(limit);
  const page = await pageOf(metrics);
  const of = (limit: LimitName) => page.value('confab_rate_limited_total', { limit });
  expect([of('user'), of('read'), of('address')]).toEqual([2, 0, 0]);
  expect(page.text).toContain('confab_rate_limited_total{limit="connect"} 0');
});

test('every help is a sentence', () => {
  for (const [name, { help }] of Object.entries(metricTable)) expect(help, name).toMatch(/^[A-Z].*\.$/);
});
