import { subjectOf } from './claims.ts';
import type { Tabs } from './tabs.ts';
import type { ClientOptions } from './types.ts';

export interface Tokens {
  /**
   * The one that there is; with `refused`, another one than that. Who asks at the same time waits for the same answer.
   * @throws what `getToken` throws
   */
  get(refused?: string): Promise<string | undefined>;
  /** Of how many users there were tokens: what was begun with one's must not go on with another's. */
  life(): number;
  /** Another tab has it. */
  offer(token: string): void;
  forget(): void;
}

/** @param onOther somebody else has signed in, and nobody has said so */
export function createTokens(
  getToken: ClientOptions['getToken'],
  tabs: Tabs,
  onOther: () => void = () => {},
): Tokens {
  let [life, current, subject]: [number, string?, string?] = [0];
  let asked: Promise<string | undefined> | undefined;

  const ask = (refused: string | undefined, of: number): Promise<string | undefined> =>
    tabs.exclusively('token', async () => {
      if (of !== life) return undefined;
      // While this tab waited another one has got it.
      if (current !== undefined && current !== refused) return current;
      const token = await getToken(refused === undefined ? {} : { expired: refused });
      if (of !== life) return undefined;
      current = token;
      if (token === undefined) return undefined;
      const [before, now] = [subject, subjectOf(token)];
      subject = now;
      if (token !== refused) tabs.post({ kind: 'token', token });
      if (before !== undefined && now !== before) {
        life += 1;
        asked = undefined;
        onOther();
      }
      return token;
    });

  return {
    life: () => life,
    async get(refused) {
      if (current !== undefined && current !== refused) return current;
      if (!asked) {
        const own = ask(refused, life).finally(() => {
          if (asked === own) asked = undefined;
        });
        asked = own;
      }
      return asked;
    },
    offer(token) {
      // Tabs may have users of their own.
      if (current !== undefined && subject !== undefined && subject === subjectOf(token)) current = token;
    },
    forget() {
      life += 1;
      current = subject = asked = undefined;
    },
  };
}
