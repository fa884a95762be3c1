import type { Server } from 'bun';
import type { Identity } from '../auth/authenticate.ts';
import type { ErrorCode } from '../shared/contract.ts';
import type { Logger } from '../shared/log.ts';
import type { FactAnswer } from '../shared/ports/admission.ts';
import type { LogFailure } from './failure-log.ts';

/** What every handler finds in its context. */
export interface ApiEnv {
  /** `app.fetch(request, { server })`, as `Bun.serve` calls it; absent in tests through `app.request()`. */
  Bindings: { server?: Server<unknown> };
  Variables: {
    requestId: string;
    /** Names no request: say the id with what is told. */
    log: Logger;
    logFailure: LogFailure;
    /** The client's address, as far as it can be believed. */
    address: string;
    /** Set behind `requireIdentity`. */
    identity: Identity;
    /** The answers to what was wanted of `requireIdentity`, in that order. */
    facts: FactAnswer[];
    /** What to answer if the request's deadline passes from here on; `database_unavailable` unless set. */
    deadlineCode: ErrorCode | undefined;
  };
}
