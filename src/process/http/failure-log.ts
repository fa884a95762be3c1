import type { ErrorCode } from '../../shared/contract.ts';
import { errorTable } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { loggable, reasonOf } from '../../shared/loggable.ts';
import { createRepeats } from '../../shared/repeats.ts';

export interface Failure {
  /** One of those that the line stands for. */
  requestId: string;
  code: ErrorCode;
  error: unknown;
}

export type LogFailure = (failure: Failure) => void;

/**
 * Tells why requests are refused for no fault of their own: one line a second for each code and reason, with its `count`.
 * While a server is away there are as many of these as requests: 16,000 refused sends were 32,000 lines.
 */
export function createFailureLog(log: Logger): LogFailure {
  const repeats = createRepeats();

  return ({ requestId, code, error }) => {
    const { status } = errorTable[code];
    if (status !== 429 && status < 500) return;
    const reason = status === 429 ? undefined : reasonOf(error);
    repeats(`${code} ${reason}`, (count) => {
      // What nobody foresaw is our own fault: with the way through the code.
      if (code === 'internal_error')
        log.error({ requestId, code, count, err: loggable(error) }, 'request failed');
      else log.warn({ requestId, code, reason, count }, 'request failed');
    });
  };
}
