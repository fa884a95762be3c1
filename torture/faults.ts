import amqplib from 'amqplib';
import postgres from 'postgres';
import type { OwnProcess } from '../harness/process.ts';
import { answers } from '../src/commands/servers/ready.ts';
import { now } from './clock.ts';
import { carryOutInCluster } from './cluster/faults.ts';
import { type Fault, isOfCluster, nameOf, type Which } from './fault.ts';
import type { FaultHelpers } from './fault-helpers.ts';
import type { Lines } from './tcp-proxy.ts';

const stopDeadlineMs = 40_000;
const diskLimit = '50MB';

/** Carries out one fault and puts everything right again; resolves when all it touched answers. */
export async function carryOut(fault: Fault, helpers: FaultHelpers): Promise<void> {
  const { recorder } = helpers;
  if (isOfCluster(fault)) return await carryOutInCluster(fault, helpers);
  const record = { name: nameOf(fault), begunAt: now(), endedAt: 0, redisAway: keepsFromRedis(fault) };
  try {
    await perform(fault, helpers);
  } catch (error) {
    helpers.print(
      `  ${record.name} could not be carried out: ${error instanceof Error ? error.message : error}`,
    );
  }
  record.endedAt = now();
  recorder.faults.push(record);
}

async function perform(fault: Fault, helpers: FaultHelpers): Promise<void> {
  const { deployment, recorder } = helpers;
  const lasts = () => Bun.sleep(fault.durationMs);
  switch (fault.kind) {
    case 'kill':
    case 'freeze':
      return 'which' in fault
        ? await onOwn(fault, some(deployment.own[fault.process], fault.which))
        : await onServer(fault, helpers);
    case 'cut': {
      const links = some(deployment.links[fault.link], fault.which);
      for (const link of links) {
        link.refuse(true);
        link.cut();
      }
      await lasts();
      for (const link of links) link.refuse(false);
      return;
    }
    case 'black-hole':
      return await withFlow(some(deployment.links[fault.link], fault.which), { kind: 'hold' }, lasts);
    case 'delay': {
      const flow = { kind: 'delay', ms: fault.delayMs } as const;
      return await withFlow(some(deployment.links[fault.link], fault.which), flow, lasts);
    }
    case 'strand': {
      for (const link of some(deployment.links[fault.link], fault.which)) link.strand();
      return await lasts();
    }
    case 'stall':
      return await onServer(fault, helpers);
    case 'silent-queue':
      return await silenceQueue(helpers, `chat.message.send.p${fault.partition}`, lasts);
    case 'overload':
      return await overload(deployment.servers.postgres.url, fault.durationMs);
    case 'redis-flush':
      if (!(await answers(deployment.servers.redis.port, 'FLUSHALL\r\n', '+OK'))) {
        throw new Error('Redis did not take FLUSHALL');
      }
      return;
    case 'confirm-lost': {
      const links = deployment.links['api-rabbitmq'];
      for (const link of links) link.flow({ toClient: { kind: 'drop' } });
      const from = now();
      await lasts();
      recorder.brokerSilent.push({ from, to: now() });
      for (const link of links) {
        link.cut();
        link.flow({ toClient: { kind: 'pass' } });
      }
      return;
    }
    case 'disk-alarm': {
      const { rabbitmq } = deployment.servers;
      await rabbitmq.ctl('set_disk_free_limit', '1000GB');
      await lasts();
      await rabbitmq.ctl('set_disk_free_limit', diskLimit);
      return;
    }
    case 'poison':
      return await poison(helpers);
    case 'crash-loop': {
      const workers = some(deployment.own.worker, fault.which);
      for (let crash = 0; crash < fault.crashes; crash += 1) {
        await Bun.sleep(fault.everyMs);
        await Promise.all(workers.map((worker) => worker.kill()));
        for (const worker of workers) void worker.start();
      }
      return await back(workers);
    }
    case 'slow-client': {
      for (const link of deployment.slowLinks) link.flow({ toClient: { kind: 'hold' } });
      helpers.flood();
      await lasts();
      for (const link of deployment.slowLinks) link.flow({ toClient: { kind: 'pass' } });
      return;
    }
    case 'rolling-restart':
      return await rollingRestart(helpers);
    case 'membership':
      return await helpers.changeMemberships();
  }
}

async function onOwn(fault: Fault & { kind: 'kill' | 'freeze' }, processes: readonly OwnProcess[]) {
  if (fault.kind === 'freeze') {
    for (const each of processes) each.freeze();
    await Bun.sleep(fault.durationMs);
    for (const each of processes) each.thaw();
  } else {
    await Promise.all(processes.map((each) => each.kill()));
    await Bun.sleep(fault.durationMs);
  }
  await back(processes);
}

