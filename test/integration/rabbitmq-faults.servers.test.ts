import { afterAll, describe, expect, test } from 'bun:test';
import amqplib from 'amqplib';
import { assertLeaders, readDepths } from '../../src/adapters/rabbitmq/depths.ts';
import { createLink } from '../../src/adapters/rabbitmq/link.ts';
import { openRabbitMq } from '../../src/adapters/rabbitmq/rabbitmq.ts';
import { output } from '../../src/commands/servers/finished.ts';
import { readRabbitMq } from '../../src/commands/status/read-rabbitmq.ts';
import { type BrokerConfig, parseConfig } from '../../src/shared/config.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { Queue, SendQueue } from '../../src/shared/ports/queue.ts';
import { StartError } from '../../src/shared/start-error.ts';
import { numbered } from '../conformance/queue.ts';
import { brokerConfig } from '../support/broker.ts';
import { erlangShell } from '../support/erlang-shell.ts';
import { eventually } from '../support/eventually.ts';
import { createWire } from '../support/half-dead.ts';
import { heardLog } from '../support/heard-log.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';
import { tlsCertificate } from '../support/tls.ts';
import { createTlsFront } from '../support/tls-front.ts';

const servers = await realServers();
const rabbit = await servers.createRabbitmq();
const erlang = await erlangShell(rabbit);
const front = await createTlsFront(rabbit.port);
const overTls = [{ host: 'localhost', port: front.port }];
const opened: Queue[] = [];
afterAll(async () => {
  await Promise.all(opened.map((queue) => queue.close()));
  front.close();
}, 30_000);

let worlds = 0;
/** Queues of its own, and processes that use them. */
function world({ partitionCount = 8, ...own }: { partitionCount?: number } & Partial<BrokerConfig> = {}) {
  const tag = `w${worlds++}`;
  const names = {
    RABBITMQ_CHAT_EXCHANGE: `${tag}.events`,
    RABBITMQ_CHAT_DLX_EXCHANGE: `${tag}.dlx`,
    RABBITMQ_CHAT_QUEUE_PREFIX: `${tag}.send`,
    RABBITMQ_CHAT_DLQ_NAME: `${tag}.dlq`,
  };
  const broker = { ...brokerConfig(rabbit.url, names), ...own };
  const { log, lines } = heardLog();
  const open = (as: Partial<BrokerConfig> = {}): Queue => {
    const queue = openRabbitMq({
      metrics: createMetrics(),
      broker: { ...broker, ...as },
      partitionCount,
      log,
      waitMs: 20_000,
    });
    opened.push(queue);
    return queue;
  };
  /** Of these partitions the processes that lead their queues; an Erlang expression of one, `Name`. */
  const leaders = (partitions: readonly number[], expression: string) => {
    const names = partitions.map((partition) => `'%2F_${broker.queuePrefix}.p${partition}'`);
    return erlang(`lists:foreach(fun(Name) -> ${expression} end, [${names.join(', ')}])`);
  };
  return {
    broker,
    names,
    lines,
    open,
    suspend: (...partitions: number[]) => leaders(partitions, 'sys:suspend(Name)'),
    resume: (...partitions: number[]) => leaders(partitions, 'sys:resume(Name)'),
    stop: (...partitions: number[]) => leaders(partitions, 'ra:stop_server(quorum_queues, {Name, node()})'),
    start: (...partitions: number[]) =>
      leaders(partitions, 'ra:restart_server(quorum_queues, {Name, node()})'),
    /** It is there, answers what is asked, and leads nothing: as after a kill within a second of its first declaration. */
    forget: (partition: number) => {
      const queue = binary(`${broker.queuePrefix}.p${partition}`);
      return erlang(
        `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, ${queue}))`,
        `ra:force_delete_server(quorum_queues, {'%2F_${broker.queuePrefix}.p${partition}', node()})`,
        'rabbit_quorum_queue:recover(<<"/">>, [Q])',
      );
    },
    deadLetters: (what: 'suspend' | 'resume') => erlang(`sys:${what}('%2F_${broker.deadLetterQueue}')`),
    elect: (partition: number) => leaders([partition], 'ra:trigger_election({Name, node()})'),
  };
}

