import { Hono } from 'hono';
import type { ApiEnv } from '../env.ts';
import { describe } from '../openapi.ts';

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
const assets = {
  'swagger-ui.css': import.meta.resolve('swagger-ui-dist/swagger-ui.css'),
  'swagger-ui-bundle.js': import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js'),
  'favicon-32x32.png': import.meta.resolve('swagger-ui-dist/favicon-32x32.png'),
};

/** The document for people, and `/openapi.json` for programs. */
export function documentationRoutes(document: () => Promise<object>): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();

  routes.get(
    '/documentation',
    describe({
      operationId: 'getDocumentation',
      summary: 'This document, to read and to try',
      tag: 'operation',
      security: 'none',
      responses: { 200: { description: 'A page', content: { 'text/html': { schema: { type: 'string' } } } } },
    }),
    (c) => c.html(page, 200, { 'Content-Security-Policy': contentSecurityPolicy }),
  );
  routes.get('/documentation/start.js', (c) => c.body(start, 200, { 'Content-Type': 'text/javascript' }));
  for (const [asset, url] of Object.entries(assets)) {
    const file = Bun.file(new URL(url));
    routes.get(`/documentation/${asset}`, (c) =>
      c.body(file.stream(), 200, { 'Content-Type': file.type, 'Cache-Control': 'public, max-age=3600' }),
    );
  }
  routes.get(
    '/openapi.json',
    describe({
      operationId: 'getOpenapi',
      summary: 'This document, for programs (OpenAPI 3.1)',
      tag: 'operation',
      security: 'none',
      responses: {
        200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
      },
    }),
    async (c) => c.json(await document()),
  );
  return routes;
}
