import type { Evidence } from '../evidence.ts';
import type { ChatRow, MessageRow, ParticipantRow, ReactionsRow } from '../rows.ts';

/** A chat's rows by the number of their last change; a number without one was superseded. */
export type Numbered = readonly (Row | undefined)[];
type Row =
  | { message: MessageRow }
  | { changed: MessageRow }
  | { participant: ParticipantRow }
  | { reactions: ReactionsRow }
  | { settings: ChatRow };

export function numberRows({ history, rowsByChat }: Evidence): Map<string, Numbered> {
  const participants = Map.groupBy(history.database.participants, (row) => row.chatId);
  const reactions = Map.groupBy(history.database.reactions, (row) => row.chatId);
  return new Map(
    history.database.chats.map((chat) => {
      const { id } = chat;
      const numbered: Numbered[number][] = [];
      for (const message of rowsByChat.get(id) ?? []) {
        numbered[message.number] = { message };
        if (message.version) numbered[message.version] = { changed: message };
      }
      for (const participant of participants.get(id) ?? []) {
        numbered[participant.changedNumber] = { participant };
      }
      for (const row of reactions.get(id) ?? []) numbered[row.number] = { reactions: row };
      if (chat.settingsNumber !== null) numbered[chat.settingsNumber] = { settings: chat };
      return [id, numbered];
    }),
  );
}
