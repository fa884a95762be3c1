import { join } from 'node:path';
import { alternate, type Contender, valuesOf } from './alternate.ts';
import type { Bench } from './bench.ts';
import { bunChild, type Child, startChild } from './child.ts';
import type { Rooms } from './messages.ts';
import { settleDatabase, signTokens } from './population.ts';
import { startConfab } from './process.ts';
import { short, spreadText } from './report.ts';
import type { BenchDatabase, Environment } from './servers.ts';
import { ratiosOf, spreadOf } from './statistics.ts';
import type { Ticks } from './ticks.ts';

/** One server with its sockets connected, and who makes it send. */
export interface FanOutServer {
  /** Of the process that is measured. */
  cpuMicroseconds(): number;
  /** Makes messages and sends them; the server itself, or what publishes to it. */
  driver: Child;
  sockets: Child;
}

export interface Scenario {
  name: string;
  rooms: Rooms;
  perTick: number;
  /** The sender's own socket gets another frame: everywhere but in the floor of big rooms, which is a mere publish. */
  floorLeavesOut: boolean;
}

/** For each user, from 1 on, the chats they are in. */
export type Memberships = readonly (readonly number[])[];

const concurrency = 100;

export async function connectSockets(
  bench: Pick<Bench, 'defer'>,
  port: number,
  kind: 'bare' | 'peer' | 'confab',
  hellos: string[],
): Promise<Child> {
  const sockets = await startChild({ name: `sockets of ${kind}`, command: bunChild('sockets.ts') });
  bench.defer(() => sockets.end());
  await sockets.call('connect', { port, hellos, concurrency, ...protocols[kind] });
  return sockets;
}

export const protocols = {
  upgrade: { path: '/', greeting: '', ready: '' },
  bare: { path: '/', greeting: '', ready: 'ok' },
  peer: { path: '/socket.io/?EIO=4&transport=websocket', greeting: '0', ready: '40/chat,' },
  confab: { path: '/socket.io/?EIO=4&transport=websocket', greeting: '0', ready: '42/chat,["chat.ready"' },
};

export const bareHellos = (memberships: Memberships): string[] =>
  memberships.map((chats, at) => JSON.stringify({ user: at + 1, chats }));
export const peerHellos = (memberships: Memberships): string[] =>
  bareHellos(memberships).map((auth) => `40/chat,${auth}`);
export async function confabHellos(environment: Environment, count: number): Promise<string[]> {
  const tokens = await signTokens(environment, 1, count);
  return tokens.map((token) => `40/chat,${JSON.stringify({ token })}`);
}

export interface FanOutServers {
  bare: FanOutServer;
  confab: FanOutServer;
  confabOverRedis: FanOutServer;
  node: FanOutServer;
  bunEngine: FanOutServer;
}

/**
 * All servers with all sockets: the floor, Confab with and without Redis, and, where wanted, the peers.
 * @param seed users and chats; the two gateways have a database each, because each is told messages of its own
 */
export async function startFanOutServers(
  bench: Bench,
  seed: (sql: BenchDatabase['sql']) => Promise<void>,
  memberships: Memberships,
  peers: boolean,
): Promise<Partial<FanOutServers> & Pick<FanOutServers, 'bare' | 'confab' | 'confabOverRedis'>> {
  const { report, servers, defer } = bench;
  const place = async (): Promise<Environment> => {
    report.progress('servers and data');
    const database = await servers.createDatabase();
    defer(() => database.drop());
    await seed(database.sql);
    await settleDatabase(database.sql);
    return servers.environment(database);
  };
  const [environment, environmentOverRedis] = [await place(), await place()];
  const child = async (name: string, command: string[], env: Record<string, string> = {}) => {
    const started = await startChild({ name, command, env });
    defer(() => started.end());
    return started;
  };
  const own = async (name: string, command: string[], kind: 'bare' | 'peer' | 'confab', hellos: string[]) => {
    report.progress(`${name}: connecting ${hellos.length} sockets`);
    const env = { ...(kind === 'confab' ? environment : {}), BENCH_UPKEEP: 'off' };
    const driver = await child(name, command, env);
    const sockets = await connectSockets(bench, await driver.call<number>('port'), kind, hellos);
    return { cpuMicroseconds: driver.cpuMicroseconds, driver, sockets };
  };

  const hellos = await confabHellos(environment, memberships.length);
  const bare = await own('bare Bun', bunChild('bare-sockets.ts'), 'bare', bareHellos(memberships));
  const confab = await own('Confab', bunChild('gateway.ts'), 'confab', hellos);

  report.progress(`Confab over Redis: connecting ${hellos.length} sockets`);
  const gateway = await startConfab(bench, 'gateway', environmentOverRedis);
  const confabOverRedis = {
    cpuMicroseconds: gateway.cpuMicroseconds,
    driver: await child('feeder', bunChild('feeder.ts'), environmentOverRedis),
    sockets: await connectSockets(bench, gateway.port, 'confab', hellos),
  };
  if (!peers) return { bare, confab, confabOverRedis };
  return {
    bare,
    confab,
    confabOverRedis,
    node: await own('Socket.IO on Node', await nodePeer(), 'peer', peerHellos(memberships)),
    bunEngine: await own('Socket.IO on bun-engine', bunChild('peer.ts'), 'peer', peerHellos(memberships)),
  };
}

