import { afterAll, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { appendFile, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openDataFolder } from '../../src/process/data-folder.ts';
import type { Chat } from '../../src/shared/contract.ts';
import { runCommand } from '../support/commands.ts';
import { type Embedded, startEmbedded } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson, type Person, personWith } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';

const processes = testProcesses();
const folder = await processes.folder();
const env = { RATE_LIMIT_ENABLED: 'false' };
const backup = join(folder, 'backup');
const first = await startEmbedded(processes, { env });
afterAll(() => first.process.kill());

const ada = await newPerson(first, 'ada');
const bob = await newPerson(first, 'bob');
const chats: Chat[] = [await ada.newChat(bob), await ada.newChat()];
/** With the time at which each was accepted. */
const accepted: { chatId: string; content: string; at: number }[] = [];

/** Sends until it is told to stop, as a client does: what is refused is sent again. */
async function load(stopped: AbortSignal): Promise<void> {
  const speak = async (speaker: number) => {
    for (let at = 0; !stopped.aborted; at += 1) {
      const { id: chatId } = chats[at % chats.length]!;
      const [content, clientMessageId] = [`${speaker}: ${at}`, crypto.randomUUID()];
      const send = () => ada.call('POST', `/chats/${chatId}/messages`, { content, clientMessageId });
      let { status } = await send();
      while (status === 503) ({ status } = await send());
      expect(status).toBe(202);
      accepted.push({ chatId, content, at: performance.now() });
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, speaker) => speak(speaker)));
}

async function historyOf(person: Person, chatId: string): Promise<{ sequence: number; content: string }[]> {
  const all: { sequence: number; content: string }[] = [];
  for (;;) {
    const after = all.at(-1)?.sequence ?? 0;
    const { body } = await person.call('GET', `/chats/${chatId}/messages?limit=100&after=${after}`);
    if (body.data.length === 0) return all;
    all.push(...body.data);
  }
}

let restored: Embedded | undefined;
afterAll(() => restored?.process.kill());
let beganAt = 0;

test('a backup is made while messages are sent', async () => {
  const stop = new AbortController();
  const sending = load(stop.signal);
  await eventually('some are accepted', () => accepted.length > 40, 100_000);
  beganAt = performance.now();
  const made = await runCommand('backup.ts', [backup, '--data-dir', first.dataDir]);
  const until = accepted.length;
  await eventually('more are accepted', () => accepted.length > until + 20, 100_000);
  stop.abort();
  await sending;
  expect(made).toMatchObject({ status: 0, err: '' });
  expect(made.out).toMatch(/MB in \d+ files\. For \d+ ms its process let requests wait\.$/m);
  expect((await stat(backup)).mode & 0o077).toBe(0);
  expect(await readdir(folder)).toEqual(['backup']);

  const looked = await runCommand('status.ts', ['--data-dir', first.dataDir], { PORT: first.env.PORT! });
  expect(looked).toMatchObject({ status: 0, err: '' });
  expect(looked.out).toContain(`api+worker+gateway  process ${first.process.pid}`);
  const again = await runCommand('backup.ts', [backup, '--data-dir', first.dataDir]);
  expect(again).toMatchObject({ status: 1, out: '' });
  expect(again.err).toContain('is not empty: name a new folder');
}, 240_000);

test('restored it has all that was accepted before, nothing twice and no gap, and those who know more begin anew', async () => {
  const dataDir = join(folder, 'restored');
  const made = await runCommand('restore.ts', [backup, '--data-dir', dataDir]);
  expect(made).toMatchObject({ status: 0, err: '' });
  const [chat] = chats as [Chat, ...Chat[]];
  const cursor = (await bob.call('GET', `/chats/${chat.id}`)).body.eventSequence;
  first.process.signal('SIGTERM');
  expect(await first.process.exited).toBe(0);

  restored = await startEmbedded(processes, { dataDir, env });
  const [her, him] = [personWith(restored, ada.id, ada.token), personWith(restored, bob.id, bob.token)];
  const before = accepted.filter(({ at }) => at < beganAt);
  expect(before.length).toBeGreaterThan(40);
  for (const { id } of chats) {
    const wanted = before.filter(({ chatId }) => chatId === id).map(({ content }) => content);
    const contents = async () => (await historyOf(her, id)).map(({ content }) => content);
    // What was in the queue is stored now.
    await eventually('all is stored', async () => {
      const there = new Set(await contents());
      return wanted.every((content) => there.has(content));
    });
    const history = await historyOf(her, id);
    expect(history.map(({ sequence }) => sequence)).toEqual(history.map((_, at) => at + 1));
    expect(new Set(history.map(({ content }) => content)).size).toBe(history.length);
  }

  // Sessions go on; whoever has seen what is gone is told so, and who has not goes on where they were.
  const reset = await him.connect({ cursors: { [chat.id]: cursor } });
  await eventually('it begins anew', () => reset.events.some(([name]) => name === 'chat.sync.reset'));
  const resumed = await him.connect({ cursors: { [chat.id]: 3 } });
  await her.send(chat.id, 'after the restore');
  await Promise.all([reset, resumed].map((ears) => ears.heard('after the restore')));
  expect(resumed.events.filter(([name]) => name === 'chat.sync.reset')).toEqual([]);
  const heard = resumed.news.map(({ message }) => message.sequence);
  expect(heard).toEqual(heard.map((_, at) => (heard[0] ?? 0) + at));
  for (const ears of [reset, resumed]) ears.close();
}, 240_000);