interface Load {
  accepted: number[];
  refused: number[];
  /** Of the last refusal, by `runningMs()`. */
  lastRefusalAt: number;
  /** Refused within half a second, where a confirm is waited for four, since the last reset. */
  refusedAtOnce: number;
  reset(): void;
  stop(): void;
}

/** So many messages a second, over all partitions in turn. */
function startLoad(send: SendQueue, partitionCount: number, perSecond: number, body = '{}'): Load {
  const began = performance.now();
  let sent = 0;
  const load: Load = {
    accepted: [],
    refused: [],
    lastRefusalAt: 0,
    refusedAtOnce: 0,
    reset() {
      load.accepted = Array.from({ length: partitionCount }, () => 0);
      load.refused = Array.from({ length: partitionCount }, () => 0);
      load.refusedAtOnce = 0;
    },
    stop: () => clearInterval(timer),
  };
  load.reset();
  const timer = setInterval(() => {
    const due = ((performance.now() - began) / 1000) * perSecond;
    for (; sent < due; sent += 1) {
      const partition = sent % partitionCount;
      const at = runningMs();
      send.publish({ id: crypto.randomUUID(), partition, body }).then(
        () => (load.accepted[partition]! += 1),
        () => {
          load.refused[partition]! += 1;
          load.lastRefusalAt = runningMs();
          if (load.lastRefusalAt - at < 500) load.refusedAtOnce += 1;
        },
      );
    }
  }, 10);
  return load;
}

const sum = (all: readonly number[]): number => all.reduce((one, other) => one + other, 0);

/** Consumes a partition; what has come, in order. */
async function consume(queue: Queue, partition: number) {
  const seen: string[] = [];
  const source = await queue.partitionSource();
  const consumer = await source.consume(partition, { batchSize: 16, bufferedBatches: 1 }, async (batch) => {
    seen.push(...batch.map(({ id }) => id ?? ''));
    return 'done';
  });
  return { seen, close: consumer.close };
}

const publishAll = (send: SendQueue, partition: number, ids: readonly string[]) =>
  Promise.all(ids.map((id) => send.publish({ id, partition, body: '{}' })));

