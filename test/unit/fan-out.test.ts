import { expect, test } from 'bun:test';
import { createFanOut } from '../../src/gateway/fan-out.ts';
import type { Member } from '../../src/gateway/member.ts';
import type { NativeSocket } from '../../src/gateway/native-room.ts';

/** A room that is a topic, and what each in it is sent by itself. */
function bigRoom() {
  const sent: string[] = [];
  const published: string[] = [];
  const members = Array.from({ length: 20 }, (_, at) => {
    const userId = `user ${at}`;
    const ws = { subscribe() {}, unsubscribe() {} } as unknown as NativeSocket;
    return { userId, hides: at === 0, ws, send: (frame: string) => sent.push(frame) } as unknown as Member;
  });
  const fanOut = createFanOut({
    publish: (_topic, frame) => published.push(frame),
    socketsOf: (userId) => new Set(members.filter((one) => one.userId === userId)),
  });
  const room = fanOut.room('chat');
  for (const one of members) room.add(one);
  return { fanOut, room, sent, published };
}

test('who hides is told apart once, though the change is their own, and not where nobody is online', () => {
  const { fanOut, room, sent, published } = bigRoom();
  const tell = (online: boolean) =>
    fanOut.tell(room, {
      ...{ chatId: 'chat', eventSequence: 1, event: 'chat.participant.added', came: ['user 1'] },
      ...{ actorId: 'user 0', body: JSON.stringify({ online }) },
      ...(online && { actorEvent: 'chat.message.saved' }),
    });
  tell(true);
  expect(sent.splice(0)).toEqual(['42/chat,["chat.message.saved",{"online":false}]']);
  expect(published.splice(0)).toEqual(['42/chat,["chat.participant.added",{"online":true}]']);
  tell(false);
  expect(sent).toEqual([]);
  expect(published).toEqual(['42/chat,["chat.participant.added",{"online":false}]']);
});
