import { alternate, type Contender, valuesOf } from './alternate.ts';
import type { Bench } from './bench.ts';
import type { FanOutServer, startFanOutServers } from './fan-out-servers.ts';
import type { Rooms } from './population.ts';
import { short, spreadText } from './report.ts';
import { ratiosOf, spreadOf } from './statistics.ts';
import type { Ticks } from './ticks.ts';

export interface Scenario {
  name: string;
  rooms: Rooms;
  perTick: number;
  /** The sender's own socket gets another frame: everywhere but in the floor of big rooms, which is a mere publish. */
  floorLeavesOut: boolean;
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
