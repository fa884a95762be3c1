import type { Report } from './report.ts';
import type { BenchServers } from './servers.ts';

/** What a path of the bench is given. */
export interface Bench {
  report: Report;
  servers: BenchServers;
  /** Shorter windows and fewer rounds: for trying, not for figures. */
  quick: boolean;
  /** At least five. */
  rounds: number;
  /** Seconds of a window, shorter with `--quick`. */
  seconds(full: number): number;
  /** Undone when the path is over, last-first. */
  defer(undo: () => unknown): void;
}

export interface BenchPath {
  name: string;
  /** One line: what is measured. */
  title: string;
  /** Not among those that run when none is named. */
  onlyByName?: boolean;
  run(bench: Bench): Promise<void>;
}
