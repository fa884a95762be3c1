import type { History } from './history.ts';

/** Of what messages have beside their words. */
export interface ExtraFigures {
  repliesStored: number;
  /** How often a device was told a message with a quote. */
  quotesTold: number;
  mentioningStored: number;
  /** Edits that said whom they mention, as far as they were answered. */
  mentionsEdited: number;
  /** Memberships with mentions that were unread. */
  mentionsTold: number;
  /** Users and chats that have such in the end. */
  mentionsLeft: number;
}

export function extraFigures({ clients, changes, database }: History): ExtraFigures {
  const records = clients.flatMap((client) => client.records);
  return {
    repliesStored: database.messages.filter(({ quoted }) => quoted).length,
    quotesTold: records.filter((each) => each.kind === 'message' && each.message.replyTo).length,
    mentioningStored: database.messages.filter(({ mentions }) => mentions).length,
    mentionsEdited: changes.filter(({ status, mentions }) => status === 200 && mentions).length,
    mentionsTold: records.filter(
      (each) => each.kind === 'membership' && each.membership.unreadMentionCount > 0,
    ).length,
    mentionsLeft: database.participants.filter((row) => row.active && row.unreadMentionCount > 0).length,
  };
}

export const extraFiguresText = (f: ExtraFigures): string =>
  `replies stored ${f.repliesStored}, quotes told ${f.quotesTold}, messages with mentions stored ${f.mentioningStored}, ` +
  `edits of mentions ${f.mentionsEdited}, memberships told with mentions ${f.mentionsTold}, left with some ${f.mentionsLeft}`;
