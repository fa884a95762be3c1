import { expect, test } from 'bun:test';
import { reactionKey } from '../../src/shared/reaction-key.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { reactionsSuite } from './reactions.ts';

const { database, facts } = await embeddedBase();
reactionsSuite('PGlite and this process', () => openChatApi({ database, facts }));

test('of every emoji there is one key, with U+FE0F where Unicode recommends it', () => {
  const recommended = /^\p{RGI_Emoji}$/v;
  let count = 0;
  for (let code = 0x20; code < 0x1fb00; code += 1) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const character = String.fromCodePoint(code);
    for (const key of [character, `${character}\u{FE0F}`, `${character}🏿`, `${character}\u{FE0F}\u{20E3}`]) {
      if (!recommended.test(key)) continue;
      count += 1;
      expect([reactionKey(key), reactionKey(key.replaceAll('\u{FE0F}', ''))]).toEqual([key, key]);
    }
  }
  expect(count).toBeGreaterThan(1_500);
  for (const none of ['', ' ', '1', '#', 'é', '\u{FE0F}', '\u{200D}', '👍 ', '👍👍🏽', '👍'.repeat(40)]) {
    expect([none, reactionKey(none)]).toEqual([none, undefined]);
  }
});
