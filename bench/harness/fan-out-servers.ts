import type { Bench } from './bench.ts';
import { bunChild, type Child, nodePeer, startChild } from './child.ts';
import { membershipsOf, type Population, populate } from './population.ts';
import { startConfab } from './process.ts';
import { bareHellos, confabHellos, connectSockets, peerHellos } from './sockets.ts';

/** One server with its sockets connected, and who makes it send. */
export interface FanOutServer {
  /** Of the process that is measured. */
  cpuMicroseconds(): number;
  /** Makes messages and sends them; the server itself, or what publishes to it. */
  driver: Child;
  sockets: Child;
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
 * The two gateways have a database each, because each is told messages of its own.
 */
export async function startFanOutServers(
  bench: Bench,
  population: Population,
  peers: boolean,
): Promise<Partial<FanOutServers> & Pick<FanOutServers, 'bare' | 'confab' | 'confabOverRedis'>> {
  const { report, defer } = bench;
  const place = async () => {
    report.progress('servers and data');
    return (await populate(bench, population)).environment;
  };
  const [environment, environmentOverRedis] = [await place(), await place()];
  const memberships = membershipsOf(population);
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
