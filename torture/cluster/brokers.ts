import { join } from 'node:path';
import type { Launcher } from '../../src/commands/servers/launcher.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import { answersAmqp, type RabbitServer } from '../../src/commands/servers/rabbitmq.ts';
import { untilReady } from '../../src/commands/servers/ready.ts';
import { createLink, createTcpProxy, type Link } from '../tcp-proxy.ts';
import { createLed } from './led.ts';
import { registerNode } from './port-mapper.ts';

export interface Brokers {
  /** Those that are there. A node is killed or frozen in turn. */
  readonly server: RabbitServer;
  readonly ports: readonly number[];
  leaderOf(queue: string): Promise<Broker>;
  node(at: number): Broker;
}

/** One of them. */
export interface Broker {
  readonly name: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Nothing gets through between it and the others, and nobody is told; its clients reach it. */
  cutOff(): void;
  /** Resolves when it is one of them again. */
  rejoin(): Promise<void>;
}

const count = 3;
const nodeName = (at: number) => `confab${at + 1}@localhost`;
/** What docs/rabbitmq.md asks for, and how they find each other. */
const settings = [
  'cluster_partition_handling = pause_minority',
  'net_ticktime = 8',
  'cluster_formation.peer_discovery_backend = classic_config',
  ...Array.from(
    { length: count },
    (_, at) => `cluster_formation.classic_config.nodes.${at + 1} = ${nodeName(at)}`,
  ),
];
/** A paused node looks every second whether it may go on, and starts again then. */
const rejoinDeadlineMs = 90_000;

/** Three nodes of one cluster. Each has a port mapper of its own, which leads it to proxies before the others. */
export async function startBrokers(launcher: Launcher, folder: string): Promise<Brokers> {
  const cookie = crypto.randomUUID().replaceAll('-', '');
  const nodes: { name: string; epmdPort: number; distributionPort: number; port: number }[] = [];
  for (let at = 0; at < count; at += 1) {
    const [epmdPort, distributionPort, port] = [await freePort(), await freePort(), await freePort()];
    nodes.push({ name: nodeName(at), epmdPort, distributionPort, port });
  }
  /** Between each two, in both directions. */
  const between = nodes.flatMap((from) =>
    nodes.filter((to) => to !== from).map((to) => ({ from, to, link: createLink(to.distributionPort) })),
  );
  const proxies = between.map(({ from, to, link }) => ({ from, to, proxy: createTcpProxy(() => [link]) }));
  const start = async (node: (typeof nodes)[number]): Promise<RabbitServer> => {
    const { name, port } = node;
    const peers = proxies.filter(({ from }) => from === node);
    const [server] = await Promise.all([
      launcher.rabbitmq({ folder: join(folder, name), port, durable: false }, { ...node, cookie, settings }),
      ...peers.map(({ to, proxy }) => registerNode(node.epmdPort, shortName(to.name), proxy.port)),
    ]);
    return server;
  };
  // The others join the first.
  const [first, ...others] = nodes;
  if (!first) throw new Error('there are no nodes');
  const servers = [await start(first), ...(await Promise.all(others.map(start)))];

  /** Those that are down, frozen or cut off. */
  const away = new Set<number>();
  const present = (): RabbitServer => {
    const found = servers.find((_, at) => !away.has(at));
    if (!found) throw new Error('all nodes of RabbitMQ are away');
    return found;
  };
  const links = servers.map(({ port }) => createLink(port));
  const proxy = createTcpProxy(() => links.filter((_, at) => !away.has(at)));
  const ctl: RabbitServer['ctl'] = (...args) => present().ctl(...args);

  async function whole(): Promise<void> {
    const isWhole = async () => {
      const answering = await Promise.all(servers.map(({ port }) => answersAmqp(port)));
      // Each asks the others; those that it does not reach are not in the answer.
      return answering.every(Boolean) && (await ctl('eval', partitionsOfAll)).trim() === '{3,[]}';
    };
    await untilReady({ what: 'RabbitMQ with all its nodes', check: isWhole, deadlineMs: rejoinDeadlineMs });
    away.clear();
  }

  let turn = 0;
  const led = createLed({
    name: 'RabbitMQ',
    url: Object.assign(new URL(servers[0]?.url ?? ''), { port: String(proxy.port) }).href,
    async leader() {
      const at = turn++ % count;
      away.add(at);
      return servers[at] as RabbitServer;
    },
    whole,
    stop: () =>
      Promise.all([
        proxy.close(),
        ...proxies.map((each) => each.proxy.close()),
        ...servers.map((each) => each.stop()),
      ]),
  });

  function brokerAt(at: number): Broker {
    const server = servers[at];
    const node = nodes[at];
    if (!server || !node) throw new Error(`there is no node ${at}`);
    const own = between.filter(({ from, to }) => from === node || to === node).map(({ link }) => link);
    return {
      name: node.name,
      async kill() {
        away.add(at);
        await server.kill();
      },
      async restart() {
        await server.restart();
        await whole();
      },
      cutOff() {
        away.add(at);
        flowOf(own, 'hold');
      },
      async rejoin() {
        flowOf(own, 'pass');
        await whole();
      },
    };
  }

  return {
    server: {
      ...led,
      ctl,
      async flush() {
        await Promise.all(servers.map((server) => server.flush()));
      },
    },
    ports: nodes.map(({ port }) => port),
    node: brokerAt,
    async leaderOf(queue) {
      const name = await ctl('eval', `{ok, _, {_, Node}} = ra:members({'%2F_${queue}', node()}), Node.`);
      return brokerAt(nodes.findIndex((node) => name.includes(node.name)));
    },
  };
}

/** How many nodes run, and what any of them sees of partitions. */
const partitionsOfAll =
  'Nodes = rabbit_nodes:all_running(), {length(Nodes), lists:append([erpc:call(N, rabbit_node_monitor, partitions, []) || N <- Nodes])}.';

const shortName = (name: string): string => name.split('@')[0] ?? name;

function flowOf(links: readonly Link[], kind: 'hold' | 'pass'): void {
  for (const link of links) link.flow({ toServer: { kind }, toClient: { kind } });
}
