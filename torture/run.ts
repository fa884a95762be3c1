import { finish, type UnwantedExit } from '../harness/process.ts';
import type { Guard } from '../src/commands/servers/guard.ts';
import type { Trio } from '../src/commands/servers/launcher.ts';
import { createChanging } from './changing.ts';
import { connectAll, floodSlowClients, makeClients, mostAre } from './clients.ts';
import { now } from './clock.ts';
import type { Cluster } from './cluster/cluster.ts';
import { readDatabase, readDeadLetters, readQueues } from './collect.ts';
import { createComingsAndGoings } from './comings-and-goings.ts';
import { createDeployment, type Deployment } from './deployment.ts';
import { createExtras } from './extras.ts';
import type { FaultHelpers } from './fault-helpers.ts';
import { type Filled, readFilled } from './filled.ts';
import { createFlowWatch } from './flow.ts';
import type { History } from './history.ts';
import { createLeading } from './leading.ts';
import { createMarking } from './marking.ts';
import { makePopulation } from './population.ts';
import { createPresenceReader, readAllPresence, readPresenceOfTheDead } from './presence.ts';
import { createRandom } from './random.ts';
import { createRecorder } from './recorder.ts';
import { recovered } from './recovered.ts';
import { readProcesses } from './resources.ts';
import { createRest } from './rest.ts';
import { createRestlessness } from './restlessness.ts';
import type { Wave } from './schedule.ts';
import { createSending } from './sending.ts';
import { settle } from './settle.ts';
import { runWaves } from './waves.ts';

export interface TortureOptions {
  guard: Guard;
  folder: string;
  /** The repository. */
  root: string;
  servers: Trio;
  /** What these servers are made of. */
  cluster?: Cluster;
  seed: number;
  minutes: number;
  waves: readonly Wave[];
  users: number;
  chats: number;
  messagesASecond: number;
  /** Added to the environment of api, worker and gateway. */
  extra?: Record<string, string>;
  /** False: clients stay connected unless a fault hits them. */
  restless?: boolean;
  settleDeadlineMs?: number;
  print: (line: string) => void;
}

export interface TortureResult {
  history: History;
  figures: {
    sockets: number;
    chats: number;
    offered: number;
    heldBack: number;
    /** Seconds in which messages were offered. */
    loadSeconds: number;
  };
  loadEndedAt: number;
  filled: Filled;
  /** Waves of the schedule that there was no time for. */
  wavesLeft: number;
  unwantedExits: readonly UnwantedExit[];
  /** Seconds from the end of the load until everybody had everything; undefined: not within the deadline. */
  settledAfter: number | undefined;
}

const warmUpMs = 6_000;
/** Of a run that has the time to see how long a dead gateway's users are shown. */
const longMinutes = 5;
/** A hint lost in a chat that falls silent is made good by the comparison every 30 s. */
const settleDeadlineMs = 75_000;