describe('one queue of eight', () => {
  for (const [name, silent, secure] of [
    ['that does not confirm leaves the others alone, and is refused at once until it does', [3], false],
    ['or two of them, and the one of dead letters, over TLS: the same', [3, 6], true],
  ] as const) {
    test.concurrent(name, async () => {
      const by = secure ? { encrypted: true, hosts: overTls, tls: { ca: tlsCertificate } } : {};
      const { open, suspend, resume, lines, deadLetters } = world(by);
      const queue = open();
      const send = await queue.sendQueue();
      // From the second on they share a channel, as queues do that much is sent to.
      const ids = ['first', 'second', 'third'];
      await Promise.all(numbered(8).map((partition) => publishAll(send, Number(partition), ids)));
      const sink = await queue.deadLetterSink();
      const bury = (): Promise<unknown> =>
        Promise.all(
          ids.map((id) => sink.put({ delivery: { id, body: '{}', partition: 0 }, reason: 'a test' })),
        );
      await bury();
      const load = startLoad(send, 8, 400);
      await suspend(...silent);
      if (secure) await deadLetters('suspend');
      load.reset();
      const buried = bury().then(
        () => 'confirmed',
        () => 'refused',
      );
      await eventually('they are given up', () => send.problems().join().includes('no confirms'));
      await eventually(
        'each of them',
        () => load.refused.filter((count) => count > 0).length >= silent.length,
      );
      expect(await buried).toBe(secure ? 'refused' : 'confirmed');
      expect(send.problems()).toEqual([
        secure
          ? 'partition 3, partition 6, the queue of dead letters: no confirms'
          : 'partition 3: no confirms',
      ]);
      expect(send.ready()).toBe(true);
      load.reset();
      await Bun.sleep(2_000);
      const of = (counts: readonly number[], which: 'silent' | 'others') =>
        sum(counts.filter((_, at) => (silent as readonly number[]).includes(at) === (which === 'silent')));
      const others = of(load.accepted, 'others');
      expect(of(load.accepted, 'silent')).toBe(0);
      // One of each may try it, and is waited for.
      const refused = of(load.refused, 'silent');
      expect(refused).toBeGreaterThan(40);
      expect(load.refusedAtOnce).toBeGreaterThan(refused * 0.8);
      expect(of(load.refused, 'others')).toBeLessThan(others * 0.1);
      // Their share, less what is on its way.
      expect(others).toBeGreaterThan(Math.max(300, (refused * 5) / silent.length));
      await resume(...silent);
      if (secure) await deadLetters('resume');
      load.reset();
      await eventually('they are taken again', () => silent.every((at) => load.accepted[at]! > 10), 2_000);
      load.stop();
      if (secure)
        await eventually('dead letters too', () =>
          bury().then(
            () => true,
            () => false,
          ),
        );
      expect(send.problems()).toEqual([]);
      for (const at of silent) {
        const said = lines.filter(({ msg }) => msg.startsWith(`partition ${at}`));
        expect(said.map(({ level }) => level)).toEqual(['warn', 'info']);
      }
    }, 40_000);
  }

  test.concurrent('that has a channel of its own goes on with it where no other is left', async () => {
    const { open, lines } = world({ partitionCount: 3, channelMax: 4 });
    const queue = open();
    const [send, sink] = [await queue.sendQueue(), await queue.deadLetterSink()];
    const bury = () => sink.put({ delivery: { id: 'dead', body: '{}', partition: 0 }, reason: 'a test' });
    for (const partition of [0, 1, 2]) await publishAll(send, partition, ['first']);
    await bury();
    await Promise.all([0, 1, 2].map((partition) => publishAll(send, partition, numbered(20))));
    await Promise.all([bury(), bury()]);
    expect(lines.filter(({ level }) => level !== 'info')).toEqual([]);
  }, 40_000);

  test.concurrent('that has no confirm for its first message leaves the others alone too', async () => {
    const { open, suspend, resume } = world();
    await open().sendQueue();
    await suspend(5);
    const send = await open().sendQueue();
    const load = startLoad(send, 8, 200);
    await eventually('it is given up', () => send.problems().length > 0);
    // One of them tries it.
    await eventually('it is refused at once', () => load.refusedAtOnce > 20);
    load.stop();
    expect(load.accepted[5]).toBe(0);
    expect(sum(load.refused.toSpliced(5, 1))).toBe(0);
    expect(sum(load.accepted)).toBeGreaterThan(100);
    await resume(5);
    await eventually('it is taken again', () =>
      publishAll(send, 5, ['x']).then(
        () => true,
        () => false,
      ),
    );
  }, 40_000);

  test.concurrent('that never had a leader leaves the others alone, and is used once it has one', async () => {
    const { open, forget, elect } = world();
    await open().sendQueue();
    await forget(5);
    const send = await open().sendQueue();
    const load = startLoad(send, 8, 200);
    await eventually('it is given up', () => send.problems().length > 0);
    await eventually('it is refused at once', () => load.refusedAtOnce > 20);
    load.stop();
    expect(load.accepted[5]).toBe(0);
    expect(sum(load.refused.toSpliced(5, 1))).toBe(0);
    expect(sum(load.accepted)).toBeGreaterThan(100);
    await elect(5);
    await eventually(
      'it is taken again',
      () =>
        publishAll(send, 5, ['x']).then(
          () => true,
          () => false,
        ),
      20_000,
    );
  }, 40_000);

  test.concurrent('whose leader is silent is left at once, and the others of the worker go on', async () => {
    const { open, suspend, resume, lines } = world();
    const queue = open();
    const send = await queue.sendQueue();
    const well = await consume(queue, 0);
    await suspend(1);
    const silent = await consume(queue, 1);
    const source = await queue.partitionSource();
    await eventually('it is noticed', () => source.problems().length > 0);
    expect(source.problems()).toEqual(['partition 1: not consumed']);
    expect(lines.at(-1)).toMatchObject({ partition: 1, reason: 'the leader of its queue does not answer' });
    // Long enough for a consume to be asked for, which is not answered.
    await Bun.sleep(1_000);
    await publishAll(send, 0, ['while it is silent']);
    await eventually('the other is worked off', () => well.seen.length === 1);
    const began = runningMs();
    await silent.close();
    expect(runningMs() - began).toBeLessThan(2_500);
    const again = await consume(queue, 1);
    await resume(1);
    await publishAll(send, 1, numbered(20));
    await eventually('it is worked off when it is back', () => again.seen.length === 20, 15_000);
    expect(again.seen).toEqual(numbered(20));
    const closing = runningMs();
    await queue.close();
    expect(runningMs() - closing).toBeLessThan(5_000);
    expect(lines.filter(({ msg }) => msg.includes('(confab consumer)'))).toEqual([]);
  }, 60_000);

  test.concurrent('that has no leader costs the others of the worker nothing', async () => {
    const { open, stop, start, lines } = world();
    const queue = open();
    const send = await queue.sendQueue();
    await stop(1);
    const [well, led] = [await consume(queue, 0), await consume(queue, 1)];
    await eventually('RabbitMQ has ended a connection for it', () =>
      lines.some(({ partition }) => partition === 1),
    );
    for (const id of numbered(30)) {
      await publishAll(send, 0, [id]);
      await Bun.sleep(50);
    }
    // What was in hand when the connection ended comes again.
    await eventually('the other is worked off', () => new Set(well.seen).size === 30);
    await expect(publishAll(send, 1, ['refused'])).rejects.toMatchObject({ code: 'broker_unavailable' });
    await start(1);
    await eventually(
      'it is worked off when it is back',
      async () => {
        await publishAll(send, 1, ['x']).catch(() => {});
        return led.seen.length > 0;
      },
      20_000,
    );
    // The first is how it was found out.
    expect(lines.filter(({ msg }) => /^lost .*\(confab consumer\)/.test(msg)).length).toBeLessThanOrEqual(1);
  }, 60_000);

  test.concurrent('128 queues whose leaders are starting are set up in seconds', async () => {
    const all = Array.from({ length: 128 }, (_, partition) => partition);
    const { open, suspend, resume } = world({ partitionCount: all.length });
    await open().sendQueue();
    await suspend(...all);
    const began = runningMs();
    const queue = open();
    await Promise.all([queue.sendQueue(), queue.partitionSource()]);
    expect(runningMs() - began).toBeLessThan(15_000);
    await resume(...all);
    const send = await queue.sendQueue();
    await eventually('they are published to', () =>
      publishAll(send, 100, ['x']).then(
        () => true,
        () => false,
      ),
    );
  }, 60_000);
});

