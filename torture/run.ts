import type { Guard } from '../src/commands/servers/guard.ts';
import type { Trio } from '../src/commands/servers/launcher.ts';
import { createClient, type TortureClient } from './client.ts';
import { now } from './clock.ts';
import { readDatabase, readDeadLetters, readQueues } from './collect.ts';
import { createComingsAndGoings } from './comings-and-goings.ts';
import { createDeployment, type Deployment } from './deployment.ts';
import { carryOut, type FaultHelpers } from './faults.ts';
import { type Filled, readFilled } from './filled.ts';
import { connectedShare, createFlowWatch } from './flow.ts';
import type { History, Resources } from './history.ts';
import type { UnwantedExit } from './own-process.ts';
import { makePopulation, type Population } from './population.ts';
import { createRandom } from './random.ts';
import { createRecorder, type Recorder } from './recorder.ts';
import { readResources } from './resources.ts';
import { createRest, type Rest } from './rest.ts';
import { createRestlessness } from './restlessness.ts';
import { nameOf, type Wave } from './schedule.ts';
import { createSending } from './sending.ts';
import { settle } from './settle.ts';

export interface TortureOptions {
  guard: Guard;
  folder: string;
  /** The repository. */
  root: string;
  servers: Trio;
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

const slowClients = 12;
const warmUpMs = 6_000;
const restMs = 3_000;
/** A hint lost in a chat that falls silent is made good by the comparison every 30 s. */
const settleDeadlineMs = 75_000;
const connectDeadlineMs = 45_000;
/** How many times as long as planned the waves may take, where recovery is waited for. */
const mostOvertime = 2.5;
/** Recovery is to be there within 15 s. */
const recoveryDeadlineMs = 20_000;
/** So long the flow has to stay full before the next faults. */
const steadyMs = 1_250;
const shortTokenSeconds = 60;

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
    });
    const rest = createRest(deployment.apiUrl);
    const restless = options.restless ?? true;
    const clients = makeClients({ deployment, population, recorder, rest, expiring: restless });
    undo.push(() => Promise.all(clients.map((client) => client.close())));
    const sending = createSending({
      random: random.fork('sending'),
      messagesASecond: options.messagesASecond,
      ...{ population, rest, recorder, flow },
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
    const helpers: FaultHelpers = {
      random: random.fork('faults'),
      recorder,
      deployment,
      flood: () => floodSlowClients(clients, population, sending.burst),
      changeMemberships: () => comings.burst(6),
      print,
    };
    const fullFlow = () => flow.full() && mostAre(clients);
    const wavesLeft = await runWaves(options, loadBegan, helpers, fullFlow);
    await recovered(fullFlow, recorder);
    const restOfLoad = loadBegan + options.minutes * 60_000 - now();
    if (restOfLoad > 0) await Bun.sleep(restOfLoad);

    print('the load ends; settling');
    await comings.stop();
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
    await Promise.all(clients.map((client) => client.close()));
    const after = await readProcesses(deployment);

    return {
      history: {
        posts: recorder.posts,
        clients: clientsSaw,
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
  const { PATH, HOME } = process.env;
  const run = Bun.spawn([process.execPath, '--no-env-file', 'src/commands/migrate.ts'], {
    cwd: root,
    env: { PATH, HOME, ...deployment.environment },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [code, out, err] = await Promise.all([
    run.exited,
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
  ]);
  if (code !== 0) throw new Error(`migrating ended with ${code}: ${out}${err}`);
}

/** Two tabs a user, a fifth of the users with tokens that expire on the way, and some by the way that is paused. */
function makeClients(options: {
  deployment: Deployment;
  population: Population;
  recorder: Recorder;
  rest: Rest;
  /** Whether some have tokens that expire on the way. */
  expiring: boolean;
}): TortureClient[] {
  const { deployment, population, recorder, rest, expiring } = options;
  const { users, chats } = population;
  const client = (userId: string, tab: number, url: string, ttlSeconds?: number) =>
    createClient({
      name: `${userId.slice(0, 8)}/${tab}`,
      userId,
      url,
      token: () => population.token(userId, ttlSeconds),
      restToken: () => population.token(userId),
      ...{ rest, recorder },
      chats: chats.filter(({ members }) => members.has(userId)),
    });
  const tabs = users.flatMap(({ id }, at) =>
    [0, 1].map((tab) =>
      client(id, tab, deployment.gatewayUrl, expiring && at % 5 === 0 ? shortTokenSeconds + at : undefined),
    ),
  );
  const slow = users.slice(0, slowClients).map(({ id }) => client(id, 2, deployment.slowGatewayUrl));
  return [...tabs, ...slow];
}

/** In small groups, so that the beginning is no storm. */
async function connectAll(clients: readonly TortureClient[]): Promise<void> {
  for (let at = 0; at < clients.length; at += 20) {
    for (const client of clients.slice(at, at + 20)) client.connect();
    await Bun.sleep(50);
  }
  const deadline = now() + connectDeadlineMs;
  while (!clients.every((client) => client.ready())) {
    if (now() > deadline) {
      const waiting = clients.filter((client) => !client.ready()).length;
      throw new Error(`${waiting} of ${clients.length} clients did not come to chat.ready`);
    }
    await Bun.sleep(50);
  }
}

async function runWaves(
  { waves, minutes, print }: TortureOptions,
  loadBegan: number,
  helpers: FaultHelpers,
  fullFlow: () => boolean,
): Promise<number> {
  const endAt = loadBegan + minutes * 60_000 * mostOvertime;
  for (const [at, wave] of waves.entries()) {
    const wait = loadBegan + wave.atMs - now();
    if (wait > 0) await Bun.sleep(wait);
    await recovered(fullFlow, helpers.recorder);
    if (now() > endAt) return waves.length - at;
    const seconds = ((now() - loadBegan) / 1000).toFixed(0).padStart(4);
    print(`${seconds} s  ${wave.faults.map(nameOf).join(', ')}`);
    await Promise.all(wave.faults.map((fault) => carryOut(fault, helpers)));
  }
  return 0;
}

const mostAre = (clients: readonly TortureClient[]): boolean =>
  clients.filter((client) => client.ready()).length >= clients.length * connectedShare;

/** Full flow for a second, so that the next faults do not hide how long the last ones took to get over. */
async function recovered(fullFlow: () => boolean, { faults }: Recorder): Promise<void> {
  const deadline = now() + recoveryDeadlineMs;
  let fullSince: number | undefined;
  while (now() < deadline && (fullSince === undefined || now() < fullSince + steadyMs)) {
    await Bun.sleep(250);
    if (!fullFlow()) fullSince = undefined;
    else fullSince ??= now();
  }
  for (const fault of faults) fault.recoveredAt ??= now();
}

function floodSlowClients(
  clients: readonly TortureClient[],
  population: Population,
  burst: (chat: Population['chats'][number], count: number) => void,
): void {
  const slow = new Set(clients.slice(-slowClients).map(({ userId }) => userId));
  const crowded = population.chats.toSorted(
    (a, b) =>
      [...b.members].filter((id) => slow.has(id)).length - [...a.members].filter((id) => slow.has(id)).length,
  );
  for (const chat of crowded.slice(0, 3)) burst(chat, 40);
}

async function readProcesses(
  deployment: Deployment,
): Promise<{ name: string; resources: Resources | undefined }[]> {
  // What the clients' pools keep open is no part of it.
  for (const link of deployment.links['clients-api']) link.cut();
  await Bun.sleep(restMs);
  return Promise.all(
    Object.values(deployment.own)
      .flat()
      .map(async (each) => {
        const pid = each.pid();
        return { name: each.name, resources: pid === undefined ? undefined : await readResources(pid) };
      }),
  );
}
