import { clockToleranceMs, type Evidence, wasAsked } from '../evidence.ts';
import { keyOf } from '../history.ts';
import { createTally, type Verdict } from '../verdict.ts';
import { wrongExtras } from './asked-extras.ts';

/** I2 */
export function rowsHaveACause(evidence: Evidence): Verdict {
  const { history, postsByKey, about } = evidence;
  const tally = createTally('I2', 'no row without an authenticated request that could have caused it');
  for (const row of history.database.messages) {
    tally.check();
    const key = keyOf(row);
    const posts = postsByKey.get(key);
    const what = ((): [kind: string, what: string] | undefined => {
      if (!posts) return ['no post', `row ${row.sequence} of chat ${row.chatId} was never posted`];
      if (!posts.authenticated) return ['not authenticated', `${key} was only posted with a bad token`];
      if (!wasAsked(evidence, key, row)) return ['other content', `${key} was never asked for like this`];
      const wrong = wrongExtras(evidence, posts, row);
      if (wrong) return ['other extras', `${key} ${wrong}`];
      if (Date.parse(row.sentAt) + clockToleranceMs < posts.firstBegunAt) {
        return ['before its post', `${key} says it was accepted before it was posted`];
      }
      return undefined;
    })();
    if (what)
      tally.violate(
        what[0],
        () => what[1],
        () => about(key),
      );
  }
  for (const posts of postsByKey.values()) {
    if (posts.authenticated) continue;
    tally.check();
    if (posts.acceptedAt === undefined) continue;
    tally.violate(
      'not authenticated',
      () => `${posts.key} had a bad token and was answered 202`,
      () => about(posts.key),
    );
  }
  return tally.verdict();
}
