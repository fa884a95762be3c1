import { subjectOf } from './claims.ts';
import type { Tabs } from './tabs.ts';
import type { ClientOptions } from './types.ts';

export interface Tokens {
  /**
   * The one that there is; with `refused`, another one than that. Who asks at the same time waits for the same answer.
   * @throws what `getToken` throws
   */
  get(refused?: string): Promise<string | undefined>;
  /** Another tab has it. */
  offer(token: string): void;
  forget(): void;
}

export function createTokens(getToken: ClientOptions['getToken'], tabs: () => Tabs): Tokens {
  let current: string | undefined;
  let asked: Promise<string | undefined> | undefined;

  async function ask(refused: string | undefined): Promise<string | undefined> {
    return tabs().exclusively('token', async () => {
      // While this tab waited another one has got it.
      if (current !== undefined && current !== refused) return current;
      current = await getToken(refused === undefined ? {} : { expired: refused });
      if (current !== undefined && current !== refused) tabs().post({ kind: 'token', token: current });
      return current;
    });
  }

  return {
    async get(refused) {
      if (current !== undefined && current !== refused) return current;
      if (!asked) {
        const own = ask(refused).finally(() => {
          if (asked === own) asked = undefined;
        });
        asked = own;
      }
      return asked;
    },
    offer(token) {
      // Tabs may have users of their own.
      if (
        current !== undefined &&
        subjectOf(current) !== undefined &&
        subjectOf(current) === subjectOf(token)
      )
        current = token;
    },
    forget() {
      current = undefined;
      asked = undefined;
    },
  };
}
