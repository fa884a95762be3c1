import { timingSafeEqual } from 'node:crypto';
import type { Admit, Identity, VerifyToken } from '../auth/authenticate.ts';
import type { Need } from '../process/http/route.ts';
import { networkOf } from '../shared/client-address.ts';
import { ChatError } from '../shared/errors.ts';
import { uuidPattern } from '../shared/ids.ts';
import type { Fact, FactAnswer, RateLimits } from '../shared/ports/admission.ts';

interface NeedsDependencies {
  verify: VerifyToken;
  admit: Admit;
  rateLimits: RateLimits;
}

/** What the api's routes want of their callers. */
export interface Needs {
  /**
   * A live session, within the user's limit, or a limit of its own. Requests without a valid token count for the address: what those do who share it
   * with others is counted for themselves alone.
   * @param want.facts to ask for in the same round trip
   * @throws ChatError `token_missing`, `token_invalid`, `token_expired`, `session_revoked`, `rate_limited`,
   * `database_unavailable`
   */
  token(want?: {
    facts?: (identity: Identity, params: Readonly<Record<string, string>>) => readonly Fact[];
    limit?: 'read' | 'typing';
  }): Need<{ identity: Identity; facts: FactAnswer[] }>;
  /** `Authorization: Bearer <SERVICE_TOKEN>`, of the operator's own backend. Without it a request counts for its address. */
  serviceToken(serviceToken: string): Need;
  /** Nothing; each request counts for its address. */
  address: Need;
  /** Nothing; its handler counts what it takes, and here what can't be read is counted. */
  readable: Need;
}

export function createNeeds({ verify, admit, rateLimits }: NeedsDependencies): Needs {
  return {
    token: ({ facts: want, limit = 'user' as const } = {}) => ({
      security: 'accessToken',
      async enter({ request, address }, params) {
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
          rateLimits.consume([{ limit, key: identity.userId }]),
        ]);
        return { identity, facts };
      },
    }),

    serviceToken(serviceToken) {
      const expected = digest(serviceToken);
      return {
        security: 'serviceToken',
        async enter({ request, address }) {
          const given = bearerToken(request);
          // Digests have one length: the comparison tells nothing by its time.
          if (given !== undefined && timingSafeEqual(digest(given), expected)) return {};
          await rateLimits.consume([{ limit: 'address', key: address() }]);
          throw new ChatError(given === undefined ? 'token_missing' : 'token_invalid');
        },
      };
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

/** RFC 6750; undefined for no or another scheme. */
const bearerToken = ({ headers }: Request): string | undefined =>
  headers.get('authorization')?.match(/^Bearer +(.*[^ ]) *$/i)?.[1];

const digest = (token: string): Buffer => new Bun.CryptoHasher('sha256').update(token).digest();
