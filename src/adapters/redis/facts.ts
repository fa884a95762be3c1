import { resultsOf } from '../../shared/metrics/metrics.ts';
import type { Fact, FactAnswer, Facts } from '../../shared/ports/admission.ts';
import { factTtlMs } from '../../shared/ports/admission.ts';
import { askEach } from './client.ts';
import type { AdmissionRedis } from './redis-turn.ts';

const holds = '1';
const revoked = '0';

/** One key a fact; what one turn of the event loop asks is asked together. */
export function createRedisFacts(
  { client, breaker, turnNow, metrics }: AdmissionRedis,
  prefix: string,
  { ttlMs = factTtlMs } = {},
): Facts {
  const keyOf = (fact: Fact) => `${prefix}:fact:${fact}`;
  const saidKey = (what: string) => `${prefix}:said:${what}`;
  const found = { hit: 0, miss: 0, away: 0 };
  metrics.read('confab_facts_total', () => resultsOf(found));
  const onEach = (facts: readonly Fact[], command: (key: string) => Promise<unknown>) =>
    askEach(facts, (fact) => command(keyOf(fact)));

  return {
    async read(facts) {
      if (facts.length === 0) return [];
      const { questions, answered } = turnNow();
      const first = questions.facts.length;
      for (const fact of facts) questions.facts.push(keyOf(fact));
      await answered;
      return facts.map((_, at) => {
        const value = questions.values[first + at];
        found[value === undefined ? 'away' : value === null ? 'miss' : 'hit'] += 1;
        return toAnswer(value);
      });
    },

    async fill(facts) {
      await breaker.ask(() => onEach(facts, (key) => client.set(key, holds, 'PX', ttlMs, 'NX')));
    },

    // Tried even while the breaker pauses: it is rare, and what it ends might still be believed elsewhere.
    async revoke(facts) {
      await breaker.askAnyway(() => onEach(facts, (key) => client.set(key, revoked, 'PX', ttlMs)));
    },

    async isNew(what, ms) {
      return (await breaker.ask(() => client.set(saidKey(what), holds, 'PX', ms, 'NX'))) === 'OK';
    },

    async forget(what) {
      await breaker.ask(() => client.del(saidKey(what)));
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
