import { expect, test } from 'bun:test';
import { passwordProblem } from '../../src/auth/password-problem.ts';
import { readText } from '../support/repository.ts';

const problemOf = (password: string) => passwordProblem(password, 'ada.lovelace@example.com');

test('the list has ten thousand, in lower case, of at least the least length', async () => {
  const lines = (await readText('src/shared/common-passwords.txt')).trim().split('\n');
  const passwords = lines.filter((line) => !line.startsWith('#'));
  expect(passwords).toHaveLength(10_000);
  for (const password of passwords) {
    expect(password).toBe(password.normalize('NFKC').toLowerCase());
    expect(password.length).toBeGreaterThanOrEqual(8);
  }
});

const refused: Record<string, string[]> = {
  common: [
    'password',
    'Password',
    'PASSWORD1',
    'iloveyou',
    'qwerty123',
    'Trustno1',
    'baseball',
    'ｐａｓｓｗｏｒｄ',
  ],
  blank: [' '.repeat(8), '\t \u3000'.repeat(4), '\u200b'.repeat(8), '\u2800'.repeat(9)],
  email: ['ada.lovelace@example.com', 'Ada.Lovelace@Example.Com', 'ADA.LOVELACE'],
  pattern: ['zzzzzzzz', 'abababab', '123123123', '98765432', 'acegikmo', '🔥🔥🔥🔥'],
};
test.each(Object.entries(refused))('refused because of: %s', (reason, passwords) => {
  for (const password of passwords) {
    expect([password, problemOf(password)]).toEqual([password, expect.stringContaining(reason)]);
  }
});

test.each([
  'correct horse battery staple',
  'Tr0ub4dor&3',
  'пароль моей бабушки',
  '   spaces around   ',
  '8Xk2mQz1',
  'lovelace-ada',
])('taken: %s', (password) => {
  expect(problemOf(password)).toBeUndefined();
});
