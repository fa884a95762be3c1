import { render } from 'preact';
import { App } from './app.tsx';
import { createSessions } from './session.ts';

/** Whose browser this is: `?as=<profile>` is somebody else's in the same browser. */
const profile = new URLSearchParams(location.search).get('as') ?? 'own';

render(<App sessions={createSessions(profile)} />, document.body);
