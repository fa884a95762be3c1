import type { ConnectErrorData } from '../shared/contract.ts';
import { ChatError, errorTable } from '../shared/errors.ts';

/** What a refused CONNECT is answered with: the client reads `connect_error.data`. */
export interface ConnectRefusal extends Error {
  data: ConnectErrorData;
}

/**
 * Only an answer about the client itself is a refusal, because a plain client then stops trying. Undefined for everything
 * else: its transport is closed, and it tries again by itself.
 */
export function connectRefusal(error: unknown): ConnectRefusal | undefined {
  if (!(error instanceof ChatError) || errorTable[error.code].status >= 429) return undefined;
  return Object.assign(new Error(error.message), { data: { code: error.code, detail: error.message } });
}
