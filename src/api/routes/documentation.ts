import { type Context, Hono } from 'hono';
import favicon from 'swagger-ui-dist/favicon-32x32.png' with { type: 'file' };
import styles from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' };
import scripts from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' };
import { once } from '../../shared/once.ts';
import type { RateLimits } from '../../shared/ports/admission.ts';
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
const files = {
  'swagger-ui.css': styles,
  'swagger-ui-bundle.js': scripts,
  'favicon-32x32.png': favicon,
};

export interface DocumentationRoutesDependencies {
  document(): Promise<object>;
  rateLimits: RateLimits;
}

/** The document for people, and `/openapi.json` for programs. Anybody may ask, so each is made once. */
export function documentationRoutes({ document, rateLimits }: DocumentationRoutesDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  // The first one is /documentation, too.
  for (const path of ['/documentation/*', '/openapi.json']) {
    routes.use(path, async (c, next) => {
      await rateLimits.consume([{ limit: 'address', key: c.get('address') }]);
      await next();
    });
  }

  routes.get(
    '/documentation',
    describe({
      operationId: 'getDocumentation',
      summary: 'This document, to read and to try',
      tag: 'operation',
      security: 'none',
      responses: { 200: { description: 'A page', content: { 'text/html': { schema: { type: 'string' } } } } },
      problems: ['rate_limited'],
    }),
    unchanging('text/html; charset=utf-8', async () => page, {
      'Content-Security-Policy': contentSecurityPolicy,
    }),
  );
  routes.get(
    '/documentation/start.js',
    unchanging('text/javascript', async () => start),
  );
  for (const [name, path] of Object.entries(files)) {
    const file = Bun.file(path);
    routes.get(
      `/documentation/${name}`,
      unchanging(file.type, () => file.bytes()),
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
      problems: ['rate_limited'],
    }),
    unchanging('application/json', async () => JSON.stringify(await document())),
  );
  return routes;
}

/** Answers with what is the same as long as the process runs, and with 304 to who has it already. */
function unchanging(
  type: string,
  make: () => Promise<string | Uint8Array<ArrayBuffer>>,
  more: Record<string, string> = {},
): (c: Context<ApiEnv>) => Promise<Response> {
  const made = once(async () => {
    const body = await make();
    return { body, etag: `"${Bun.hash(body).toString(36)}"` };
  });

  return async (c) => {
    const { body, etag } = await made();
    // Whoever updates Confab asks for the same names: they are asked about each time, which costs a 304.
    const headers = { ...more, ETag: etag, 'Cache-Control': 'public, no-cache' };
    const known = c.req.header('if-none-match')?.split(',') ?? [];
    if (known.some((tag) => [etag, `W/${etag}`, '*'].includes(tag.trim()))) return c.body(null, 304, headers);
    return c.body(body, 200, { ...headers, 'Content-Type': type });
  };
}
