/**
 * A child process of whoever starts servers. It reads orders from standard input and does nothing until that
 * closes. The input closes when the parent ends in whatever way, SIGKILL included, so what the parent
 * did not take down itself is taken down here.
 */
import { rm } from 'node:fs/promises';
import { groupIsAlive, signalGroup } from './groups.ts';
import type { WatchdogOrder } from './guard.ts';

const stopDeadlineMs = 5_000;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

const groups = new Map<number, NodeJS.Signals>();
const folders = new Set<string>();
const commands = new Map<string, string[]>();

function obey(order: WatchdogOrder): void {
  if (order.do === 'watch') groups.set(order.pid, order.signal);
  else if (order.do === 'forget') groups.delete(order.pid);
  else if (order.do === 'remove') folders.add(order.folder);
  else if (order.do === 'undo') commands.set(order.key, order.command);
  else if (order.do === 'keep') {
    folders.delete(order.key);
    commands.delete(order.key);
  }
}

async function readOrders(): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of Bun.stdin.stream()) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) obey(JSON.parse(line) as WatchdogOrder);
  }
}

async function anyAlive(): Promise<boolean> {
  return (await Promise.all([...groups.keys()].map(groupIsAlive))).includes(true);
}

async function cleanUp(): Promise<void> {
  for (const [pid, signal] of groups) signalGroup(pid, signal);
  const deadline = Date.now() + stopDeadlineMs;
  while ((await anyAlive()) && Date.now() < deadline) await Bun.sleep(20);
  for (const pid of groups.keys()) signalGroup(pid, 'SIGKILL');
  await Promise.all(
    [...commands.values()].map(
      (command) => Bun.spawn(command, { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' }).exited,
    ),
  );
  for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

await readOrders();
await cleanUp();
process.exit(0);
