import type { PartitionStatus, Status } from './status.ts';

/** Of more than these, the ones alone are shown of which there is something to say. */
const mostQuietPartitions = 32;

/** For a terminal. */
export function show(status: Status): string {
  const { at, servers, partitions, deadLetters, notes, problems } = status;
  const parts = [
    [`Confab at ${at}`, ...problems.map((problem) => `! ${problem}`), ...notes],
    servers.length === 0 ? [] : serverLines(status),
    processLines(status),
    partitions.length === 0 ? [] : partitionLines(status),
    [`Dead letters: ${deadLetters ?? '?'}`],
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

const serverLines = ({ servers }: Status): string[] =>
  table(
    ['SERVER', 'VERSION', ''],
    servers.map(({ name, version, notes }) => [name, version ?? 'away', notes.join(', ')]),
  );

function processLines({ processes }: Status): string[] {
  if (processes === null) return ['Which processes live is not known.'];
  if (processes.length === 0) return ['No process lives.'];
  return table(
    ['PROCESS', 'INSTANCE', 'VERSION', 'SINCE', 'LAST BEAT'],
    processes.map(({ roles, instance, version, since, silentSeconds }) => [
      ...[roles.join('+'), instance, version ?? '?', since ?? '?'],
      silentSeconds === null ? '' : `${silentSeconds.toFixed(1)} s ago`,
    ]),
  );
}

function partitionLines({ partitions, processes }: Status): string[] {
  const hasNews = ({ owner, waiting, oldestSeconds }: PartitionStatus) =>
    owner === null || waiting !== 0 || oldestSeconds !== null;
  const shown = partitions.length > mostQuietPartitions ? partitions.filter(hasNews) : partitions;
  const nobody = processes === null ? '?' : 'nobody';
  const lines = table(
    ['PARTITION', 'OWNER', 'WAITING', 'OLDEST'],
    shown.map(({ partition, owner, waiting, oldestSeconds }) => [
      String(partition),
      owner ?? nobody,
      waiting === null ? '?' : String(waiting),
      oldestSeconds === null ? '-' : `${oldestSeconds.toFixed(1)} s`,
    ]),
  );
  const quiet = partitions.length - shown.length;
  return quiet === 0 ? lines : [...lines, `${quiet} more, each with its owner, in which nothing waits`];
}

function table(head: string[], rows: string[][]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
