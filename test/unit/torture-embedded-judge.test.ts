import { expect, test } from 'bun:test';
import { type EmbeddedEvidence, judgeEmbedded } from '../../torture/embedded-judge.ts';
import type { History } from '../../torture/history.ts';
import { ann, ben, chatId, post, reactedHistory } from './torture-history.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

function clean(): Mutable<EmbeddedEvidence> & { history: ReturnType<typeof reactedHistory> } {
  const history = reactedHistory();
  history.posts = history.posts.filter(({ content }) => content !== 'refused');
  history.deadLetters = history.deadLetters.filter(({ id }) => id === 'poison-1');
  return {
    history,
    starts: [{ first: true, readyMs: 4_000 }],
    unwantedExits: [],
    accounts: [{ userId: ann, email: 'ann@example.com', token: '', kept: true }],
  };
}

const broken = (evidence: EmbeddedEvidence): string[] =>
  judgeEmbedded(evidence).flatMap(({ invariant, kinds }) =>
    Object.keys(kinds).map((kind) => `${invariant} ${kind}`),
  );

test('what held is not found fault with, and everything was held against something', () => {
  const verdicts = judgeEmbedded(clean());
  expect(verdicts.map(({ violations }) => violations)).toEqual(Array(11).fill(0));
  expect(verdicts.filter(({ checked }) => checked === 0)).toEqual([]);
});

const damages: [name: string, damage: (evidence: ReturnType<typeof clean>) => void, found: string][] = [
  ['a message that was lost', ({ history }) => history.posts.push(post('gone', ann, 9_400)), 'I1 lost'],
  [
    'a message that waits in the queue for ever',
    ({ history }) => {
      history.queues = [{ name: 'queued_messages', messages: 1 }];
    },
    'I8 left over',
  ],
  [
    'an end that nobody wanted',
    (evidence) => {
      evidence.unwantedExits = [{ name: 'confab', at: 0, code: 1, log: 'it is damaged' }];
    },
    'E1 ended by itself',
  ],
  [
    'an account that is gone',
    (evidence) => {
      evidence.accounts = evidence.accounts.map((account) => ({ ...account, kept: false }));
    },
    'E2 account lost',
  ],
  [
    'a good token that is refused by REST',
    ({ history }) => history.posts.push(post('again', ann, 9_400, 401)),
    'E2 answered 401',
  ],
  [
    'a good token that is refused by the gateway',
    ({ history }) => history.clients[1]?.records.unshift({ kind: 'refused', at: 100, code: 'token_invalid' }),
    'E2 refused token_invalid',
  ],
];

for (const [name, damage, found] of damages) {
  test(`finds ${name}`, () => {
    const evidence = clean();
    damage(evidence);
    expect(broken(evidence)).toEqual([found]);
  });
}

test('no answer, a 503 and the refusal of a stranger are no violations', () => {
  const evidence = clean();
  const stranger = { ...post('stranger', ben, 9_400, 404), senderId: '00000000-0000-0000-0000-00000000000d' };
  evidence.history.posts.push(post('a', ann, 9_400, 503), post('b', ann, 9_400, 'cut'), stranger);
  expect(evidence.history.posts.at(-1)?.chatId).toBe(chatId);
  expect(broken(evidence as EmbeddedEvidence & { history: History })).toEqual([]);
});
