import { isCrash } from '../harness/process.ts';
import { type ExtraFigures, extraFigures, extraFiguresText } from './extra-figures.ts';
import type { ClientRecord, History } from './history.ts';
import { type KindOfRecovery, type Recovery, recoveryByKind, summaryOf } from './recovery.ts';
import type { TortureResult } from './run.ts';
import type { Invariant, Verdict } from './verdict.ts';

export interface Report {
  seed: number;
  minutes: number;
  faults: readonly string[];
  passed: boolean;
  figures: Figures;
  recovery: Pick<KindOfRecovery, 'p50Ms' | 'maxMs' | 'missed'>;
  recoveries: readonly Recovery[];
  verdicts: readonly Verdict[];
  processes: History['processes'];
  unwantedExits: TortureResult['unwantedExits'];
  wavesLeft: number;
  settledAfterSeconds: number | undefined;
}

export interface Figures extends ExtraFigures {
  sockets: number;
  chats: number;
  loadSeconds: number;
  /** New messages. */
  offered: number;
  heldBack: number;
  /** Of the messages offered, those answered 202 in the end. */
  accepted: number;
  attempts: number;
  answered503: number;
  /** Cut, or no answer in time. */
  unanswered: number;
  stored: number;
  deadLetters: number;
  /** Message events that clients received. */
  delivered: number;
  connects: number;
  resumes: number;
  /** Rows that gateways read while sockets were connected, because notifications were lost or late. */
  rowsFilled: number;
  /** Events received between `connect` and `chat.ready`: what had been missed. */
  replayed: number;
  resets: number;
  membershipChanges: number;
  /** How often a client was told what a chat is called, and who may post. */
  settingsTold: number;
  chatsDeleted: number;
  /** How often a client was told who types. */
  typingTold: number;
  /** Edits and deletions that were done, as far as that was answered. */
  messagesChanged: number;
  /** How often a device was told, or answered, how far its user has read. */
  membershipsTold: number;
}

export function makeReport(options: {
  seed: number;
  minutes: number;
  result: TortureResult;
  verdicts: readonly Verdict[];
  recoveries: readonly Recovery[];
}): Report {
  const { result, verdicts, recoveries } = options;
  return {
    seed: options.seed,
    minutes: options.minutes,
    faults: result.history.faults.map(({ name }) => name),
    passed: hasPassed(result, verdicts),
    figures: figuresOf(result),
    recovery: summaryOf(recoveries),
    recoveries,
    verdicts,
    processes: result.history.processes,
    unwantedExits: result.unwantedExits,
    wavesLeft: result.wavesLeft,
    settledAfterSeconds: result.settledAfter,
  };
}

/** The run did all that it was to do, nothing crashed, and every promise held, against something. */
function hasPassed(result: TortureResult, verdicts: readonly Verdict[]): boolean {
  return (
    verdicts.every(holds) &&
    !result.unwantedExits.some(isCrash) &&
    result.settledAfter !== undefined &&
    result.wavesLeft === 0
  );
}

/** I9 needs Linux, I10 an outage at the right moment, I13 the time for a deletion: a run may have nothing for them. */
const mayBeIdle: ReadonlySet<Invariant> = new Set(['I9', 'I10', 'I13']);

function holds({ invariant, checked, violations }: Verdict): boolean {
  return violations === 0 && (checked > 0 || mayBeIdle.has(invariant));
}

function figuresOf({ history, figures, filled }: TortureResult): Figures {
  return { ...loadFigures(history, figures), rowsFilled: filled.rows };
}

export function loadFigures(
  history: History,
  figures: TortureResult['figures'],
): Omit<Figures, 'rowsFilled'> {
  const { posts, clients, database } = history;
  const count = (matches: (record: ClientRecord) => boolean) =>
    clients.reduce(
      (sum, { records }) => sum + records.reduce((found, each) => found + Number(matches(each)), 0),
      0,
    );
  let replayed = 0;
  let resumes = 0;
  for (const { records } of clients) {
    let catchingUp = false;
    let connected = 0;
    for (const record of records) {
      if (record.kind === 'connected') {
        catchingUp = true;
        connected += 1;
      } else if (record.kind === 'ready') catchingUp = false;
      else if (catchingUp && ['message', 'participant', 'reactions', 'settings'].includes(record.kind))
        replayed += 1;
    }
    resumes += Math.max(0, connected - 1);
  }
  return {
    ...figures,
    accepted: new Set(
      posts.flatMap(({ status, brokerMessageId }) => (status === 202 ? [brokerMessageId] : [])),
    ).size,
    attempts: posts.length,
    answered503: posts.filter(({ status }) => status === 503).length,
    unanswered: posts.filter(({ status }) => status === undefined).length,
    stored: database.messages.length,
    deadLetters: history.deadLetters.length,
    delivered: count(({ kind }) => kind === 'message'),
    connects: count(({ kind }) => kind === 'connected'),
    resumes,
    replayed,
    resets: count(({ kind }) => kind === 'reset'),
    membershipChanges: history.memberships.length,
    settingsTold: count(({ kind }) => kind === 'settings'),
    chatsDeleted: database.chats.filter(({ deleted }) => deleted).length,
    typingTold: count(({ kind }) => kind === 'typing'),
    messagesChanged: history.changes.filter(({ status }) => status === 200 || status === 204).length,
    membershipsTold: count(({ kind }) => kind === 'membership'),
    ...extraFigures(history),
  };
}