/** Node runs no TypeScript: the peer is translated next to the packages it imports. */
export async function nodePeer(): Promise<string[]> {
  const node = Bun.which('node');
  if (node === null) throw new Error('node is needed for a peer and is not on the PATH');
  const root = join(import.meta.dir, '../..');
  const outdir = join(root, 'node_modules/.cache/confab-bench');
  await Bun.build({
    entrypoints: [join(root, 'bench/children/peer.ts')],
    outdir,
    target: 'node',
    packages: 'external',
    naming: 'peer.mjs',
  });
  return [node, '--expose-gc', join(outdir, 'peer.mjs')];
}

/**
 * Deliveries a second that leave the servers and the receivers idle time; who cannot keep up is measured at its own pace. In
 * big rooms the floor needs the less for one the more go out in a tick.
 */
const bigRoomRates: Record<number, number> = { 1: 30_000, 4: 60_000, 32: 250_000 };
const ordinaryRate = 40_000;
const bigRoom = 1_000;
const windowSeconds = 0.5;

/**
 * One window: prepares outside of it, sends at a constant rate, waits for the last frame, and counts that all came. Before it
 * every socket is sent something that does not count: whose turn comes twice in a row, as the floor's does, would find its
 * sockets in the processor's caches, and all others would not (measured, two identical floors against a gateway between them:
 * a tenth dearer; the same floor in two ways, one after the other, against it: a third).
 */
export async function window(
  { driver, sockets, cpuMicroseconds }: FanOutServer,
  { rooms, perTick, floorLeavesOut }: Scenario,
  options: {
    seconds: number;
    aSecond: number;
    fewestTicks: number;
    way?: 'publish' | 'loop';
    cold?: boolean;
  },
): Promise<Record<string, number>> {
  const aTick = perTick * rooms.size;
  const aSecond = options.aSecond / aTick;
  const ticks = { count: Math.max(options.fewestTicks, Math.round(aSecond * options.seconds)), aSecond };
  const deliveries = ticks.count * aTick;
  const leadIn = options.cold ? 0 : Math.max(2, Math.ceil((rooms.chats * rooms.size) / aTick));
  const before = await sockets.call<Counts>('counts');
  await driver.call('prepare', { rooms, count: (leadIn + ticks.count) * perTick });
  const run = (some: Ticks) =>
    driver.call('run', { ticks: some, perTick, way: options.way, leaveOut: floorLeavesOut });
  const arrival = (frames: number) =>
    sockets.call<Counts>('waitFor', { frames: before.frames + frames, timeoutMs: 60_000 });
  if (leadIn > 0) {
    await run({ count: leadIn, aSecond });
    await arrival(leadIn * aTick);
  }
  const cpu = cpuMicroseconds();
  const receiverCpu = sockets.cpuMicroseconds();
  const startedAt = performance.now();
  await run({ ...ticks, first: leadIn });
  const after = await arrival(leadIn * aTick + deliveries);
  const seconds = (performance.now() - startedAt) / 1000;
  const used = cpuMicroseconds() - cpu;
  const arrived = after.frames - before.frames - leadIn * aTick;
  if (arrived !== deliveries || after.closed > before.closed) {
    throw new Error(
      `${driver.name}: ${arrived} of ${deliveries} deliveries arrived, ${after.closed - before.closed} closed`,
    );
  }
  return {
    cpuUs: used / deliveries,
    perSecond: deliveries / seconds,
    receiverUs: (sockets.cpuMicroseconds() - receiverCpu) / deliveries,
  };
}

