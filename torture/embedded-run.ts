import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Guard } from '../src/commands/servers/guard.ts';
import { freePort } from '../src/commands/servers/ports.ts';
import { createChanging } from './changing.ts';
import type { TortureClient } from './client.ts';
import { now } from './clock.ts';
import { isKept } from './embedded-accounts.ts';
import { makeClients, settleClients, untilReady } from './embedded-clients.ts';
import { type EmbeddedFolder, newEmbeddedFolder } from './embedded-folder.ts';
import type { EmbeddedEvidence } from './embedded-judge.ts';
import { type Kill, type Killable, usualReadyMs } from './embedded-kills.ts';
import { makeAccounts, populate } from './embedded-population.ts';
import { readDataFolder } from './embedded-rows.ts';
import { createFlowWatch } from './flow.ts';
import type { FaultRecord } from './history.ts';
import { createMarking } from './marking.ts';
import { createRandom, type Random } from './random.ts';
import { createRecorder } from './recorder.ts';
import { createRest } from './rest.ts';
import type { TortureResult } from './run.ts';
import { createSending } from './sending.ts';

export interface EmbeddedOptions {
  guard: Guard;
  folder: string;
  /** The program's. */
  root: string;
  seed: number;
  kills: number;
  messagesASecond: number;
  settleDeadlineMs?: number;
  print: (line: string) => void;
}

export interface EmbeddedResult extends EmbeddedEvidence {
  kills: readonly Kill[];
  figures: TortureResult['figures'];
  /** Seconds from the end of the load until everybody had everything; undefined: not within the deadline. */
  settledAfter: number | undefined;
}

const users = 6;
const chats = 5;
/** Of the kills, those that are meant for a first boot. */
const firstBootShare = 0.2;
/** So many in a row on each new data folder: the second meets what the first has left. */
const killsAFolder = 2;
/** Of the other kills, those of a start that is not over yet. */
const bootShare = 0.2;
/** Those that come when all clients are back; the rest mostly meets them on their way. */
const readyShare = 0.4;
const mostUpMs = 1_200;
/** As long as none was seen. */
const guessedMs = { toComplete: 2_500, boot: 400 };
/** Of those who send again: it is back in a second or two. */
const mostPauseMs = 1_500;
/** Nine clients: what 4,000 ask again and again takes the processor from the start that they wait for. */
const mostUnderWay = 200;
/** Before the first kill under load, that what is looked at afterwards is there. */
const atFirst = { accepted: 100, changed: 15 };
const firstDeadlineMs = 30_000;
const sentDeadlineMs = 30_000;
const settleDeadlineMs = 30_000;

/**
 * The single process, killed again and again: on new data folders before they are complete, with people already at the
 * door; then on the last of these while clients send and listen.
 * @throws NotReadyError when it does not start again
 */
