import type { Admit, Identity, VerifyToken } from '../auth/authenticate.ts';
import { bearerToken } from '../process/http/bearer-token.ts';
import type { Caller, Need } from '../process/http/route.ts';
import { networkOf } from '../shared/client-address.ts';
import { ChatError } from '../shared/errors.ts';
import { uuidPattern } from '../shared/ids.ts';
import type { Fact, FactAnswer, RateLimits } from '../shared/ports/admission.ts';
import { unlimited } from '../shared/rate-limits.ts';
import { actAsHeader, itself, type ServiceAccess } from './service-access.ts';

interface NeedsDependencies {
  verify: VerifyToken;
  admit: Admit;
  rateLimits: RateLimits;
  serviceAccess: ServiceAccess;
}

/** Somebody, by a token of their own or as whom the host's backend acts. */
export interface Somebody {
  identity: Identity;
  facts: FactAnswer[];
  /** For what the handler takes beyond the request itself: none are taken of the backend. */
  limits: RateLimits;
  byService: boolean;
}

interface Wanted {
  facts?: (identity: Identity, params: Readonly<Record<string, string>>) => readonly Fact[];
  limit?: 'read' | 'typing';
}

/** What the api's routes want of their callers. */
export interface Needs {
  /**
   * A live session, within the user's limit, or a limit of its own; or the service token with `X-Act-As`, for a user who is active.
   * Requests without a valid token count for the address: what those do who share it with others is counted for themselves alone.
   * @param want.facts to ask for in the same round trip
   * @throws ChatError `token_missing`, `token_invalid`, `token_expired`, `session_revoked`, `rate_limited`, `user_not_found`,
   * `user_deactivated`, `database_unavailable`
   */
  token(want?: Wanted): Need<Somebody>;
  /** The same; or the service token with `X-Act-As: service`, for which nobody is `identity`. */
  tokenOrService: Need<Partial<Somebody>>;
  /** The service token, which acts as nobody but itself. Without it a request counts for its address. */
  service: Need<{ byService: true }> & { knows(request: Request): boolean };
  /** Nothing; each request counts for its address. */
  address: Need;
  /** Nothing; its handler counts what it takes, and here what can't be read is counted. */
  readable: Need;
}

export function createNeeds({ verify, admit, rateLimits, serviceAccess }: NeedsDependencies): Needs {
  const { isService, actAs } = serviceAccess;

  async function assertService({ request, address }: Caller): Promise<void> {
    if (isService(request)) return;
    await rateLimits.consume([{ limit: 'address', key: address() }]);
    throw new ChatError(bearerToken(request) === undefined ? 'token_missing' : 'token_invalid');
  }

  async function enterAs(
    caller: Caller,
    params: Readonly<Record<string, string>>,
    { facts: want, limit }: Wanted = {},
  ): Promise<Somebody> {
    const { request, address } = caller;
    const actedAs = actAs(request);
    if (actedAs !== undefined) {
      await assertService(caller);
      const identity = identityOf(actedAs);
      const facts = await admit(identity, want?.(identity, params) ?? []);
      return { identity, facts, limits: unlimited, byService: true };
    }

    let identity: Identity;
    try {
      identity = await verify(bearerToken(request));
    } catch (error) {
      await rateLimits.consume([{ limit: 'address', key: address() }]);
      throw error;
    }
    // Both begin in one turn of the event loop: one round trip.
    const [facts] = await Promise.all([
      admit(identity, want?.(identity, params) ?? []),
      rateLimits.consume([{ limit: limit ?? 'user', key: identity.userId }]),
    ]);
    return { identity, facts, limits: rateLimits, byService: false };
  }

  return {
    token: (want) => ({
      security: 'accessToken',
      enter: (caller, params) => enterAs(caller, params, want),
    }),

    tokenOrService: {
      security: 'accessToken',
      async enter(caller, params) {
        if (actAs(caller.request) !== itself) return enterAs(caller, params);
        await assertService(caller);
        return { byService: true };
      },
    },

    service: {
      knows: isService,
      security: 'serviceToken',
      async enter(caller) {
        await assertService(caller);
        if ((actAs(caller.request) ?? itself) !== itself)
          throw wrongActAs(`must be ${itself} here, or not be given`);
        return { byService: true };
      },
    },

    address: {
      security: 'none',
      async enter({ address }) {
        await rateLimits.consume([{ limit: 'address', key: address() }]);
        return {};
      },
    },

    readable: {
      security: 'none',
      async unreadable({ address }) {
        const key = address();
        await rateLimits.consume([
          { limit: 'address', key },
          { limit: 'login', key: `unreadable:${networkOf(key)}` },
        ]);
      },
    },
  };
}

/** To ask for facts about the chat that is named in the path, if one is. */
export const aboutChat =
  (factsOf: (chatId: string, userId: string) => readonly Fact[]) =>
  ({ userId }: Identity, { chatId = '' }: Readonly<Record<string, string>>): readonly Fact[] =>
    uuidPattern.test(chatId) ? factsOf(chatId.toLowerCase(), userId) : [];

/** @throws ChatError `validation_failed` */
function identityOf(actedAs: string): Identity {
  if (uuidPattern.test(actedAs))
    return { userId: actedAs.toLowerCase(), sessionId: undefined, expiresAt: Number.POSITIVE_INFINITY };
  throw wrongActAs('must be the id of a user');
}

const wrongActAs = (message: string) =>
  new ChatError('validation_failed', undefined, { errors: [{ path: actAsHeader, message }] });
