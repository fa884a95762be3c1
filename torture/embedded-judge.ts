import type { UnwantedExit } from '../harness/process.ts';
import type { Account } from './embedded-accounts.ts';
import type { Start } from './embedded-kills.ts';
import { type History, keyOf } from './history.ts';
import { judge } from './judge.ts';
import { createTally, type Invariant, type Verdict } from './verdict.ts';

export interface EmbeddedEvidence {
  history: History;
  starts: readonly Start[];
  unwantedExits: readonly UnwantedExit[];
  accounts: readonly Account[];
}

/** The others are about people who are removed, resources, brokers and deleted chats: there is none of it here. */
const shared: ReadonlySet<Invariant> = new Set(['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I8', 'I11', 'I12']);

/** Those that a single process can break, and two of its own. */
export function judgeEmbedded(evidence: EmbeddedEvidence): Verdict[] {
  const ofAll = judge(evidence.history).filter(({ invariant }) => shared.has(invariant));
  return [...ofAll, startsAgain(evidence), nobodyIsForgotten(evidence)];
}

function startsAgain({ starts, unwantedExits }: EmbeddedEvidence): Verdict {
  const tally = createTally('E1', 'after every kill -9 it starts again on its data folder, and stays');
  tally.check(starts.length);
  for (const exit of unwantedExits) {
    tally.violate(
      'ended by itself',
      () => `it ended with ${exit.code}, and nobody had killed it`,
      () => [exit],
    );
  }
  return tally.verdict();
}

/** Accounts, sessions and the token secret are in the data folder as well. */
function nobodyIsForgotten({ history, accounts }: EmbeddedEvidence): Verdict {
  const tally = createTally(
    'E2',
    'accounts are kept, tokens stay good, and nothing is answered but 202 and 503',
  );
  for (const account of accounts) {
    tally.check();
    if (account.kept) continue;
    tally.violate(
      'account lost',
      () => `${account.email} had signed in, and cannot any more`,
      () => [account],
    );
  }
  const members = new Set(history.database.participants.map(({ chatId, userId }) => `${chatId} ${userId}`));
  for (const post of history.posts) {
    if (!post.authenticated || !members.has(`${post.chatId} ${post.senderId}`)) continue;
    tally.check();
    if (post.status === undefined || post.status === 202 || post.status === 503) continue;
    tally.violate(
      `answered ${post.status}`,
      () => `${keyOf(post)} was answered ${post.status} ${post.code ?? ''}`,
      () => [post],
    );
  }
  for (const { name, records } of history.clients) {
    for (const record of records) {
      if (record.kind !== 'refused') continue;
      tally.check();
      if (record.code === 'server_busy' || record.code === 'database_unavailable') continue;
      tally.violate(
        `refused ${record.code}`,
        () => `${name} was refused with ${record.code}`,
        () => [record],
      );
    }
  }
  return tally.verdict();
}
