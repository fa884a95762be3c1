import type { ErrorCode } from './contract.ts';

/** What a verb rejects with: what the server says, or that it could not be reached. */
export class ConfabError extends Error {
  override readonly name = 'ConfabError';
  readonly code: ErrorCode | 'offline';
  /** Of the answer; undefined where there was none. */
  readonly status: number | undefined;
  /** How long the server wants to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode | 'offline',
    message: string,
    more: { status?: number; retryAfterMs?: number } = {},
  ) {
    super(message);
    this.code = code;
    this.status = more.status;
    this.retryAfterMs = more.retryAfterMs;
  }
}
