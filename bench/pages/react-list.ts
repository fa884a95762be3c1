/** A page of a React app that shows many messages of one chat, as its README does, and notes how long each that arrives takes. */

import { type ChatMessage, createClient, memory } from '@confab/client';
import { ConfabProvider, useMessages } from '@confab/client/react';
import { createElement as h, memo, useLayoutEffect } from 'react';
import { createRoot } from 'react-dom/client';

export interface ReactListPage {
  /** Resolves when so many are shown. */
  open(options: { token: string; chatId: string; items: number }): Promise<void>;
  /** What the last one says. */
  last(): string | undefined;
  /** From the socket to where it stands in the page, in milliseconds, since this was asked last. */
  took(): number[];
}

declare global {
  var reactListPage: ReactListPage;
  /** When the last frame came from the socket: noted before anybody else hears of it. */
  var frameAt: number;
}

interface Part {
  readonly offsetHeight: number;
}
const { document, location } = globalThis as unknown as {
  document: { readonly body: Part };
  location: { readonly origin: string };
};

let took: number[] = [];
let messages: ReturnType<ReturnType<typeof createClient>['chat']>['messages'];

const Item = memo(({ message: { content, state } }: { message: ChatMessage }) =>
  h('p', null, content, ' ', h('small', null, state)),
);

function List({ chatId }: { chatId: string }) {
  const { items } = useMessages(chatId);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when they have changed
  useLayoutEffect(() => {
    // So that the browser has laid out what is new.
    void document.body.offsetHeight;
    took.push(performance.now() - frameAt);
  }, [items]);
  return items.map((message) => h(Item, { key: message.clientMessageId, message }));
}

globalThis.reactListPage = {
  async open({ token, chatId, items }) {
    const client = createClient({ url: location.origin, getToken: () => token, storage: memory() });
    messages = client.chat(chatId).messages;
    createRoot(document.body as unknown as Element).render(
      h(ConfabProvider, { client }, h(List, { chatId })),
    );
    while (messages.getSnapshot().items.length < items) {
      await messages.loadBefore();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  },
  last: () => messages.getSnapshot().items.at(-1)?.content,
  took() {
    const all = took;
    took = [];
    return all;
  },
};
