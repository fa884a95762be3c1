import type { Page } from 'playwright-core';
import { type Holdings, holdingsOf } from './browser.ts';

/** Of the web client: as many messages as a page ever holds. */
export const mostMessages = 2_000;

export interface ScrolledUp {
  /** When it held {@link mostMessages} for the first time, and at the first message of the chat. */
  readonly full: Holdings;
  readonly top: Holdings;
  /** In pixels, the furthest that a message went which was on the screen when more came in above it. */
  readonly moved: number;
}

/** To the first message of the open chat, which has more than {@link mostMessages}. */
export async function scrollUp(page: Page): Promise<ScrolledUp> {
  await page.evaluate(script);
  await page.evaluate(`scrollUntil(() => held() >= ${mostMessages})`);
  const full = await holdingsOf(page);
  await page.evaluate('scrollUntil(() => first() === 1)');
  return { full, top: await holdingsOf(page), moved: await page.evaluate<number>('moved') };
}

const script = `
  scroller = document.querySelector('.scroller');
  held = () => scroller.querySelectorAll('.message').length;
  first = () => Number(scroller.querySelector('.message')?.dataset.sequence);
  frame = () => new Promise(requestAnimationFrame);
  moved = 0;
  scrollUntil = async (isDone) => {
    while (!isDone()) {
      scroller.scrollTo(0, -scroller.scrollHeight);
      const before = first();
      const message = scroller.querySelector('.message .bubble');
      const top = message?.getBoundingClientRect().top;
      while (Object.is(first(), before)) await frame();
      if (message?.isConnected) moved = Math.max(moved, Math.abs(message.getBoundingClientRect().top - top));
    }
  };
`;