/** What a shell would hand to `rabbitmqctl`, of a line that an operator copies. */
async function argumentsIn(text: string): Promise<string[]> {
  const [, command = ''] = /rabbitmqctl (.*?)(?:, or the management page\)|$)/.exec(text) ?? [];
  return (await output(['sh', '-c', `printf '%s\\n' ${command}`])).trimEnd().split('\n');
}

const causeOf = (error: unknown): string =>
  String((error as { cause?: { message?: string } }).cause?.message);

async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof StartError ? error.message : causeOf(error);
  }
  throw new Error('it was not refused');
}

const binary = (text: string): string => `<<${[...Buffer.from(text)].join(',')}>>`;
const by = binary('a test');
const addUser = (name: string, password: string) =>
  `rabbit_auth_backend_internal:add_user(${binary(name)}, ${binary(password)}, ${by})`;
const changePassword = (name: string, password: string) =>
  `rabbit_auth_backend_internal:change_password(${binary(name)}, ${binary(password)}, ${by})`;
const addVhost = (name: string) => `rabbit_vhost:add(${binary(name)}, ${by})`;
const deleteVhost = (name: string) => `rabbit_vhost:delete(${binary(name)}, ${by})`;
const endConnections = (name: string) =>
  `rabbit_networking:close_all_user_connections(${binary(name)}, ${by})`;
