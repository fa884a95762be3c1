import type { ErrorCode } from './contract.ts';

/** What a code means to a client; the one table that REST and sockets answer from. */
export const errorTable: Readonly<Record<ErrorCode, { status: number; title: string }>> = {
  malformed_request: { status: 400, title: 'The request is malformed' },
  malformed_json: { status: 400, title: 'The body is not JSON' },
  token_missing: { status: 401, title: 'No access token' },
  token_invalid: { status: 401, title: 'The access token is not valid' },
  token_expired: { status: 401, title: 'The access token has expired' },
  session_revoked: { status: 401, title: 'The session has ended' },
  bad_credentials: { status: 401, title: 'Wrong email or password' },
  refresh_invalid: { status: 401, title: 'The refresh token is not valid' },
  not_owner: { status: 403, title: 'Only an owner may do this' },
  not_allowed: { status: 403, title: 'This is not allowed to you' },
  edit_window_closed: { status: 403, title: 'The message is too old to be edited' },
  user_deactivated: { status: 403, title: 'The user is deactivated' },
  origin_not_allowed: { status: 403, title: 'This origin is not allowed' },
  chat_not_found: { status: 404, title: 'No such chat' },
  message_not_found: { status: 404, title: 'No such message' },
  user_not_found: { status: 404, title: 'No such user' },
  route_not_found: { status: 404, title: 'No such route' },
  method_not_allowed: { status: 405, title: 'This route has no such method' },
  email_taken: { status: 409, title: 'The email is taken' },
  chat_is_direct: { status: 409, title: 'A direct chat keeps its two participants' },
  last_owner: { status: 409, title: 'A chat keeps an owner' },
  chat_full: { status: 409, title: 'The chat has as many participants as it may' },
  recently_left: { status: 409, title: 'Somebody has left this chat within the last day' },
  message_deleted: { status: 409, title: 'The message is deleted' },
  too_many_reactions: { status: 409, title: 'The message has as many different reactions as it can have' },
  too_many_sockets: { status: 409, title: 'The user has too many sockets open' },
  idempotency_conflict: { status: 409, title: 'The clientMessageId was used for another message' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  validation_failed: { status: 422, title: 'The request is not valid' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal_error: { status: 500, title: 'Something went wrong' },
  broker_unavailable: { status: 503, title: 'The message broker is not available' },
  database_unavailable: { status: 503, title: 'The database is not available' },
  server_busy: { status: 503, title: 'The server is busy' },
  not_ready: { status: 503, title: 'Not all processes know this yet' },
};

export interface ChatErrorOptions {
  /** For the log; never shown to a client. */
  cause?: unknown;
  /** Sent as `Retry-After`. */
  retryAfterSeconds?: number;
  errors?: { path: string; message: string }[];
  /** Of an HTTP answer, beside those that all problems have. */
  headers?: Readonly<Record<string, string>>;
}

/** An expected failure: `message` is public, `cause` is for the log. */
export class ChatError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;
  readonly errors: { path: string; message: string }[] | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(
    code: ErrorCode,
    publicMessage: string = errorTable[code].title,
    options: ChatErrorOptions = {},
  ) {
    super(publicMessage, { cause: options.cause });
    this.name = 'ChatError';
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.errors = options.errors;
    this.headers = options.headers;
  }
}
