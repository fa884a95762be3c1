import type { Fact, FactAnswer, Facts } from '../../shared/ports/admission.ts';
import { factTtlMs } from '../../shared/ports/admission.ts';
import type { AdmissionClient } from './admission-client.ts';
import { createBreaker } from './breaker.ts';
import { createTurns } from './turn.ts';

const holds = '1';
const revoked = '0';

/** One key a fact; the questions of one turn of the event loop are one MGET. */
export function createRedisFacts(
  client: AdmissionClient,
  prefix: string,
  { ttlMs = factTtlMs, breaker = createBreaker() } = {},
): Facts {
  const keyOf = (fact: Fact) => `${prefix}:fact:${fact}`;
  const onEach = (facts: readonly Fact[], command: (key: string) => Promise<unknown>) =>
    Promise.all(facts.map((fact) => command(keyOf(fact))));
  const turnNow = createTurns(
    (): { keys: string[]; values: (string | null)[] } => ({ keys: [], values: [] }),
    async (turn) => {
      turn.values = (await breaker.ask(() => client.mget(turn.keys))) ?? [];
    },
  );

  return {
    async read(facts) {
      if (facts.length === 0) return [];
      const { questions, answered } = turnNow();
      const first = questions.keys.length;
      for (const fact of facts) questions.keys.push(keyOf(fact));
      await answered;
      return facts.map((_, at) => toAnswer(questions.values[first + at]));
    },

    async fill(facts) {
      await breaker.ask(() => onEach(facts, (key) => client.set(key, holds, 'PX', ttlMs, 'NX')));
    },

    // Tried even while the breaker pauses: it is rare, and what it ends might still be believed elsewhere.
    async revoke(facts) {
      await breaker.askAnyway(() => onEach(facts, (key) => client.set(key, revoked, 'PX', ttlMs)));
    },

    // To "not known" and no further: the next question goes to PostgreSQL, so a restore that comes late allows nothing.
    async restore(facts) {
      await breaker.askAnyway(() => onEach(facts, (key) => client.del(key)));
    },
  };
}

function toAnswer(value: string | null | undefined): FactAnswer {
  if (value === holds) return true;
  return value === revoked ? false : undefined;
}
