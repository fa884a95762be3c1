import type { Metrics } from '../shared/metrics/metrics.ts';
import { type Asker, createFairTurns, type FairTurns, type TurnLimits } from './fair-turns.ts';

/** What each hash costs: memory in KiB, passes. 64 MiB and two passes take about 150 ms of one core. */
const cost = { algorithm: 'argon2id', memoryCost: 65_536, timeCost: 2 } as const;

/**
 * Of random bytes nobody kept, at the same cost: verified where there is no such user, so that the time tells nothing.
 */
const nobodysHash =
  '$argon2id$v=19$m=65536,t=2,p=1$cTJKUqvTJL4oTLqD2fBpX88LdK5nEDnWvoqwiIf2hpk$fZffg6HifObQXut1KLHW0WyFnJQeAC9k8C+SdRriK64';

export interface Passwords {
  /** @throws ChatError `server_busy` */
  hash(password: string, asker: Asker): Promise<string>;
  /**
   * False, after the same time, where there is no hash.
   * @throws ChatError `server_busy`
   */
  verify(password: string, hash: string | null | undefined, asker: Asker): Promise<boolean>;
}

/** Each that is computed holds 64 MiB and a core. */
export function createPasswords({
  concurrency = Math.max(1, Math.min(4, navigator.hardwareConcurrency)),
  maxWaiting = 64,
  maxWaitMs = 2_500,
  metrics,
}: Partial<TurnLimits> & { metrics: Metrics }): Passwords {
  const turn = measure(createFairTurns({ concurrency, maxWaiting, maxWaitMs }), metrics);
  return {
    hash: (password, asker) => turn(asker, () => Bun.password.hash(normal(password), cost)),
    async verify(password, hash, asker) {
      const check = () => Bun.password.verify(normal(password), hash ?? nobodysHash);
      const right = await turn(asker, check, (isRight) => isRight);
      return right && typeof hash === 'string';
    },
  };
}

function measure(turn: FairTurns, metrics: Metrics): FairTurns {
  let waiting = 0;
  metrics.read('confab_password_queue_length', () => waiting);
  const observe = metrics.histogram('confab_password_seconds');
  const countRefused = metrics.counter('confab_password_refused_total');

  return async (asker, work, isHarmless) => {
    let begun = false;
    const begin = async () => {
      begun = true;
      waiting -= 1;
      const beganAt = performance.now();
      const result = await work();
      observe((performance.now() - beganAt) / 1000);
      return result;
    };
    waiting += 1;
    try {
      return await turn(asker, begin, isHarmless);
    } finally {
      if (!begun) {
        waiting -= 1;
        countRefused();
      }
    }
  };
}

/** One password, however a keyboard composes it (NIST SP 800-63B, 3.1.1.2). */
const normal = (password: string): string => password.normalize('NFKC');
