import { fullJitterMs } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/log.ts';
import type { Attached } from './attached.ts';
import { codeOf, reasonOf } from './errors.ts';

/** Why the last channel of a queue was closed, and until when no other is tried. */
export interface Refusal {
  reason: string;
  code: unknown;
  until: number;
}

export interface Refusals {
  readonly current: Refusal | undefined;
  begin(error: unknown): void;
  end(): void;
}

/** A permission revoked, an exchange deleted, no channel left: tried again with the first message after a pause. */
export function createRefusals(on: Attached, log: Logger): Refusals {
  let failures = 0;
  let current: Refusal | undefined;
  return {
    get current() {
      return current;
    },

    begin(error) {
      const reason = reasonOf(error);
      if (on.refusal !== reason) log.error({ reason }, 'RabbitMQ refuses what is published');
      on.refusal = reason;
      // At once the first time: what was deleted is declared again then.
      const until = performance.now() + (failures === 0 ? 0 : fullJitterMs(failures, 50));
      current = { reason, code: codeOf(error), until };
      failures += 1;
    },

    end() {
      if (current === undefined) return;
      current = undefined;
      failures = 0;
      if (on.refusal !== undefined) log.info('RabbitMQ takes what is published again');
      on.refusal = undefined;
    },
  };
}