/** Patterns of what may be declared, written and read. */
const permit = (name: string, vhost: string, ...patterns: readonly string[]) =>
  `rabbit_auth_backend_internal:set_permissions(${[name, vhost, ...patterns, 'a test'].map(binary).join(', ')})`;
const all = ['.*', '.*', '.*'] as const;

test.concurrent('a node where no queue confirms is left for another, one where a single queue does not is kept', async () => {
  const wires = [createWire(rabbit.port), createWire(rabbit.port)];
  const hosts = wires.map(({ port }) => ({ host: '127.0.0.1', port }));
  const { open, suspend, resume, lines } = world({ hosts });
  const queue = open();
  const send = await queue.sendQueue();
  const all = numbered(8).map(Number);
  await Promise.all(all.map((partition) => publishAll(send, partition, ['first', 'second'])));
  // Another node would say another name.
  expect(queue.brokerName()).toBeUndefined();
  const load = startLoad(send, 8, 200);
  await suspend(3);
  await eventually('it is given up', () => send.problems().includes('partition 3: no confirms'));
  const left = () => lines.filter(({ msg }) => msg.startsWith('lost RabbitMQ'));
  expect(left()).toEqual([]);

  await suspend(...all.filter((partition) => partition !== 3));
  await eventually('it is left', () => left().length > 0);
  expect(left()[0]).toMatchObject({ reason: 'none of its queues confirms' });
  await resume(...all);
  load.reset();
  await eventually('everything is taken', () => load.accepted.every((count) => count > 2));
  load.stop();
  await Promise.all(wires.map((wire) => wire.close()));
}, 40_000);

describe('what is not answered', () => {
  test.concurrent('is not taken for empty: partitions that are to be given up, and dead letters', async () => {
    const { broker, open, suspend, resume, stop, start } = world({ partitionCount: 2 });
    const queue = open();
    const send = await queue.sendQueue();
    await Promise.all([publishAll(send, 0, ['x']), publishAll(send, 1, ['x'])]);
    const link = createLink({ broker, name: 'test', log: heardLog().log, waitMs: 5_000 });
    await link.open();
    await suspend(0);
    await expect(readDepths(link, broker, 2)).rejects.toThrow('does not answer');
    await resume(0);
    expect(await readDepths(link, broker, 2)).toEqual({ messages: 2, consumers: 0 });
    await assertLeaders(link, broker, 2);
    await stop(1);
    await expect(assertLeaders(link, broker, 2)).rejects.toThrow('no leader');
    await start(1);

    const store = await queue.deadLetterStore();
    const leader = `'%2F_${broker.deadLetterQueue}'`;
    await erlang(`sys:suspend(${leader})`);
    await expect(store.list()).rejects.toThrow('does not answer');
    await erlang(`sys:resume(${leader})`);
    expect(await store.list()).toEqual([]);
    await erlang(`ra:stop_server(quorum_queues, {${leader}, node()})`);
    await expect(store.list()).rejects.toMatchObject({ code: 'broker_unavailable' });
    await link.close();
  }, 30_000);
});

