import { expect, test } from 'bun:test';
import { randomUUID } from 'node:crypto';
import { deriveBrokerMessageId } from '../../src/shared/ids.ts';
import type { Deployment } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson, type Person } from '../support/people.ts';

/** JSON of so many objects in one another. */
const levels = (count: number) => `${'{"a":'.repeat(count - 1)}{}${'}'.repeat(count - 1)}`;
const nil = '00000000-0000-0000-0000-000000000000';
const highest = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Objects as JSON, each within the limits. */
const metadatas = [
  '{}',
  '{"":""}',
  '{"a":null,"b":[null,[],{}],"c":true}',
  '{"a":1,"a":2}',
  '{"2":1,"1":2,"b":3,"a":4}',
  '{"__proto__":{"admin":true},"constructor":{"prototype":null},"toString":1}',
  '{"a":{"__proto__":[{"__proto__":null}]}}',
  '{"zero":-0,"most":1.7976931348623157e308,"least":5e-324,"beyond":9007199254740993,"fraction":0.1}',
  '{"text":"\\\\u0000 \\\\ud800 \\u0001\\u001f\\u007f\\u0080\\u2028\\u2029\\ufeff\\ufffe\\uffff"}',
  '{"\\u0001\\n\\t\\"\\\\/":"\\b\\f\\r"}',
  '{"emoji":"🧭👩‍👩‍👧","\u202emirrored":"עברית","nfd":"e\u0301","nfc":"é"}',
  `{"sql":"'; DROP TABLE messages; --","$1":"$1::uuid","%s":"%","{{}}":"\${x}"}`,
  '{"<script>":"</script><!--","&amp;":"&"}',
  '{"id":"not mine","chatId":null,"sequence":0,"deletedAt":"now","version":99,"content":""}',
  '{"userIds":["x"],"everyone":true,"messageId":"x"}',
  levels(16),
  `{"a":${'['.repeat(15)}${']'.repeat(15)}}`,
  `{"most":"${'x'.repeat(4_096 - 11)}"}`,
  `{"${'k'.repeat(4_096 - 6)}":1}`,
  `{"many":[${Array(2_000).fill(1).join()}]}`,
  `{${Array.from({ length: 400 }, (_, at) => `"${at}":0`).join()}}`,
];
const contents = [
  '\u0001'.repeat(8_000),
  '界'.repeat(8_000),
  'a\u2028\u2029',
  '\ufffe\uffff',
  '{"content":"x"}',
  '😀'.repeat(4_000),
  '\\u0000',
  '\u202e',
];

/** What is accepted, however odd, is stored and told as it is: nothing of it is a dead letter. */
export function oddSendsSuite({
  deployment,
  placesOf,
}: {
  deployment: Deployment;
  /** @throws Error when a queue, or that of the dead letters, is not empty */
  placesOf?: (word: string) => Promise<string[]>;
}): void {
  test('whatever is accepted is stored, told as it is kept, and no dead letter', async () => {
    const [ada, bob, eve] = (await Promise.all(
      ['ada', 'bob', 'eve'].map((name) => newPerson(deployment, name)),
    )) as [Person, Person, Person];
    const chat = await ada.newChat(bob, eve);
    const elsewhere = await ada.newChat(bob);
    const [adaHears, bobHears] = await Promise.all([ada.connect(), bob.connect()]);
    await eve.call('DELETE', `/chats/${chat.id}/participants/${eve.id}`);
    const first = `first-${randomUUID()}`;
    const deleted = await ada.send(chat.id, 'to be deleted');
    const known = await ada.send(chat.id, first);
    const foreign = await ada.send(elsewhere.id, 'elsewhere');
    await bobHears.heard(first);
    await bobHears.heard('elsewhere');
    const gone = await ada.call('DELETE', `/chats/${chat.id}/messages/${deleted.brokerMessageId}`);
    expect(gone.status).toBe(204);

    const selfKey = randomUUID();
    const self = deriveBrokerMessageId(chat.id, ada.id, selfKey);
    const quoted = [
      ...[known, deleted, foreign].map(({ brokerMessageId }) => brokerMessageId),
      ...[known.brokerMessageId.toUpperCase(), nil, highest, chat.id, ada.id, randomUUID()],
    ];
    const mentioned = [
      ...[[], [ada.id], [eve.id], [randomUUID()], [nil, highest], [chat.id]],
      ...[[bob.id.toUpperCase(), bob.id, ada.id], Array(50).fill(bob.id)],
      Array.from({ length: 50 }, () => randomUUID()),
    ];
    const json = JSON.stringify;
    const bodies = [
      ...contents.map((content) => `{"content":${json(content)}}`),
      ...quoted.map((id) => `{"content":"answer","replyTo":${json(id)}}`),
      ...mentioned.flatMap((userIds) =>
        ['', ',"everyone":true', ',"everyone":false'].map(
          (everyone) => `{"content":"mention","mentions":{"userIds":${json(userIds)}${everyone}}}`,
        ),
      ),
      ...metadatas.map((metadata) => `{"content":"data","metadata":${metadata}}`),
      // All of it together, each with another.
      ...metadatas.map((metadata, at) => {
        const [content, replyTo] = [contents[at % contents.length], quoted[at % quoted.length]];
        const mentions = { userIds: mentioned[at % mentioned.length], everyone: at % 2 === 0 };
        return `{"content":${json(content)},"replyTo":${json(replyTo)},"mentions":${json(mentions)},"metadata":${metadata}}`;
      }),
    ].map((body) => `{"clientMessageId":"${randomUUID()}",${body.slice(1)}`);
    bodies.push(`{"clientMessageId":"${selfKey}","content":"of itself","replyTo":"${self}"}`);

    const path = `/chats/${chat.id}/messages`;
    const answers = await Promise.all(bodies.map((body) => ada.call('POST', path, body)));
    expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 202));
    const last = `last-${randomUUID()}`;
    await ada.send(chat.id, last);
    await bobHears.heard(last);
    await eventually('the sender has heard', () => adaHears.saved.length === bodies.length + 4);

    const kept = await bob.history(chat.id);
    const told = new Map([...adaHears.saved, ...bobHears.news].map(({ message }) => [message.id, message]));
    for (const [at, body] of bodies.entries()) {
      const message = kept.find(({ id }) => id === answers[at]!.body.brokerMessageId);
      const { content, metadata } = JSON.parse(body);
      expect([body, message?.content]).toEqual([body, content]);
      expect(json(message?.metadata)).toBe(json(metadata));
      expect(told.get(message!.id)).toEqual(message);
    }
    expect(adaHears.events.filter(([name]) => name === 'chat.message.failed')).toEqual([]);
    if (placesOf) expect(await placesOf(last)).toEqual(['messages']);

    // The same as an edit, which has no queue between.
    for (const metadata of metadatas) {
      const edited = await ada.call('PATCH', `${path}/${known.brokerMessageId}`, `{"metadata":${metadata}}`);
      expect([edited.status, json(edited.body.metadata)]).toEqual([200, json(JSON.parse(metadata))]);
    }
    for (const userIds of mentioned) {
      const edited = await ada.call('PATCH', `${path}/${known.brokerMessageId}`, { mentions: { userIds } });
      expect(edited.status).toBe(200);
    }
    adaHears.close();
    bobHears.close();
  }, 30_000);
}
