import type { HttpApp } from '../../src/process/http/http-app.ts';

/** An app that is asked without a socket. */
export interface AskedApp extends HttpApp {
  request(path: string, init?: RequestInit): Promise<Response>;
}

export const asked = (app: HttpApp): AskedApp => ({
  ...app,
  request: (path, init) => app.fetch(new Request(`http://localhost${path}`, init)),
});