describe('who we are', () => {
  test.concurrent('names, passwords and virtual hosts are sent to the byte, from the variables and in a URI', async () => {
    const [username, password, vhost] = ["o'brien %41 ü", '" lead & trail %40@:/?#[]\\ 😀 ', 'a/b %2F ü'];
    await erlang(addVhost(vhost), addUser(username, password), permit(username, vhost, ...all));
    const { names } = world();
    const parts = [username, password, vhost].map(encodeURIComponent);
    const { port, host } = rabbit;
    for (const environment of [
      {
        ...{ RABBITMQ_HOST: host, RABBITMQ_PORT: String(port) },
        ...{ RABBITMQ_USERNAME: username, RABBITMQ_PASSWORD: password, RABBITMQ_VHOST: vhost },
      },
      { RABBITMQ_URI: `amqp://${parts[0]}:${parts[1]}@${host}:${port}/${parts[2]}` },
    ]) {
      const { broker } = parseConfig({ ...environment, ...names });
      const queue = openRabbitMq({
        metrics: createMetrics(),
        broker,
        partitionCount: 1,
        log: heardLog().log,
        waitMs: 5_000,
      });
      opened.push(queue);
      await publishAll(await queue.sendQueue(), 0, ['x']);
    }
  }, 30_000);

  test.concurrent('users who may declare nothing do their part where all is declared', async () => {
    const { broker, open, lines } = world({ partitionCount: 2 });
    const { exchange, deadLetterExchange, queuePrefix, deadLetterQueue } = broker;
    const names = `^(${exchange}|${deadLetterExchange}|${queuePrefix}\\.p[0-9]+|${deadLetterQueue})$`;
    await erlang(addUser('deployer', 'pw'), permit('deployer', '/', names, names, names));
    await open({ username: 'deployer', password: 'pw' }).sendQueue();
    const queues = `^${broker.queuePrefix}\\.p[0-9]+$`;
    const users = [
      ['api', '', `^${broker.exchange}$`, ''],
      ['worker', '', `^${broker.deadLetterExchange}$`, queues],
      ['operator', '', `^${broker.exchange}$`, `^${broker.deadLetterQueue}$`],
      ['onlooker', '', '', ''],
    ] as const;
    await erlang(
      ...users.map(([name]) => addUser(name, 'pw')),
      ...users.map(([name, ...patterns]) => permit(name, '/', ...patterns)),
    );
    const as = (username: string) => open({ username, password: 'pw' });
    const [api, worker, operator] = [as('api'), as('worker'), as('operator')];
    const send = await api.sendQueue();
    const { seen } = await consume(worker, 1);
    await publishAll(send, 1, ['sent']);
    await eventually('it came', () => seen.length === 1);
    const letter = { delivery: { id: 'dead', body: '{}', partition: 1 }, reason: 'a test' };
    await (await worker.deadLetterSink()).put(letter);
    const onlooker = { ...broker, username: 'onlooker', password: 'pw' };
    const look = () => readRabbitMq(onlooker, 2, heardLog().log);
    await eventually('it is counted', async () => (await look()).deadLetters === 1);
    expect((await look()).problems).toEqual([]);
    const store = await operator.deadLetterStore();
    await eventually('it is listed', async () => (await store.list()).length === 1);
    expect(await Array.fromAsync(store.replay('all'))).toEqual(['dead']);
    await eventually('it came again', () => seen.length === 2);
    expect(new Set(lines.filter(({ level }) => level !== 'info'))).toEqual(new Set());
    // What is not there they cannot make, and that is said at once.
    const missing = open({ username: 'api', password: 'pw', queuePrefix: 'not.there' });
    expect(await refusalOf(missing.sendQueue())).toMatch(
      /has no queue "not\.there\.p\d", and the user api may not make it/,
    );
  }, 30_000);

  test.concurrent('what is taken away while we run is said once, and answered for; given back, all goes on', async () => {
    const [username, vhost] = ['runner', 'running'];
    await erlang(addVhost(vhost), addUser(username, 'first'), permit(username, vhost, ...all));
    const { open, lines } = world({ partitionCount: 1, username, password: 'first', vhost });
    const queue = open();
    const send = await queue.sendQueue();
    const { seen } = await consume(queue, 0);
    let ids = 0;
    async function untilItWorks() {
      const id = String(ids++);
      await eventually('it is accepted', () =>
        publishAll(send, 0, [id]).then(
          () => true,
          () => false,
        ),
      );
      await eventually('it is worked off', () => seen.includes(id));
    }
    /** Refusals for a while; what was said of them. */
    async function refused(reason: RegExp) {
      await eventually('it is refused', async () => {
        const why = await refusalOf(publishAll(send, 0, ['x'])).catch(() => '');
        return reason.test(why);
      });
      for (let at = 0; at < 20; at += 1) {
        await refusalOf(publishAll(send, 0, ['x']));
        await Bun.sleep(50);
      }
      expect(send.problems()).toHaveLength(1);
      expect(send.problems().join()).not.toMatch(reason);
      const said = lines.splice(0).filter((line) => line.reason !== undefined && reason.test(line.reason));
      // At most one of each connection.
      expect(said.length).toBeGreaterThan(0);
      expect(said.length).toBeLessThanOrEqual(2);
    }
    await untilItWorks();

    await erlang(permit(username, vhost, '.*', '', '.*'), endConnections(username));
    await refused(/ACCESS_REFUSED - (?:write )?access to exchange/);
    await erlang(permit(username, vhost, ...all));
    await untilItWorks();

    await erlang(changePassword(username, 'second'), endConnections(username));
    await refused(/ACCESS_REFUSED - Login was refused/);
    await erlang(changePassword(username, 'first'));
    await untilItWorks();

    await erlang(deleteVhost(vhost));
    await refused(/NOT_ALLOWED - vhost running not found/);
    await erlang(addVhost(vhost), permit(username, vhost, ...all));
    await untilItWorks();
  }, 60_000);
});