/** Everything from starting the processes to a history that is ready to be judged; cleans up whatever happens. */
export async function runTorture(options: TortureOptions): Promise<TortureResult> {
  const { print, servers } = options;
  const random = createRandom(options.seed);
  const flow = createFlowWatch();
  const recorder = createRecorder(flow.shown);
  const deployment = await createDeployment(options);
  const undo: (() => Promise<unknown>)[] = [() => deployment.close()];
  try {
    await migrate(options.root, deployment);
    await deployment.start();
    const population = await makePopulation({
      random: random.fork('population'),
      sizes: { users: options.users, chats: options.chats },
      databaseUrl: servers.postgres.url,
      apiUrl: deployment.apiUrl,
      secret: deployment.secret,
      serviceToken: deployment.serviceToken,
    });
    const rest = createRest(deployment.apiUrl);
    const restless = options.restless ?? true;
    const clients = makeClients({ deployment, population, recorder, rest, expiring: restless });
    undo.push(() => Promise.all(clients.map((client) => client.close())));
    const extras = createExtras({ random: random.fork('extras'), recorder });
    const sending = createSending({
      random: random.fork('sending'),
      messagesASecond: options.messagesASecond,
      ...{ population, rest, recorder, flow, extras },
    });
    undo.push(async () => sending.stop());
    const restlessness = createRestlessness(clients, random.fork('restlessness'));
    undo.push(async () => restlessness.stop());
    const comings = createComingsAndGoings({
      random: random.fork('comings'),
      databaseUrl: servers.postgres.url,
      ...{ population, rest, recorder },
    });
    undo.push(() => comings.close());

    const changing = createChanging({
      random: random.fork('changing'),
      changesASecond: options.messagesASecond / 10,
      ...{ population, rest, recorder, extras },
    });
    undo.push(changing.stop);
    const leading = createLeading({
      random: random.fork('leading'),
      databaseUrl: servers.postgres.url,
      ...{ population, rest, recorder },
    });
    undo.push(() => leading.close(), leading.stop);
    const marking = createMarking({
      random: random.fork('marking'),
      clients,
      marksASecond: options.messagesASecond / 10,
    });
    undo.push(marking.stop);

    print(`warming up: ${clients.length} sockets, ${population.chats.length} chats`);
    await connectAll(clients);
    sending.start();
    await Bun.sleep(warmUpMs);
    sending.stop();
    await sending.settled(20_000);
    for (const client of clients) client.disconnect();
    const before = await readProcesses(deployment);

    await connectAll(clients);
    const loadBegan = now();
    sending.start();
    if (restless) restlessness.start();
    comings.start();
    changing.start();
    leading.start();
    marking.start();
    const helpers: FaultHelpers = {
      random: random.fork('faults'),
      recorder,
      deployment,
      flood: () => floodSlowClients(clients, population, sending.burst),
      changeMemberships: () => comings.burst(6),
      fullFlow: () => flow.full() && mostAre(clients),
      print,
    };
    const wavesLeft = await runWaves(options.waves, { minutes: options.minutes, loadBegan }, helpers);
    await recovered(helpers);
    const restOfLoad = loadBegan + options.minutes * 60_000 - now();
    if (restOfLoad > 0) await Bun.sleep(restOfLoad);

    print('the load ends; settling');
    await Promise.all([comings.stop(), changing.stop(), leading.stop(), marking.stop()]);
    restlessness.stop();
    sending.stop();
    const loadEndedAt = now();
    await sending.settled(30_000);
    const settled = await settle(
      clients,
      population,
      deployment,
      options.settleDeadlineMs ?? settleDeadlineMs,
    );
    const settledAt = now();
    await comings.reconcile();
    const database = await readDatabase(servers.postgres.url);
    const deadLetters = await readDeadLetters(deployment.environment);
    const queues = await readQueues(servers.rabbitmq);
    // From here on nothing more is seen; what was seen is what is judged.
    const clientsSaw = recorder.clients.map((client) => ({ ...client, records: [...client.records] }));
    const reader = createPresenceReader({ population, rest });
    const presence = restless ? await readAllPresence({ reader, clients, since: now() }) : [];
    for (const client of clients) client.disconnect();
    const after = await readProcesses(deployment);
    if (options.minutes >= longMinutes) {
      const gateways = deployment.own.gateway;
      presence.push(...(await readPresenceOfTheDead({ reader, clients, gateways })));
    }
    await Promise.all(clients.map((client) => client.close()));

    return {
      history: {
        posts: recorder.posts,
        clients: clientsSaw,
        changes: recorder.changes,
        memberships: recorder.memberships,
        poison: recorder.poison,
        replayed: [],
        database,
        deadLetters,
        queues,
        processes: before.flatMap(({ name, resources }) => {
          const now = after.find((each) => each.name === name)?.resources;
          return resources && now ? [{ name, before: resources, after: now }] : [];
        }),
        presence,
        brokerSilent: recorder.brokerSilent,
        faults: recorder.faults,
      },
      figures: {
        sockets: clients.length,
        chats: population.chats.length,
        ...sending.figures,
        loadSeconds: (loadEndedAt - loadBegan + warmUpMs) / 1000,
      },
      loadEndedAt,
      filled: await readFilled(deployment.own.gateway.flatMap((each) => each.logFiles())),
      wavesLeft,
      unwantedExits: Object.values(deployment.own)
        .flat()
        .flatMap((each) => each.unwantedExits()),
      settledAfter: settled ? (settledAt - loadEndedAt) / 1000 : undefined,
    };
  } finally {
    for (const step of undo.reverse()) await step().catch((error) => print(`cleaning up: ${error}`));
  }
}

async function migrate(root: string, deployment: Deployment): Promise<void> {
  const { status, out, err } = await finish(['src/commands/migrate.ts'], {
    cwd: root,
    env: deployment.environment,
  });
  if (status !== 0) throw new Error(`migrating ended with ${status}: ${out}${err}`);
}
