import { expect, test } from 'bun:test';
import { createSetTyping } from '../../src/chat/set-typing.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import { runningMs } from '../support/running-time.ts';
import { gatewayPresenceSuite } from './gateway-presence-suite.ts';

const base = await embeddedBase();

test.concurrent('who types on is told of once in 3 s', async () => {
  const announced: number[] = [];
  const announce = async () => void announced.push(runningMs());
  const setTyping = createSetTyping({ ...base, announce, liveMax: 100 });
  const input = { chatId: crypto.randomUUID(), userId: crypto.randomUUID(), typing: true };
  await eventually('it is told again', async () => {
    await setTyping({ ...input, facts: [true, true] });
    return announced.length > 1;
  });
  expect(announced[1]! - announced[0]!).toBeWithin(2_950, 4_500);
});

gatewayPresenceSuite('embedded', { ...base, ends: [base] });
