import { type Need, type Route, route } from '../../process/http/route.ts';
import { unchanging } from '../unchanging.ts';

/** Relative, so that it also works below a prefix; all from here, nothing from elsewhere. */
const page = (secondPerson: boolean) => `<!doctype html>
<html lang="en"${secondPerson ? ' data-second-person' : ''}>
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Confab</title>
  <link rel="icon" href="web/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="web/style.css">
  <script type="module" src="web/main.js"></script>
</head>
<body>
  <noscript>Confab's web client needs JavaScript.</noscript>
</body>
</html>
`;

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#3457d5" d="M4 4h24a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H14l-8 6v-6H4a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z"/></svg>\n`;

/** Nothing but its own files and this server. No text can become markup: the page may not even make any (Trusted Types). */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/**
 * A chat for people, in the browser: made from `web/`, each file once.
 * @param secondPerson whether a button makes one: an account that nobody knows the password of
 */
export function webClientRoutes(needs: Need, secondPerson = false): Route[] {
  const files = () => import('../web-files.ts');
  const open = (path: string, type: string, make: () => Promise<string>, more?: Record<string, string>) =>
    route({ method: 'GET', path, needs, anyQuery: true, handle: unchanging(type, make, more) });

  return [
    open('/', 'text/html; charset=utf-8', async () => page(secondPerson), {
      'Content-Security-Policy': contentSecurityPolicy,
    }),
    open('/web/main.js', 'text/javascript; charset=utf-8', async () => (await files()).script),
    open('/web/style.css', 'text/css; charset=utf-8', async () => (await files()).styles),
    open('/web/icon.svg', 'image/svg+xml', async () => icon),
  ];
}
