import { expect, test } from 'bun:test';
import type { MessagePage } from '../../src/shared/contract.ts';
import { createReading } from '../../torture/reading.ts';
import type { Answer, Rest } from '../../torture/rest.ts';
import { eventually } from '../support/eventually.ts';

test('who is added again while it is answered that they are out of a chat reads its history', async () => {
  const answers: ((answer: Answer<MessagePage>) => void)[] = [];
  const pages: MessagePage[] = [];
  const history = () => new Promise<Answer<MessagePage>>((resolve) => void answers.push(resolve));
  const reading = createReading({
    rest: { history } as unknown as Rest,
    token: async () => 'token',
    closed: () => false,
    takeChat: () => {},
    takeMembership: () => {},
    takePage: (_, page) => void pages.push(page),
  });
  reading.history('chat');
  await eventually('it asks', () => answers.length === 1);
  // Removed and added, of which it hears before the answer of when it was out.
  reading.history('chat');
  answers[0]?.({ status: 404 });
  await eventually('it asks again', () => answers.length === 2);
  const page = { data: [], page: { hasBefore: false, hasAfter: false, eventSequence: 3 } };
  answers[1]?.({ status: 200, body: page });
  await eventually('it has read', () => !reading.underWay());
  expect(pages).toEqual([page]);
});
