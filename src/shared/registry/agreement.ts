import type { Logger } from '../log.ts';
import type { Aspect, LiveProcess } from './registry.ts';

/** What an operator looks at when an aspect differs. */
const looksAt: Record<Aspect, string> = {
  notifications: 'CHAT_NOTIFICATION_CHANNEL',
  redis: 'REDIS_* (another server, or another database of it)',
  broker: 'RABBITMQ_* (another server, virtual host, or names of exchanges and queues)',
  partitions: 'RABBITMQ_CHAT_PARTITION_COUNT',
  tokenKey: 'JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL',
  tokenClaims: 'JWT_ISSUER or JWT_AUDIENCE',
};
const aspects = Object.keys(looksAt) as Aspect[];

export interface Agreement {
  /** With each beat. Says in one line, at each change, what is not the same here and there. */
  compare(self: LiveProcess, others: readonly LiveProcess[]): void;
  agrees(): boolean;
}

/**
 * Two processes that are set up differently may both be well by themselves: what one publishes the other never hears. A
 * difference counts at the second beat in a row that shows it: what is read from servers changes at different moments.
 */
export function createAgreement(log: Logger): Agreement {
  let before = new Set<string>();
  let said = '';

  return {
    compare(self, others) {
      const found = differences(self, others);
      const lasting = found.filter(({ aspect, process }) => before.has(`${aspect} ${process.id}`));
      before = new Set(found.map(({ aspect, process }) => `${aspect} ${process.id}`));
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

function differences(self: LiveProcess, others: readonly LiveProcess[]) {
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