export async function runEmbedded(options: EmbeddedOptions): Promise<EmbeddedResult> {
  const { print } = options;
  const random = createRandom(options.seed);
  const moments = random.fork('kills');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const folders: EmbeddedFolder[] = [];
  const killsSoFar = () => folders.flatMap(({ killable }) => killable.kills);
  const startsSoFar = () => folders.flatMap(({ killable }) => killable.starts);
  const undo: (() => unknown)[] = [];

  /** @returns the folder with the process up, and those who were let in */
  async function firstBoot(kills: number, newcomers: number) {
    const at = folders.length;
    const made = await newEmbeddedFolder({
      ...options,
      port,
      folder: join(options.folder, `embedded-${at}`),
    });
    folders.push(made);
    undo.push(made.standalone.kill);
    const names = Array.from({ length: newcomers }, (_, user) => `user-${at}-${user}`);
    const knocking = makeAccounts(url, names);
    // Awaited when the process is up: a start that fails says more than they do.
    knocking.catch(() => {});
    // The shortest so far: a moment that comes too late meets a folder that is complete.
    const completed = folders.flatMap(({ killable }) => killable.completedMs() ?? []);
    const toCompleteMs = Math.min(...(completed.length > 0 ? completed : [guessedMs.toComplete]));
    for (let kill = 0; kill < kills; kill += 1) {
      await made.killable.killWhileStarting(((kill + moments.next()) / kills) * toCompleteMs);
    }
    await made.killable.start();
    return { ...made, accounts: await knocking };
  }

  try {
    let left = Math.max(killsAFolder, Math.round(options.kills * firstBootShare));
    for (; left > killsAFolder; left -= killsAFolder) {
      const { standalone, dataDir } = await firstBoot(killsAFolder, 1);
      await standalone.kill();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    }
    const { killable, standalone, dataDir, accounts } = await firstBoot(left, users);
    print(`${killsSoFar().length} kills in first boots, on ${folders.length} data folders`);

    const population = await populate({ random: random.fork('population'), accounts, chats, url });
    const shown = new Set<string>();
    const recorder = createRecorder((id) => shown.add(id));
    const rest = createRest(url);
    const clients = makeClients({ url, population, rest, recorder });
    undo.push(() => Promise.all(clients.map((client) => client.close())));
    const sending = createSending({
      random: random.fork('sending'),
      messagesASecond: options.messagesASecond,
      flow: createFlowWatch(),
      ...{ mostPauseMs, mostUnderWay },
      ...{ population, rest, recorder },
    });
    undo.push(sending.stop);

    const changing = createChanging({
      random: random.fork('changing'),
      changesASecond: options.messagesASecond / 10,
      ...{ population, rest, recorder },
    });
    undo.push(changing.stop);
    const marking = createMarking({
      random: random.fork('marking'),
      clients,
      marksASecond: options.messagesASecond / 10,
    });
    undo.push(marking.stop);

    for (const client of clients) client.connect();
    await untilReady(clients);
    const loadBeganAt = now();
    sending.start();
    changing.start();
    marking.start();
    const accepted = () => recorder.posts.filter(({ status }) => status === 202).length;
    const done = () => recorder.changes.filter(({ status }) => status !== undefined && status < 300).length;
    const deadline = now() + firstDeadlineMs;
    while (now() < deadline && !(accepted() >= atFirst.accepted && done() >= atFirst.changed)) {
      await Bun.sleep(50);
    }
    for (let done = killsSoFar().length; done < options.kills; done += 1) {
      await killOnce(killable, moments, clients);
      if ((done + 1) % 10 === 0) print(`${done + 1} of ${options.kills} kills`);
    }
    await killable.start();

    sending.stop();
    const loadEndedAt = now();
    await Promise.all([changing.stop(), marking.stop()]);
    await sending.settled(sentDeadlineMs);
    const allShown = () =>
      recorder.posts.every(({ brokerMessageId: id }) => id === undefined || shown.has(id));
    const settled = await settleClients({
      ...{ clients, population, rest, allShown },
      deadlineMs: options.settleDeadlineMs ?? settleDeadlineMs,
    });
    const settledAfter = settled ? (now() - loadEndedAt) / 1000 : undefined;
    for (const account of accounts) account.kept = await isKept(url, account);
    // From here on nothing more is seen; what was seen is what is judged.
    const clientsSaw = recorder.clients.map((client) => ({ ...client, records: [...client.records] }));
    await standalone.kill();
    const { database, deadLetters, queued } = await readDataFolder(dataDir);

    return {
      history: {
        ...{ posts: recorder.posts, changes: recorder.changes, clients: clientsSaw, database, deadLetters },
        ...{ memberships: [], poison: [], replayed: [], processes: [], presence: [], brokerSilent: [] },
        queues: [{ name: 'queued_messages', messages: queued }],
        faults: killsSoFar().map(toFault),
      },
      starts: startsSoFar(),
      kills: killsSoFar(),
      unwantedExits: folders.flatMap((each) => each.standalone.unwantedExits()),
      accounts,
      figures: {
        sockets: clients.length,
        chats: population.chats.length,
        ...sending.figures,
        loadSeconds: (loadEndedAt - loadBeganAt) / 1000,
      },
      settledAfter,
    };
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

async function killOnce(
  killable: Killable,
  moments: Random,
  clients: readonly TortureClient[],
): Promise<void> {
  const [kind, moment] = [moments.next(), moments.next()];
  if (!killable.up() && kind < bootShare) {
    return killable.killWhileStarting(moment * usualReadyMs(killable.starts, guessedMs.boot));
  }
  await killable.start();
  if (kind < bootShare + readyShare) await untilReady(clients);
  await Bun.sleep(moment * mostUpMs);
  await killable.kill();
}

const toFault = ({ at, during }: Kill): FaultRecord => ({
  name: `kill -9 (${during})`,
  begunAt: at,
  endedAt: at,
  redisAway: false,
});
