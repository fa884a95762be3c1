import type { UnwantedExit } from '../harness/process.ts';
import { judgeEmbedded } from './embedded-judge.ts';
import type { EmbeddedResult } from './embedded-run.ts';
import { extraFiguresText } from './extra-figures.ts';
import { type Figures, loadFigures, printVerdicts } from './report.ts';
import type { Verdict } from './verdict.ts';

interface Times {
  count: number;
  p50Ms: number | undefined;
  maxMs: number | undefined;
}

export interface EmbeddedReport {
  seed: number;
  passed: boolean;
  kills: { all: number; firstBoot: number; incomplete: number; boot: number; load: number };
  /** Of the starts that nobody killed. */
  ready: { firstBoot: Times; later: Times };
  figures: Omit<Figures, 'rowsFilled'>;
  settledAfterSeconds: number | undefined;
  verdicts: readonly Verdict[];
  unwantedExits: readonly UnwantedExit[];
}

/** Passed is what settled and held everything, against something. */
export function makeEmbeddedReport(seed: number, result: EmbeddedResult): EmbeddedReport {
  const verdicts = judgeEmbedded(result);
  const killed = (during: EmbeddedResult['kills'][number]['during']) =>
    result.kills.filter((kill) => kill.during === during).length;
  return {
    seed,
    passed:
      result.settledAfter !== undefined &&
      verdicts.every(({ violations, checked }) => violations === 0 && checked > 0),
    kills: {
      all: result.kills.length,
      firstBoot: killed('first boot'),
      incomplete: result.kills.filter(({ complete }) => !complete).length,
      boot: killed('boot'),
      load: killed('load'),
    },
    ready: { firstBoot: timesOf(result, true), later: timesOf(result, false) },
    figures: loadFigures(result.history, result.figures),
    settledAfterSeconds: result.settledAfter,
    verdicts,
    unwantedExits: result.unwantedExits,
  };
}

function timesOf({ starts }: EmbeddedResult, first: boolean): Times {
  const times = starts.filter((start) => start.first === first).map(({ readyMs }) => readyMs);
  times.sort((a, b) => a - b);
  return { count: times.length, p50Ms: times[Math.floor((times.length - 1) / 2)], maxMs: times.at(-1) };
}

export function printEmbeddedReport(report: EmbeddedReport, print: (line: string) => void): void {
  const { kills, ready, figures: f } = report;
  printVerdicts(report.verdicts, print);
  print(
    `${kills.all} kills: ${kills.firstBoot} in first boots (${kills.incomplete} before the data folder was complete), ` +
      `${kills.boot} in later starts, ${kills.load} under load`,
  );
  print(`ready after a first boot: ${shown(ready.firstBoot)}`);
  print(`ready after a later start: ${shown(ready.later)}`);
  print(`${f.sockets} sockets, ${f.chats} chats, ${f.loadSeconds.toFixed(0)} s of load`);
  print(
    `offered ${f.offered} (${(f.offered / f.loadSeconds).toFixed(0)}/s, ${f.heldBack} held back), ` +
      `accepted ${f.accepted}, attempts ${f.attempts}, 503s ${f.answered503}, unanswered ${f.unanswered}`,
  );
  print(
    `stored ${f.stored}, changed ${f.messagesChanged}, dead letters ${f.deadLetters}, delivered ${f.delivered}, ` +
      `memberships told ${f.membershipsTold}`,
  );
  print(extraFiguresText(f));
  print(`connects ${f.connects}, resumes ${f.resumes}, replayed ${f.replayed}, resets ${f.resets}`);
  const settled = report.settledAfterSeconds;
  print(
    settled === undefined ? 'did not settle within the deadline' : `settled after ${settled.toFixed(0)} s`,
  );
  print('');
  print(`${report.passed ? 'PASS: 0 violations' : 'FAILED: see above'} (seed ${report.seed})`);
}

const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : `${(ms / 1000).toFixed(2)} s`);
const shown = ({ count, p50Ms, maxMs }: Times): string =>
  `p50 ${seconds(p50Ms)}, max ${seconds(maxMs)} (${count} times)`;
