import type { Mentions } from '../src/shared/contract.ts';
import type { SentExtras } from './history.ts';
import type { TortureChat } from './population.ts';
import type { Random } from './random.ts';
import type { Recorder } from './recorder.ts';

/** What some messages have beside their words: they are a small share, and the others plain. */
export interface Extras {
  ofMessage(chat: TortureChat): SentExtras;
  /** Whom an edit mentions instead, often nobody; undefined: it leaves them. */
  ofEdit(chat: TortureChat): Mentions | undefined;
}

const replyShare = 0.04;
const mentionShare = 0.04;
const editShare = 0.2;
/** Of the mentions: in chats of so few, anybody may. */
const everyoneShare = 0.2;
/** Of the edits that say whom they mention. */
const nobodyShare = 0.4;
const mostMentioned = 3;

export function createExtras({ random, recorder }: { random: Random; recorder: Recorder }): Extras {
  /** Of all who are ever in the chat: who is not in it just now is dropped. */
  const mentionsIn = ({ members, floating }: TortureChat): Mentions => {
    const people = random.shuffle([...new Set([...members, ...floating])]);
    const everyone = random.next() < everyoneShare;
    return {
      userIds: people.slice(0, random.integer(everyone ? 0 : 1, mostMentioned)),
      ...(everyone ? { everyone } : {}),
    };
  };
  return {
    ofMessage(chat) {
      const earlier =
        random.next() < replyShare ? recorder.recent.filter(({ chatId }) => chatId === chat.id) : [];
      return {
        ...(earlier.length > 0 ? { replyTo: random.pick(earlier).id } : {}),
        ...(random.next() < mentionShare ? { mentions: mentionsIn(chat) } : {}),
      };
    },
    ofEdit(chat) {
      if (random.next() >= editShare) return undefined;
      return random.next() < nobodyShare ? { userIds: [] } : mentionsIn(chat);
    },
  };
}
