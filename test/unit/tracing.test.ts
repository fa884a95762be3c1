import { afterAll, expect, test } from 'bun:test';
import { openTracing, type TracingOptions } from '../../src/process/tracing.ts';
import type { SendEnvelope } from '../../src/shared/contract.ts';
import { createLog } from '../../src/shared/log.ts';
import type { Notification } from '../../src/shared/ports/notifications.ts';
import type { Delivery } from '../../src/shared/ports/queue.ts';
import type { Tracing } from '../../src/shared/ports/tracing.ts';
import { createAnnouncer } from '../../src/worker/announcer.ts';
import { traceBatches } from '../../src/worker/trace-batches.ts';
import { type Collector, startCollector } from '../support/collector.ts';
import { eventually } from '../support/eventually.ts';
import { readText, repository } from '../support/repository.ts';
import { runningMs } from '../support/running-time.ts';

const collectors: Collector[] = [];
afterAll(() => {
  for (const { stop } of collectors) stop();
});
function newCollector(): Collector {
  const collector = startCollector();
  collectors.push(collector);
  return collector;
}

type Line = { level: string; msg: string; reason?: string };

function open(
  { url: endpoint }: Pick<Collector, 'url'>,
  { ratio = 1, ...options }: Partial<TracingOptions> = {},
) {
  const lines: Line[] = [];
  const log = createLog({ logLevel: 'info' }, 'test', {
    write: (line: string) => void lines.push(JSON.parse(line)),
  });
  const own = { endpoint, headers: undefined, ratio, serviceName: 'a test', instance: 'one', log };
  // At the end, where nothing else is said: in the order in which they ended.
  const tracing = openTracing({ ...own, everyMs: 60_000, ...options });
  return { tracing, lines };
}

const post = { name: 'POST', kind: 'server' } as const;
const theirs = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331';

test.concurrent('the caller says whether it is sampled; where it says nothing that is valid, the ratio does', async () => {
  const collector = newCollector();
  const [never, always] = [open(collector, { ratio: 0 }), open(collector, { ratio: 1 })];
  const entered = (tracing: Tracing, header: string | null) => tracing.enter(header, post)?.traceId;
  const traceId = theirs.slice(3, 35);
  expect(entered(never.tracing, `${theirs}-01`)).toBe(traceId);
  expect(entered(always.tracing, `${theirs}-00`)).toBeUndefined();
  // Of a later version, and with flags that nobody knows yet.
  expect(entered(never.tracing, `cc${theirs.slice(2)}-03-more`)).toBe(traceId);
  for (const invalid of [
    null,
    '',
    'junk',
    `${theirs}-01-more`,
    `ff${theirs.slice(2)}-01`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    'x'.repeat(100_000),
  ]) {
    expect(entered(never.tracing, invalid)).toBeUndefined();
    expect(entered(always.tracing, invalid)).toMatch(/^(?!0af765)[0-9a-f]{32}$/);
  }
  const some = open(collector, { ratio: 0.25 }).tracing;
  const sampled = Array.from({ length: 4_000 }, () => entered(some, null)).filter(Boolean).length;
  // Ten standard deviations.
  expect(sampled).toBeWithin(725, 1_275);
});

test.concurrent('what is worked on is known until it has ended, and nothing of it afterwards', async () => {
  const collector = newCollector();
  const { tracing } = open(collector, { headers: 'authorization=Bearer%20x,other=y' });
  const span = tracing.enter(`${theirs}-01`, post)!;
  const later = Promise.withResolvers<void>();
  let afterwards: Promise<unknown> | undefined;
  const failure = Object.assign(new Error('the reason'), { code: 'broker_unavailable' });
  const work = tracing.within(span, async () => {
    await Bun.sleep(0);
    expect(tracing.current()).toBe(span);
    afterwards = later.promise.then(() => tracing.current());
    throw failure;
  });
  expect(tracing.current()).toBeUndefined();
  await expect(work).rejects.toBe(failure);
  later.resolve();
  expect(await afterwards).toBeUndefined();
  // The last ones are sent at the end.
  await tracing.close();
  expect(collector.spans).toMatchObject([
    {
      name: 'POST',
      parent: theirs.slice(36),
      failed: true,
      attributes: { 'error.type': 'broker_unavailable' },
    },
  ]);
  expect(collector.headers[0]?.get('authorization')).toBe('Bearer x');
  expect(collector.headers[0]?.get('other')).toBe('y');
});

const delivery = (id: string, traceparent?: string): Delivery => ({
  id,
  body: '',
  partition: 3,
  traceparent,
});
const change = (id: string): Notification => ({
  topic: `chat:${id}`,
  head: { version: 1, kind: 'change', chatId: id, eventSequence: 1, event: 'chat.message.new' },
  body: '{}',
});
const names = { queue: 'sends', channel: 'notices' };
const systems = { queue: 'a queue', notifications: 'a bus', database: 'a database' };

const outcome = { outcome: 'stored', sequence: 1, eventSequence: 1, sentAt: '' } as const;

