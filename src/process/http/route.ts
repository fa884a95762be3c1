import type * as v from 'valibot';
import type { ChangeEvents, ErrorCode } from '../../shared/contract.ts';
import type { Ability } from '../../shared/ports/registry.ts';
import type { Answer } from './answer.ts';

/** A valibot strict object. */
type Schema<Output> = v.GenericSchema<unknown, Output>;
/** What a schema makes of it; undefined where a route has none. */
type Taken = object | undefined;

/** One route: what it takes, whom it lets in, what it does, and how the document describes it. */
export interface Route<
  Entered extends EnteredAs = EnteredAs,
  Params extends Taken = Taken,
  Query extends Taken = Taken,
  Body extends Taken = Taken,
> {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `:name` is a segment of any text. */
  path: string;
  /** Without it the route is not in the document. */
  operation?: Operation;
  /** Without it everybody may ask, as often as they like. */
  needs?: Need<Entered>;
  params?: Schema<Params>;
  query?: Schema<Query> & { entries: object };
  /** Parameters that `query` does not name are refused, unless this says that they are none of the route's business. */
  anyQuery?: boolean;
  /** Of a JSON body, which then has to be there. */
  body?: Schema<Body>;
  /** How long a body may be, where that is not what any may; asked before anything is read. */
  mostBodyBytes?(request: Request): number | undefined;
  /** The changes that it makes, and what else all processes must know: before every live one does it answers 503 `not_ready`. */
  makes?: readonly (keyof ChangeEvents | Ability)[];
  /** It begins transactions, which are told that the request was given up. Elsewhere none can be begun. */
  transacts?: true;
  /** Where its answers are counted, by their codes. */
  counts?: 'confab_sends_total' | 'confab_logins_total';
  handle(asked: Entered & Asked<Params, Query, Body>): Answer | Promise<Answer>;
}

/** Names its route's types for its handler. */
export const route = <
  Entered extends EnteredAs,
  Params extends Taken = undefined,
  Query extends Taken = undefined,
  Body extends Taken = undefined,
>(
  one: Route<Entered, Params, Query, Body>,
): Route => one;

/** Who asks, before anything of it is believed. */
export interface Caller {
  request: Request;
  requestId: string;
  /** As far as it can be believed; limits are counted for it. */
  address(): string;
  /** The address at the other end of the connection, be it a proxy's; undefined where it is not known. */
  peer(): string | undefined;
}

/** What a handler is given beside what its route's need has found out. */
export interface Asked<Params = Taken, Query = Taken, Body = Taken> extends Caller {
  params: Params;
  query: Query;
  body: Body;
  /** What to answer if the request's deadline passes from here on; `database_unavailable` until it is said. */
  late(code: ErrorCode): void;
}

/** What the log has of who was let in. */
export interface EnteredAs {
  identity?: { userId: string };
  byService?: boolean;
}

/** What a route wants of its callers. */
export interface Need<Entered extends EnteredAs = EnteredAs> {
  /** The credential, as the document names it. */
  security: 'accessToken' | 'serviceToken' | 'none';
  /**
   * @param params as they stand in the path: not checked yet
   * @throws ChatError what keeps the caller out
   */
  enter?(caller: Caller, params: Readonly<Record<string, string>>): Promise<Entered>;
  /** Told that the path, the query or the body is not what the route takes. @throws ChatError to be answered instead */
  unreadable?(caller: Caller): Promise<void>;
}

/** What the document says of a route beside what follows from its schemas and its need. */
export interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tag: 'auth' | 'users' | 'chats' | 'messages' | 'participants' | 'service' | 'operation';
  responses: Readonly<Record<number, ResponseDescription>>;
  /** Beside those that follow from `needs` and `body` and those that any route may answer. */
  problems?: readonly ErrorCode[];
}

/** Without a type and a schema it has no body. */
export interface ResponseDescription {
  description: string;
  /** `application/json` where there is none. */
  type?: string;
  /** Of valibot, or JSON Schema itself. */
  schema?: v.GenericSchema | { type: 'object' | 'string' };
}
