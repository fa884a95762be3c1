import { expect, test } from 'bun:test';
import { parseChecklistArguments } from '../../src/commands/checklist/arguments.ts';
import { eventShapeProblems } from '../../src/commands/checklist/shape.ts';

test('without arguments: this machine, and two users of its own', () => {
  expect(parseChecklistArguments([])).toEqual({
    all: false,
    api: undefined,
    socket: undefined,
    a: { kind: 'registered' },
    b: { kind: 'registered' },
  });
});

test('addresses lose their last slash, passwords may hold colons', () => {
  expect(
    parseChecklistArguments(['--api', 'https://api.example.com/', '--a', 'a@x.y:p:q', '--b', 'b@x.y:r']),
  ).toMatchObject({
    api: 'https://api.example.com',
    a: { kind: 'login', email: 'a@x.y', password: 'p:q' },
    b: { kind: 'login', email: 'b@x.y', password: 'r' },
  });
  expect(parseChecklistArguments(['--token-a', 't', '--token-b', 'u'])).toMatchObject({
    a: { kind: 'token', token: 't' },
    b: { kind: 'token', token: 'u' },
  });
  expect(parseChecklistArguments(['--all'])).toMatchObject({ all: true });
  expect(parseChecklistArguments(['--help'])).toBe('help');
});

for (const [args, message] of [
  [['--api', 'api.example.com'], '--api must be a URL'],
  [['--socket', 'ws://x'], '--socket must be a URL'],
  [['--a', 'a@x.y:p'], '--a and --b go together'],
  [['--token-b', 't'], '--token-a and --token-b go together'],
  [['--a', 'nobody', '--b', 'b@x.y:p'], '--a must be email:password'],
  [['--a', 'a:b', '--b', 'a:b', '--token-a', 't'], 'exclude'],
  [['--apis', 'x'], '--apis'],
  [['http://localhost:3000'], 'http://localhost:3000'],
] as const) {
  test(`${args.join(' ')} is refused`, () => {
    expect(() => parseChecklistArguments(args)).toThrow(message);
  });
}

test('an event has the documented fields, each of its type, and no other', () => {
  const id = '11111111-1111-1111-1111-111111111111';
  const message = {
    ...{ id, chatId: id, senderId: id, content: 'Hello', messageType: 'text', status: 'sent' },
    ...{ sequence: 1, sentAt: '2026-02-14T12:00:00.000Z', clientMessageId: id },
  };
  const event = { chatId: id, message, eventSequence: 3 };
  expect(eventShapeProblems(event)).toEqual([]);
  const { sentAt: _, ...withoutTime } = message;
  for (const wrong of [
    undefined,
    { ...event, more: 1 },
    { ...event, eventSequence: '3' },
    { ...event, message: withoutTime },
    { ...event, message: { ...message, more: 1 } },
    { ...event, message: { ...message, sequence: 0 } },
    { ...event, message: { ...message, sentAt: '2026-02-14T12:00:00Z' } },
    { ...event, message: { ...message, status: 'delivered' } },
  ])
    expect(eventShapeProblems(wrong)).toHaveLength(1);
});