const shownHistory = 30;
/** The end of what a process said: there is the reason. */
const mostLog = 600;
const slowRecoveryMs = 10_000;

export function printVerdicts(verdicts: readonly Verdict[], print: (line: string) => void): void {
  print('');
  for (const verdict of verdicts) {
    const { invariant, promise, checked, violations, kinds, first } = verdict;
    const mark = violations > 0 ? '✗' : checked > 0 ? '✓' : '–';
    print(`${mark} ${invariant.padEnd(3)} ${promise}: ${checked} checked, ${violations} violations`);
    if (!first) continue;
    print(
      `      ${Object.entries(kinds)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(', ')}`,
    );
    print(`      the first: ${first.what}`);
    for (const each of first.history.slice(0, shownHistory))
      print(`        ${short(JSON.stringify(each, briefly) ?? 'nothing')}`);
    if (first.history.length > shownHistory) print(`        … ${first.history.length - shownHistory} more`);
  }
  print('');
}

export function printReport(report: Report, print: (line: string) => void): void {
  const { figures: f, recovery } = report;
  printVerdicts(report.verdicts, print);
  print(
    `${f.sockets} sockets, ${f.chats} chats, ${f.loadSeconds.toFixed(0)} s of load, ${report.faults.length} faults`,
  );
  print(
    `offered ${f.offered} (${(f.offered / f.loadSeconds).toFixed(0)}/s, ${f.heldBack} held back), accepted ${f.accepted}, ` +
      `attempts ${f.attempts}, 503s ${f.answered503}, unanswered ${f.unanswered}`,
  );
  print(`stored ${f.stored}, dead letters ${f.deadLetters}, delivered ${f.delivered}`);
  print(
    `connects ${f.connects}, resumes ${f.resumes}, rows filled ${f.rowsFilled}, replayed ${f.replayed}, resets ${f.resets}, ` +
      `participants changed ${f.membershipChanges}, settings told ${f.settingsTold}, chats deleted ${f.chatsDeleted}, ` +
      `typing told ${f.typingTold}, messages changed ${f.messagesChanged}, memberships told ${f.membershipsTold}`,
  );
  print(extraFiguresText(f));
  print(
    `recovery p50 ${seconds(recovery.p50Ms)}, max ${seconds(recovery.maxMs)}, ` +
      `${recovery.missed} of ${report.recoveries.length} not back to full flow before the next faults`,
  );
  for (const { kind, count, p50Ms, maxMs, missed } of recoveryByKind(report.recoveries)) {
    print(
      `  ${kind}: ${count}, p50 ${seconds(p50Ms)}, max ${seconds(maxMs)}${missed > 0 ? `, missed ${missed}` : ''}`,
    );
  }
  for (const { faults, ms, watchedMs } of report.recoveries) {
    const names = faults.join(', ');
    if (ms === undefined) print(`  not within ${seconds(watchedMs)} after ${names}`);
    else if (ms > slowRecoveryMs) print(`  ${seconds(ms)} after ${names}`);
  }
  const settled = report.settledAfterSeconds;
  print(
    settled === undefined ? 'did not settle within the deadline' : `settled after ${settled.toFixed(0)} s`,
  );
  if (report.wavesLeft > 0) print(`${report.wavesLeft} waves of faults were not begun: no time was left`);
  for (const { name, before, after } of report.processes) {
    const mega = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
    print(
      `${name}: descriptors ${before.descriptors} → ${after.descriptors}, sockets ${before.sockets} → ${after.sockets}, ` +
        `memory ${mega(before.memoryBytes)} → ${mega(after.memoryBytes)} MiB`,
    );
  }
  for (const exit of report.unwantedExits) {
    const how = isCrash(exit) ? 'crashed' : 'ended by itself';
    print(`${exit.name} ${how} with ${exit.code}: ${exit.log.slice(-mostLog)}`);
  }
  print('');
  print(report.passed ? `0 violations (seed ${report.seed})` : `FAILED: see above (seed ${report.seed})`);
}

/** Message texts tell nothing beyond their beginning. */
const briefly = (key: string, value: unknown): unknown =>
  key === 'content' && typeof value === 'string' && value.length > 24 ? `${value.slice(0, 24)}…` : value;
const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : `${(ms / 1000).toFixed(1)} s`);
const short = (text: string): string => (text.length > 400 ? `${text.slice(0, 400)}…` : text);
