import { type HTMLElement, type HTMLInputElement, Window } from 'happy-dom';
import type { ReactNode } from 'react';
import { eventually } from './eventually.ts';

/**
 * A page without a browser, and React in it. React looks for the page when it is loaded: so it is loaded here, and by no import of a
 * test. The network is Bun's.
 */
export async function openPage() {
  const window = new Window({ url: 'http://localhost/' });
  const { document } = window;
  const { window: windowBefore, document: documentBefore } = globalThis as Record<string, unknown>;
  Object.assign(globalThis, { window, document });
  const { createRoot, hydrateRoot } = await import('react-dom/client');
  const roots: { unmount(): void }[] = [];
  const { fetch } = globalThis;
  let asking = 0;
  const counted = async (...asked: Parameters<typeof fetch>) => {
    asking += 1;
    try {
      return await fetch(...asked);
    } finally {
      asking -= 1;
    }
  };
  globalThis.fetch = Object.assign(counted, { preconnect: fetch.preconnect });

  const newPart = (html = '') => {
    const part = document.createElement('div');
    part.innerHTML = html;
    document.body.append(part);
    return part;
  };

  return {
    window,
    show(content: ReactNode) {
      const part = newPart();
      const root = createRoot(part as unknown as Element);
      root.render(content);
      roots.push(root);
      return { ...handsOn(part), unmount: () => root.unmount() };
    },
    /** Of what a server has rendered. @returns with what React found to be otherwise */
    hydrate(html: string, content: ReactNode) {
      const part = newPart(html);
      const problems: unknown[] = [];
      const onRecoverableError = (error: unknown) => problems.push(error);
      roots.push(hydrateRoot(part as unknown as Element, content, { onRecoverableError }));
      return { ...handsOn(part), problems };
    },
    async close() {
      for (const root of roots) root.unmount();
      // React asks the page even when a part that is gone is told something: so of what was asked all is answered first.
      await eventually('all is answered', () => asking === 0);
      await window.happyDOM.close();
      globalThis.fetch = fetch;
      Object.assign(globalThis, { window: windowBefore, document: documentBefore });
      // Others ask whether there is one.
      if (windowBefore === undefined) {
        Reflect.deleteProperty(globalThis, 'window');
        Reflect.deleteProperty(globalThis, 'document');
      }
    },
  };

  /** What somebody sees and does. */
  function handsOn(part: HTMLElement) {
    const text = () => part.textContent ?? '';
    const find = (label: string) =>
      part.querySelector(`input[aria-label="${label}"]`) as HTMLInputElement | null;
    const input = (label: string) => {
      const found = find(label);
      if (!found) throw new Error(`no field "${label}" in: ${part.innerHTML}`);
      return found;
    };
    return {
      part,
      text,
      has: (label: string) => find(label) !== null,
      async sees(...texts: string[]) {
        await eventually(`the page shows ${texts}`, () => texts.every((each) => text().includes(each))).catch(
          (cause: unknown) => {
            throw new Error(`it shows: ${text()}`, { cause });
          },
        );
      },
      click(label: string) {
        const buttons = [...part.querySelectorAll('button')];
        const found = buttons.find((button) => button.textContent.includes(label));
        if (!found) throw new Error(`no button "${label}" in: ${part.innerHTML}`);
        found.click();
      },
      /** React notes what a program sets, and takes it for no change: so it is set as by a browser. */
      async type(label: string, value: string) {
        const field = input(label);
        const { set } = Object.getOwnPropertyDescriptor(window.HTMLInputElement.prototype, 'value') ?? {};
        set?.call(field, value);
        field.dispatchEvent(new window.Event('input', { bubbles: true }));
        // React puts back what was there, until the component takes it.
        await eventually(`"${label}" has taken what was typed`, () => field.value === value);
      },
      enter: (label: string) => input(label).form?.requestSubmit(),
    };
  }
}