async function onServer(
  fault: Fault & { kind: 'kill' | 'freeze' | 'stall' },
  helpers: FaultHelpers,
): Promise<void> {
  if (fault.process === 'api' || fault.process === 'worker' || fault.process === 'gateway') return;
  const server = helpers.deployment.servers[fault.process];
  if (fault.kind === 'kill') await server.kill();
  else await server.pause();
  const from = now();
  await Bun.sleep(fault.durationMs);
  if (fault.process === 'rabbitmq' && !helpers.deployment.cluster)
    helpers.recorder.brokerSilent.push({ from, to: now() });
  if (fault.kind === 'kill') await server.restart();
  else await server.resume();
}

/** The queue's own process in the broker stands still: it takes messages and confirms none. */
async function silenceQueue(
  { deployment }: FaultHelpers,
  queue: string,
  lasts: () => Promise<void>,
): Promise<void> {
  const { rabbitmq } = deployment.servers;
  const leader = await rabbitmq.ctl(
    'eval',
    `{ok, _, Leader} = ra:members({'%2F_${queue}', node()}), Leader.`,
  );
  const say = (what: 'suspend' | 'resume') => rabbitmq.ctl('eval', `sys:${what}(${leader.trim()}).`);
  await say('suspend');
  try {
    await lasts();
  } finally {
    await say('resume');
  }
}

/** Statements beside Confab's, on as many connections as there are cores here, four fifths of the time. */
async function overload(url: string, durationMs: number): Promise<void> {
  const sql = postgres(url, { max: 2, onnotice: () => {}, connect_timeout: 3 });
  const end = now() + durationMs;
  const work = async () => {
    while (now() < end) {
      const began = now();
      // It may be killed meanwhile.
      await Promise.race([
        sql`SELECT sum(i) FROM generate_series(1, 200000) i`,
        Bun.sleep(end - began),
      ]).catch(() => Bun.sleep(200));
      await Bun.sleep((now() - began) / 4);
    }
  };
  await Promise.all([work(), work()]);
  await sql.end({ timeout: 1 });
}

async function withFlow(
  links: readonly Lines[],
  flow: Parameters<Lines['flow']>[0]['toClient'] & object,
  lasts: () => Promise<void>,
): Promise<void> {
  for (const link of links) link.flow({ toServer: flow, toClient: flow });
  await lasts();
  const pass = { kind: 'pass' } as const;
  for (const link of links) link.flow({ toServer: pass, toClient: pass });
}

/** What can never be stored, in as many ways, each into a partition of its own choosing. */
async function poison({ deployment, recorder, random }: FaultHelpers): Promise<void> {
  const chatId = random.uuid();
  const bodies = [
    `not JSON ${random.uuid()}`,
    JSON.stringify([random.uuid()]),
    JSON.stringify({ version: 1, note: random.uuid() }),
    // Nobody of ours has signed them: what is newer is no reason to wait, either.
    JSON.stringify({ version: 2, note: random.uuid() }),
    `{"version":2,"note":"${random.uuid()}","signature":"${'A'.repeat(22)}"}`,
    JSON.stringify({ version: 1, chatId, senderId: random.uuid(), clientMessageId: 'no', content: 'x' }),
    `{"version":1,"chatId":"${chatId}","nested":${'['.repeat(500)}${']'.repeat(500)}}`,
  ];
  const connection = await amqplib.connect(deployment.servers.rabbitmq.url, { timeout: 5_000 });
  connection.on('error', () => {});
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
  for (const body of bodies) {
    const id = `poison-${random.uuid()}`;
    const queue = `chat.message.send.p${random.integer(0, 7)}`;
    channel.sendToQueue(queue, Buffer.from(body), { messageId: id, persistent: true });
    await channel.waitForConfirms();
    recorder.poison.push({ id, body, at: now() });
  }
  await connection.close();
}

async function rollingRestart({ deployment, print }: FaultHelpers): Promise<void> {
  const { api, worker, gateway } = deployment.own;
  for (const index of [0, 1]) {
    for (const each of [api[index], worker[index], gateway[index]]) {
      if (!each) continue;
      if (!(await each.stop(stopDeadlineMs)))
        print(`  ${each.name} did not end within ${stopDeadlineMs / 1000} s`);
      await back([each]);
    }
  }
}

async function back(processes: readonly OwnProcess[]): Promise<void> {
  const started = await Promise.all(processes.map((each) => each.start()));
  const dead = processes.filter((_, at) => !started[at]).map(({ name }) => name);
  if (dead.length > 0) throw new Error(`${dead.join(', ')} did not answer within 60 s`);
}

const some = <Item>(both: readonly Item[], which: Which): Item[] =>
  which === 'both' ? [...both] : both.slice(which, which + 1);

function keepsFromRedis(fault: Fault): boolean {
  if ('process' in fault) return fault.process === 'redis' || fault.process === 'gateway';
  return 'link' in fault && fault.link.endsWith('redis');
}
