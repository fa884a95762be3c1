import favicon from 'swagger-ui-dist/favicon-32x32.png' with { type: 'file' };
import styles from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' };
import scripts from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' };
import type { Answer } from '../../process/http/answer.ts';
import {
  type Caller,
  type Need,
  type Operation,
  type ResponseDescription,
  type Route,
  route,
} from '../../process/http/route.ts';
import { createEventsDocument } from '../events-document.ts';
import { eventsPage } from '../events-page.ts';
import { unchanging } from '../unchanging.ts';

/** Relative to `/documentation`, so that it also works below a prefix; all from here, nothing from elsewhere. */
const page = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Confab: the API</title>
  <link rel="stylesheet" href="documentation/swagger-ui.css">
  <link rel="icon" href="documentation/favicon-32x32.png">
</head>
<body>
  <nav style="padding: 1rem"><a href="documentation/events">What a socket is told</a></nav>
  <div id="swagger-ui"></div>
  <script src="documentation/swagger-ui-bundle.js"></script>
  <script src="documentation/start.js"></script>
</body>
</html>
`;

/** Without `validatorUrl: null` it would show the document to a server of Swagger's. */
const start = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });\n`;

/** Swagger UI sets inline styles and carries its pictures as data; its scripts are files. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Where the package has its files, by the names that the page asks for. */
const files = {
  'swagger-ui.css': styles,
  'swagger-ui-bundle.js': scripts,
  'favicon-32x32.png': favicon,
};

/**
 * The documents for people, and `/openapi.json` and `/asyncapi.json` for programs. Anybody may ask, so each is made once.
 * @param document of REST; the events are the same whatever routes there are
 */
export function documentationRoutes(needs: Need, document: () => object): Route[] {
  const open = (path: string, handle: (caller: Caller) => Promise<Answer>, operation?: Operation): Route =>
    route({ method: 'GET', path, needs, anyQuery: true, handle, ...(operation ? { operation } : {}) });
  const described = (operationId: string, summary: string, answer: ResponseDescription): Operation => ({
    ...{ operationId, summary, tag: 'operation', responses: { 200: answer }, problems: ['rate_limited'] },
  });
  const read = (path: string, operationId: string, summary: string, page: () => string) =>
    open(
      path,
      unchanging('text/html; charset=utf-8', async () => page(), {
        'Content-Security-Policy': contentSecurityPolicy,
      }),
      described(operationId, summary, {
        description: 'A page',
        type: 'text/html',
        schema: { type: 'string' },
      }),
    );
  const load = (path: string, operationId: string, summary: string, format: string, make: () => object) =>
    open(
      path,
      unchanging('application/json', async () => JSON.stringify(make())),
      described(operationId, `${summary} (${format})`, { description: format, schema: { type: 'object' } }),
    );
  const assets = Object.entries(files).map(([name, path]) => {
    const file = Bun.file(path);
    return open(
      `/documentation/${name}`,
      unchanging(file.type, () => file.bytes()),
    );
  });

  return [
    read('/documentation', 'getDocumentation', 'This document, to read and to try', () => page),
    read('/documentation/events', 'getEventsDocumentation', 'What a socket is told, to read', () =>
      eventsPage(createEventsDocument()),
    ),
    open(
      '/documentation/start.js',
      unchanging('text/javascript', async () => start),
    ),
    ...assets,
    load('/openapi.json', 'getOpenapi', 'This document, for programs', 'OpenAPI 3.1', document),
    load(
      '/asyncapi.json',
      'getAsyncapi',
      'What a socket is told, for programs',
      'AsyncAPI 3',
      createEventsDocument,
    ),
  ];
}
