import { afterAll, describe, expect, test } from 'bun:test';
import { networkInterfaces } from 'node:os';
import amqplib from 'amqplib';
import { findBinaries } from '../../src/commands/servers/binaries.ts';
import { finished } from '../../src/commands/servers/finished.ts';
import { metricTable } from '../../src/shared/metrics/table.ts';
import { type Deployment, startEmbedded, startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { type MetricsPage, scrape } from '../support/metrics-page.ts';
import { type Ears, newPerson } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const processes = testProcesses();
const BUILD_COMMIT = '0123abc';
const [token, tokenBefore] = ['the token that scrapers have now', 'the one that it takes the place of'];
const [three, single] = await Promise.all([
  startThreeProcesses({
    processes,
    servers,
    env: { BUILD_COMMIT, METRICS_TOKEN: `${token},${tokenBefore}` },
  }),
  startEmbedded(processes, { env: { BUILD_COMMIT, HOST: '::' } }),
]);
const [api, worker, gateway] = [three.apis[0]!, three.workers[0]!, three.gateways[0]!];
const pagesOfThree = () => Promise.all([api, worker, gateway].map(({ url }) => scrape(url, token)));
const names = Object.keys(metricTable);

const open: Ears[] = [];
afterAll(() => {
  for (const ears of open) ears.close();
});

const messages = 12;

/** A little of everything, and all of it has arrived when it resolves. */
async function traffic(deployment: Deployment): Promise<void> {
  const [ada, bob] = [await newPerson(deployment), await newPerson(deployment)];
  const chat = await ada.newChat(bob);
  const ears = await Promise.all([ada.connect(), bob.connect(), bob.connect({ transports: ['polling'] })]);
  open.push(...ears);
  for (let at = 0; at < messages; at += 1) await ada.send(chat.id, `message ${at}`);
  await eventually('all is heard', () =>
    ears.every(({ news, saved }) => news.length + saved.length === messages),
  );
  const back = await bob.connect({ cursors: { [chat.id]: 1 } });
  await eventually('what was missed is heard', () => back.news.length === messages);
  back.close();

  const sent = (chatId: string, content: string) =>
    ada.call('POST', `/chats/${chatId}/messages`, { content });
  expect((await sent(crypto.randomUUID(), 'to nobody')).status).toBe(404);
  expect((await sent(chat.id, '')).status).toBe(422);
  const wrong = { email: 'nobody@example.com', password: 'not the password of anybody' };
  expect((await ada.call('POST', '/auth/login', wrong)).status).toBe(401);
  expect((await ada.call('GET', '/nowhere')).status).toBe(404);
}

describe.each([
  { name: 'three processes', deployment: three, pages: pagesOfThree },
  { name: 'the single process', deployment: single, pages: async () => [await scrape(single.apiUrl)] },
])('$name', ({ deployment, pages }) => {
  test('tell what has happened', async () => {
    await traffic(deployment);
    let found: MetricsPage[] = [];
    const sum: MetricsPage['value'] = (name, labels) =>
      found.reduce((total, page) => total + page.value(name, labels), 0);
    await eventually('the last socket has ended', async () => {
      found = await pages();
      return sum('confab_disconnects_total', { reason: 'client' }) === 1;
    });

    expect(sum('confab_sends_total', { result: 'accepted' })).toBe(messages);
    expect(sum('confab_sends_total', { result: 'chat_not_found' })).toBe(1);
    expect(sum('confab_sends_total', { result: 'validation_failed' })).toBe(1);
    expect(sum('confab_logins_total', { result: 'accepted' })).toBe(2);
    expect(sum('confab_logins_total', { result: 'bad_credentials' })).toBe(1);
    // Two registrations, three log-ins.
    expect(sum('confab_password_seconds_count')).toBe(5);
    for (const stage of ['stored', 'announced', 'delivered']) {
      expect(sum('confab_message_lag_seconds_count', { stage }), stage).toBe(messages);
      expect(sum('confab_message_lag_seconds_sum', { stage }), stage).toBeWithin(0, 60 * messages);
    }
    expect(sum('confab_batch_messages_sum')).toBe(messages);
    expect(sum('confab_notifications_total', { result: 'delivered' })).toBeWithin(1, messages + 1);
    expect(sum('confab_deliveries_total')).toBeGreaterThanOrEqual(3 * messages);
    expect(sum('confab_sockets', { transport: 'websocket' })).toBe(2);
    expect(sum('confab_sockets', { transport: 'polling' })).toBe(1);
    expect(sum('confab_connects_total', { result: 'accepted' })).toBe(4);
    expect(sum('confab_resumes_total', { outcome: 'replayed' })).toBe(1);
    expect(sum('confab_resumes_total', { outcome: 'none' })).toBe(3);
    expect(sum('confab_resume_events_sum')).toBeGreaterThanOrEqual(messages);
    expect([sum('confab_local_users'), sum('confab_local_chats')]).toEqual([2, 1]);
    expect([sum('confab_workers_live'), sum('confab_partitions_owned')]).toEqual([1, 8]);
    const request = { http_request_method: 'POST', http_route: '/chats/:chatId/messages' };
    const answered = (status: number, error: string) =>
      sum('http_server_request_duration_seconds_count', {
        ...{ ...request, http_response_status_code: String(status), error_type: error },
      });
    expect([answered(202, ''), answered(404, 'chat_not_found')]).toEqual([messages, 1]);
    const statements = { db_system_name: 'postgresql', error_type: '' };
    for (const operation of ['store_messages', 'memberships', 'changes', 'transaction']) {
      const of = { ...statements, db_operation_name: operation };
      expect(sum('db_client_operation_duration_seconds_count', of), operation).toBeGreaterThan(0);
    }
    expect(sum('confab_build_info', { commit: BUILD_COMMIT })).toBe(found.length);
  });

  test('promtool finds nothing wrong with their pages', async () => {
    for (const { text } of await pages())
      expect(await checkMetrics(text)).toEqual({ status: 0, out: '', err: '' });
  });
});

const checkMetrics = (text: string) => {
  const { promtool = '' } = findBinaries().prometheus ?? {};
  const run = Bun.spawn([promtool, 'check', 'metrics'], {
    stdin: new Blob([text]),
    ...({ stdout: 'pipe', stderr: 'pipe' } as const),
  });
  return finished(run);
};

test("one name is not OpenTelemetry's, which promtool refuses", async () => {
  const { text } = await scrape(api.url, token);
  const { status, err } = await checkMetrics(
    text.replaceAll('db_client_connections', 'db_client_connection_count'),
  );
  expect(status).not.toBe(0);
  expect(err.trim().split('\n')).toEqual([expect.stringMatching(/^db_client_connection_count .*_count/)]);
});

test('every metric of the table is on a page, and what a process has not on none', async () => {
  // What RabbitMQ has is looked at when a process is up, and then every 15 s.
  let pages: MetricsPage[] = [];
  await eventually('all are there', async () => {
    pages = await pagesOfThree();
    return names.every((name) => pages.some((page) => page.names.has(name)));
  }).catch(() => {});
  expect(names.filter((name) => !pages.some((page) => page.names.has(name)))).toEqual([]);
  const [ofApi, ofWorker, ofGateway] = pages as [MetricsPage, MetricsPage, MetricsPage];
  expect(ofApi.names.has('confab_workers_live') || ofApi.names.has('confab_sockets')).toBe(false);
  expect(ofWorker.names.has('confab_sends_total') || ofWorker.names.has('confab_sockets')).toBe(false);
  expect(ofGateway.names.has('confab_sends_total') || ofGateway.names.has('confab_workers_live')).toBe(false);

  const embedded = await scrape(single.apiUrl);
  const servers =
    /^(?:messaging_client_|confab_broker_|confab_publish_|confab_facts_|confab_redis_|db_client_connection)/;
  expect(names.filter((name) => !embedded.names.has(name) && !servers.test(name))).toEqual([]);
});

test('RabbitMQ, Redis and the pool are measured, and a dead letter is counted', async () => {
  const connection = await amqplib.connect(servers.rabbitmqUrl);
  const channel = await connection.createConfirmChannel();
  const partition = `${three.env.RABBITMQ_CHAT_QUEUE_PREFIX}.p3`;
  channel.publish(three.env.RABBITMQ_CHAT_EXCHANGE!, partition, Buffer.from('{"version":1}'));
  await channel.waitForConfirms();
  await eventually('it is dead', async () => {
    const page = await scrape(worker.url, token);
    return page.value('confab_dead_lettered_total', { reason: 'unsigned' }) === 1;
  });
  await connection.close();

  const [ofApi, ofWorker, ofGateway] = (await pagesOfThree()) as [MetricsPage, MetricsPage, MetricsPage];
  const publish = { messaging_system: 'rabbitmq', messaging_operation_name: 'publish', error_type: '' };
  expect(ofApi.value('messaging_client_operation_duration_seconds_count', publish)).toBe(messages);
  expect(ofApi.value('messaging_client_sent_messages_total')).toBe(messages);
  expect(ofApi.value('confab_publish_in_flight')).toBe(0);
  expect(ofApi.value('confab_broker_connected', { role: 'publisher' })).toBe(1);
  expect(ofApi.text).not.toContain('role="consumer"');
  expect(ofWorker.value('messaging_client_consumed_messages_total')).toBe(messages + 1);
  expect(ofWorker.value('confab_broker_connected')).toBe(2);
  expect(ofWorker.value('messaging_process_duration_seconds_count', { partition: '3' })).toBeGreaterThan(0);
  expect(ofApi.value('confab_facts_total', { result: 'hit' })).toBeGreaterThan(0);
  expect(ofApi.value('confab_redis_breaker_open')).toBe(0);
  const redis = { db_system_name: 'redis', error_type: '' };
  const operations = (page: MetricsPage, db_operation_name: string) =>
    page.value('db_client_operation_duration_seconds_count', { ...redis, db_operation_name });
  expect([operations(ofApi, 'admit') > 0, operations(ofWorker, 'publish') > 0]).toEqual([true, true]);
  // Ten, and the one of the beat.
  for (const page of [ofApi, ofWorker, ofGateway]) {
    expect(page.value('db_client_connection_max')).toBe(11);
    expect(page.value('db_client_connections')).toBeWithin(1, 12);
    expect(page.value('db_client_connection_pending_requests')).toBe(0);
  }
});

test('who has no token, or another one, is told nothing; with two each is good', async () => {
  const ask = async (url: string, given?: string) => {
    const headers = given === undefined ? {} : { Authorization: given };
    const answer = await fetch(`${url}/metrics`, { headers });
    return answer.status === 200 ? 200 : ((await answer.json()) as { code: string }).code;
  };
  for (const { url } of [api, worker, gateway]) {
    expect(await ask(url)).toBe('token_missing');
    expect(await ask(url, 'Bearer another one')).toBe('token_invalid');
    expect(await ask(url, `Bearer ${token}x`)).toBe('token_invalid');
    expect(await ask(url, `Basic ${token}`)).toBe('token_missing');
    expect(await ask(url, `Bearer ${token}`)).toBe(200);
    expect(await ask(url, `bearer ${tokenBefore}`)).toBe(200);
  }
});

test('without a token the single process tells this machine alone, and no proxy on it', async () => {
  const { port } = new URL(single.apiUrl);
  const ask = async (host: string, headers = {}) =>
    (await fetch(`http://${host}:${port}/metrics`, { headers })).status;
  expect(await ask('127.0.0.1')).toBe(200);
  const proxied = {
    Forwarded: 'for=127.0.0.1',
    Via: '1.1 proxy',
    'X-Forwarded-For': '127.0.0.1',
    'X-Real-IP': '::1',
  };
  for (const [name, value] of Object.entries(proxied))
    expect(await ask('127.0.0.1', { [name]: value }), name).toBe(403);
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all);
  const others = addresses.filter(({ internal, family }) => !internal && family === 'IPv4');
  expect(others, 'without a network this machine can ask itself from nowhere else').not.toEqual([]);
  for (const { address } of others) expect(await ask(address), address).toBe(403);
});