interface Counts {
  frames: number;
  closed: number;
}

export interface Measured {
  scenario: Scenario;
  /** The cheaper way of the floor. */
  floor: 'publish' | 'loop';
  floorUs: number[];
  confabUs: number[];
  overRedisUs: number[];
  /** Round by round. */
  ratios: number[];
  nodeUs: number[];
  bunEngineUs: number[];
}

export async function measureFanOut(
  bench: Bench,
  servers: Awaited<ReturnType<typeof startFanOutServers>>,
  scenarios: readonly Scenario[],
): Promise<Measured[]> {
  const { report, rounds, seconds } = bench;
  const measured: Measured[] = [];
  for (const scenario of scenarios) {
    const { perTick, name, rooms } = scenario;
    const big = rooms.size >= bigRoom;
    const rate = big ? (bigRoomRates[perTick] ?? ordinaryRate) : ordinaryRate;
    // Of a big room with many frames a tick one tick is enough, where each delivery is a system call of its own.
    const coalesced = big && perTick > 4;
    const own = { seconds: seconds(windowSeconds), aSecond: rate, fewestTicks: coalesced ? 3 : 5 };
    const loop = { ...own, ...(coalesced ? { seconds: 0, fewestTicks: 1, cold: true } : {}) };
    // A system call each, dearer than what the caches have to do with it.
    const peer = {
      seconds: seconds(windowSeconds),
      aSecond: Math.min(rate, ordinaryRate),
      fewestTicks: 1,
      cold: big,
    };
    const { bare, confab, confabOverRedis, node, bunEngine } = servers;
    const contenders: Contender[] = [
      { name: 'publish', run: () => window(bare, scenario, { ...own, way: 'publish' }) },
      { name: 'loop', run: () => window(bare, scenario, { ...loop, way: 'loop' }) },
      { name: 'confab', run: () => window(confab, scenario, own) },
      { name: 'redis', run: () => window(confabOverRedis, scenario, own) },
    ];
    if (node) contenders.push({ name: 'node', run: () => window(node, scenario, peer), rounds: 2 });
    if (bunEngine)
      contenders.push({ name: 'bun-engine', run: () => window(bunEngine, scenario, peer), rounds: 2 });
    const progress = (text: string) => report.progress(`${name}, ${perTick} a tick, ${text}`);
    // Compiled code first: nothing of this round counts.
    await alternate(
      contenders.map(({ rounds: _, ...each }) => each),
      1,
      (text) => progress(`warming, ${text}`),
    );
    const samples = await alternate(contenders, rounds, progress);

    const us = (contender: string) => valuesOf(samples, contender, 'cpuUs');
    const floor = spreadOf(us('publish')).median <= spreadOf(us('loop')).median ? 'publish' : 'loop';
    measured.push({
      scenario,
      floor,
      floorUs: us(floor),
      confabUs: us('confab'),
      overRedisUs: us('redis'),
      ratios: ratiosOf(us('confab'), us(floor)),
      nodeUs: us('node'),
      bunEngineUs: us('bun-engine'),
    });
    for (const contender of samples.keys()) {
      report.figure(`${name}, ${perTick} a tick, ${contender}, CPU µs/delivery`, us(contender));
    }
  }
  return measured;
}

export function reportFanOut({ report }: Bench, title: string, measured: readonly Measured[]): void {
  report.table({
    title: `${title}: server CPU µs a delivery, median (min … max)`,
    columns: [
      'room',
      'a tick',
      'floor',
      '',
      'Confab',
      'ratio',
      'Confab with Redis',
      'Socket.IO Node',
      'bun-engine',
    ],
    rows: measured.map((each) => [
      each.scenario.name,
      String(each.scenario.perTick),
      spreadText(each.floorUs),
      each.floor,
      spreadText(each.confabUs),
      short(spreadOf(each.ratios).median),
      spreadText(each.overRedisUs),
      each.nodeUs.length > 0 ? short(spreadOf(each.nodeUs).median) : '',
      each.bunEngineUs.length > 0 ? short(spreadOf(each.bunEngineUs).median) : '',
    ]),
  });
}
