import type { Mentions } from '../../src/shared/contract.ts';
import type { Evidence, KeyPosts } from '../evidence.ts';
import type { MessageRow } from '../rows.ts';

/** What is wrong with what a row has beside its words; undefined: it was asked for, by its post or an edit. */
export function wrongExtras(evidence: Evidence, posts: KeyPosts, row: MessageRow): string | undefined {
  const { replyTo, mentions } = posts.extras;
  if (row.deleted) return row.quoted || row.mentions ? 'has kept whom it answered or mentioned' : undefined;
  if ((row.quoted ?? undefined) !== replyTo) return 'answers another message than it was to';
  const edits = row.version ? (evidence.changesById.get(row.id) ?? []) : [];
  const asked = [mentions, ...edits.flatMap((edit) => (edit.mentions ? [edit.mentions] : []))];
  return asked.some((each) => areOf(evidence, row, each)) ? undefined : 'mentions others than it was to';
}

/** Those who took part. Of who came or went since it was sent, nobody knows at which moment they were looked for. */
function areOf(
  { participants }: Evidence,
  { chatId, number, mentions }: MessageRow,
  asked?: Mentions,
): boolean {
  const kept = new Set(mentions?.userIds);
  const wanted = new Set(asked?.userIds);
  return (
    (mentions?.everyone ?? false) === (asked?.everyone ?? false) &&
    kept.isSubsetOf(wanted) &&
    [...wanted].every((userId) => {
      const known = participants.get(`${chatId} ${userId}`);
      return (known && known.changedNumber > number) || kept.has(userId) === (known?.active ?? false);
    })
  );
}
