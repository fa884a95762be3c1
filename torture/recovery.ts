import { connectedShare, flows, fullShare, isRefused } from './flow.ts';
import { type FaultRecord, type History, keyOf } from './history.ts';

export interface Recovery {
  /** Faults that overlapped are one: flow can only be back after the last of them. */
  faults: readonly string[];
  /** From the return of what was away to full flow; undefined when the next fault came before. */
  ms: number | undefined;
  /** How long the flow was watched before that. */
  watchedMs: number;
}

const binMs = 250;
/** A second of full flow; its beginning counts. */
const steadyBins = 4;

/** How long after each fault, or group of overlapping ones, nearly everyone was connected and nearly everything came through at once. */
export function recoveries(
  history: Pick<History, 'posts' | 'clients' | 'faults'>,
  endAt: number,
): Recovery[] {
  const bins = fillBins(history);
  const connected = connectedAt(history.clients);
  const enough = history.clients.length * connectedShare;
  return groups(history.faults).map(({ faults, endedAt }, at, all) => {
    const limit = all[at + 1]?.begunAt ?? endAt;
    for (let bin = Math.ceil(endedAt / binMs); (bin + steadyBins) * binMs <= limit; bin += 1) {
      let offered = 0;
      let flowed = 0;
      for (let next = bin; next < bin + steadyBins; next += 1) {
        offered += bins.get(next)?.offered ?? 0;
        flowed += bins.get(next)?.flowed ?? 0;
      }
      const full = offered > 0 && flowed >= offered * fullShare && connected(bin * binMs) >= enough;
      if (full) return { faults, ms: Math.max(0, bin * binMs - endedAt), watchedMs: limit - endedAt };
    }
    return { faults, ms: undefined, watchedMs: limit - endedAt };
  });
}

export interface KindOfRecovery {
  /** Of faults that came alone; of the others `several at once`. */
  kind: string;
  count: number;
  p50Ms: number | undefined;
  maxMs: number | undefined;
  /** Not back before the next faults. */
  missed: number;
}

export function recoveryByKind(found: readonly Recovery[]): KindOfRecovery[] {
  const kinds = Map.groupBy(found, ({ faults: [first = '', ...others] }) =>
    others.length > 0 ? 'several at once' : first.replace(/ p?\d+s?$/, ''),
  );
  return [...kinds]
    .map(([kind, group]) => ({ kind, count: group.length, ...summaryOf(group) }))
    .sort((one, other) => one.kind.localeCompare(other.kind));
}

export function summaryOf(found: readonly Recovery[]): Pick<KindOfRecovery, 'p50Ms' | 'maxMs' | 'missed'> {
  const measured = found.flatMap(({ ms }) => (ms === undefined ? [] : [ms])).sort((a, b) => a - b);
  return {
    p50Ms: measured[Math.floor((measured.length - 1) / 2)],
    maxMs: measured.at(-1),
    missed: found.length - measured.length,
  };
}

function fillBins({ posts, clients }: Pick<History, 'posts' | 'clients'>) {
  const shownAt = new Map<string, number>();
  for (const { records } of clients) {
    for (const record of records) {
      if (record.kind !== 'message') continue;
      const { id } = record.message;
      const known = shownAt.get(id);
      if (known === undefined || record.at < known) shownAt.set(id, record.at);
    }
  }
  const bins = new Map<number, { offered: number; flowed: number }>();
  const seen = new Set<string>();
  for (const post of posts) {
    const key = keyOf(post);
    if (seen.has(key) || !post.authenticated || isRefused(post.status)) continue;
    seen.add(key);
    const bin = Math.floor(post.begunAt / binMs);
    const counts = bins.get(bin) ?? { offered: 0, flowed: 0 };
    bins.set(bin, counts);
    counts.offered += 1;
    if (flows(post, shownAt.get(post.brokerMessageId ?? ''))) counts.flowed += 1;
  }
  return bins;
}

/** How many clients had come to `chat.ready` and were still connected at a time; to be asked in any order. */
function connectedAt(clients: History['clients']): (at: number) => number {
  const steps: { at: number; by: 1 | -1 }[] = [];
  for (const { records } of clients) {
    let ready = false;
    for (const { kind, at } of records) {
      const is: boolean =
        kind === 'ready' ? true : kind === 'connecting' || kind === 'disconnected' ? false : ready;
      if (is !== ready) steps.push({ at, by: is ? 1 : -1 });
      ready = is;
    }
  }
  steps.sort((a, b) => a.at - b.at);
  const counts: number[] = [];
  for (const { by } of steps) counts.push((counts.at(-1) ?? 0) + by);
  return (at) => {
    let low = 0;
    let high = steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((steps[middle]?.at ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return counts[low - 1] ?? 0;
  };
}

function groups(faults: readonly FaultRecord[]): { faults: string[]; begunAt: number; endedAt: number }[] {
  const merged: { faults: string[]; begunAt: number; endedAt: number }[] = [];
  for (const fault of faults.toSorted((a, b) => a.begunAt - b.begunAt)) {
    const last = merged.at(-1);
    if (last && fault.begunAt <= last.endedAt) {
      last.faults.push(fault.name);
      last.endedAt = Math.max(last.endedAt, fault.endedAt);
    } else {
      merged.push({ faults: [fault.name], begunAt: fault.begunAt, endedAt: fault.endedAt });
    }
  }
  return merged;
}
