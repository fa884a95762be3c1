import { newId } from '../../shared/ids.ts';
import type { Logger } from '../../shared/log.ts';

/** The caller's own where it is sane. */
export const requestIdOf = (given: string | null): string =>
  given !== null && /^[\w\-=]{1,128}$/.test(given) ? given : newId();

export interface RequestLine {
  requestId: string;
  method: string;
  route: string;
  chatId: string | undefined;
  userId: string | undefined;
  /** Whether the host's backend asked; absent where it did not. */
  byService?: true;
  status: number;
  startedAt: number;
}

/** Asked every few seconds, by machines. */
const probes: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

/** Told by the failure log, which counts them. */
const counted: ReadonlySet<number> = new Set([429, 503]);

/**
 * Writes one line a request, under its id. The route's pattern and the chat's id stand for the address: the rest of it
 * may hold an email, and headers and bodies hold tokens, passwords and messages. Accepted sends, which are most of all
 * requests, probes, and what is refused by the thousand are told at `debug`.
 */
export function createRequestLog(log: Logger): (status: number, line: () => RequestLine) => void {
  // These lines hold nothing to redact, and looking for it costs more than writing them.
  const requests = log.child({}, { redact: [] });

  return (status, line) => {
    const many = status === 202 || counted.has(status);
    if (!requests.isLevelEnabled(many ? 'debug' : 'info')) return;
    const { startedAt, ...fields } = line();
    requests[many || probes.has(fields.route) ? 'debug' : 'info'](
      { ...fields, durationMs: Math.round((performance.now() - startedAt) * 10) / 10 },
      'request',
    );
  };
}
