import type { ErrorCode } from './contract.ts';

/** What a verb rejects with: what the server says, or that it could not be reached. */
export class ConfabError extends Error {
  declare readonly code: ErrorCode | 'offline';
  /** Of the answer; undefined where there was none. */
  declare readonly status: number | undefined;
  /** How long the server wants to be left alone. */
  declare readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode | 'offline',
    message: string,
    more: { status?: number; retryAfterMs?: number | undefined } = {},
  ) {
    super(message);
    Object.assign(this, { name: 'ConfabError', code, ...more });
  }
}

/** What is no answer is the network's. */
export const asError = (error: unknown): ConfabError =>
  error instanceof ConfabError ? error : new ConfabError('offline', String(error));

/** Whether the same request may come through later. */
export const isTransient = ({ status = 0, code }: ConfabError): boolean =>
  code === 'offline' || status >= 500 || status === 401 || status === 408 || status === 429;

/** Somebody has to sign in, which makes the connection ready. */
export const isSignedOut = ({ status, code }: ConfabError): boolean => status === 401 && code !== 'offline';
