import type { Logger } from '../shared/log.ts';
import type { Aspect, LiveProcess } from '../shared/ports/registry.ts';

/** What an operator looks at when an aspect differs. */
const looksAt: Record<Aspect, string> = {
  notifications: 'CHAT_NOTIFICATION_CHANNEL',
  redis: 'REDIS_* (another server, or another database of it)',
  broker: 'RABBITMQ_* (another server, virtual host, or names of exchanges and queues)',
  partitions: 'RABBITMQ_CHAT_PARTITION_COUNT',
  tokenKey: 'JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL',
  madeTokens: 'JWT_SECRET, beside JWT_PUBLIC_KEY or JWT_JWKS_URL',
  tokenClaims: 'JWT_ISSUER or JWT_AUDIENCE',
};
const aspects = Object.keys(looksAt) as Aspect[];

export interface Agreement {
  /** With each beat. Says in one line, at each change, what is not the same here and there. */
  compare(self: LiveProcess, others: readonly LiveProcess[]): void;
  agrees(): boolean;
}

/**
 * Two beats of one process are at most 1.25 intervals apart, two of another at least 0.75: of what both read from a server, and
 * what changed there, two may show the one's old and the other's new, three may not.
 */
const lastingBeats = 3;

/**
 * Two processes that are set up differently may both be well by themselves: what one publishes the other never hears. A
 * difference counts when some beats in a row have shown it.
 */
export function createAgreement(log: Logger): Agreement {
  /** For how many beats each has been there. */
  let ages = new Map<string, number>();
  let said = '';

  return {
    compare(self, others) {
      const found = differences(self, others);
      ages = new Map(found.map((one) => [keyOf(one), 1 + (ages.get(keyOf(one)) ?? 0)]));
      const lasting = found.filter((one) => (ages.get(keyOf(one)) ?? 0) >= lastingBeats);
      const differs = Object.fromEntries(
        Map.groupBy(lasting, ({ aspect }) => looksAt[aspect])
          .entries()
          .map(([variables, rows]) => [variables, rows.map(({ process }) => nameOf(process)).toSorted()]),
      );
      const now = lasting.length === 0 ? '' : JSON.stringify(differs);
      if (now === said) return;
      said = now;
      if (now === '') log.info('this process and the others are set up alike');
      else log.warn({ differs }, 'this process and others are not set up alike');
    },
    agrees: () => said === '',
  };
}

interface Difference {
  aspect: Aspect;
  process: LiveProcess;
}

const keyOf = ({ aspect, process }: Difference): string => `${aspect} ${process.id}`;

function differences(self: LiveProcess, others: readonly LiveProcess[]): Difference[] {
  return others.flatMap((process) =>
    aspects
      .filter((aspect) => differ(aspect, self, process))
      // What tells one Redis from another stands under the prefix.
      .filter((aspect) => aspect !== 'redis' || !differ('notifications', self, process))
      .map((aspect) => ({ aspect, process })),
  );
}

function differ(aspect: Aspect, { fingerprints: own }: LiveProcess, { fingerprints }: LiveProcess): boolean {
  const [here, there] = [own[aspect], fingerprints[aspect]];
  return here !== undefined && there !== undefined && here !== there;
}

const nameOf = ({ roles, id }: LiveProcess): string => `${roles.join('+')} ${id}`;
