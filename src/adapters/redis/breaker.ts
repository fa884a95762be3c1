import { createDeadline } from '../../shared/deadline.ts';

/** Longer than Redis ever takes when it is well, short enough to be paid once. */
const answerWithinMs = 250;
const pauseMs = 1_000;

/** Keeps requests from waiting, one after another, for a store that is away. */
export interface Breaker {
  /** `undefined` when the store failed or kept silent, or did so less than a second ago; never rejects. */
  ask<Result>(work: () => Promise<Result>): Promise<Result | undefined>;
  /** Asks whatever the breaker holds of the store, and leaves it as it is; never rejects. */
  askAnyway<Result>(work: () => Promise<Result>): Promise<Result | undefined>;
  /** Whether the store has failed, and has not answered since. */
  isOpen(): boolean;
}

export function createBreaker(withinMs = answerWithinMs): Breaker {
  const within = createDeadline(withinMs);
  const answerOf = <Result>(work: () => Promise<Result>) => within(work(), silence);
  let pausedUntil = 0;

  return {
    async ask(work) {
      const now = Date.now();
      if (now < pausedUntil) return undefined;
      // After a pause one request tries; the others go on without the store until it has answered.
      if (pausedUntil > 0) pausedUntil = now + withinMs;
      try {
        const result = await answerOf(work);
        pausedUntil = 0;
        return result;
      } catch {
        pausedUntil = Date.now() + pauseMs;
        return undefined;
      }
    },
    async askAnyway(work) {
      try {
        return await answerOf(work);
      } catch {
        return undefined;
      }
    },
    isOpen: () => pausedUntil > 0,
  };
}

const silence = () => new Error('the store keeps silent');
