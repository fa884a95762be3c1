import { ChatError } from '../shared/errors.ts';

/** What each hash costs: memory in KiB, passes. 64 MiB and two passes take about 150 ms of one core. */
const cost = { algorithm: 'argon2id', memoryCost: 65_536, timeCost: 2 } as const;

/**
 * Of random bytes nobody kept, at the same cost: verified where there is no such user, so that the time tells nothing.
 */
const nobodysHash =
  '$argon2id$v=19$m=65536,t=2,p=1$cTJKUqvTJL4oTLqD2fBpX88LdK5nEDnWvoqwiIf2hpk$fZffg6HifObQXut1KLHW0WyFnJQeAC9k8C+SdRriK64';

export interface Passwords {
  /** @throws ChatError `server_busy` */
  hash(password: string): Promise<string>;
  /**
   * False, after the same time, where there is no hash.
   * @throws ChatError `server_busy`
   */
  verify(password: string, hash: string | null | undefined): Promise<boolean>;
}

export interface PasswordLimits {
  /** How many are computed at once: each holds 64 MiB and a core. */
  concurrency?: number;
  /** How many may wait behind them; further ones are refused at once. */
  maxWaiting?: number;
  /** How long one may wait for its turn. */
  maxWaitMs?: number;
}

export function createPasswords({
  concurrency = Math.max(1, Math.min(4, navigator.hardwareConcurrency)),
  maxWaiting = 64,
  maxWaitMs = 3_000,
}: PasswordLimits = {}): Passwords {
  const turn = createTurns({ concurrency, maxWaiting, maxWaitMs });
  return {
    hash: (password) => turn(() => Bun.password.hash(normal(password), cost)),
    async verify(password, hash) {
      const right = await turn(() => Bun.password.verify(normal(password), hash ?? nobodysHash));
      return right && typeof hash === 'string';
    },
  };
}

/** One password, however a keyboard composes it (NIST SP 800-63B, 3.1.1.2). */
const normal = (password: string): string => password.normalize('NFKC');

/** First come, first served; who would wait too long is told at once, or once it has. */
function createTurns({ concurrency, maxWaiting, maxWaitMs }: Required<PasswordLimits>) {
  let running = 0;
  const waiting = new Set<() => void>();
  const busy = () =>
    new ChatError('server_busy', 'Too many passwords are being checked.', { retryAfterSeconds: 2 });

  function takeTurn(): Promise<void> | void {
    if (running < concurrency) {
      running += 1;
      return;
    }
    if (waiting.size >= maxWaiting) throw busy();
    return new Promise((resolve, reject) => {
      const start = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(start);
        reject(busy());
      }, maxWaitMs);
      waiting.add(start);
    });
  }

  // A turn passes from one to the next: `running` stays what it is.
  function passTurn(): void {
    const [next] = waiting;
    if (!next) {
      running -= 1;
      return;
    }
    waiting.delete(next);
    next();
  }

  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    await takeTurn();
    try {
      return await work();
    } finally {
      passTurn();
    }
  };
}
