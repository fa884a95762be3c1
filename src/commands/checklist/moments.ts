import type { Message, MessageReactions, User, UserPresence } from '../../shared/contract.ts';
import { type Actor, holds, type Stage } from './stage.ts';
import { until } from './until.ts';

export async function reactions({ a, b }: Stage): Promise<string> {
  const { id } = await a.say('To be reacted to');
  const key = '👍';
  const shown = [{ key, count: 1, userIds: [b.id] }];
  const own = [{ ...shown[0], own: true }];
  const path = `/messages/${id}/reactions/${encodeURIComponent(key)}`;
  const both = async ({ eventSequence }: MessageReactions, expected: object[]) => {
    for (const who of [a, b]) {
      const told = await who.hears(
        'chat.message.reactions',
        (event) => event.messageId === id && event.eventSequence === eventSequence,
      );
      holds({ 'the event has all that there are now': Bun.deepEquals(told.reactions, expected) });
    }
  };

  const set: MessageReactions = await b.inChat('PUT', path);
  await both(set, shown);
  const [ofA, ofB]: Message[] = await Promise.all([a, b].map((who) => who.inChat('GET', `/messages/${id}`)));
  holds({
    'it is B’s own, in the answer and at the message':
      Bun.deepEquals(set.reactions, own) && Bun.deepEquals(ofB?.reactions, own),
    'it is not A’s own': Bun.deepEquals(ofA?.reactions, shown),
  });
  const back: MessageReactions = await b.inChat('DELETE', path);
  await both(back, []);
  holds({ 'none is left': back.reactions.length === 0 });
  return `${key} and back, at numbers ${set.eventSequence} and ${back.eventSequence}`;
}

export async function typing({ a, b, chatId }: Stage): Promise<string> {
  for (const typing of [true, false]) {
    await a.inChat('PUT', '/typing', { typing });
    await b.hears(
      'chat.typing',
      (event) => event.chatId === chatId && event.userId === a.id && event.typing === typing,
    );
  }
  // What A's socket is told of this comes after what it would have been told of those.
  await a.say('What A has typed');
  holds({ 'A’s own socket is not told': a.socket.heard('chat.typing').length === 0 });
  return 'and that A has stopped; A is not';
}

export async function presence({ a, b }: Stage): Promise<string> {
  const becomes = (who: Actor, whom: Actor, online: boolean) => {
    const so = async () => {
      const { data }: { data: UserPresence[] } = await who.call('GET', `/presence?userIds=${whom.id}`);
      return data[0]?.online === online && (online || data[0].lastSeenAt === null) ? true : undefined;
    };
    return until(`${online ? 'online' : 'offline'} is not what is shown`, so, 250);
  };
  const both = (online: boolean) => Promise.all([becomes(a, b, online), becomes(b, a, online)]);
  const users: User[] = await Promise.all([a, b].map((who) => who.call('GET', '/auth/me')));
  if (users.some(({ showPresence }) => showPresence === false)) {
    await both(false);
    return 'offline: one of the two does not show it';
  }
  await both(true);
  await b.call('PATCH', '/users/me', { showPresence: false });
  try {
    await both(false);
  } finally {
    await b.call('PATCH', '/users/me', { showPresence: true });
  }
  await both(true);
  return 'and nothing of it while B does not show it, nor B of A';
}