describe('the commands that are shown', () => {
  test.concurrent('bound the queues that were made without a bound', async () => {
    const { broker, open, lines } = world({ partitionCount: 1 });
    await publishAll(await open().sendQueue(), 0, ['before']);
    const bounded = open({ queueMaxBytes: 1_048_576 });
    const send = await bounded.sendQueue();
    const advice = lines.find(({ msg }) => msg.includes('RABBITMQ_CHAT_QUEUE_MAX_BYTES'));
    expect(advice?.level).toBe('warn');
    const fill = () => send.publish({ id: 'large', partition: 0, body: 'x'.repeat(256 * 1024) });
    for (let at = 0; at < 8; at += 1) await fill();
    await rabbit.ctl(...(await argumentsIn(advice?.msg ?? '')));
    await eventually('it is full', () =>
      fill().then(
        () => false,
        () => true,
      ),
    );
    const began = runningMs();
    expect(await refusalOf(fill())).toContain('full');
    expect(runningMs() - began).toBeLessThan(2_500);
    expect(broker.queueMaxBytes).toBeUndefined();
  }, 30_000);

  test.concurrent('delete a queue that differs', async () => {
    const vhost = "an operator's";
    await erlang(addVhost(vhost), permit('guest', vhost, ...all));
    const { broker, open } = world({ partitionCount: 1, vhost });
    const { port, host } = rabbit;
    const connection = await amqplib.connect({ hostname: host, port, vhost: encodeURIComponent(vhost) });
    await (await connection.createChannel()).assertQueue(`${broker.queuePrefix}.p0`, { durable: true });
    await connection.close();
    await rabbit.ctl(...(await argumentsIn(await refusalOf(open().sendQueue()))));
    await publishAll(await open().sendQueue(), 0, ['x']);
  }, 30_000);
});

test('after a stall of 4.6 s under load the last refusal comes within a second of its end', async () => {
  const { open } = world();
  const queue = open();
  const send = await queue.sendQueue();
  await Promise.all(numbered(8).map((partition) => publishAll(send, Number(partition), ['first'])));
  const load = startLoad(send, 8, 600, 'x'.repeat(8_000));
  await Bun.sleep(500);
  await rabbit.pause();
  await Bun.sleep(4_600);
  await rabbit.resume();
  const resumedAt = runningMs();
  await Bun.sleep(1_500);
  load.stop();
  expect(sum(load.refused)).toBeGreaterThan(0);
  expect(load.lastRefusalAt - resumedAt).toBeLessThan(1_000);
  await queue.close();
}, 30_000);
