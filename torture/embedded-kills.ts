import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { OwnProcess } from '../harness/process.ts';
import { now } from './clock.ts';

/** A start that came to its end. */
export interface Start {
  /** Its data folder was not complete when it began. */
  first: boolean;
  readyMs: number;
}

export interface Kill {
  at: number;
  during: 'first boot' | 'boot' | 'load';
  /** Whether the data folder was complete. */
  complete: boolean;
}

/** It did not start again: what the whole run is about. */
export class NotReadyError extends Error {
  override name = 'NotReadyError';
}

/** One data folder and the process on it, started and killed again and again. */
export interface Killable {
  readonly starts: readonly Start[];
  readonly kills: readonly Kill[];
  up(): boolean;
  /** How long the start took to complete the data folder that did it; undefined until then. */
  completedMs(): number | undefined;
  /**
   * Starts it where it is down.
   * @throws NotReadyError when it is not ready within the deadline
   */
  start(): Promise<void>;
  /** Under load. */
  kill(): Promise<void>;
  /** Starts it and kills it after so long; a first boot at the latest when it is through, any other when it is ready. */
  killWhileStarting(afterMs: number): Promise<void>;
}

const readyDeadlineMs = 60_000;
const lookEveryMs = 5;

export function createKillable(standalone: OwnProcess, dataDir: string): Killable {
  const starts: Start[] = [];
  const kills: Kill[] = [];
  let completedMs: number | undefined;
  // It gets this name when it is whole: until then nothing was accepted.
  const complete = () => existsSync(join(dataDir, 'database'));

  /** Starts it and looks on until `seen`, or until it is ready or never will be, which `starting` says. */
  async function startWatched(seen: () => boolean): Promise<{ starting: Promise<boolean> }> {
    const first = !complete();
    const began = performance.now();
    let over = false;
    const starting = standalone.start(readyDeadlineMs).finally(() => {
      over = true;
    });
    while (!over) {
      if (first && complete()) completedMs ??= performance.now() - began;
      if (seen()) break;
      await Bun.sleep(lookEveryMs);
    }
    return { starting };
  }

  async function kill(during: Kill['during']): Promise<void> {
    kills.push({ at: now(), during, complete: complete() });
    await standalone.kill();
  }

  return {
    starts,
    kills,
    completedMs: () => completedMs,
    up: () => standalone.pid() !== undefined,
    async start() {
      if (standalone.pid() !== undefined) return;
      const first = !complete();
      const began = performance.now();
      const { starting } = await startWatched(() => false);
      if (await starting) {
        starts.push({ first, readyMs: performance.now() - began });
        return;
      }
      const said = standalone.unwantedExits().at(-1)?.log ?? 'It said nothing.';
      throw new NotReadyError(
        `After ${kills.length} kills it was not ready within ${readyDeadlineMs / 1000} s in which it could run:\n${said}`,
      );
    },
    kill: () => kill('load'),
    async killWhileStarting(afterMs) {
      const first = !complete();
      const until = performance.now() + afterMs;
      const { starting } = await startWatched(() => performance.now() >= until || (first && complete()));
      await kill(first ? 'first boot' : 'boot');
      await starting;
    },
  };
}

/** Of starts on a complete folder. @param otherwise where there was none yet */
export function usualReadyMs(starts: readonly Start[], otherwise: number): number {
  const times = starts.filter(({ first }) => !first).map(({ readyMs }) => readyMs);
  return times.sort((a, b) => a - b)[Math.floor((times.length - 1) / 2)] ?? otherwise;
}