test('of a process that is stopped, or was killed', async () => {
  await restored?.process.kill();
  const second = join(folder, 'second');
  const made = await runCommand('backup.ts', [second, '--data-dir', restored!.dataDir]);
  expect(made).toMatchObject({ status: 0, err: '' });
  const dataDir = join(folder, 'restored again');
  await mkdir(dataDir);
  expect(await runCommand('restore.ts', [second, '--data-dir', dataDir])).toMatchObject({ status: 0 });
  expect((await stat(dataDir)).mode & 0o077).toBe(0);
  const again = await startEmbedded(processes, { dataDir, env });
  const contents = await historyOf(personWith(again, ada.id, ada.token), chats[0]!.id);
  expect(contents.at(-1)?.content).toBe('after the restore');
  await again.process.kill();
}, 240_000);

test('what is damaged, newer, or would be put over something is refused, and nothing is written', async () => {
  const dataDir = join(folder, 'never');
  const refused = async (change: (copy: string) => Promise<unknown>, target = dataDir): Promise<string> => {
    const copy = join(folder, crypto.randomUUID());
    await cp(backup, copy, { recursive: true });
    await change(copy);
    const { status, out, err } = await runCommand('restore.ts', [copy, '--data-dir', target]);
    await rm(copy, { recursive: true });
    expect({ status, out }).toEqual({ status: 1, out: '' });
    expect(existsSync(dataDir)).toBe(false);
    return err;
  };
  const manifest =
    (change: (it: { migrations: object[]; format: number }) => void) => async (copy: string) => {
      const path = join(copy, 'backup.json');
      const read = JSON.parse(await readFile(path, 'utf8'));
      change(read);
      await writeFile(path, JSON.stringify(read));
    };
  const future = { name: '9999_future', compatibleSince: '9999_future' };
  const [bitten, gone, more, cut, newer, newest, full] = await Promise.all([
    refused((copy) => appendFile(join(copy, 'data/database/PG_VERSION'), ' ')),
    refused((copy) => rm(join(copy, 'data/token-secret'))),
    refused((copy) => writeFile(join(copy, 'data/database/more'), '')),
    refused((copy) => writeFile(join(copy, 'backup.json'), '{"format":')),
    refused(manifest(({ migrations }) => migrations.push(future))),
    refused(manifest((it) => (it.format = 2))),
    refused(async () => {}, backup),
  ]);
  expect(bitten).toContain('is damaged: database/PG_VERSION is not what it was');
  expect(gone).toContain('is damaged: token-secret is missing');
  expect(more).toContain('is damaged: database/more does not belong to it');
  expect(cut).toContain("backup.json can't be read");
  expect(newer).toMatch(/made by a newer version \(.*9999_future\).*restore it with that version/);
  expect(newest).toContain('made by a newer version');
  expect(full).toContain('is not empty');
}, 240_000);

test.each([
  ['backup.ts', []],
  ['backup.ts', ['a', 'b']],
  ['restore.ts', []],
  ['restore.ts', ['a', '--force']],
])(
  '%s %j shows how it is used',
  async (file, args) => {
    const { status, err } = await runCommand(file, args);
    expect(status).toBe(2);
    expect(err).toContain(`bun run ${file.slice(0, -3)} <folder> [--data-dir <folder>]`);
  },
  60_000,
);

test('what a restore has not finished is not started, nor is what it makes while it does', async () => {
  const dataDir = join(folder, 'half restored');
  await mkdir(join(dataDir, 'database.restoring'), { recursive: true });
  const opened = await openDataFolder(dataDir);
  await expect(opened.openDatabase()).rejects.toThrow(
    'did not get to its end: empty the folder, and restore it again',
  );
  opened.close();
  expect(existsSync(join(dataDir, 'database'))).toBe(false);
});

test('a backup takes away nothing that it has not made', async () => {
  const besides = join(folder, 'third.unfinished');
  await mkdir(besides);
  await writeFile(join(besides, 'kept'), 'as it was');
  const made = await runCommand('backup.ts', [join(folder, 'third'), '--data-dir', restored!.dataDir]);
  expect(made).toMatchObject({ status: 0, err: '' });
  expect(await readFile(join(besides, 'kept'), 'utf8')).toBe('as it was');
});

test('where nothing is, nothing is made of it', async () => {
  const nothing = join(folder, 'nothing');
  const [made, put] = await Promise.all([
    runCommand('backup.ts', [join(folder, 'none'), '--data-dir', nothing]),
    runCommand('restore.ts', [nothing, '--data-dir', join(folder, 'none')]),
  ]);
  expect(made).toMatchObject({ status: 1, err: `There is no data of Confab in ${nothing}.\n` });
  expect(put).toMatchObject({ status: 1, err: `There is no backup in ${nothing}.\n` });
  expect(existsSync(join(folder, 'none'))).toBe(false);
}, 60_000);