/** A worker that stores everything, with spans. */
function worker(tracing: Tracing) {
  const bus = { away: false, published: [] as Notification[] };
  const traces = traceBatches(tracing, names, systems);
  const notifier = traces.notifier({
    async publish(batch) {
      if (bus.away) throw new Error('the bus is away');
      bus.published.push(...batch);
    },
  });
  const announcer = createAnnouncer({ notifier, log: createLog({ logLevel: 'silent' }, 'test') });
  const stores = traces.stores({ gather: async () => [], alone: async () => [], work: async () => true });
  const tellStored = traces.tellStored(async (stored) =>
    stored.map(({ envelope }) => change(envelope.brokerMessageId)),
  );
  const handle = traces.handle(async (batch) => {
    await stores.gather([], () => true);
    const stored = batch.map(({ id = '' }) => ({
      envelope: { brokerMessageId: id } as SendEnvelope,
      outcome,
    }));
    await announcer.announce(await tellStored(stored));
    return 'done';
  });
  return { bus, announcer, handle: (batch: Delivery[]) => handle(batch, () => true) };
}
const traceparentOf = ({ head }: Notification) => (head.kind === 'change' ? head.traceparent : undefined);

test.concurrent('a batch links to its messages that are sampled, and each of them goes on in its own trace', async () => {
  const collector = newCollector();
  const { tracing } = open(collector);
  const { bus, handle } = worker(tracing);
  const [one, other] = [tracing.begin(post), tracing.begin(post)];
  await handle([delivery('plain'), delivery('forged', 'junk'), delivery('unsampled', `${theirs}-00`)]);
  expect(bus.published.splice(0).map(traceparentOf)).toEqual([undefined, undefined, undefined]);
  await handle([delivery('one', one.traceparent), delivery('plain'), delivery('other', other.traceparent)]);
  const [first, second, third] = bus.published.map(traceparentOf);
  expect(second).toBeUndefined();
  await tracing.close();

  const [stored, ofOne, ofOther, batch] = collector.spans;
  expect(collector.spans.map(({ name }) => name)).toEqual([
    'store_messages',
    'publish notices',
    'publish notices',
    'process sends',
  ]);
  expect(batch).toMatchObject({
    parent: undefined,
    links: [one.spanId, other.spanId],
    attributes: { 'messaging.batch.message_count': 3 },
  });
  expect(stored).toMatchObject({ traceId: batch?.traceId, parent: batch?.spanId });
  expect(ofOne).toMatchObject({ traceId: one.traceId, parent: one.spanId, links: [batch?.spanId] });
  expect(ofOther).toMatchObject({ traceId: other.traceId, parent: other.spanId, links: [batch?.spanId] });
  expect([first, third]).toEqual([ofOne, ofOther].map((span) => `00-${span?.traceId}-${span?.spanId}-01`));
});

test.concurrent('what waited for Redis is told in its trace when it goes out', async () => {
  const collector = newCollector();
  const { tracing } = open(collector);
  const { bus, announcer, handle } = worker(tracing);
  const sent = tracing.begin(post);
  bus.away = true;
  await handle([delivery('one', sent.traceparent)]);
  bus.away = false;
  await eventually('it is caught up', () => bus.published.length > 0);
  await announcer.stop();
  await tracing.close();
  const told = collector.spans.filter(({ name }) => name === 'publish notices');
  expect(told.length).toBeGreaterThanOrEqual(2);
  expect(new Set(told.map(({ traceId }) => traceId))).toEqual(new Set([sent.traceId]));
  expect([told[0]?.failed, told.at(-1)?.failed]).toEqual([true, false]);
});

test.concurrent('a collector that never answers holds up nobody, takes no more than a little memory, and the end waits so long as it is said', async () => {
  const collector = newCollector();
  const asked = Promise.withResolvers<void>();
  collector.answer(() => {
    asked.resolve();
    return new Promise<Response>(() => {});
  });
  const { tracing } = open(collector, { lastExportMs: 200 });
  for (let at = 0; at < 1_000; at += 1) tracing.begin(post).end();
  await asked.promise;
  for (let at = 0; at < 10_000; at += 1) tracing.begin(post).end();
  const began = runningMs();
  await tracing.close();
  expect(runningMs() - began).toBeWithin(100, 5_000);
});

test.concurrent('a collector that takes nothing is told of once, and once that it takes them again', async () => {
  const collector = newCollector();
  collector.answer(() => new Response('', { status: 400 }));
  const { tracing, lines } = open(collector, { everyMs: 20 });
  const endOne = () => tracing.begin(post).end();
  endOne();
  await eventually('it is told', () => lines.length > 0);
  endOne();
  await eventually('it was tried again', () => collector.headers.length > 1);
  collector.answer(() => Response.json({}));
  endOne();
  await eventually('they are taken again', () => collector.spans.length > 0);
  await tracing.close();
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    ['warn', 'the collector takes no traces: they are dropped'],
    ['info', 'the collector takes traces again'],
  ]);
});

test('one file knows of OpenTelemetry, and is loaded where it is wanted alone', async () => {
  const importing: string[] = [];
  const loading: string[] = [];
  for await (const path of new Bun.Glob('src/**/*.ts').scan({ cwd: repository })) {
    const text = await readText(path);
    if (/from '@opentelemetry\//.test(text)) importing.push(path);
    if (
      /from '[^']*process\/tracing\.ts'|from '\.\/tracing\.ts'/.test(text) &&
      !path.includes('shared/ports/')
    )
      loading.push(path);
  }
  expect([importing, loading]).toEqual([['src/process/tracing.ts'], []]);
});
