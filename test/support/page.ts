import { type HTMLElement as Part, Window } from 'happy-dom';
import type { ReactNode } from 'react';
import { eventually } from './eventually.ts';

type Root = ReturnType<(typeof import('react-dom/client'))['createRoot']>;

export type Page = Awaited<ReturnType<typeof openPage>>;

/**
 * A page without a browser, and React in it. React looks for the page when it is loaded: so it is loaded here, and by no import of a
 * test. The network stays that of Bun.
 */
export async function openPage() {
  const window = new Window({ url: 'http://localhost/' });
  const { document } = window;
  Object.assign(globalThis, { window, document });
  const { createRoot, hydrateRoot } = await import('react-dom/client');
  const roots: Root[] = [];

  /** A part of the page of its own. */
  function show(content: ReactNode, html?: string, onRecoverableError?: (error: unknown) => void) {
    const part = document.createElement('div');
    document.body.append(part);
    const element = part as unknown as Element;
    if (html === undefined) {
      const root = createRoot(element);
      root.render(content);
      roots.push(root);
    } else {
      part.innerHTML = html;
      roots.push(hydrateRoot(element, content, { onRecoverableError }));
    }
    return handsOn(part);
  }

  return {
    show,
    async close() {
      for (const root of roots) root.unmount();
      await window.happyDOM.close();
      Reflect.deleteProperty(globalThis, 'window');
      Reflect.deleteProperty(globalThis, 'document');
    },
  };
}
