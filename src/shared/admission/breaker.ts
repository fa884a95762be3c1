import { withDeadline } from '../deadline.ts';

/** Longer than Redis ever takes when it is well, short enough to be paid once. */
const answerWithinMs = 250;
const pauseMs = 1_000;

/** Keeps requests from waiting, one after another, for a store that is away. */
export interface Breaker {
  /** `undefined` when the store failed or kept silent, or did so less than a second ago; never rejects. */
  ask<Result>(work: () => Promise<Result>): Promise<Result | undefined>;
}

/** Asks whatever a breaker holds of the store: `undefined` when it fails or keeps silent; never rejects. */
export async function askOnce<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  return answerOf(work).catch(() => undefined);
}

export function createBreaker(): Breaker {
  let pausedUntil = 0;

  return {
    async ask(work) {
      const now = Date.now();
      if (now < pausedUntil) return undefined;
      // After a pause one request tries; the others go on without the store until it has answered.
      if (pausedUntil > 0) pausedUntil = now + answerWithinMs;
      try {
        const result = await answerOf(work);
        pausedUntil = 0;
        return result;
      } catch {
        pausedUntil = Date.now() + pauseMs;
        return undefined;
      }
    },
  };
}

async function answerOf<Result>(work: () => Promise<Result>): Promise<Result> {
  return withDeadline(work(), answerWithinMs, () => new Error('the store keeps silent'));
}
